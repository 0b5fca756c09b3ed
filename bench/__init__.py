"""Experiments that can be repeated and believed: reports, comparisons, demo, doctor."""
