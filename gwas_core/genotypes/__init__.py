"""Genotypes and traits: reading, checking, preparing, splitting and simulating them."""
