"""Figures as people read them."""

from __future__ import annotations


def format_count(number: int, noun: str, plural: str | None = None) -> str:
    """``1 stall``, ``3 stalls``, ``no stalls``."""
    word = noun if number == 1 else plural or f"{noun}s"
    return f"{number or 'no'} {word}"
