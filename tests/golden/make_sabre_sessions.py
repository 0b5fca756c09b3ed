"""Cut the small golden table of Sabre's sessions from the full reference file.

    python tests/golden/make_sabre_sessions.py ../shared/gold > tests/golden/sabre_sessions.json

One title and four networks go with it, so that the table can be played anywhere.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

MOVIE = "B_6rung_4s"
NETS = ("04_step_up", "05_square", "13_high_latency", "14_latency_zero")
FIELDS = ("net", "config", "abandon", "rebuffer_ms", "rebuffer_events_real", "total_play_ms")
MORE = ("startup_ms", "bitrate_change", "played_bitrate_timeavg", "n_abandon", "n_downloads")


def main(gold: Path) -> None:
    """Print the table."""
    movie = json.loads((gold / "movie" / f"{MOVIE}.json").read_text())
    print('{"source": "Sabre at commit 09b03bb, some sessions",')
    print(f'"columns": {json.dumps([*FIELDS, *MORE, "quality"])},')
    print(f'"movie": {json.dumps(movie)},')
    nets = (f'"{net}": {_compact(gold / "net" / f"{net}.json")}' for net in NETS)
    print('"nets": {\n' + ",\n".join(nets) + "},")
    rows = (
        [*(session[name] for name in (*FIELDS, *MORE)), session["quality"].replace(" ", "")]
        for session in json.loads((gold / "sabre.json").read_text())["sessions"]
        if session["movie"] == MOVIE and session["net"] in NETS
    )
    print('"sessions": [\n' + ",\n".join(map(json.dumps, rows)) + "]}")


def _compact(path: Path) -> str:
    periods: list[dict[str, Any]] = json.loads(path.read_text())
    return json.dumps(periods)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
