"""A QoE of one's own: a function of a ``Viewing`` that returns one number.

::

    # mine.py
    def score(viewing, stall_weight=10.0):
        return viewing.bitrates_bps.mean() / 1e6 - stall_weight * viewing.stall_s

It is named as ``mine.py:score``, or ``package.module:score`` where it is installed. Keyword
parameters with defaults can be set. What it computed with is known by ``digest``: that of
the source of its module, so that a report says which function its scores are from.
"""

from __future__ import annotations

import hashlib
import inspect
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from abr.arguments import as_params, expect
from abr.errors import QoEError
from abr.log import SessionLog
from abr.media import FloatArray
from abr.qoe.additive import view
from abr.qoe.viewing import Viewing


@dataclass(frozen=True, slots=True, kw_only=True)
class Own:
    """A function as a QoE."""

    name: str
    label: str
    function: Callable[..., float]
    about: str
    """First line of its docstring."""
    source: str
    """Where it is from, and the SHA-256 of that."""
    params: Mapping[str, Any] = field(default_factory=dict)

    def formula(self, ladder_bps: FloatArray) -> str:
        """What its docstring begins with."""
        del ladder_bps
        return self.about or f"what {self.name} computes"

    def score(self, of: SessionLog | Viewing) -> float:
        """Of one session.

        Raises:
            QoEError: it fails, or returns no finite number.
        """
        viewing = view(of, f"QoE {self.name}: score(of=...)")
        try:
            said: Any = self.function(viewing, **self.params)
        # What is not ours may raise anything; the message says for which session.
        except Exception as exc:
            raise QoEError(f"{self._at(viewing)}: {type(exc).__name__}: {exc}") from exc
        try:
            found = math.nan if isinstance(said, str | bytes) else float(said)
        except (TypeError, ValueError):
            found = math.nan
        if not math.isfinite(found):
            raise QoEError(
                f"{self._at(viewing)}: it returned {said!r:.60}; expected a finite number"
            )
        return found

    def _at(self, viewing: Viewing) -> str:
        words = (viewing.algorithm, viewing.presentation, viewing.trace)
        return f"QoE {self.name}, session of {', '.join(word for word in words if word)}"


def own(
    function: Callable[..., float],
    *,
    name: str = "",
    where: str = "",
    params: Mapping[str, Any] | None = None,
) -> Own:
    """``function`` as a QoE.

    Args:
        function: Takes a ``Viewing``, and ``params`` by keyword; returns a number.
        name: What to call it; its own name when empty.
        where: The file or module it is from; as Python calls that when empty.
        params: Keyword parameters to call it with.

    Raises:
        ArgumentError: the name is no text, or the parameters are no mapping.
        QoEError: the function cannot be called with them.
    """
    expect(name, str, "own(name=...)", "text, or none")
    expect(where, str, "own(where=...)", "text, or none")
    given = as_params(params, "own(params=...)")
    called = name or getattr(function, "__name__", type(function).__name__)
    if not callable(function):
        raise QoEError(f"QoE {called}: {type(function).__name__} cannot be called; give a function")
    if inspect.iscoroutinefunction(function):
        raise QoEError(f"QoE {called}: a coroutine function; give one that returns the number")
    try:
        takes = inspect.signature(function)
        takes.bind(None, **given)
    except TypeError as exc:
        raise QoEError(
            f"QoE {called}: {exc}; expected a function of a viewing, with keyword parameters "
            f"{', '.join(given) or 'that have defaults'}"
        ) from exc
    except ValueError:  # a builtin without a signature
        pass
    return Own(
        name=called,
        label=called,
        function=function,
        about=(inspect.getdoc(function) or "").partition("\n")[0].rstrip("."),
        source=_source_of(function, where),
        params=given,
    )


def _source_of(function: Callable[..., float], where: str) -> str:
    """Module and SHA-256 of its source; of the code alone where no source is at hand."""
    module = inspect.getmodule(function)
    try:
        text = inspect.getsource(function if module is None else module)
    except (OSError, TypeError):
        code = getattr(function, "__code__", None)
        text = "" if code is None else f"{code.co_code!r} {code.co_consts!r}"
    named = where or getattr(module, "__name__", "a function")
    return f"{named}, SHA-256 {hashlib.sha256(text.encode()).hexdigest()[:16]}"
