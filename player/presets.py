"""Players of browsers as data: how each buffers, starts, resumes and tries again.

A preset is a ``PlayerConfig`` and the algorithm that goes with it. Every setting that is
not the default has a reason: where the rule stands in the player's own source, or the
experiment that shows it (``tests/perf/media_rules.py`` asks Chromium; docs/fidelity.md has
the answers). What depends on the machine (``render_delay_s``, ``server_s``) and on the
network stays as it is.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from difflib import get_close_matches
from types import MappingProxyType
from typing import Any

from abr.errors import ConfigError
from player.config import PlayerConfig


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """One setting of a preset, and where it comes from."""

    setting: str
    """A field of ``PlayerConfig``."""
    value: Any
    source: str
    """Where the rule is written, or what was measured."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Preset:
    """A player as data."""

    about: str
    """One line for people."""
    algorithm: str
    """The algorithm it chooses by; any other can be used with it."""
    rules: tuple[Rule, ...] = field(repr=False)

    @property
    def settings(self) -> dict[str, Any]:
        """What it sets of ``PlayerConfig``."""
        return {rule.setting: rule.value for rule in self.rules}

    @property
    def config(self) -> PlayerConfig:
        """The player's configuration, on a machine and a network as by default."""
        return PlayerConfig(**self.settings)

    def applied_to(self, config: PlayerConfig) -> PlayerConfig:
        """``config`` with the rules of the preset in place of its own."""
        return replace(config, **self.settings)


def _rules(source: str, **settings: Any) -> tuple[Rule, ...]:
    return tuple(Rule(setting=name, value=value, source=source) for name, value in settings.items())


CHROMIUM = (
    *_rules(
        "Chromium 156, measured: sound of 0.2 s starts playback, less does not; after each "
        "underflow of the sound twice as much is needed, 3 s at most",
        startup_buffer_s=0.2,
        resume_buffer_s=0.2,
        resume_growth=2.0,
        resume_max_s=3.0,
    ),
    *_rules(
        "Chromium 156, measured: without a picture sound plays on for 3 s before the clock "
        "stops; one picture starts it again, and the sound's threshold stays as it was",
        picture_grace_s=3.0,
    ),
    *_rules(
        "Chromium 156, measured: 12 MiB of sound, with 107 bytes for each frame, fill its buffer",
        sound_quota_bytes=12 * 2.0**20,
    ),
    *_rules(
        "Chromium: the threshold of the sound begins at 0.5 s where samples are encrypted",
        protected_buffer_s=0.5,
    ),
)
"""What the media element of Chromium does, whichever player feeds it."""

HLS_JS = (
    *_rules(
        "hls.js 1.7.4, measured: loads the playlist of the level it begins with, which is the one "
        "listed first up to 5 Mbit/s (LevelController, abrEwmaDefaultEstimateMax), and no other",
        begins_with="listed",
    ),
    *_rules(
        "hls.js 1.7.4, stream-controller: loads while less than the goal is buffered, "
        "maxBufferLength=30, or as much longer as maxBufferSize=60 MB last at the level's peak "
        "rate, up to maxMaxBufferLength=600",
        max_buffer_s=30.0,
        overshoot=True,
        buffer_bytes=60e6,
        buffer_limit_s=600.0,
    ),
    *_rules(
        "hls.js 1.7.4: no audio that begins after the end of the main segment under way "
        "(audio-stream-controller); a segment of it is held back, and no other asked for, until "
        "the video appended ends beyond a twentieth of it (buffer-controller)",
        tracks="paced",
    ),
    *_rules(
        "hls.js 1.7.4, abr-controller: looks at the download under way every 0.1 s",
        reconsider_every_s=0.1,
    ),
    *_rules(
        "hls.js 1.7.4, measured: a timeout is tried again at once, and the third ends playback; on "
        "503 four tries of a segment, then another level",
        timeout_attempts=3,
        rung_attempts=4,
    ),
    *_rules(
        "hls.js 1.7.4, fragLoadPolicy: 6 retries after 1, 2, 4, 8, 8 and 8 s, 10 s for the first "
        "byte, 120 s in all, however long the silences",
        attempts=7,
        patience_s=0.0,
        backoff_s=1.0,
        backoff_max_s=8.0,
        jitter_ratio=0.0,
        first_byte_limit_s=10.0,
        idle_limit_s=120.0,
        total_limit_s=120.0,
    ),
)

SHAKA = (
    *_rules(
        "shaka-player 5.2.12, StreamingEngine.update_: fetches while less than bufferingGoal=10 "
        "is buffered of a stream",
        max_buffer_s=10.0,
        overshoot=True,
    ),
    *_rules(
        "shaka-player 5.2.12, StreamingEngine.update_: each stream on its own, none further than "
        "the longest segment before another",
        tracks="apart",
    ),
    *_rules(
        "shaka-player 5.2.12, Backoff.defaultRetryParameters: 2 attempts, 1 s apart, half of it "
        "random; connectionTimeout=10, stallTimeout=5, timeout=30",
        attempts=2,
        patience_s=0.0,
        backoff_s=1.0,
        backoff_max_s=2.0,
        jitter_ratio=0.5,
        first_byte_limit_s=10.0,
        idle_limit_s=5.0,
        total_limit_s=30.0,
    ),
)

DASH_JS = (
    *_rules(
        "dash.js 5.2.1, StreamProcessor._prepareForFastQualitySwitch: a switch up goes on one and "
        "a half segments ahead of the playhead, over what is buffered of lower quality",
        fast_switch=True,
    ),
    *_rules(
        "dash.js 5.2.1, Settings: bufferTimeDefault=18, bufferTimeAtTopQuality=30, "
        "bufferTimeAtTopQualityLongForm=60 from 600 s of media on; a segment must fit",
        max_buffer_s=18.0,
        top_buffer_s=30.0,
        long_top_buffer_s=60.0,
    ),
    *_rules(
        "dash.js 5.2.1, ScheduleController: audio up to a second beyond the video buffered",
        tracks="led",
    ),
    *_rules(
        "dash.js 5.2.1, Settings: retryAttempts 3, retryIntervals 1 s, fragmentRequestTimeout 20 s",
        attempts=4,
        patience_s=0.0,
        backoff_s=1.0,
        backoff_max_s=1.0,
        jitter_ratio=0.0,
        first_byte_limit_s=20.0,
        idle_limit_s=20.0,
        total_limit_s=20.0,
    ),
)

PRESETS: Mapping[str, Preset] = MappingProxyType(
    {
        "abrkit": Preset(about="this player as it is by default", algorithm="bola-sabre", rules=()),
        "hlsjs-chromium": Preset(
            about="hls.js 1.7.4 in Chromium 156", algorithm="hls-js", rules=(*CHROMIUM, *HLS_JS)
        ),
        "shaka-chromium": Preset(
            about="shaka-player 5.2.12 in Chromium 156",
            algorithm="shaka",
            rules=(*CHROMIUM, *SHAKA),
        ),
        "dashjs-chromium": Preset(
            about="dash.js 5.2.1 in Chromium 156",
            algorithm="dashjs",
            rules=(*CHROMIUM, *DASH_JS),
        ),
        "ideal": Preset(
            about="plays whatever is there at once: what no browser does better",
            algorithm="bola-sabre",
            rules=_rules(
                "an idea, not a player: nothing is waited for but the network",
                startup_buffer_s=0.0,
                resume_buffer_s=0.0,
                server_s=0.0,
                tracks="together",
                overshoot=True,
            ),
        ),
    }
)
"""By name. ``abrkit`` is the default."""


def preset(name: str) -> Preset:
    """The preset called ``name``.

    Raises:
        ConfigError: there is none.
    """
    if name in PRESETS:
        return PRESETS[name]
    near = get_close_matches(name, PRESETS, n=1)
    hint = f"did you mean {near[0]!r}? " if near else ""
    raise ConfigError(f"no player {name[:40]!r}; {hint}expected one of {', '.join(PRESETS)}")
