"""Digests of all that an algorithm's decisions depend on, so that an edited one is played again.

There are three kinds of dependencies. Sources are the Python files of abrkit, of the
algorithm's own packages, and beside its own modules; workers must have loaded the same ones.
Data are the other files in those packages, files that are opened while the algorithm is
loaded or that its source or parameters name, environment variables that its source names, and
the distributions that it imports; see ``dependencies``. Values are what its functions and
objects hold; see ``player.batch.fingerprint``.

Dependencies that no digest covers, such as machine code, are listed in words. What is only
reached while sessions are played is kept with their results; see ``reached``.
"""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import abr
import bench.experiments
import player
from abr.decision import Algorithm, Rule
from abr.registry import Origin
from bench.experiments.results import Facts
from bench.experiments.run import facts
from bench.experiments.run.chance import unrepeatable
from bench.experiments.run.dependencies import (
    OURS,
    Dependencies,
    dependencies_of,
    digest_of_files,
    digest_of_texts,
    files_below,
)
from bench.experiments.run.reached import noting, reached_by
from player.batch.fingerprint import Fingerprint, is_installed
from player.batch.linking import root_of
from player.batch.run.compiled import forget_own_cache


@dataclass(frozen=True, slots=True, kw_only=True)
class Code:
    """Digests of what an algorithm's decisions depend on."""

    digest: str
    """Of everything."""
    sources: str
    """Of the Python files alone."""
    unseen: str = ""
    """Dependencies that no digest covers, in words; empty when there are none."""


class Loaded(NamedTuple):
    """The source of an algorithm as a process has loaded it."""

    sources: str
    """As in ``Code``."""
    roots: frozenset[str]
    """Its own top-level modules and packages, and those that these import: what a library has
    read once for several algorithms, it read for each of them."""


def code_of(origin: Origin, make: Callable[[], Algorithm], params: Mapping[str, Any]) -> Code:
    """Digests of what the decisions of an algorithm depend on.

    Args:
        origin: Where it comes from.
        make: Loads it; called twice, to see whether it comes out the same.
        params: Its parameters.
    """
    with noting():
        made = make()
    named = _named_by(params)
    if is_ours(origin):
        return Code(digest=digest_of_texts(our_code(), digest_of_files(named)), sources=our_code())
    found = dependencies_of(_own(origin, made))
    with noting():
        first, second = (_values(origin, each) for each in (made, make()))
        own = found.roots | _own(origin, made)
        chance = unrepeatable(
            first.functions, _parts(made), lambda name: name.partition(".")[0] in own
        )
    asked = reached_by(found.roots | found.libraries)
    found.unseen += [*asked.unseen, *first.unseen, *chance]
    if first.hexdigest() != second.hexdigest():
        found.unseen.append("its state, which differs each time it is made")
    return Code(
        digest=digest_of_texts(
            _sources(found),
            digest_of_files({**found.data, **named}),
            *sorted(found.installed),
            *(f"{name}={value}" for name, value in sorted(found.variables.items())),
            *facts.lines_of(_without_sources(asked.facts)),
            "" if found.unseen else first.hexdigest(),
        ),
        sources=_sources(found),
        unseen="; ".join(dict.fromkeys(found.unseen)),
    )


def _without_sources(found: Facts) -> Facts:
    """The same without the content of Python files, which is told on its own."""
    content = {
        name: fact
        for name, fact in found.get(facts.CONTENT, {}).items()
        if fact == facts.ABSENT or not name.endswith(".py")
    }
    return {**found, facts.CONTENT: content}


def loaded(origin: Origin, made: Algorithm) -> Loaded:
    """The source of an algorithm as this process has loaded it just now.

    Numba's disk cache of its functions is disabled, because it does not notice changes in
    other modules.
    """
    if is_ours(origin):
        return Loaded(our_code(), frozenset())
    for function in _values(origin, made).jitted:
        forget_own_cache(function)
    found = dependencies_of(_own(origin, made))
    return Loaded(_sources(found), frozenset(found.roots | found.libraries))


def is_ours(origin: Origin) -> bool:
    """Whether an algorithm is abrkit's."""
    return _root(origin) in OURS


@functools.cache
def our_code() -> str:
    """Digest of all files of abrkit that sessions depend on, as they were at the first call."""
    files: dict[str, Path] = {}
    for package in (abr, player, bench.experiments):
        folder = Path(str(package.__file__)).parent
        files.update(
            (f"{package.__name__}/{path.relative_to(folder).as_posix()}", path)
            for path in files_below(folder)
        )
    return digest_of_files(files)


def _root(origin: Origin) -> str:
    return origin.module.partition(".")[0]


def _sources(found: Dependencies) -> str:
    return digest_of_texts(our_code(), digest_of_files(found.sources))


def _parts(made: Algorithm) -> list[Any]:
    """Functions and objects that answer."""
    if isinstance(made, Rule):
        return [made.choose, made.start, made.reconsider, made.delivered, made.waited, made.heavy]
    return [getattr(made, "make", made), made()]


def _values(origin: Origin, made: Algorithm) -> Fingerprint:
    taken = Fingerprint(_own(origin, made))
    for part in [*_parts(made), made.params if isinstance(made, Rule) else None]:
        taken.add(part)
    return taken


def _own(origin: Origin, made: Algorithm) -> set[str]:
    """Top-level modules and packages of the algorithm's own."""
    declared = {_root(origin), *origin.top_level} - OURS
    others = {root_of(part) for part in _parts(made)} - OURS - {""}
    return declared | {root for root in others if not is_installed(root)}


def _named_by(params: Mapping[str, Any]) -> dict[str, Path]:
    """Files that parameters name, and those beside them that these name in turn.

    An ONNX model keeps large weights in files of their own.
    """
    found: dict[str, Path] = {}
    for key, value in params.items():
        if not isinstance(value, str | Path) or not str(value):
            continue
        path = Path(value)
        with contextlib.suppress(OSError, ValueError):
            if path.is_dir():
                found.update(
                    (f"{key}/{each.relative_to(path)}", each) for each in files_below(path)
                )
            elif path.is_file():
                found[key] = path
                content = path.read_bytes()
                found.update(
                    (f"{key}/{each.name}", each)
                    for each in sorted(path.parent.iterdir())
                    if each.is_file() and len(each.name) > 3 and each.name.encode() in content
                )
    return found
