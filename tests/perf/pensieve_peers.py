"""Decisions of rules here and of public programs of the Pensieve family, one by one.

    python tests/perf/pensieve_peers.py FOLDER [TRACE ...] [--sessions 142] [--only NAME]

FOLDER holds what the reader has fetched of these public repositories, each in a folder of its
name; nothing of them is part of this one:

* pensieve (hongzimao, a49b2ac): test/{mpc,fixed_env,load_trace}.py, test/video_size_0 to 5
* SABR (luopeng69131, fa14c8f): quetra.py
* Video-Adaptive-Bit-Rate (Wang-Even, 6c2653b): rb.py
* ABRTuner (Zahaib, 0223a5e): abrtuner/ABRSim/algorithms.py

The programs play over TRACE, files of cooked rows, and then over generated ones, in Pensieve's own
environment; the rules over the same under the preset ``pensieve``. Programs for Python 2 are
turned into Python 3 word by word; plotting is left out. Bar: every decision is the same, except
where docs/algorithms.md says why not.
"""

from __future__ import annotations

import argparse
import contextlib
import functools
import io
import itertools
import os
import re
import sys
import tempfile
import time
import types
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from abr import registry
from abr.decision import Download, Observation, Rule, start_state
from abr.files import models
from abr.files.traces import resolve
from abr.generators import generate
from abr.media import Presentation
from abr.trace import Trace
from player.batch import pensieve
from player.batch.cooked import cooked_rows
from player.batch.run.batch import run_batch
from player.batch.run.compiled import linked
from player.batch.tables import COLUMNS, Out, out_for

LADDER_KBPS = (300, 750, 1200, 1850, 2850, 4300)
OBOE_KBPS = (350, 600, 1000, 2000, 3000)
CLASS = "3g-commute"
FILES = (
    *(f"pensieve/test/{name}.py" for name in ("mpc", "fixed_env", "load_trace")),
    *(f"pensieve/test/video_size_{k}" for k in range(6)),
    "SABR/quetra.py",
    "Video-Adaptive-Bit-Rate/rb.py",
    "ABRTuner/abrtuner/ABRSim/algorithms.py",
)
_WORDS = (
    (r'print ("[^"]*"), (\w+)', r"print(\1, \2)"),
    (r"\bxrange\b", "range"),
    (r"(open\([^)]*)'wb'", r"\1'w'"),
    (r"import matplotlib.*", ""),
)
Played = list[list[int]]
Choose = Callable[[list[tuple[float, float, float]], float, int], int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """Where the programs run: a folder laid out as Pensieve's, with the traces in it."""

    public: Path
    place: Path
    names: tuple[str, ...]

    def traces(self) -> list[Trace]:
        """The same traces, as a reader here reads them."""
        return [resolve(str(self.place / "all" / name)).trace for name in self.names]

    def title(self, kbps: Sequence[int] = LADDER_KBPS) -> Presentation:
        """Pensieve's video, all 49 rows of its size files."""
        files = [self.public / "pensieve/test" / f"video_size_{k}" for k in range(len(kbps))]
        sizes = np.array([[int(line) for line in path.read_text().split()] for path in files])
        return Presentation(
            bitrates_bps=np.array(kbps) * 1e3,
            sizes_bytes=sizes.astype(float),
            durations_s=np.full(sizes.shape[1], 4.0),
        )


def python3(text: str) -> str:
    """A program for Python 2, in Python 3."""
    for old, new in _WORDS:
        text = re.sub(old, new, text)
    return text


def module(path: Path, name: str) -> Any:
    """A public file as the module that others import as ``name``."""
    made = types.ModuleType(name)
    sys.modules[name] = made
    exec(compile(python3(path.read_text()), str(path), "exec"), made.__dict__)
    return made


def function(path: Path, *names: str, **known: object) -> Any:
    """The last of ``names``, functions or classes of a public file whose rest is left out."""
    space: dict[str, Any] = dict(known)
    text = python3(path.read_text())
    for name in names:
        found = re.search(rf"^(def|class) {name}\b.*?(?=^\S)", text, re.MULTILINE | re.DOTALL)
        if found is None:
            raise SystemExit(f"{path}: has no {name}; see the list of files in {__file__}")
        exec(found.group(0), space)
    return space[names[-1]]


@contextlib.contextmanager
def inside(folder: Path) -> Iterator[None]:
    """The programs read and write where they stand."""
    before = Path.cwd()
    os.chdir(folder)
    try:
        yield
    finally:
        os.chdir(before)


@functools.cache
def program(site: Site, name: str, leaks: bool, edit: tuple[str, str] = ("", "")) -> Played:
    """What ``test/NAME.py`` plays, all traces in one run if it ``leaks``, else each in its own."""
    test = site.public / "pensieve/test"
    text = python3((test / f"{name}.py").read_text()).replace(*edit)
    module(test / "fixed_env.py", "fixed_env")
    played: dict[str, list[int]] = {}
    for names in [site.names] if leaks else [(one,) for one in site.names]:
        loader = module(test / "load_trace.py", "load_trace")
        load = loader.load_trace
        loader.load_trace = lambda load=load, names=names: chosen(load("./all/"), names)
        with inside(site.place), contextlib.redirect_stdout(io.StringIO()):
            exec(compile(text, name, "exec"), {"__name__": "__main__"})
        for one in names:
            log = (site.place / "results" / f"log_sim_{name}_{one}").read_text().split("\n")
            kbps = [int(line.split("\t")[1]) for line in log if line]
            played[one] = [LADDER_KBPS.index(rate) for rate in kbps]
    return [played[one] for one in site.names]


def chosen(loaded: tuple[list[Any], ...], names: Sequence[str]) -> tuple[list[Any], ...]:
    """Of all traces that Pensieve's reader read those named, in that order."""
    at = [loaded[2].index(name) for name in names]
    return tuple([column[k] for k in at] for column in loaded)


def driven(site: Site, choosers: Callable[[], Choose]) -> Played:
    """What a function decides in Pensieve's environment, a fresh one for each session.

    It is told of each download so far its start and end in seconds and its bits, of the buffer in
    seconds, and which segment comes next.
    """
    test = site.public / "pensieve/test"
    env = module(test / "fixed_env.py", "fixed_env")
    times, rates, _ = chosen(
        module(test / "load_trace.py", "load_trace").load_trace(f"{site.place}/all/"), site.names
    )
    played = []
    for k in range(len(site.names)):
        with inside(site.place):
            net = env.Environment(all_cooked_time=[times[k]], all_cooked_bw=[rates[k]])
        choose, rungs, past, now_s = choosers(), [1], [], 0.0
        while True:
            delay_ms, sleep_ms, buffer_s, _, size, _, is_over, _ = net.get_video_chunk(rungs[-1])
            past.append((now_s, now_s + delay_ms / 1e3, 8.0 * size))
            now_s += (delay_ms + sleep_ms) / 1e3
            if is_over:
                break
            rungs.append(choose(past, buffer_s, len(rungs)))
        played.append(rungs)
    return played


def ours(site: Site, rule: Rule, kbps: Sequence[int] = LADDER_KBPS) -> Played:
    """What the rule decides under the preset."""
    batch = run_batch(pensieve.PENSIEVE, site.title(kbps), site.traces(), rule)
    rungs: Played = batch.rungs.tolist()
    return rungs


def ours_leaking(site: Site, rule: Rule) -> Played:
    """The same, one session after another with the same state."""

    def unmoved(params: Any, state: Any, seen: Observation, told: Download | float) -> None:
        pass

    options = pensieve.Options()
    table = pensieve.presentation_table(site.title(), options)
    hooks = {
        "choose": rule.choose,
        "delivered": rule.delivered or unmoved,
        "waited": rule.waited or unmoved,
        "CAN_LEARN": True,
    }
    session, state = linked(pensieve.session, hooks), start_state(rule, site.title())
    count = len(table.durations_s)
    played = []
    for trace in site.traces():
        made = out_for(count, count)
        out = Out(made.rungs, np.zeros((len(COLUMNS), count)), made.totals, made.history)
        session(rule.params, state, table, pensieve.link_table(trace, options), options, out)
        played.append(out.rungs.tolist())
    return played


def quetra(site: Site) -> Choose:
    """QUETRA of SABR."""
    made = function(site.public / "SABR/quetra.py", "QuetraABR", time=time)()

    def choose(past: list[tuple[float, float, float]], buffer_s: float, segment: int) -> int:
        start_s, end_s, bits = past[-1]
        made.push_download_record(bits / (end_s - start_s))
        return int(made.select_bitrate(buffer_s, [1000 * rate for rate in LADDER_KBPS]))

    return choose


def rate_based(site: Site) -> Choose:
    """The rate-based rule of Video-Adaptive-Bit-Rate, with its own factor."""
    path = site.public / "Video-Adaptive-Bit-Rate/rb.py"
    select = function(
        path, "select_rb_bitrate", np=np, VIDEO_BIT_RATE=LADDER_KBPS, DEFAULT_QUALITY=1
    )

    def choose(past: list[tuple[float, float, float]], buffer_s: float, segment: int) -> int:
        kbps = [bits / (end_s - start_s) / 1e3 for start_s, end_s, bits in past[-5:]]
        return int(select(kbps, 0.9))

    return choose


def hyb(site: Site, margin: float) -> Choose:
    """HYB of Oboe's simulator; it needs two downloads, so that segment 1 comes at rung 0."""
    sizes = site.title(OBOE_KBPS).sizes_bytes
    decide = function(
        site.public / "ABRTuner/abrtuner/ABRSim/algorithms.py",
        "estimateSmoothBandwidth_dash",
        "getUtilityBitrateDecision_dash",
        size_envivo=dict(enumerate(sizes)),
    )

    def choose(past: list[tuple[float, float, float]], buffer_s: float, segment: int) -> int:
        if len(past) < 2:
            return 0
        known = [(start_s, end_s, bits / 1e3) for start_s, end_s, bits in past]
        return int(decide(known, len(past) - 1, segment, buffer_s, margin))

    return choose


def from_two_on(rule: Rule) -> Rule:
    """``rule``, but with rung 0 for segment 1, as ``hyb`` above."""

    def choose(params: Any, state: Any, seen: Observation) -> Any:
        answer = rule.choose(params, state, seen)
        return answer._replace(rung=0) if len(seen.downloads.end_s) < 2 else answer

    return Rule(name=rule.name, params=rule.params, start=rule.start, choose=choose)


def load(name: str, **params: Any) -> Rule:
    """A registered rule."""
    rule = registry.load(name, **params)
    assert isinstance(rule, Rule)
    return rule


def rows(site: Site) -> Iterator[tuple[str, str, str, Callable[[], Played], Callable[[], Played]]]:
    """A name for ``--only``, the rule, the program, and how each plays."""
    robust, late = load("robust-mpc", late_sizes=True), load("mpc", late_sizes=True)
    no_errors = ("harmonic_bandwidth/(1+max_error)", "harmonic_bandwidth")
    alone, at_once = partial(program, site, "mpc", False), partial(program, site, "mpc", True)
    plain = partial(program, site, "mpc", False, no_errors)
    by_rate = partial(driven, site, partial(rate_based, site))
    arithmetic = load("rate", mean=1, safety=0.9)
    yield "robust-mpc", "robust-mpc late_sizes=true", "mpc.py", partial(ours, site, robust), alone
    yield (
        "leak",
        "the same, one state for all",
        "mpc.py",
        partial(ours_leaking, site, robust),
        at_once,
    )
    yield "mpc", "mpc late_sizes=true", "mpc.py, no errors", partial(ours, site, late), plain
    yield "right", "robust-mpc", "mpc.py", partial(ours, site, load("robust-mpc")), alone
    yield "rate", "rate mean=1 safety=0.9", "rb.py", partial(ours, site, arithmetic), by_rate
    yield "rate-as-is", "rate", "rb.py", partial(ours, site, load("rate")), by_rate
    for beta in (0.25, 1.0):
        theirs = partial(driven, site, partial(hyb, site, beta))
        for mean, name, words in ((2, "hyb", " mean=2"), (0, "hyb-as-is", "")):
            rule = from_two_on(load("hyb", beta=beta, mean=mean))
            told = f"hyb beta={beta}{words}"
            yield (
                name,
                told,
                f"algorithms.py at {beta}",
                partial(ours, site, rule, OBOE_KBPS),
                theirs,
            )
    slow = load("quetra", ignore_above_bps=10e6)
    theirs = partial(driven, site, partial(quetra, site))
    yield "quetra", "quetra ignore_above_bps=10e6", "quetra.py", partial(ours, site, slow), theirs


def laid_out(public: Path, place: Path, traces: Sequence[Path], sessions: int) -> Site:
    """Lay out ``place`` with ``sessions`` traces, those given first."""
    (place / "all").mkdir()
    (place / "results").mkdir()
    for path in (public / "pensieve/test").glob("video_size_*"):
        (place / path.name).write_bytes(path.read_bytes())
    names = [path.name for path in traces[:sessions]]
    for path in traces[:sessions]:
        (place / "all" / path.name).write_bytes(path.read_bytes())
    model = models.model(CLASS)
    for seed in itertools.count():
        if len(names) >= sessions:
            break
        times_s, mbps = cooked_rows(generate(model, seed=seed, duration_s=400.0), cover_s=0)
        pairs = zip(times_s.tolist(), mbps.tolist(), strict=True)
        text = "".join(f"{time_s!r}\t{rate!r}\n" for time_s, rate in pairs)
        names.append(f"{CLASS}_{seed}")
        (place / "all" / names[-1]).write_text(text)
    return Site(public=public, place=place, names=tuple(names))


def main() -> None:
    """Print a line for each pair."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=Path)
    parser.add_argument("traces", type=Path, nargs="*")
    parser.add_argument("--sessions", type=int, default=142)
    parser.add_argument("--only", nargs="*", default=[])
    options = parser.parse_args()
    if missing := [name for name in FILES if not (options.folder / name).is_file()]:
        raise SystemExit(f"{options.folder}: lacks {', '.join(missing)}; fetch them first (--help)")
    with tempfile.TemporaryDirectory() as place:
        site = laid_out(options.folder.resolve(), Path(place), options.traces, options.sessions)
        print(f"{len(site.names)} sessions; identical sessions, identical decisions")
        for name, rule, peer, here, there in rows(site):
            if options.only and name not in options.only:
                continue
            same = (np.array(here()) == np.array(there()))[:, 1:]
            counts = f"{same.all(axis=1).sum()} | {same.sum()} of {same.size}"
            print(f"{rule} | {peer} | {counts}", flush=True)
            for k in np.flatnonzero(~same.all(axis=1))[:3]:
                print(f"    {site.names[k]}: first at segment {1 + np.argmin(same[k])}")


if __name__ == "__main__":
    main()
