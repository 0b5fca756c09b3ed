"""Cut the small golden table of Sabre's decisions from the full reference file.

    python tests/golden/make_sabre_decisions.py ../shared/gold > tests/golden/sabre_decisions.json

Each row adds to the reference row the size of the segment asked for.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

KEPT = (
    ("A_10rung_3s", "05_square", "bola", True),
    ("A_10rung_3s", "05_square", "throughput", True),
    ("B_6rung_4s", "10_outages", "bola", False),
    ("B_6rung_4s", "10_outages", "throughput", True),
)
ROWS = 45


def main(gold: Path) -> None:
    """Print the table."""
    sessions = []
    for session in json.loads((gold / "sabre_decisions.json").read_text())["sessions"]:
        key = tuple(session[k] for k in ("movie", "net", "config", "abandon"))
        if key not in KEPT:
            continue
        movie = json.loads((gold / "movie" / f"{session['movie']}.json").read_text())
        sizes = movie["segment_sizes_bits"]
        sessions.append(
            {
                **{k: session[k] for k in ("movie", "net", "config", "abandon")},
                "segment_ms": movie["segment_duration_ms"],
                "segments": len(sizes),
                "bitrates_kbps": movie["bitrates_kbps"],
                "decisions": [[*row, sizes[row[0]][row[1]]] for row in session["decisions"][:ROWS]],
            }
        )
    print('{"source": "Sabre at commit 09b03bb, first decisions of some sessions",')
    columns = "segment, rung, clock ms, buffer ms, ttfb ms, total ms, bits, abandon to, size bits"
    print(f'"row": "{columns}",')
    print('"sessions": [')
    print(",\n".join(_lines(session) for session in sessions))
    print("]}")


def _lines(session: dict[str, object]) -> str:
    rows = session.pop("decisions")
    assert isinstance(rows, list)
    head = json.dumps(session)[:-1]
    return head + ', "decisions": [\n' + ",\n".join(map(json.dumps, rows)) + "]}"


if __name__ == "__main__":
    main(Path(sys.argv[1]))
