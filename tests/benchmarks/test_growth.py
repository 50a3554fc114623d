from __future__ import annotations

import pytest

from benchmarks.growth import draw, fit


def measurements(over: str, sizes: tuple[int, ...], *, power: int) -> list[dict[str, float]]:
    """Seconds as the size to 2.5, memory as 0.3 GB and the size to ``power``."""
    return [{over: size, "seconds": 1e-7 * size**2.5, "gigabytes": 0.3 + 2e-8 * size**power} for size in sizes]


@pytest.mark.parametrize(
    ("part", "over", "power"), [("baselines", "lines", 2), ("epoch", "lines", 1), ("start", "snps", 1)]
)
def test_what_grows_is_found_again(part: str, over: str, power: int) -> None:
    growth = fit(part, over, measurements(over, (1_000, 5_000, 20_000), power=power))
    assert growth.power == pytest.approx(2.5)
    assert growth.seconds_at(40_000) == pytest.approx(1e-7 * 40_000**2.5)
    assert growth.gigabytes_at(40_000) == pytest.approx(0.3 + 2e-8 * 40_000**power)
    assert growth.gigabytes_at(growth.size_that_fills(24.0)) == pytest.approx(24.0)


def test_what_does_not_grow_never_fills_the_memory() -> None:
    same = [{"lines": size, "seconds": 1.0, "gigabytes": 0.9} for size in (1_000, 2_000, 5_000)]
    growth = fit("epoch", "lines", same)
    assert growth.size_that_fills(24.0) > 1e9
    assert growth.power == pytest.approx(0.0, abs=1e-9)


def test_every_part_is_drawn_over_lines_and_over_snps() -> None:
    growths = [
        fit(part, over, measurements(over, (1_000, 5_000, 20_000), power=1))
        for part in ("baselines", "start", "epoch")
        for over in ("lines", "snps")
    ]
    figure = draw(growths, memory_gigabytes=24.0)
    points = [trace for trace in figure.data if trace.mode == "markers"]
    assert len(points) == 12, "three parts, time and memory, lines and SNPs"
    assert sum(bool(trace.showlegend) for trace in points) == 3
