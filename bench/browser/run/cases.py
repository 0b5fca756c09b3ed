"""The same playback in a browser, by ``abr play`` and by ``abr simulate``, case by case.

A browser's runs and the live one take as long as they play, so several go on at a time where
the machine has room; simulations come last, with what was calibrated.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from abr.errors import AbrError, InputError, PeerError
from abr.trace import Trace
from bench.browser.apart import Case, Side, side_of_browser, side_of_log
from bench.browser.record import Watched, read_record, request_cost_s, startup_of
from bench.browser.run.chromium import Chromium, Plan
from bench.stack.served import served
from player.api import play, simulate
from player.config import PlayerConfig
from transcode.files.reader import read_index, read_playlist
from transcode.packaging.index import PresentationIndex
from transcode.packaging.layout import LICENCE, MULTIVARIANT, PLAYLIST
from transcode.playlist import MultivariantPlaylist

LIVE, SIMULATED = "abr play", "abr simulate"
CALM = 2.0
"""A link of so many times the highest rung's rate is what is calibrated over. On one that is
faster still, what a browser does while bytes come would seem to take time of its own."""
CALIBRATIONS = 3
CALIBRATION_S = 6.0
"""Length of each, beside two segments."""


PINNED = ("hls.js", "shaka")
"""Players that can be held to one rung."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ways:
    """How a player is played, and what is ours beside it."""

    player: str
    algorithm: str
    params: Mapping[str, Any]
    config: PlayerConfig
    pinned_rungs: Sequence[int]
    """Rungs to pin one after the other; -1: the player chooses."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Calibration:
    """What a player takes on this machine beside the network, in seconds."""

    request_s: float
    """A request, from the last byte of the segment before: ``server_s`` of the simulation. What
    that is more than ours takes lengthens the round trips of ``abr play``."""
    simulated_delay_s: float
    """The first picture beyond what the simulation counts: its ``render_delay_s``."""
    live_delay_s: float
    """The same beyond what ``abr play`` takes."""


class Comparison:
    """Plays cases of one package.

    Args:
        package: Folder of the package.
        keys: Key store of an encrypted one.
        seconds: Length of each playback.
        runs: How often a browser plays each case.
        jobs: Playbacks at a time.
        rtt_s: Round-trip time where a trace gives none.
        tell: Called with a line for each playback that is over.
        keep: Called with the raw record of each playback in a browser.
    """

    def __init__(
        self,
        package: Path,
        *,
        keys: Path | None,
        seconds: float,
        runs: int,
        jobs: int,
        rtt_s: float,
        tell: Callable[[str], None],
        keep: Callable[[Mapping[str, Any]], None],
    ) -> None:
        self._package, self._keys = package, keys
        self._index: PresentationIndex = read_index(package)
        self._rates_bps = listed_rates_bps(package, self._index)
        self._seconds, self._runs, self._rtt_s = seconds, runs, rtt_s
        self._slots = asyncio.Semaphore(jobs)
        self._tell, self._keep = tell, keep

    def __repr__(self) -> str:
        return f"<Comparison of {self._package.name}, {self._seconds:g} s each>"

    async def play(
        self, ways: Sequence[Ways], traces: Sequence[Trace], scripts: Mapping[str, Path]
    ) -> tuple[list[Case], dict[str, Calibration]]:
        """Play everything; gives the cases, and what was calibrated for each player.

        Raises:
            InputError: a rung that the package does not have, or a player cannot be held to.
            PeerError: a player shows nothing over a calm link.
        """
        top = len(self._index.video) - 1
        for way in ways:
            for rung in way.pinned_rungs:
                if rung > top:
                    raise InputError(f"{self._package}: no rung {rung}; expected 0 to {top}")
                if rung >= 0 and way.player not in PINNED:
                    raise InputError(
                        f"{way.player} cannot be held to a rung; leave it out, or --rung"
                    )
        async with (
            served([self._package], keys=self._keys) as urls,
            Chromium(scripts) as chromium,
        ):
            (url,) = urls.values()
            cases, found = [], {}
            for way in ways:
                at = found[way.player] = await self._calibrate(chromium, url, way)
                async with asyncio.TaskGroup() as group:
                    tasks = [
                        group.create_task(self._case(chromium, url, way, at, trace, rung))
                        for trace in traces
                        for rung in way.pinned_rungs
                    ]
                cases += [task.result() for task in tasks]
        return cases, found

    async def _calibrate(self, chromium: Chromium, url: str, way: Ways) -> Calibration:
        link = Trace.constant(CALM * max(self._rates_bps), name="calm link")
        rung = len(self._rates_bps) // 2 if way.player in PINNED else -1
        seconds = CALIBRATION_S + 2 * max(self._index.video[0].durations_s)
        plan = replace(self._plan(way.player, link, rung), seconds=seconds)
        watched = [await self._watch(chromium, url, plan) for _ in range(CALIBRATIONS)]
        startup_s = startup_of(watched)
        if startup_s is None:
            raise PeerError(
                f"{way.player} showed no picture within {seconds:g} s over a calm link: "
                f"{', '.join(watched[-1].faults) or 'no fault was said'}"
            )
        cost_s = request_cost_s(watched, self._rtt_s)
        request_s = way.config.server_s if cost_s is None else cost_s
        live_config, simulated_config = configs_of(way.config, request_s, 0.0, 0.0)
        live = await self._live(url, replace(way, config=live_config), link, rung, seconds)
        simulated = await asyncio.to_thread(
            self._simulated, replace(way, config=simulated_config), link, rung
        )
        return Calibration(
            request_s=request_s,
            simulated_delay_s=max(startup_s - (simulated.startup_s or 0.0), 0.0),
            live_delay_s=max(startup_s - (live.startup_s or 0.0), 0.0),
        )

    async def _case(
        self,
        chromium: Chromium,
        url: str,
        way: Ways,
        at: Calibration,
        trace: Trace,
        rung: int,
    ) -> Case:
        live_config, simulated_config = configs_of(
            way.config, at.request_s, at.live_delay_s, at.simulated_delay_s
        )
        async with asyncio.TaskGroup() as group:
            browser = [
                group.create_task(self._watch(chromium, url, self._plan(way.player, trace, rung)))
                for _ in range(self._runs)
            ]
            live = group.create_task(
                self._live(url, replace(way, config=live_config), trace, rung, self._seconds)
            )
        simulated = await asyncio.to_thread(
            self._simulated, replace(way, config=simulated_config), trace, rung
        )
        return Case(
            package=self._index.title,
            player=way.player,
            trace=trace.name,
            pinned_rung=rung,
            browser=tuple(side_of_browser(task.result()) for task in browser),
            ours=(live.result(), simulated),
        )

    def _plan(self, player: str, trace: Trace, rung: int, *, is_calibrating: bool = False) -> Plan:
        sealed = self._index.encryption
        rates_bps = None if rung < 0 else (self._rates_bps[rung] - 1, self._rates_bps[rung] + 1)
        return Plan(
            player=player,
            trace=trace,
            rung=rung,
            rates_bps=rates_bps,
            seconds=self._seconds,
            rtt_s=self._rtt_s,
            licence=LICENCE if sealed is not None and not sealed.is_whole else "",
        )

    async def _watch(self, chromium: Chromium, url: str, plan: Plan) -> Watched:
        async with self._slots:
            raw = await chromium.play(url, plan)
        self._keep({**raw, "package": self._index.title})
        self._tell(f"{plan.player} over {plan.trace.name}{_pinned(plan.rung)}")
        return read_record(raw, self._index)

    async def _live(self, url: str, way: Ways, trace: Trace, rung: int, seconds: float) -> Side:
        algorithm, params = _algorithm(way, rung)
        async with self._slots:
            log = await play(
                url,
                trace=trace,
                algorithm=algorithm,
                params=params,
                config=way.config,
                max_play_s=seconds,
            )
        self._tell(f"{LIVE} over {trace.name}{_pinned(rung)}")
        return side_of_log(log, LIVE)

    def _simulated(self, way: Ways, trace: Trace, rung: int) -> Side:
        algorithm, params = _algorithm(way, rung)
        log = simulate(
            self._package,
            trace=trace,
            algorithm=algorithm,
            params=params,
            config=way.config,
            max_play_s=self._seconds,
        )
        return side_of_log(log, SIMULATED)


def configs_of(
    config: PlayerConfig, request_s: float, live_delay_s: float, simulated_delay_s: float
) -> tuple[PlayerConfig, PlayerConfig]:
    """What ``abr play`` and ``abr simulate`` are configured by, where requests take so long."""
    more_s = max(request_s - config.server_s, 0.0)
    return (
        replace(config, render_delay_s=live_delay_s, rtt_s=config.rtt_s + more_s),
        replace(config, render_delay_s=simulated_delay_s, server_s=request_s),
    )


def first_error(group: BaseExceptionGroup[BaseException]) -> BaseException:
    """The error that ended a group of playbacks: one of ours where there is one."""
    flat = [
        first_error(each) if isinstance(each, BaseExceptionGroup) else each
        for each in group.exceptions
    ]
    return next((each for each in flat if isinstance(each, AbrError)), flat[0])


def _algorithm(way: Ways, rung: int) -> tuple[str, Mapping[str, Any]]:
    return (way.algorithm, way.params) if rung < 0 else ("fixed", {"rung": rung})


def _pinned(rung: int) -> str:
    return "" if rung < 0 else f", rung {rung}"


def listed_rates_bps(package: Path, index: PresentationIndex) -> list[float]:
    """BANDWIDTH of each rung, as the multivariant playlist states it."""
    listed = read_playlist(package / MULTIVARIANT)
    assert isinstance(listed, MultivariantPlaylist)
    by_uri = {variant.uri: float(variant.bandwidth_bps) for variant in listed.variants}
    return [by_uri[f"{track.folder}/{PLAYLIST}"] for track in index.video]
