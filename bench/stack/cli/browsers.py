"""``abr agree --browser``: real players beside ours, and the table of what is apart."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from abr.errors import InputError
from abr.shell import note, run_async

if TYPE_CHECKING:
    from abr.trace import Trace
    from bench.browser.apart import Apart, Case, Side
    from bench.browser.run.cases import Calibration
    from player.config import PlayerConfig

PLAYERS = ("hls.js", "shaka", "native")
BOUND_SHARE = 0.95
"""Of the pairs of hls.js, whose rules are known, so many keep all bounds; others are shown."""
HELD = "hls.js"
PRESET_OF = {"hls.js": "hlsjs-chromium", "shaka": "shaka-chromium", "native": "abrkit"}
"""What plays beside each player; nobody has published what Chromium itself does."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What the command line asks for."""

    package: Path
    keys_dir: Path | None
    players: tuple[str, ...]
    folder: Path | None
    """Where players are; None: npm fetches them."""
    rungs: tuple[int, ...]
    """Pinned one after the other; none: the players choose."""
    runs: int
    jobs: int
    seconds: float
    record_dir: Path | None
    as_json: bool


def players_named(text: str) -> tuple[str, ...]:
    """Players of a list separated by commas.

    Raises:
        InputError: one that is not known.
    """
    names = tuple(name.strip() for name in text.split(",") if name.strip())
    for name in names:
        if name not in PLAYERS:
            raise InputError(f"unknown player {name!r}; expected some of {', '.join(PLAYERS)}")
    return names


def compare(asked: Asked, traces: Sequence[Trace], config: PlayerConfig) -> list[str]:
    """Play, print, and name what is beyond the bounds; nothing where there is no browser."""
    from bench.browser.run.cases import Comparison, Ways, first_error
    from bench.browser.run.chromium import BrowserMissingError, find_browser
    from bench.browser.run.players import scripts_of
    from player.presets import preset

    try:
        find_browser()
    except BrowserMissingError as exc:
        note(f"skipped {', '.join(asked.players)}: {exc}")
        return []
    scripts = scripts_of(asked.players, asked.folder)
    kept: list[Mapping[str, Any]] = []
    comparison = Comparison(
        asked.package,
        keys=asked.keys_dir,
        seconds=asked.seconds,
        runs=asked.runs,
        jobs=asked.jobs,
        rtt_s=config.rtt_s,
        tell=note,
        keep=lambda raw: _keep(raw, kept, asked.record_dir),
    )
    ways = [
        Ways(
            player=name,
            algorithm=preset(PRESET_OF[name]).algorithm,
            params={},
            config=preset(PRESET_OF[name]).applied_to(config),
            pinned_rungs=asked.rungs or (-1,),
        )
        for name in asked.players
    ]
    try:
        cases, calibrated = run_async(comparison.play(ways, traces, scripts))
    except BaseExceptionGroup as group:
        raise first_error(group) from group
    if asked.as_json:
        click.echo(json.dumps(as_dict(cases, calibrated)))
    else:
        print_table(cases, calibrated)
    return beyond(cases)


def as_dict(cases: Sequence[Case], calibrated: Mapping[str, Calibration]) -> dict[str, Any]:
    """Everything as JSON."""
    from bench.browser.run.cases import LIVE, SIMULATED

    return {
        "calibrated": {player: asdict(each) for player, each in calibrated.items()},
        "cases": [
            {
                "package": case.package,
                "player": case.player,
                "trace": case.trace,
                "rung": case.pinned_rung if case.pinned_rung >= 0 else None,
                "browser": [_side(side) for side in case.browser],
                "ours": [_side(side) for side in case.ours],
                "apart": {
                    source: [_apart(each) for each in case.apart(source)]
                    for source in (LIVE, SIMULATED)
                },
                "spread": [_apart(each) for each in case.spread],
            }
            for case in cases
        ],
    }


def print_table(cases: Sequence[Case], calibrated: Mapping[str, Calibration]) -> None:
    """A row for each playback, and how many pairs keep the bounds."""
    from rich.table import Table

    from bench.browser.apart import share_within
    from bench.browser.run.cases import LIVE, SIMULATED
    from player.table import console

    table = Table(title="browser, abr play, abr simulate", title_justify="left", box=None)
    for name in ("trace", "rung", "played by"):
        table.add_column(name)
    for name in ("startup s", "stalls", "stalled s", "same rungs", ""):
        table.add_column(name, justify="right")
    for case in cases:
        rung = "own" if case.chooses else str(case.pinned_rung)
        first = case.browser[0]
        for side in (*case.browser, *case.ours):
            apart = _against(case, side)
            table.add_row(
                case.trace if side is first else "",
                rung if side is first else "",
                side.source,
                "never" if side.startup_s is None else f"{side.startup_s:.2f}",
                str(len(side.stalls)),
                f"{side.stall_s:.2f}",
                f"{apart.same_rungs:.0%}" if apart and case.chooses else "",
                _verdict(side, apart, is_browser=side in case.browser),
            )
    out = console()
    out.print(table)
    for player, at in calibrated.items():
        out.print(
            f"{player}, calibrated: {1e3 * at.request_s:.0f} ms for a request beside the network, "
            f"the first picture {at.simulated_delay_s:.3f} s more than simulated and "
            f"{at.live_delay_s:.3f} s more than by {LIVE}"
        )
    for source in (LIVE, SIMULATED):
        held, pairs = share_within(cases, source)
        out.print(f"{source}: {held} of {pairs} pairs within the bounds")


def _against(case: Case, side: Side) -> Apart | None:
    """A side against the first run of the browser; None for that run itself."""
    from bench.browser.apart import Apart

    first = case.browser[0]
    return None if side is first else Apart(browser=first, ours=side, chooses=case.chooses)


def _verdict(side: Side, apart: Apart | None, *, is_browser: bool) -> str:
    busy = "BUSY " if side.is_overloaded else ""
    if apart is None:
        return busy.strip()
    whom = "with itself " if is_browser else ""
    return busy + whom + (f"APART: {', '.join(apart.faults)}" if apart.faults else "agrees")


def _side(side: Side) -> dict[str, Any]:
    return {
        "source": side.source,
        "startup_s": side.startup_s,
        "stalls": [[stall.start_s, stall.end_s] for stall in side.stalls],
        "stall_s": side.stall_s,
        "rungs": list(side.rungs),
        "is_overloaded": side.is_overloaded,
    }


def _apart(apart: Apart) -> dict[str, Any]:
    return {
        "stall_events": apart.stall_events,
        "stalled_s": apart.stalled_s,
        "startup_s": apart.startup_s,
        "same_rungs": apart.same_rungs,
        "faults": list(apart.faults),
    }


def beyond(cases: Sequence[Case]) -> list[str]:
    """What falls short of the bounds, in words."""
    from bench.browser.apart import share_within
    from bench.browser.run.cases import LIVE, SIMULATED

    known = [case for case in cases if case.player == HELD]
    found = []
    for source in (LIVE, SIMULATED):
        held, pairs = share_within(known, source)
        if held < BOUND_SHARE * pairs:
            found.append(f"{source} and {HELD} agree in {held} of {pairs} pairs")
    return found


def _keep(raw: Mapping[str, Any], kept: list[Mapping[str, Any]], folder: Path | None) -> None:
    """Write a record into ``folder``, numbered."""
    kept.append(raw)
    if folder is not None:
        folder.mkdir(parents=True, exist_ok=True)
        name = f"{len(kept):03d}-{raw['player']}-{raw['rung']}.json"
        (folder / name).write_text(json.dumps(raw), encoding="utf-8")
