"""Loads what a plan names: algorithms, traces and presentations."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

from abr import __version__, registry
from abr.decision import Rule
from abr.errors import AbrError, InputError, MissingFileError
from abr.files.models import find_model
from abr.generators import generate
from abr.media import Presentation
from abr.sabremovie import read_sabre_movie
from abr.shell import note
from abr.traceedit import rotate
from bench.experiments.experiment import Contender, Experiment, NetworkTrace
from bench.experiments.planfile import AlgorithmEntry, Plan, PresentationEntry, TraceEntry
from bench.experiments.presentations import builtin
from bench.experiments.run.engine import options_of
from bench.experiments.run.sources import code_of
from bench.traces.files import read_source, sources
from transcode.files.reader import read_presentation

DRAWS_APART = 100_000
"""Draw k for seed s of a plan has seed s · DRAWS_APART + k, so that seeds share no draws."""


def load_experiment(plan: Plan, *, folder: Path) -> Experiment:
    """Load everything that ``plan`` names.

    Args:
        plan: The plan.
        folder: Where its relative paths start.

    Raises:
        AbrError: something is missing or cannot be used; the message names it.
    """
    networks = [
        network for seed in plan.seeds for entry in plan.traces
        for network in _networks(entry, seed, folder)
    ]  # fmt: skip
    distinct = {(each.digest, each.seed): each for each in reversed(networks)}
    if len(distinct) < len(networks):
        # A trace that counted twice would make intervals too narrow.
        note(f"left out: {len(networks) - len(distinct)} traces that are the same as others")
    options_of(plan.preset, plan.player)  # a wrong setting fails now
    return Experiment(
        name=plan.name,
        version=__version__,
        preset=plan.preset,
        player=dict(plan.player),
        contenders=tuple(_contender(entry) for entry in plan.algorithms),
        presentations=_distinct([_presentation(each, folder) for each in plan.presentations]),
        networks=tuple(reversed(distinct.values())),
        block_size=plan.block,
        wanted_engine=plan.engine,
    )


def _networks(entry: TraceEntry, seed: int, folder: Path) -> list[NetworkTrace]:
    if entry.generate:
        model_file = folder / entry.generate
        model = find_model(str(model_file) if model_file.is_file() else entry.generate)
        first = seed * DRAWS_APART
        try:
            drawn = [
                generate(model, seed=first + k, duration_s=entry.duration_s)
                for k in range(entry.count)
            ]
        except ValueError as exc:
            raise InputError(f"generate = {entry.generate!r}: {exc}") from exc
        kind = entry.kind or model.name
        return [NetworkTrace(trace=trace, kind=kind, seed=seed) for trace in drawn]
    words = [word if ":" in word else str(folder / word) for word in entry.files]
    found: list[NetworkTrace] = []
    for source in sources(words):
        read = read_source(source)
        if read.error:
            raise InputError(read.error)
        kind = entry.kind or Path(source.text).parent.name or "files"
        found += [
            NetworkTrace(trace=rotate(trace, seed), kind=kind, seed=seed) for trace in read.traces
        ]
    if entry.limit and entry.limit < len(found):
        found = [found[k * len(found) // entry.limit] for k in range(entry.limit)]
    return found


def _presentation(entry: PresentationEntry, folder: Path) -> Presentation:
    if entry.builtin:
        return builtin(entry.builtin, entry.seed)
    path = folder / entry.path
    if path.is_dir():
        return read_presentation(path)
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as exc:
        raise MissingFileError(
            f"{path}: no package and no readable file; expected a folder of `abr transcode` or "
            "a movie of Sabre's format"
        ) from exc
    return read_sabre_movie(text, name=str(path), title=path.stem)


def _distinct(presentations: list[Presentation]) -> tuple[Presentation, ...]:
    titles = [each.title for each in presentations]
    for title in titles:
        if titles.count(title) > 1:
            raise InputError(
                f"two presentations called {title!r}; give them different names or seeds"
            )
    return tuple(presentations)


def _contender(entry: AlgorithmEntry) -> Contender:
    name, _ = registry.resolve(entry.name)
    load = partial(registry.load, name, **entry.params)
    try:
        code = code_of(registry.origin(name), load, {"": name.partition(":")[2], **entry.params})
        made = load()
    except AbrError as exc:
        raise type(exc)(f"[[algorithm]] {entry.label}: {exc}") from exc
    effective: Mapping[str, Any] = (
        made.params._asdict() if isinstance(made, Rule) else getattr(made, "registered_params", {})
    )
    return Contender(
        label=entry.label,
        name=name,
        params=dict(entry.params),
        effective=dict(effective),
        code=code.digest,
        sources=code.sources,
        unseen=code.unseen,
        foresees=isinstance(made, Rule) and made.needs_trace,
        is_seeded="seed" not in entry.params and _takes_seed(name, entry.params),
    )


def _takes_seed(name: str, params: Mapping[str, Any]) -> bool:
    try:
        registry.load(name, **params, seed=0)
    except AbrError:
        return False
    return True
