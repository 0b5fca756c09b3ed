"""A package in pictures: bit rate over time for every rung, rate against quality, sizes.

Plain SVG, drawn to be read on its own; ``page`` puts it into one HTML file with the findings.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from html import escape

from transcode.inspection.facts import MediaFacts, PackageFacts
from transcode.inspection.judge import Verdict
from transcode.inspection.report import Row, ladder, summary

WIDTH = 860
_PLOT_LEFT, _PLOT_RIGHT, _PLOT_HEIGHT = 70, 640, 220
_MOST_POINTS = 2000
"""A line of more segments is thinned out; highest rates stay."""
_COLOURS = (
    *("#1f6f8b", "#c8553d", "#588157", "#8e5572", "#b08900", "#3d5a80"),
    *("#a44a3f", "#2a9d8f", "#6d597a", "#7f8c8d"),
)


def draw(package: PackageFacts) -> str:
    """The picture as one SVG document."""
    rows = ladder(package)
    colours = {row.name: _COLOURS[n % len(_COLOURS)] for n, row in enumerate(rows)}
    parts, top = [], 30
    for title, body, height in (
        ("Bit rate over time, kbit/s", _rates(package, colours), _PLOT_HEIGHT + 70),
        *_quality(package, rows, colours),
        ("Size of each playlist's media, MB", _sizes(rows, colours), 30 + 22 * len(rows)),
    ):
        parts.append(f'<text x="10" y="{top}" class="t">{escape(title)}</text>')
        parts.append(f'<g transform="translate(0,{top + 14})">{body}</g>')
        top += height + 40
    style = (
        "text{font:12px sans-serif;fill:#222}.t{font-size:15px;font-weight:bold}"
        ".a{stroke:#999;fill:none}.g{stroke:#e2e2e2;fill:none}"
    )
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {top}" '
        f'width="{WIDTH}" height="{top}"><style>{style}</style>'
        f'<rect width="{WIDTH}" height="{top}" fill="#fff"/>{"".join(parts)}</svg>\n'
    )


def page(package: PackageFacts, verdict: Verdict) -> str:
    """Findings, ladder and picture as one HTML page without outside files."""
    findings = "".join(
        f"<tr class={f.severity}><td>{f.severity}<td>{escape(f.rule)}<br>"
        f"<small>{escape(', '.join(f.clauses))}</small><td>{escape(f.file)}<br>"
        f"<small>{escape(f.place)}</small><td>{escape(f.measured)}<td>{escape(f.allowed)}"
        f"<td>{escape(f.remedy)}"
        for f in verdict.findings
    )
    table = "".join(
        f"<tr><td>{escape(row.name)}<td>{row.size}<td>{escape(row.codecs)}"
        f"<td>{_kilo(row.mean_bps)}<td>{_kilo(row.peak_bps)}<td>{_kilo(row.stated_peak_bps)}"
        f"<td>{row.segments}"
        for row in ladder(package)
    )
    columns = "<tr><th>playlist<th>size<th>codecs<th>mean kbit/s<th>peak kbit/s<th>BANDWIDTH"
    head = "<tr><th>severity<th>rule<th>where<th>measured<th>allowed<th>to do"
    return (
        f"<!doctype html><html lang=en><meta charset=utf-8><title>{escape(package.name)}</title>"
        "<style>body{font:15px sans-serif;max-width:1100px;margin:2em auto;color:#222}"
        "table{border-collapse:collapse}td,th{padding:.3em .7em;text-align:left;"
        "vertical-align:top;border-bottom:1px solid #ddd}small{color:#666}"
        ".violation td:first-child{color:#b3261e;font-weight:bold}</style>"
        f"<h1>{escape(package.name)}</h1><p>{escape(summary(verdict))}</p>"
        f"<table>{columns}<th>segments{table}</table>{draw(package)}"
        f"<h2>Findings</h2><table>{head}{findings}</table></html>\n"
    )


def _kilo(bps: float | None) -> str:
    return "" if bps is None else f"{bps / 1000:.0f}"


def _rates(package: PackageFacts, colours: Mapping[str, str]) -> str:
    """Steps: the rate of each segment of every rung and audio rendition."""
    shown = {media.name: media for media in package.audio_video()}
    lines = [(shown[n], _points(shown[n])) for n in colours if n in shown and shown[n].sizes_bytes]
    lines = [(media, points) for media, points in lines if points]
    if not lines:
        return '<text x="70" y="20">sizes of segments are not known</text>'
    end_s = max(points[-1][1] for _, points in lines)
    most = _round_up(max(rate for _, points in lines for _, _, rate in points))
    parts = [_axes(end_s, most, "s")]
    for number, (media, points) in enumerate(lines):
        colour = colours[media.name]
        path = " ".join(
            f"{'M' if not place else 'L'}{_x(start, end_s):.1f},{_y(rate, most):.1f}"
            f" L{_x(end, end_s):.1f},{_y(rate, most):.1f}"
            for place, (start, end, rate) in enumerate(points)
        )
        parts.append(f'<path d="{path}" fill="none" stroke="{colour}" stroke-width="1.5"/>')
        parts.append(_legend(number, colour, media.name))
    return "".join(parts)


def _points(media: MediaFacts) -> list[tuple[float, float, float]]:
    """Start, end and kbit/s of each segment, thinned to what can be seen."""
    sizes = media.sizes_bytes or ()
    every = max(1, len(sizes) // _MOST_POINTS)
    found, at_s = [], 0.0
    for first in range(0, len(sizes), every):
        group = media.listed.segments[first : first + every]
        lasts = sum(segment.duration_s for segment in group)
        if lasts > 0:
            rate = 8 * sum(sizes[first : first + every]) / lasts / 1000
            found.append((at_s, at_s + lasts, rate))
        at_s += lasts
    return found


def _quality(
    package: PackageFacts, rows: Sequence[Row], colours: Mapping[str, str]
) -> list[tuple[str, str, int]]:
    """Mean rate against mean quality of each rung; nothing where no quality is stated."""
    points = [
        (row.mean_bps / 1000, row.mean_quality, row.name)
        for row in rows
        if row.mean_bps and row.mean_quality is not None
    ]
    if not points:
        return []
    most_rate, most = (
        _round_up(max(rate for rate, _, _ in points)),
        max(100.0, *(q for _, q, _ in points)),
    )
    parts = [_axes(most_rate, most, "kbit/s")]
    path = " ".join(
        f"{'M' if not n else 'L'}{_x(rate, most_rate):.1f},{_y(quality, most):.1f}"
        for n, (rate, quality, _) in enumerate(sorted(points))
    )
    parts.append(f'<path d="{path}" fill="none" stroke="#999" stroke-width="1.5"/>')
    for rate, quality, name in points:
        x, y = _x(rate, most_rate), _y(quality, most)
        parts.append(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="4" fill="{colours[name]}"/>')
        parts.append(f'<text x="{x + 6:.1f}" y="{y + 4:.1f}">{escape(name)} {quality:.1f}</text>')
    title = f"Mean {package.metric or 'quality'} over mean bit rate"
    return [(title, "".join(parts), _PLOT_HEIGHT + 70)]


def _sizes(rows: Sequence[Row], colours: Mapping[str, str]) -> str:
    known = [row for row in rows if row.size_bytes]
    most = max((row.size_bytes or 0 for row in known), default=1)
    parts = []
    for number, row in enumerate(known):
        size, y = row.size_bytes or 0, 22 * number
        width = 420 * size / most
        colour = colours[row.name]
        parts.append(f'<text x="10" y="{y + 14}">{escape(row.name[:34])}</text>')
        parts.append(f'<rect x="240" y="{y + 3}" width="{width:.1f}" height="14" fill="{colour}"/>')
        parts.append(f'<text x="{width + 246:.1f}" y="{y + 14}">{size / 1e6:.2f}</text>')
    return "".join(parts)


def _axes(most_x: float, most_y: float, unit: str) -> str:
    parts = []
    for step in range(5):
        value, y = most_y * step / 4, _y(most_y * step / 4, most_y)
        parts.append(f'<path class="g" d="M{_PLOT_LEFT},{y:.1f} H{_PLOT_RIGHT}"/>')
        parts.append(
            f'<text x="{_PLOT_LEFT - 8}" y="{y + 4:.1f}" text-anchor="end">{value:g}</text>'
        )
        x = _x(most_x * step / 4, most_x)
        label = f"{most_x * step / 4:.4g}" + (f" {unit}" if step == 4 else "")
        parts.append(
            f'<text x="{x:.1f}" y="{_PLOT_HEIGHT + 28}" text-anchor="middle">{label}</text>'
        )
    bottom = _PLOT_HEIGHT + 10
    parts.append(f'<path class="a" d="M{_PLOT_LEFT},10 V{bottom} H{_PLOT_RIGHT}"/>')
    return "".join(parts)


def _round_up(value: float) -> float:
    """The least of 1, 2, 4, 6, 8 times a power of ten that is not below: its quarters are round."""
    power = 10.0 ** math.floor(math.log10(max(value, 1e-9)))
    return next(each * power for each in (1, 2, 4, 6, 8, 10) if each * power >= value)


def _legend(number: int, colour: str, name: str) -> str:
    y = 20 + 18 * number
    return (
        f'<rect x="{_PLOT_RIGHT + 20}" y="{y - 9}" width="12" height="10" fill="{colour}"/>'
        f'<text x="{_PLOT_RIGHT + 38}" y="{y}">{escape(name[:26])}</text>'
    )


def _x(value: float, most: float) -> float:
    return _PLOT_LEFT + (_PLOT_RIGHT - _PLOT_LEFT) * value / max(most, 1e-9)


def _y(value: float, most: float) -> float:
    return 10 + _PLOT_HEIGHT * (1 - value / max(most, 1e-9))
