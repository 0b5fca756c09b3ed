"""Draws misses over cache size for each policy, on a quarter of the standard log of viewers.

    .venv/bin/python -m tests.perf.eviction_picture > docs/caching.svg

Of the requests after a fifth has warmed the caches. Takes about two minutes of one core.
"""

from __future__ import annotations

import math
import tempfile
from html import escape
from pathlib import Path

import numpy as np

from bench.reports.svg import Axis, Panel
from edge import policies
from edge.simulation.formats import Columns
from edge.simulation.run import Cache, Log, simulate
from edge.simulation.viewing import Viewing, watch
from tests.fakes.libcachesim import write_oracle_general

SHARES = (0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.4)
STYLE = """
text{font:13px system-ui,sans-serif;fill:#222}
.paper{fill:#fff}.grid{stroke:#e4e4e4}.tick{font-size:12px;fill:#555}
path{fill:none;stroke-width:2;vector-effect:non-scaling-stroke}
.lru{stroke:#999}.s3-fifo{stroke:#1f6f8b;stroke-width:3}.sieve{stroke:#5a9e4b}
.w-tinylfu{stroke:#8a63b8}.gdsf{stroke:#c8553d}
text.name{font-weight:600;stroke:none}
@media (prefers-color-scheme:dark){text{fill:#ddd}.paper{fill:#16181c}.grid{stroke:#33363c}
.tick{fill:#aaa}.s3-fifo{stroke:#62b6cb}}
"""
COLOURS = {
    "lru": "#999",
    "s3-fifo": "#1f6f8b",
    "sieve": "#5a9e4b",
    "w-tinylfu": "#8a63b8",
    "gdsf": "#c8553d",
}

Line = list[tuple[float, float]]


def measure() -> dict[str, tuple[Line, Line]]:
    """By policy: share of the footprint and share missed, of requests and of bytes."""
    log = watch(Viewing(titles=400, viewers=4000), np.random.default_rng(1))
    cases = [(name, share) for name in policies.names() for share in SHARES]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "log"
        write_oracle_general(log, path)
        caches = [
            Cache(
                policy=name,
                capacity_bytes=int(log.footprint_bytes * share),
                overhead_bytes=0,
                lifetime_s=math.inf,
                warm_up_requests=len(log) // 5,
            )
            for name, share in cases
        ]
        file = Log(path=path, format="oracle-general", columns=Columns())
        found = simulate(file, caches, told=lambda _share: None)
    lines: dict[str, tuple[Line, Line]] = {name: ([], []) for name in policies.names()}
    for (name, share), each in zip(cases, found, strict=True):
        lines[name][0].append((share, 1 - each.outcome.hit_ratio))
        lines[name][1].append((share, 1 - each.outcome.byte_hit_ratio))
    return lines


def draw(lines: dict[str, tuple[Line, Line]]) -> str:
    """Two panels side by side: requests and bytes."""
    low = min(y for pair in lines.values() for line in pair for _, y in line)
    y = Axis(math.floor(low * 10) / 10, 1.0)
    panel = Panel(x=Axis(math.log(SHARES[0]), math.log(SHARES[-1])), y=y, top_px=44, height_px=300)
    head = (
        '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 760 390" role="img" '
        'aria-label="Misses over cache size for five policies">'
        f'<style>{STYLE}</style><rect class="paper" width="100%" height="100%"/>'
    )
    parts = [head]
    for number, name in enumerate(("s3-fifo", "sieve", "w-tinylfu", "gdsf", "lru")):
        parts.append(
            f'<text class="name" fill="{COLOURS[name]}" style="fill:{COLOURS[name]}" '
            f'x="{46 + 110 * number}" y="22">{escape(name)}</text>'
        )
    for side, title in enumerate(("requests that miss", "bytes that miss")):
        parts.append(f'<svg x="{46 + side * 370}" width="330" height="390" overflow="visible">')
        parts.append(f'<text class="tick" x="100%" text-anchor="end" y="40">{title}</text>')
        parts.extend(_grid(panel))
        for name, pair in lines.items():
            points = " L".join(
                f"{330 * panel.x.share(math.log(x)):.1f} {_down(panel, value):.1f}"
                for x, value in pair[side]
            )
            parts.append(f'<path class="{name}" d="M{points}"/>')
        parts.append("</svg>")
    parts.append(
        '<text class="tick" x="50%" y="384" text-anchor="middle">'
        "size of the cache, as a share of all objects</text></svg>\n"
    )
    return "".join(parts)


def _grid(panel: Panel) -> list[str]:
    parts = []
    for value in panel.y.ticks(8):
        down = _down(panel, value)
        parts.append(f'<line class="grid" x2="100%" y1="{down:.1f}" y2="{down:.1f}"/>')
        place = f'x="-8" y="{down:.1f}" dy=".35em" text-anchor="end"'
        parts.append(f'<text class="tick" {place}>{value:g}</text>')
    for share in SHARES:
        across = 330 * panel.x.share(math.log(share))
        parts.append(
            f'<text class="tick" x="{across:.1f}" y="{panel.bottom_px + 18}" '
            f'text-anchor="middle">{share * 100:g} %</text>'
        )
    return parts


def _down(panel: Panel, value: float) -> float:
    return panel.bottom_px - panel.height_px * panel.y.share(value)


if __name__ == "__main__":
    print(draw(measure()), end="")
