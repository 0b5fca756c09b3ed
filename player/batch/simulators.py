"""Simulators by name: that of our own player, and two of the literature.

A simulator plays one session in a loop of numbers; ``player.batch.run.batch`` plays many
of them. ``PRESETS`` is the one list of names, which importing costs nothing; ``load``
imports what a name stands for.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from abr.media import Presentation
    from abr.trace import Trace
    from player.batch.configurations import Configuration
    from player.batch.tables import LinkTable, PresentationTable
    from player.config import PlayerConfig

_PLACES = {
    "abrkit": "player.batch.abrkit.simulator:ABRKIT",
    "sabre": "player.batch.sabre:SABRE",
    "pensieve": "player.batch.pensieve:PENSIEVE",
}

PRESETS = tuple(_PLACES)
"""Names of the simulators."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PlayerTwin:
    """What the player itself, on its virtual driver, must know to play the same session."""

    config_of: Callable[[Any], PlayerConfig]
    """Options as the player's configuration."""
    options_of: Callable[..., Any]
    """The same the other way round, with ``max_play_s``."""
    can_play: Callable[[Presentation, PlayerConfig], bool]
    """Whether the simulator plays that; else the player must."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Simulator:
    """One way to play a session."""

    name: str
    session: Callable[..., None]
    """``session(params, state, presentation, link, options, out)`` plays one and fills
    ``out``; see ``player.batch.tables``. It calls the functions of ``player.batch.hooks``."""
    options: type[Any]
    """A named tuple of numbers with defaults: what a session may be told."""
    presentation_table: Callable[[Presentation, Any], PresentationTable]
    """What is played as tables; the second argument are options."""
    link_table: Callable[[Trace, Any], LinkTable]
    """A network as tables.

    Raises:
        ValueError: the trace ends for good, and the simulator cannot play that.
    """
    extra_columns: tuple[str, ...] = ()
    """Columns per segment after those of ``player.batch.tables.COLUMNS``."""
    configurations: Mapping[str, Configuration] = field(
        default_factory=lambda: MappingProxyType({})
    )
    """What names of the reference tool mean, by name."""
    must_fill_columns: bool = True
    """Whether it needs columns per segment of sessions whose columns are not kept."""
    twin: PlayerTwin | None = None
    """For the simulator of our own player."""


def load(name: str) -> Simulator:
    """The simulator called ``name``.

    Raises:
        ValueError: there is none.
    """
    if name not in _PLACES:
        raise ValueError(f"no simulator {name[:40]!r}; expected one of {', '.join(PRESETS)}")
    module, _, attribute = _PLACES[name].partition(":")
    simulator: Simulator = getattr(importlib.import_module(module), attribute)
    return simulator
