"""How algorithms are told apart in charts and tables: by colour and by shape.

Colours are the CSS variables ``--series-1`` to ``--series-8`` of the page. Each of the first
sixty-four algorithms has a pair of its own, neighbours differ in both, and so they can also be
told apart without colours. Lines have a pattern in place of the shape.
"""

from __future__ import annotations

COLOURS = 8
SHAPES = (
    "M-4.5 0A4.5 4.5 0 1 0 4.5 0A4.5 4.5 0 1 0 -4.5 0Z",  # circle
    "M-4 -4H4V4H-4Z",  # square
    "M0 -5.2L5 3.8H-5Z",  # triangle
    "M0 -5.6L5.6 0L0 5.6L-5.6 0Z",  # diamond
    "M0 5.2L5 -3.8H-5Z",  # triangle, point down
    "M-1.8 -5H1.8V-1.8H5V1.8H1.8V5H-1.8V1.8H-5V-1.8H-1.8Z",  # plus
    "M-4.6 -4.6H4.6L0 0L4.6 4.6H-4.6L0 0Z",  # hourglass
    "M-5 -3L-3 -5L0 -2L3 -5L5 -3L2 0L5 3L3 5L0 2L-3 5L-5 3L-2 0Z",  # cross
)
"""Paths about the origin, 10 px or so across."""
DASHES = ("", "7 3", "2 3", "9 3 2 3", "4 2", "1 5", "9 3 2 3 2 3", "14 4")


def colour_of(place: int) -> str:
    """Of the ``place``-th algorithm, as CSS."""
    return f"var(--series-{place % COLOURS + 1})"


def shape_of(place: int) -> str:
    """The path of its mark."""
    return SHAPES[(place % COLOURS + 3 * (place // COLOURS)) % len(SHAPES)]


def dash_of(place: int) -> str:
    """The pattern of its line, empty for a full one."""
    return DASHES[place // COLOURS % len(DASHES)]


def key_mark(place: int, *, is_hollow: bool = False) -> str:
    """Its mark to stand before its name in a table or a list."""
    fill = "var(--page)" if is_hollow else colour_of(place)
    return (
        '<svg class="mark" width="14" height="14" viewBox="-7 -7 14 14" aria-hidden="true">'
        f'<path d="{shape_of(place)}" style="fill:{fill};stroke:{colour_of(place)}"/></svg>'
    )


def key_line(place: int) -> str:
    """A piece of its line, for the key of a chart of lines."""
    dash = dash_of(place)
    style = f"stroke:{colour_of(place)};stroke-width:2"
    style += f";stroke-dasharray:{dash}" if dash else ""
    return (
        '<svg class="mark" width="28" height="10" aria-hidden="true">'
        f'<path d="M0 5H28" style="{style}"/></svg>'
    )
