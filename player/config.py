"""Configuration of the player."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from abr.defaults import MAX_BUFFER_S, RESPONSE_OVERHEAD_BYTES, RTT_S, SERVER_S
from abr.errors import ConfigError
from abr.settings import check_types

Tracks = Literal["in-turn", "together", "paced", "apart", "led"]

TRACKS: dict[Tracks, str] = {
    "in-turn": "after the video of the same time, and before more video",
    "together": "beside the video of the same time",
    "paced": "once the video beside the audio before it is here, and no further than the video "
    "under way; hls.js",
    "apart": "each on its own, neither further than one segment before the other; shaka-player",
    "led": "up to a second beyond the video that is here; dash.js",
}
"""When the next audio segment is due. In the last three each track has a buffer of its own,
and algorithms see that of the picture."""

LONG_S = 600.0
"""What dash.js takes for a long film; see ``PlayerConfig.long_top_buffer_s``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PlayerConfig:
    """How the player buffers, starts, resumes and retries."""

    begins_with: Literal["lowest", "listed"] = "lowest"
    """The rung whose media playlist is loaded first: the lowest, or that listed first."""
    max_buffer_s: float = MAX_BUFFER_S
    """No segment is requested that would lift the buffer above this."""
    overshoot: bool = False
    """A segment is requested whenever less than that is buffered, however long it is."""
    buffer_bytes: float = 0.0
    """The buffer may hold as much more as this many bytes last at the peak rate of the rung
    chosen last; 0: ``max_buffer_s`` is all."""
    buffer_limit_s: float = 600.0
    """But bytes make it no longer than this."""
    sound_quota_bytes: float = 0.0
    """Most that a browser keeps of sound apart from the video, its own notes included (see
    ``player.playback.room``); where that is less than the goal, it is the goal of both. 0: any."""
    top_buffer_s: float = 0.0
    """In place of ``max_buffer_s`` while the highest rung was chosen last; 0: the same."""
    long_top_buffer_s: float = 0.0
    """The same for what lasts ``LONG_S`` or longer; 0: ``top_buffer_s``."""
    startup_buffer_s: float = 0.2
    """Media needed before the first frame; any whole segment is more than the default."""
    resume_buffer_s: float = 0.2
    """Media needed to resume after a stall: Chromium's. Less would let the few
    milliseconds by which audio and video boundaries differ end a stall for an instant."""
    resume_growth: float = 1.0
    """Each stall multiplies the resume threshold by this."""
    resume_max_s: float = 3.0
    """The resume threshold never grows beyond this."""
    fast_switch: bool = False
    """A switch to a higher rung replaces what is buffered of lower ones, from one and a half
    segments ahead of the playhead on, but not of live streams; dash.js."""
    protected_buffer_s: float = 0.0
    """Where samples are encrypted, starting and resuming need at least this much."""
    picture_grace_s: float = 0.0
    """Sound plays on for this long after the picture ran out, before both wait for it; then
    the thresholds are of the sound, and one picture is enough. Only where ``tracks`` have a
    buffer each."""
    render_delay_s: float = 0.0
    """Decoder time between media being ready and the first frame."""
    tracks: Tracks = "in-turn"
    """When audio is fetched that is apart from the video; see ``TRACKS``."""
    reconsider_every_s: float = 0.25
    """How often an algorithm may abandon the download under way."""
    connections: int = 6
    """Most connections to one server."""
    rtt_s: float = RTT_S
    """Round-trip time of the emulated link where the trace gives none."""
    response_overhead_bytes: int = RESPONSE_OVERHEAD_BYTES
    """Bytes of response head per request on the simulated link; our edges send about this."""
    server_s: float = SERVER_S
    """Time per request that software takes beside the simulated network: measured over
    loopback with our edges, the shaping proxy and the live driver on an idle machine."""
    attempts: int = 4
    """Tries per request before giving up, the first included; once playback has begun,
    more of them are made while ``patience_s`` lasts."""
    rung_attempts: int = 0
    """Tries of the same before another rung stands in; 0: as many."""
    timeout_attempts: int = 0
    """Tries that may pass a time limit; they follow each other at once. 0: as with other
    failures."""
    patience_s: float = 20.0
    """Once playback has begun, a request is tried for at least this long: a server that
    is restarted must not cost a session."""
    first_byte_limit_s: float = 20.0
    """Longest wait for the first byte before a try is given up."""
    idle_limit_s: float = 20.0
    """Longest silence within a body; outages of the measured networks last up to 16 s."""
    total_limit_s: float = 180.0
    """Longest time from request to last byte."""
    stale_limit_s: float = 60.0
    """Longest wait for a live playlist to bring something new while nothing plays; never
    less than three target durations."""
    live_delay_s: float = 0.0
    """Distance from the end of a live stream at which to join it, at least a target duration; 0:
    where its EXT-X-START or hold-back says."""
    backoff_s: float = 0.25
    """Wait before the second try; doubles with each further one."""
    backoff_max_s: float = 4.0
    """Longest wait between two tries."""
    jitter_ratio: float = 0.2
    """Each wait is drawn from (1 - ratio) to 1 times its nominal length."""
    rung_penalty_s: float = 60.0
    """A rung of which something cannot be had is left out for so long, while others can."""
    pathway_penalty_s: float = 300.0
    """A pathway whose server fails is left out for so long, while there are others: hls.js's."""
    failover_limit_s: float = 4.0
    """Longest wait for the first byte while there is another pathway to take."""
    seed: int = 0
    """Seed of the retry jitter."""
    max_bitrate_bps: float = 0.0
    """Ceiling of the ladder: neither a rung above this rate nor any above that is played, except
    the lowest; 0: all are."""
    max_height: float = 0.0
    """The same by the lines of its picture."""
    codecs: str = ""
    """Codec families to play, separated by commas, the best liked first; empty: that of the
    variant listed first."""
    language: str = ""
    """Of the sound; ``de`` means ``de-AT`` too. Empty: the playlist's default."""
    audio_group: str = ""
    """GROUP-ID of the sound where the same pictures are listed with several; empty: the first."""

    def __post_init__(self) -> None:
        check_types(self)
        positive = (
            "max_buffer_s",
            "buffer_limit_s",
            "reconsider_every_s",
            "connections",
            "attempts",
            "first_byte_limit_s",
            "idle_limit_s",
            "total_limit_s",
            "stale_limit_s",
            "failover_limit_s",
        )
        not_negative = (
            "startup_buffer_s",
            "resume_buffer_s",
            "resume_max_s",
            "render_delay_s",
            "rtt_s",
            "server_s",
            "response_overhead_bytes",
            "backoff_s",
            "patience_s",
            "backoff_max_s",
            "buffer_bytes",
            "top_buffer_s",
            "long_top_buffer_s",
            "protected_buffer_s",
            "picture_grace_s",
            "sound_quota_bytes",
            "rung_attempts",
            "timeout_attempts",
            "rung_penalty_s",
            "pathway_penalty_s",
            "max_bitrate_bps",
            "max_height",
            "live_delay_s",
        )
        for name in positive:
            if not getattr(self, name) > 0:
                raise ConfigError(f"{name} is {getattr(self, name)}; expected more than 0")
        for name in not_negative:
            if not getattr(self, name) >= 0:
                raise ConfigError(f"{name} is {getattr(self, name)}; expected 0 or more")
        for name in ("startup_buffer_s", "resume_buffer_s", "protected_buffer_s"):
            if getattr(self, name) > self.max_buffer_s:
                raise ConfigError(
                    f"{name} is {getattr(self, name)}; expected at most max_buffer_s, "
                    f"{self.max_buffer_s}, or playback could never start"
                )
        if not 0 <= self.jitter_ratio <= 1:
            raise ConfigError(f"jitter_ratio is {self.jitter_ratio}; expected 0 to 1")
        if self.begins_with not in ("lowest", "listed"):
            raise ConfigError(f"begins_with is {self.begins_with!r}; expected lowest or listed")
        if self.tracks not in TRACKS:
            raise ConfigError(f"tracks is {self.tracks!r}; expected one of {', '.join(TRACKS)}")

    @property
    def has_own_buffers(self) -> bool:
        """Whether sound and picture have a buffer each."""
        return self.tracks in ("paced", "apart", "led")
