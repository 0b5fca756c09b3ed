"""An experiment: contenders × presentations × networks, divided into runs with stable ids.

Everything here is known before the first session is played. A run is one algorithm over
one presentation and a block of networks. Its id is a digest of all that its results depend
on: the same id means the same rows, on any machine and at any time.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from abr.media import Presentation
from abr.trace import Trace

COMPILED_FROM = 300
"""Sessions per algorithm from which compiling it pays; machine code takes 10 to 30 s to
make the first time, and a session in plain Python some 0.03 s."""

BLOCK = 50
"""Networks in a run when a plan does not say."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Contender:
    """One algorithm with its parameters."""

    label: str
    """Its name in results, unique among the contenders."""
    name: str
    """Its registered name, or ``FILE.py:NAME`` as the plan has it."""
    found: str = ""
    """``name`` with the whole path of its file, if it has one; empty: as ``name``."""
    params: Mapping[str, Any] = field(default_factory=dict)
    """Parameters that the plan sets."""
    effective: Mapping[str, Any] = field(default_factory=dict)
    """All parameters, defaults included."""
    code: str = ""
    """Digest of all that its decisions depend on; an edited algorithm is played again."""
    sources: str = ""
    """Digest of the Python files among that; a worker must have loaded the same ones."""
    unseen: str = ""
    """What its decisions depend on that no digest covers, in words; empty when there is no
    such thing. Otherwise it is played again even where there are results."""
    foresees: bool = False
    """It is told the network beforehand: an upper bound, no contestant."""
    code_bytes: int = 0
    """Bytecode of all that it calls, which says how long it takes to compile."""
    is_seeded: bool = False
    """It takes a parameter ``seed`` that the plan did not give."""

    @property
    def loads_as(self) -> str:
        """The name by which it is loaded from anywhere."""
        return self.found or self.name


@dataclass(frozen=True, slots=True, kw_only=True)
class NetworkTrace:
    """One trace of an experiment."""

    trace: Trace
    kind: str
    """Class of network, such as ``lte-driving``."""
    seed: int
    """Of the plan's seeds."""
    cluster: str
    """What it is a part of, such as ``file:traces/a.csv``; see ``bench.experiments.clusters``."""
    digest: str = ""
    """Of the trace."""

    def __post_init__(self) -> None:
        if not self.digest:
            object.__setattr__(self, "digest", self.trace.digest())


Block = tuple[NetworkTrace, ...]
"""What the runs of several algorithms share: neighbouring traces of one seed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Experiment:
    """Everything to be played, loaded."""

    name: str
    version: str
    """Of abrkit."""
    preset: str
    player: Mapping[str, Any]
    """Settings of the player that differ from their defaults."""
    contenders: tuple[Contender, ...]
    presentations: tuple[Presentation, ...]
    networks: tuple[NetworkTrace, ...]
    left_out: tuple[str, ...] = ()
    """Files of its folders that hold no trace, and why not."""
    doubts: tuple[str, ...] = ()
    """What is hardly plausible about its traces, such as their unit."""
    block_size: int = BLOCK
    qoe: tuple[Mapping[str, Any], ...] = ()
    """What results are judged by, as their header has it; nothing played depends on it."""
    wanted_engine: Literal["auto", "compiled", "plain"] = "auto"
    """As the plan has it."""

    @property
    def sessions(self) -> int:
        """Playbacks in all."""
        return len(self.contenders) * len(self.presentations) * len(self.networks)

    @property
    def engine(self) -> Literal["auto", "plain"]:
        """How sessions are played; decided by the plan alone, so that a run is repeatable."""
        if self.wanted_engine != "auto":
            return "plain" if self.wanted_engine == "plain" else "auto"
        per_algorithm = len(self.presentations) * len(self.networks)
        return "auto" if per_algorithm >= COMPILED_FROM else "plain"


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One job: small enough to be lost, large enough to be worth sending away.

    It does not hold its traces: they are those of its block, which is sent on its own.
    """

    id: str
    contender: Contender
    presentation: Presentation
    presentation_digest: str
    block: int
    """Index into ``blocks_of`` its experiment."""
    sessions: int
    """Traces in that block."""
    first_trace: str
    """Name of the first of them."""
    preset: str
    player: Mapping[str, Any]
    engine: Literal["auto", "plain"] = "auto"
    """Compiled where possible, or plain Python."""

    @property
    def kernel(self) -> tuple[str, str]:
        """What runs share that are played by the same machine code."""
        return self.contender.name, self.presentation_digest

    @property
    def label(self) -> str:
        """As messages name it."""
        over = f"{self.sessions} networks from {self.first_trace!r}"
        return f"{self.contender.label} on {self.presentation.title} over {over}"


def runs_of(experiment: Experiment) -> list[Run]:
    """All runs in the order of results: presentation, algorithm, network."""
    blocks = blocks_of(experiment)
    known = [[_identity(network) for network in block] for block in blocks]
    seeded = {
        (contender.label, seed): _seeded(contender, seed)
        for contender in experiment.contenders
        for seed in {block[0].seed for block in blocks}
    }
    return [
        Run(
            id=_run_id(experiment, contender, digest + quality_digest(presentation), known[place]),
            contender=seeded[contender.label, block[0].seed],
            presentation=presentation,
            presentation_digest=digest,
            block=place,
            sessions=len(block),
            first_trace=block[0].trace.name,
            preset=experiment.preset,
            player=experiment.player,
            engine=experiment.engine,
        )
        for presentation, digest in ((each, each.digest()) for each in experiment.presentations)
        for contender in experiment.contenders
        for place, block in enumerate(blocks)
    ]


def blocks_of(experiment: Experiment) -> list[Block]:
    """The networks in blocks of the size that the plan says.

    Networks of different seeds are never in one block, because algorithms may be seeded.
    """
    blocks: list[list[NetworkTrace]] = []
    for network in experiment.networks:
        is_full = not blocks or len(blocks[-1]) >= experiment.block_size
        if is_full or blocks[-1][0].seed != network.seed:
            blocks.append([])
        blocks[-1].append(network)
    return [tuple(block) for block in blocks]


def in_turns(runs: Sequence[Run]) -> list[Run]:
    """Runs in an order to play them: algorithms take turns.

    An algorithm is compiled when it is first played; in turns, workers do not all wait
    for the same one. Those that take longest to compile come first, so that none is left to
    one worker while the others have nothing to do.
    """
    seen: dict[str, int] = {}
    turns = []
    for place, run in enumerate(runs):
        turn = seen.get(run.contender.label, 0)
        seen[run.contender.label] = turn + 1
        turns.append((turn, 0 if turn else -run.contender.code_bytes, place))
    return [runs[place] for *_, place in sorted(turns)]


def _identity(network: NetworkTrace) -> str:
    trace = network.trace
    about = [network.kind, network.seed, network.cluster]
    return digest_of([network.digest, trace.name, trace.end, *about])


def _run_id(
    experiment: Experiment, contender: Contender, presentation: str, networks: list[str]
) -> str:
    decides = {
        "version": experiment.version,
        "preset": experiment.preset,
        "player": dict(experiment.player),
        "label": contender.label,
        "name": contender.name,
        "params": dict(contender.effective),
        "code": contender.code,
        "presentation": presentation,
        "networks": networks,
    }
    return digest_of(decides)[:20]


def quality_digest(presentation: Presentation) -> str:
    """Of measured quality, on which decisions and rows depend; empty where there is none."""
    if presentation.quality is None:
        return ""
    return digest_of([presentation.quality_metric, presentation.quality.tolist()])


def digest_of(value: object) -> str:
    """SHA-256 of a value as canonical JSON, hexadecimal."""
    return hashlib.sha256(_canonical(value).encode()).hexdigest()


_canonical = json.JSONEncoder(sort_keys=True, separators=(",", ":"), default=str).encode


def _seeded(contender: Contender, seed: int) -> Contender:
    if not contender.is_seeded:
        return contender
    return replace(
        contender,
        params={**contender.params, "seed": seed},
        effective={**contender.effective, "seed": seed},
        is_seeded=False,
    )
