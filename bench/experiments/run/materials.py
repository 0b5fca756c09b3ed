"""Loads what a plan names: algorithms, traces and presentations."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, redirect_stdout
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from abr import __version__, registry
from abr.arguments import as_path, expect
from abr.decision import Algorithm, Rule
from abr.errors import AbrError, InputError, MissingFileError
from abr.files.models import find_model
from abr.files.traces import check_columns
from abr.generators import generate_many
from abr.generators.model import Model as TraceModel
from abr.media import Presentation
from abr.qoe import Additive, Model, check_distinct, named
from abr.sabremovie import read_sabre_movie
from abr.shell import note
from abr.traceedit import rotate
from abr.traceformats.names import distinguish
from bench.experiments.clusters import (
    DRAW,
    Clustering,
    Members,
    cluster_of,
    read_members,
)
from bench.experiments.experiment import Contender, Experiment, NetworkTrace
from bench.experiments.parts import doubt_parts
from bench.experiments.planfile import (
    AlgorithmEntry,
    Plan,
    PresentationEntry,
    QoEEntry,
    TraceEntry,
)
from bench.experiments.presentations import builtin
from bench.experiments.run.engine import options_of
from bench.experiments.run.reached import noting
from bench.experiments.run.sources import code_of
from bench.traces.files import Doubts, Read, note_left_out, read_source, sources
from player.batch.linking import reached

DRAWS_APART = 100_000
MODELS_APART = 10_000
"""Draw k of the n-th model, counted from 0, has for seed s the seed s · DRAWS_APART + n ·
MODELS_APART + k. Models use the same random numbers for the same seed: the mean capacities of
60 draws of 3g-commute and lte-driving have a rank correlation of 0.98, and are not independent.
"""


def load_experiment(plan: Plan, *, folder: str | os.PathLike[str]) -> Experiment:
    """Load everything that ``plan`` names.

    Args:
        plan: The plan.
        folder: Where its relative paths start.

    Raises:
        AbrError: something is missing or cannot be used; the message names it, and the file and
            line of the plan.
    """
    expect(plan, Plan, "load_experiment(plan=...)", "a Plan of read_plan(text, name=...)")
    folder = as_path(folder, "load_experiment(folder=...)")
    entries = _named_apart([_recorded(entry, folder) for entry in plan.traces])
    models = {entry.generate: _model(entry, folder) for entry in plan.traces if entry.generate}
    places = {name: place for place, name in enumerate(models)}
    networks = [
        network
        for seed in plan.seeds
        for entry, recorded in zip(plan.traces, entries, strict=True)
        for network in (
            _drawn(entry, seed, models[entry.generate], place=places[entry.generate])
            if entry.generate
            else _rotated(recorded.traces, seed)
        )
    ]
    distinct = {(each.digest, each.seed): each for each in reversed(networks)}
    if len(distinct) < len(networks):
        # A trace that counted twice would make intervals too narrow.
        note(f"left out: {len(networks) - len(distinct)} traces that are the same as others")
    unread = [each for recorded in entries for each in recorded.unread]
    note_left_out(unread)
    doubts = [doubt for recorded in entries for doubt in recorded.doubts]
    for doubt in doubts:
        note(doubt)
    _check_player(plan)
    presentations = _presentations(plan.presentations, folder)
    return Experiment(
        name=plan.name,
        version=__version__,
        preset=plan.preset,
        player=dict(plan.player),
        contenders=tuple(_contender(entry, folder) for entry in plan.algorithms),
        presentations=presentations,
        networks=tuple(reversed(distinct.values())),
        left_out=tuple(
            each.error.replace(each.source.text, _told(each.source.text, folder)) for each in unread
        ),
        qoe=_qoes(plan.qoe, presentations, folder),
        doubts=tuple(doubts),
        block_size=plan.block,
        wanted_engine=plan.engine,
    )


@contextmanager
def _told_at(where: str) -> Iterator[None]:
    """What goes wrong within is told with the file and line of the plan."""
    try:
        yield
    except AbrError as exc:
        raise type(exc)(f"{where}: {exc}" if where else str(exc)) from exc


def _check_player(plan: Plan) -> None:
    """Settings that are wrong fail now, rather than when something is played."""
    try:
        options_of(plan.preset, plan.player)
    except AbrError as exc:
        keys = sorted((key for key in plan.player if key in str(exc)), key=len)
        with _told_at(plan.player_at.get(keys[-1] if keys else "", "")):
            raise


@dataclass(frozen=True, slots=True)
class _Recorded:
    """What the files of one ``[[traces]]`` hold."""

    traces: tuple[NetworkTrace, ...] = ()
    """As recorded, of seed 0."""
    unread: tuple[Read, ...] = ()
    """Files of folders and patterns that hold no trace."""
    places: tuple[str, ...] = ()
    """The file of each trace, from the plan's folder."""
    doubts: tuple[str, ...] = ()
    """What is hardly plausible about the traces together, such as their unit."""


def _recorded(entry: TraceEntry, folder: Path) -> _Recorded:
    """Read the files of one ``[[traces]]``, each once.

    Raises:
        AbrError: a file that the plan names cannot be read, or most of a folder cannot.
    """
    if entry.generate:
        return _Recorded()
    with _told_at(entry.where):
        check_columns(entry.columns or None, entry.files)
        return _read(entry, folder)


def _read(entry: TraceEntry, folder: Path) -> _Recorded:
    words = [word if ":" in word else str(folder / word) for word in entry.files]
    members = _members(entry.cluster, folder)
    good: list[NetworkTrace] = []
    places: list[str] = []
    doubts = Doubts()
    bad: list[Read] = []
    found = [read_source(source, columns=entry.columns or None) for source in sources(words)]
    for read in found:
        if read.error:
            bad.append(read)
            continue
        doubts.add(read.readings)
        path = _told(read.source.text, folder)
        kind = entry.kind or Path(read.source.text).parent.name or "files"
        for trace in read.traces:
            within = trace.name if len(read.traces) > 1 else ""
            cluster = cluster_of(entry.cluster, path, within, members)
            good.append(NetworkTrace(trace=trace, kind=kind, seed=0, cluster=cluster))
            places.append(path)
    _check_unread(bad, of=len(found))
    if entry.limit and entry.limit < len(good):
        chosen = [k * len(good) // entry.limit for k in range(entry.limit)]
        good, places = [good[k] for k in chosen], [places[k] for k in chosen]
    sliced = "" if entry.cluster.is_said else doubt_parts(places)
    told = (*doubts.find(), sliced) if sliced else doubts.find()
    return _Recorded(tuple(good), tuple(bad), tuple(places), told)


def _named_apart(entries: list[_Recorded]) -> list[_Recorded]:
    """The same traces; those of equal names in different folders are called by these, too."""
    traces = [each.trace for entry in entries for each in entry.traces]
    places = [place for entry in entries for place in entry.places]
    names = iter(distinguish([trace.name for trace in traces], places))
    return [
        replace(entry, traces=tuple(_named(each, next(names)) for each in entry.traces))
        for entry in entries
    ]


def _named(network: NetworkTrace, name: str) -> NetworkTrace:
    return replace(network, trace=network.trace.named(name))


def _told(text: str, folder: Path) -> str:
    """A path as the plan tells it, from its folder; nothing of where that is on this machine."""
    base, is_part, _ = text.partition("#")
    path = Path(base if is_part and Path(base).is_file() else text)
    return (path.relative_to(folder) if path.is_relative_to(folder) else path).as_posix()


def _members(clustering: Clustering, folder: Path) -> Members | None:
    if not clustering.table:
        return None
    path = folder / clustering.table
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as exc:
        raise MissingFileError(
            f"{path}: cannot be read; expected a CSV whose first column names trace files"
        ) from exc
    return read_members(text, clustering, name=str(path))


def _check_unread(bad: Sequence[Read], *, of: int) -> None:
    """One odd file in a folder of traces is left out; a plan that is mostly odd files is wrong.

    Raises:
        InputError: a file that was named itself holds no trace, or more than half do not.
    """
    named = next((each for each in bad if each.source.is_named), None)
    if named is not None:
        raise InputError(named.error)
    if 2 * len(bad) > of:
        raise InputError(f"{len(bad)} of {of} files hold no trace; the first: {bad[0].error}")


def _rotated(traces: Sequence[NetworkTrace], seed: int) -> list[NetworkTrace]:
    if seed == 0:
        return list(traces)
    return [replace(each, trace=rotate(each.trace, seed), seed=seed, digest="") for each in traces]


def _model(entry: TraceEntry, folder: Path) -> TraceModel:
    file = folder / entry.generate
    with _told_at(entry.where):
        return find_model(str(file) if file.is_file() else entry.generate)


def _drawn(entry: TraceEntry, seed: int, model: TraceModel, *, place: int) -> list[NetworkTrace]:
    """Draws from a model, the one at ``place`` among the plan's models."""
    first = seed * DRAWS_APART + place * MODELS_APART
    with _told_at(entry.where):
        try:
            drawn = generate_many(
                model, seeds=range(first, first + entry.count), duration_s=entry.duration_s
            )
        except ValueError as exc:
            raise InputError(f"generate = {entry.generate!r}: {exc}") from exc
    kind = entry.kind or model.name
    return [
        NetworkTrace(trace=trace, kind=kind, seed=seed, cluster=f"{DRAW}:{trace.name}")
        for trace in drawn
    ]


def _presentation(entry: PresentationEntry, folder: Path) -> Presentation:
    if entry.builtin:
        return builtin(entry.builtin, entry.seed)
    path = folder / entry.path
    if path.is_dir():
        from transcode.files.reader import read_presentation  # most plans do without

        return read_presentation(path)
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as exc:
        raise MissingFileError(
            f"{path}: no package and no readable file; expected a folder of `abr transcode` or "
            "a movie of Sabre's format"
        ) from exc
    return read_sabre_movie(text, name=str(path), title=path.stem)


def _presentations(entries: Sequence[PresentationEntry], folder: Path) -> tuple[Presentation, ...]:
    """What is played, no two called the same."""
    found: dict[str, Presentation] = {}
    for entry in entries:
        with _told_at(entry.where):
            presentation = _presentation(entry, folder)
            if presentation.title in found:
                raise InputError(
                    f"two presentations called {presentation.title!r}; give them different names "
                    "or seeds"
                )
        found[presentation.title] = presentation
    return tuple(found.values())


def _qoes(
    entries: Sequence[QoEEntry], presentations: Sequence[Presentation], folder: Path
) -> tuple[Mapping[str, Any], ...]:
    """QoEs as the header of results has them; one that cannot score what is played fails now."""
    models: list[Model] = []
    for entry in entries:
        with _told_at(entry.where), _told_at(f"[[qoe]] {entry.label or entry.name}"):
            with redirect_stdout(sys.stderr):  # what a file prints is no result
                model = named(entry.name, params=entry.params, label=entry.label, folder=folder)
            if isinstance(model, Additive):
                for presentation in presentations:
                    model.bind(presentation)
            models.append(model)
            check_distinct(models)
    return tuple(
        {
            "name": entry.name,
            "label": entry.label,
            "params": dict(entry.params),
            "source": model.source,
        }
        for entry, model in zip(entries, models, strict=True)
    )


def _contender(entry: AlgorithmEntry, folder: Path) -> Contender:
    with _told_at(entry.where), _told_at(f"[[algorithm]] {entry.label}"):
        name, _ = registry.resolve(entry.name)
        found = registry.located(name, folder)
        load = partial(registry.load, found, **entry.params)
        with noting():
            origin = registry.origin(found)
        code = code_of(origin, load, {"": name.partition(":")[2], **entry.params})
        made = load()
    effective: Mapping[str, Any] = (
        made.params._asdict() if isinstance(made, Rule) else getattr(made, "registered_params", {})
    )
    return Contender(
        label=entry.label,
        name=name,
        found=found,
        params=dict(entry.params),
        effective=dict(effective),
        code=code.digest,
        sources=code.sources,
        unseen=code.unseen,
        foresees=isinstance(made, Rule) and made.needs_trace,
        code_bytes=_code_bytes(made),
        is_seeded="seed" not in entry.params and _takes_seed(found, entry.params),
    )


def _code_bytes(made: Algorithm) -> int:
    if not isinstance(made, Rule):
        return 0
    parts = [made.choose, made.reconsider, made.delivered, made.waited, *made.heavy]
    called = reached(*(part for part in parts if part is not None))
    return sum(len(function.__code__.co_code) for function in called)


def _takes_seed(name: str, params: Mapping[str, Any]) -> bool:
    if not registry.takes(name, "seed"):
        return False
    try:
        registry.load(name, **params, seed=0)
    except AbrError:
        return False
    return True
