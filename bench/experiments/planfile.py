"""Plans of experiments: TOML to checked values.

Errors say where the fault is, what was found and what was expected. This module reads
none of the files that a plan names; their paths are relative to the plan's folder.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import Any, Literal

from abr.arguments import expect
from abr.errors import ConfigError
from abr.qoe import NAMES
from abr.traceformats.columns import parse_columns
from bench.experiments.clusters import BY_FILE, Clustering, read_clustering
from bench.experiments.experiment import BLOCK
from player.batch.simulators import PRESETS

LARGEST_SEED = 10**9


@dataclass(frozen=True, slots=True, kw_only=True)
class AlgorithmEntry:
    """``[[algorithm]]``: a registered name, and what to call it."""

    name: str
    label: str
    params: Mapping[str, Any] = field(default_factory=dict)
    where: str = field(default="", compare=False)
    """File and line of the plan, for messages."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TraceEntry:
    """``[[traces]]``: files, or draws from a model."""

    files: tuple[str, ...] = ()
    generate: str = ""
    count: int = 20
    duration_s: float = 320.0
    kind: str = ""
    """Class of network in results; for draws the name of the model."""
    cluster: Clustering = BY_FILE
    """Which of the files are independent."""
    limit: int = 0
    """At most this many of the files' traces, evenly picked; 0 takes all."""
    columns: str = ""
    """Which columns of the files are what, as ``--columns`` takes it; empty: detected."""
    where: str = field(default="", compare=False)
    """File and line of the plan, for messages."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PresentationEntry:
    """``[[presentation]]``: a built-in one, a package folder, or a file of Sabre's format."""

    builtin: str = ""
    path: str = ""
    seed: int = 0
    where: str = field(default="", compare=False)
    """File and line of the plan, for messages."""


@dataclass(frozen=True, slots=True, kw_only=True)
class QoEEntry:
    """``[[qoe]]``: a QoE that results are judged by; it changes nothing that is played."""

    name: str
    label: str = ""
    params: Mapping[str, Any] = field(default_factory=dict)
    where: str = field(default="", compare=False)
    """File and line of the plan, for messages."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What to play."""

    name: str
    preset: str
    seeds: tuple[int, ...]
    block: int
    engine: Literal["auto", "compiled", "plain"]
    algorithms: tuple[AlgorithmEntry, ...]
    traces: tuple[TraceEntry, ...]
    presentations: tuple[PresentationEntry, ...]
    player: Mapping[str, Any]
    qoe: tuple[QoEEntry, ...] = ()
    """None: QoE_lin, see ``bench.analysis.scores``."""
    player_at: Mapping[str, str] = field(default_factory=dict, compare=False)
    """File and line of each key of ``player``, and of the table under no name."""


_KEYS: Mapping[str, Mapping[str, str]] = {
    "plan": {
        "name": "text",
        "preset": "text",
        "seeds": "seeds",
        "block": "count",
        "engine": "engine",
    },
    "algorithm": {"name": "text", "label": "text", "params": "table"},
    "traces": {
        "files": "texts",
        "generate": "text",
        "count": "count",
        "duration_s": "seconds",
        "class": "text",
        "cluster": "text",
        "limit": "count",
        "columns": "columns",
    },
    "presentation": {"builtin": "text", "path": "text", "seed": "seed"},
    "qoe": {"name": "text", "label": "text", "params": "table"},
}
_TABLES = (*_KEYS, "player")
_EXPECTED = {
    "text": "text",
    "texts": "a list of files, folders or patterns",
    "seeds": "a list of different whole numbers from 0",
    "seed": "a whole number from 0",
    "engine": "auto, compiled or plain",
    "count": "a whole number of 1 or more",
    "seconds": "seconds above 0",
    "table": "a table, such as { gp = 5 }",
    "columns": 'a text or a table, such as "time=1:ms,rate=2:kbit"',
}


def read_plan(text: str, *, name: str) -> Plan:
    """The plan that a file holds.

    Args:
        text: TOML.
        name: Of the file, for messages.

    Raises:
        ArgumentError: no text.
        ConfigError: naming file, line, key, what was found and what was expected.
    """
    expect(text, str, "read_plan(text=...)", "the text of a plan, in TOML")
    try:
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError as exc:
        raise ConfigError(f"{name}: not TOML: {exc}") from exc
    source = _Source(text, name)
    for table in document:
        if table not in _TABLES:
            raise ConfigError(f"{source.at(table)}: no table {table!r} in a plan; {_near(table)}")
    head = _checked(document.get("plan", {}), source, "plan", 0)
    preset = head.get("preset", "abrkit")
    if preset not in PRESETS:
        raise ConfigError(
            f"{source.at('plan', 0, 'preset')}: preset = {preset!r}; "
            f"expected one of {', '.join(PRESETS)}"
        )
    return Plan(
        name=head.get("name", name.rpartition("/")[2].removesuffix(".toml")),
        preset=preset,
        seeds=tuple(head.get("seeds", (0,))),
        block=head.get("block", BLOCK),
        engine=head.get("engine", "auto"),
        algorithms=_labelled(_entries(document, source, "algorithm"), source),
        traces=tuple(
            _trace_entry(entry, source, place)
            for place, entry in enumerate(_entries(document, source, "traces"))
        ),
        presentations=tuple(
            _presentation_entry(entry, source, place)
            for place, entry in enumerate(_entries(document, source, "presentation"))
        ),
        player=_player(document.get("player", {}), source),
        qoe=tuple(
            _qoe_entry(entry, source, place)
            for place, entry in enumerate(
                _entries(document, source, "qoe") if "qoe" in document else ()
            )
        ),
        player_at={
            key: source.at("player", 0, key)
            for key in ("", *_player(document.get("player", {}), source))
        },
    )


@dataclass(frozen=True, slots=True)
class _Source:
    """Where things stand in the file."""

    text: str
    name: str

    def at(self, table: str, place: int = 0, key: str = "") -> str:
        """``file:line`` of a key in the ``place``-th such table, as near as can be told."""
        header = re.compile(rf"\s*\[\[?\s*{re.escape(table)}\s*\]\]?")
        assignment = re.compile(rf"\s*[\"']?{re.escape(key)}[\"']?\s*[=.]")
        seen, found = -1, None
        for number, line in enumerate(self.text.splitlines(), 1):
            if line.lstrip().startswith("["):
                if found is not None:
                    break
                if header.match(line):
                    seen += 1
                    found = number if seen == place else None
            elif found is not None and key and assignment.match(line):
                return f"{self.name}:{number}"
        return self.name if found is None else f"{self.name}:{found}"


def _near(word: str, known: tuple[str, ...] = _TABLES) -> str:
    near = get_close_matches(word, known, n=1)
    return f"did you mean {near[0]!r}?" if near else f"expected {', '.join(known)}"


def _entries(document: Mapping[str, Any], source: _Source, table: str) -> list[dict[str, Any]]:
    found = document.get(table)
    if found is None:
        raise ConfigError(
            f"{source.name}: no [[{table}]]; expected at least one; "
            "`abr bench plan --example` prints a plan"
        )
    if not isinstance(found, list) or not found or not all(isinstance(e, dict) for e in found):
        raise ConfigError(f"{source.at(table)}: [{table}]; expected [[{table}]], once for each")
    return [_checked(entry, source, table, place) for place, entry in enumerate(found)]


def _checked(entry: Any, source: _Source, table: str, place: int) -> dict[str, Any]:
    if not isinstance(entry, dict):
        raise ConfigError(f"{source.name}: {table} = {entry!r}; expected a table [{table}]")
    for key, value in entry.items():
        where = source.at(table, place, key)
        kind = _KEYS[table].get(key)
        if kind is None:
            raise ConfigError(
                f"{where}: no key {key!r} in [{table}]; {_near(key, tuple(_KEYS[table]))}"
            )
        if not _fits(kind, value):
            raise ConfigError(f"{where}: {key} = {value!r}; expected {_EXPECTED[kind]}")
    return entry


def _fits(kind: str, value: Any) -> bool:
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
    match kind:
        case "text":
            return isinstance(value, str) and value != ""
        case "texts":
            return isinstance(value, list) and bool(value) and all(_fits("text", v) for v in value)
        case "columns":
            return _fits("text", value) or (isinstance(value, dict) and bool(value))
        case "engine":
            return value in ("auto", "compiled", "plain")
        case "seeds":
            return (
                isinstance(value, list)
                and bool(value)
                and all(_fits("seed", v) for v in value)
                and len(set(value)) == len(value)
            )
        case "seed":
            return is_number and isinstance(value, int) and 0 <= value <= LARGEST_SEED
        case "count":
            return is_number and isinstance(value, int) and value >= 1
        case "seconds":
            return is_number and 0 < value < float("inf")
        case _:
            return isinstance(value, dict)


def _labelled(entries: list[dict[str, Any]], source: _Source) -> tuple[AlgorithmEntry, ...]:
    found: dict[str, AlgorithmEntry] = {}
    names = [entry.get("name") for entry in entries]
    for place, entry in enumerate(entries):
        where = source.at("algorithm", place)
        name = entry.get("name")
        if name is None:
            raise ConfigError(f"{where}: [[algorithm]] without name; `abr algorithms` lists them")
        params = entry.get("params", {})
        label = entry.get("label") or _label(name, params, is_alone=names.count(name) == 1)
        if label in found:
            raise ConfigError(
                f"{where}: a second algorithm called {label!r}; give each its own label"
            )
        found[label] = AlgorithmEntry(name=name, label=label, params=params, where=where)
    return tuple(found.values())


def _label(name: str, params: Mapping[str, Any], *, is_alone: bool) -> str:
    if is_alone or not params:
        return name
    return f"{name} ({', '.join(f'{key}={value}' for key, value in params.items())})"


def _trace_entry(entry: dict[str, Any], source: _Source, place: int) -> TraceEntry:
    where = source.at("traces", place)
    if ("files" in entry) == ("generate" in entry):
        raise ConfigError(f"{where}: [[traces]] with files and generate both or neither; give one")
    wrong = {"files": ("count", "duration_s"), "generate": ("limit", "cluster", "columns")}
    for key, others in wrong.items():
        for other in others:
            if key in entry and other in entry:
                raise ConfigError(
                    f"{source.at('traces', place, other)}: {other} goes with "
                    f"{'generate' if key == 'files' else 'files'}, not with {key}"
                )
    renamed = {"kind" if key == "class" else key: value for key, value in entry.items()}
    if "files" in renamed:
        renamed["files"] = tuple(renamed["files"])
    if "cluster" in renamed:
        try:
            renamed["cluster"] = read_clustering(renamed["cluster"])
        except ValueError as exc:
            at = source.at("traces", place, "cluster")
            raise ConfigError(f"{at}: cluster = {entry['cluster']!r}; {exc}") from exc
    if "columns" in renamed:
        try:
            renamed["columns"] = str(parse_columns(renamed["columns"]))
        except ConfigError as exc:
            raise ConfigError(f"{source.at('traces', place, 'columns')}: {exc}") from exc
    return TraceEntry(**renamed, where=where)


def _presentation_entry(entry: dict[str, Any], source: _Source, place: int) -> PresentationEntry:
    where = source.at("presentation", place)
    if ("builtin" in entry) == ("path" in entry):
        raise ConfigError(
            f"{where}: [[presentation]] with builtin and path both or neither; give one"
        )
    if "path" in entry and "seed" in entry:
        raise ConfigError(f"{source.at('presentation', place, 'seed')}: seed goes with builtin")
    return PresentationEntry(**entry, where=where)


def _qoe_entry(entry: dict[str, Any], source: _Source, place: int) -> QoEEntry:
    if "name" not in entry:
        raise ConfigError(
            f"{source.at('qoe', place)}: [[qoe]] without name; expected {', '.join(NAMES)}, or "
            "FILE.py:FUNCTION"
        )
    return QoEEntry(**entry, where=source.at("qoe", place))


def _player(found: Any, source: _Source) -> Mapping[str, Any]:
    if not isinstance(found, dict):
        raise ConfigError(f"{source.name}: player = {found!r}; expected a table [player]")
    return found
