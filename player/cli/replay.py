"""``abr replay``: a recorded session again."""

from __future__ import annotations

from pathlib import Path

import click

from abr.errors import PlaybackError
from abr.shell import note
from player.cli.options import QOE, find_qoes
from player.cli.result import show


@click.command()
@click.argument("log", type=click.Path(path_type=Path))
@QOE
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object instead.")
def replay(log: Path, qoe: tuple[str, ...], as_json: bool) -> None:
    """Play LOG again: every decision is made anew and must equal the recorded one.

    Exits 1 when anything differs, after naming the first differences.

    \b
    Examples:
      abr replay session.jsonl
      abr replay session.jsonl --json
      abr replay session.jsonl --qoe log --qoe mine.py:score
    """
    from player.api import replay as replay_log
    from player.drivers.replay import differences
    from player.files import read_log

    models = find_qoes(qoe)
    recorded = read_log(log)
    again = replay_log(recorded)
    found = differences(recorded, again)
    show(again, as_json=as_json, qoe=models)
    if found:
        raise PlaybackError(f"{log}: the replay differs from the recording: {'; '.join(found)}")
    note(f"{log}: {len(recorded.records)} records replayed, all identical")
