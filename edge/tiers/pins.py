"""What is said between ``abr fill`` and an edge about pinned objects.

A question is a JSON object: ``keys``, and ``how`` they are meant: ``exactly`` (pin these, unpin
all others), ``also`` (pin these too) or ``ask`` (change nothing). The answer counts.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal, cast, get_args

from abr.errors import ConfigError, UpstreamError

PATH = "/.abr/pin"
"""Where pins are asked for, whatever ``own_prefix`` says."""

MOST_KEYS = 200_000
MOST_BYTES = 32 << 20
"""Of a question."""

MOST_SHARE = 0.9
"""Of a cache that may be pinned; the rest is left for what nobody expected."""

How = Literal["exactly", "also", "ask"]


@dataclass(frozen=True, slots=True, kw_only=True)
class PinQuestion:
    """Which objects are to be pinned."""

    keys: tuple[str, ...]
    """Lookup keys, the most important first."""
    how: How = "exactly"


@dataclass(frozen=True, slots=True, kw_only=True)
class PinAnswer:
    """What became of the keys."""

    pinned: int
    """Keys that are pinned now."""
    missing: tuple[str, ...]
    """Keys that are not held."""
    refused: int = 0
    """Keys that are held, and not pinned for lack of room."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PinFacts:
    """What an edge says about its cache."""

    pinned: int
    pinned_bytes: int
    capacity_bytes: int
    overhead_bytes: int
    """Charged for each object beside its body."""
    max_object_bytes: int
    """Larger objects are not stored."""


def dump_question(question: PinQuestion) -> bytes:
    """A question as it is sent."""
    return json.dumps({"keys": question.keys, "how": question.how}).encode()


def load_question(data: bytes) -> PinQuestion:
    """Read a question.

    Raises:
        ConfigError: it is none.
    """
    try:
        found = json.loads(data)
    except (ValueError, RecursionError) as exc:
        raise ConfigError(f'not JSON; expected {{"keys": ["/a", …]}} ({exc})') from exc
    keys = found.get("keys") if isinstance(found, dict) else None
    if not isinstance(keys, list) or not all(isinstance(key, str) for key in keys):
        raise ConfigError('no list of texts found; expected {"keys": ["/a", …]}')
    if len(keys) > MOST_KEYS:
        raise ConfigError(f"{len(keys)} keys; expected at most {MOST_KEYS}")
    unknown = sorted(found.keys() - {"keys", "how"})
    if unknown:
        raise ConfigError(f"found {unknown[0]!r}; expected keys and how")
    how = found.get("how", "exactly")
    if how not in get_args(How):
        raise ConfigError(f"how: found {how!r}; expected {', '.join(get_args(How))}")
    return PinQuestion(keys=tuple(dict.fromkeys(keys)), how=cast("How", how))


def split(question: PinQuestion, *, most_bytes: int) -> Iterator[PinQuestion]:
    """The same question in parts, to be asked one after the other.

    Args:
        question: A question.
        most_bytes: Of the keys of a part, as JSON; one key alone may be longer.
    """
    part: list[str] = []
    how, left_bytes = question.how, most_bytes
    for key in question.keys:
        size_bytes = len(json.dumps(key)) + 2
        if part and size_bytes > left_bytes:
            yield PinQuestion(keys=tuple(part), how=how)
            part, left_bytes = [], most_bytes
            how = "also" if how == "exactly" else how
        part.append(key)
        left_bytes -= size_bytes
    yield PinQuestion(keys=tuple(part), how=how)


def dump_answer(answer: PinAnswer) -> dict[str, Any]:
    """An answer as it is sent."""
    return {
        "pinned": answer.pinned,
        "missing": len(answer.missing),
        "refused": answer.refused,
        "missing_keys": answer.missing,
    }


def load_answer(data: bytes) -> PinAnswer:
    """Read an answer.

    Raises:
        UpstreamError: it is none.
    """
    try:
        found = json.loads(data)
        return PinAnswer(
            pinned=int(found["pinned"]),
            missing=tuple(str(key) for key in found["missing_keys"]),
            refused=int(found["refused"]),
        )
    except (ValueError, TypeError, KeyError, RecursionError) as exc:
        raise UpstreamError(f"the answer about pins is none; expected an abr edge ({exc})") from exc


def load_facts(data: bytes) -> PinFacts:
    """Read what an edge says about its cache.

    Raises:
        UpstreamError: it is something else.
    """
    names = ("pinned", "pinned_bytes", "capacity_bytes", "overhead_bytes", "max_object_bytes")
    try:
        found = json.loads(data)
        return PinFacts(**{name: int(found[name]) for name in names})
    except (ValueError, TypeError, KeyError, RecursionError) as exc:
        raise UpstreamError(f"no facts about pins; expected an abr edge ({exc})") from exc
