"""The network: building, training and judging it beside simple baselines, and packing it to take home."""
