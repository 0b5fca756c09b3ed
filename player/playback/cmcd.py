"""What a playback says about itself with each request: Common Media Client Data.

Facts of the session become keys here; how keys are written and read is ``edge.operations.cmcd``'s.
Nothing is sent unless it is asked for. Left out on purpose is ``rtp``: a server that obeys it would
change what is measured.

Sources: CTA-5004 (version 1) and CTA-5004-B (version 2) as the Common Media Library of the SVTA
follows them: which objects a key belongs to, what it means, and how it is rounded.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal
from urllib.parse import quote, urlsplit

from abr.errors import ConfigError
from abr.settings import check_types
from edge.operations.cmcd import Cmcd, Value, print_headers, print_query
from player.playback.actions import Kind, Want
from player.playback.facts import Contents, Facts
from player.playback.session import PlaybackSession
from player.playback.timeline import SegmentRef
from transcode.playlist import ByteRange

Carriage = Literal["query", "headers"]
ObjectType = Contents | Literal["m", "i", "k", "o"]

_TYPES: Mapping[Kind, ObjectType] = {
    "multivariant": "m",
    "media": "m",
    "init": "i",
    "key": "k",
    "licence": "k",
    "token": "o",
    "steering": "o",
}
_MEDIA = ("a", "v", "av")
_STATES = {"startup": "s", "playing": "p", "stalled": "r", "paused": "a", "ended": "e"}
_LISTS = frozenset({"bl", "br", "lb", "tb"})
"""Of version 2: lists whose items name the kind of object that they are of, and so the request."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CmcdConfig:
    """Whether and how a playback says what it does."""

    carriage: Carriage = "query"
    """As one query argument, or as four header fields."""
    version: Literal[1, 2] = 1
    session_id: str = ""
    """``sid``, up to 64 characters; empty: one is drawn for each playback."""
    content_id: str = ""
    """``cid``, up to 128 characters; empty: not said."""

    def __post_init__(self) -> None:
        check_types(self)
        if self.carriage not in ("query", "headers"):
            raise ConfigError(f"carriage is {self.carriage!r}; expected 'query' or 'headers'")
        if self.version not in (1, 2):
            raise ConfigError(f"version is {self.version!r}; expected 1 or 2")
        for name, most in (("session_id", 64), ("content_id", 128)):
            said = getattr(self, name)
            if len(said) > most or not ((said.isascii() and said.isprintable()) or not said):
                raise ConfigError(
                    f"{name} has {len(said)} characters or some that are not ASCII; expected up "
                    f"to {most} printable ones"
                )


@dataclass(slots=True)
class _Past:
    """What the log told so far of stalls and of what was shown."""

    read: int = 0
    """Records of the log that were read."""
    startup_s: float | None = None
    stalled_since_s: float | None = None
    stalls_s: list[float] = field(default_factory=list)
    """Length of each that is over."""
    is_starved: bool = False
    """A stall began since the last report."""
    shown_rung: int = -1
    edge: tuple[float, float] | None = None
    """Of a live stream: where its list ended, and when it was seen to."""

    @property
    def stalls(self) -> int:
        """Stalls so far, with one that lasts."""
        return len(self.stalls_s) + (self.stalled_since_s is not None)


class Spokesman:
    """Says with each request where one playback stands.

    Args:
        session: The playback; it is only looked at.
        config: What to say, and how.
        session_id: ``sid``, where the configuration has none.
    """

    def __init__(self, session: PlaybackSession, config: CmcdConfig, *, session_id: str) -> None:
        self._session = session
        self._config = config
        self._session_id = config.session_id or session_id
        self._past = _Past()
        self._said = 0
        self._told_startup = False
        self._told_stalls = 0

    def __repr__(self) -> str:
        return f"<Spokesman of session {self._session_id}, {self._said} requests>"

    @property
    def provenance(self) -> dict[str, Any]:
        """What the log says of it, so that servers' logs can be laid beside."""
        return {
            "carriage": self._config.carriage,
            "version": self._config.version,
            "session_id": self._session_id,
            "content_id": self._config.content_id,
        }

    def annotate(self, want: Want, url: str) -> tuple[str, dict[str, str]]:
        """The URL of a request and fields to add, with what is to be said put into one of them."""
        cmcd = self.say(want)
        if self._config.carriage == "headers":
            return url, dict(print_headers(cmcd))
        return with_argument(url, print_query(cmcd)), {}

    def say(self, want: Want) -> Cmcd:
        """What to say with the request for ``want`` that goes out now."""
        self._read_log()
        facts = self._session.facts_about(want)
        kind = object_type(want, facts)
        said: dict[str, Value] = {"sid": self._session_id, "sf": "h"}
        if self._config.content_id:
            said["cid"] = self._config.content_id
        if kind:
            said["ot"] = kind
        said |= self._about_playback(facts)
        if facts.segment is not None:
            said |= self._about_segment(want, facts, facts.segment, kind)
        if self._config.version == 2:
            said |= {"v": 2, "sn": self._said} | self._about_past(facts)
            said = {key: _in_list(key, value, kind) for key, value in said.items()}
        self._said += 1
        self._past.is_starved = False
        return Cmcd(values=said)

    def _about_playback(self, facts: Facts) -> dict[str, Value]:
        session, past = self._session, self._past
        said: dict[str, Value] = {}
        if facts.is_live is not None:
            said["st"] = "l" if facts.is_live else "v"
        if session.state != "playing":
            said["pr"] = 0
        if session.state in ("startup", "stalled"):
            said["su"] = True
        if past.is_starved or past.stalled_since_s is not None:
            said["bs"] = True
        if not math.isnan(session.throughput_bps):  # of video, which is what is measured
            measured = _to_hundred(session.throughput_bps / 1000)
            is_first = self._config.version == 1
            said["mtp"] = measured if is_first else ((measured, facts.contents or "v"),)
        return said

    def _about_segment(
        self, want: Want, facts: Facts, segment: SegmentRef, kind: ObjectType
    ) -> dict[str, Value]:
        said: dict[str, Value] = {"bl": _to_hundred(1000 * facts.buffered_s)}
        if kind:
            said["d"] = round(1000 * segment.duration_s)
        if self._session.state == "playing":
            said["dl"] = _to_hundred(1000 * facts.buffered_s)
        return said | self._about_rates(want, facts, segment) | self._about_next(want, facts)

    def _about_rates(self, want: Want, facts: Facts, segment: SegmentRef) -> dict[str, Value]:
        """Rates in kbit/s as the playlists declare them: of peaks, where they tell.

        Of picture and sound apart no playlist tells the rates apart. Version 2 has keys for the
        rate of both together; version 1 has the estimate.
        """
        rates_bps = facts.peak_rates_bps
        if want.track == "audio" or not rates_bps:
            bitrate_bps = segment.bitrate_bps
            return {"br": round(bitrate_bps / 1000)} if bitrate_bps else {}
        mine, top, low = (
            round(rate_bps / 1000)
            for rate_bps in (rates_bps[want.rung], max(rates_bps), min(rates_bps))
        )
        if self._config.version == 1:
            return {"br": mine, "tb": top}
        if facts.has_audio_apart:
            return {"ab": ((mine, "av"),), "tab": ((top, "av"),), "lab": ((low, "av"),)}
        return {"br": mine, "tb": top, "lb": low}

    def _about_next(self, want: Want, facts: Facts) -> dict[str, Value]:
        """The segment behind this one, which is asked for next unless the rung changes."""
        following = facts.following
        name = None if following is None else relative_path(following.url, want.url)
        if following is None or name is None:
            return {}
        part = _range(following.byte_range)
        if self._config.version == 2:
            return {"nor": ((name, f'r="{part}"') if part else name,)}
        said: dict[str, Value] = {"nrr": part} if part else {}
        if following.url != want.url:  # else nrr is of the same object
            said["nor"] = quote(name, safe="!*'()")
        return said

    def _about_past(self, facts: Facts) -> dict[str, Value]:
        """What only version 2 has words for."""
        past, session = self._past, self._session
        shown = "av" if facts.has_audio_apart else facts.contents or "v"
        said: dict[str, Value] = {
            "sta": _STATES[session.state],
            "pt": round(1000 * session.playhead_s),
            "tbl": ((_to_hundred(1000 * session.config.max_buffer_s), facts.contents or "v"),),
        }
        if past.shown_rung >= 0 and facts.peak_rates_bps:
            said["pb"] = ((round(facts.peak_rates_bps[past.shown_rung] / 1000), shown),)
        if past.edge is not None and past.startup_s is not None and facts.is_live:
            edge_s, seen_s = past.edge
            said["ltc"] = round(1000 * (edge_s + facts.now_s - seen_s - session.playhead_s))
        if past.startup_s is not None and not self._told_startup:
            said["msd"] = round(1000 * past.startup_s)
            self._told_startup = True
        if past.stalls:
            said["bsa"] = (past.stalls,)
            said["bsda"] = (round(1000 * sum(past.stalls_s)),)
        if finished := past.stalls_s[self._told_stalls :]:
            said["bsd"] = tuple(round(1000 * stall_s) for stall_s in finished)
            self._told_stalls = len(past.stalls_s)
        return said

    def _read_log(self) -> None:
        """Take in what happened since the last request."""
        past, records = self._past, self._session.log.records
        for record in records[past.read :]:
            if record["e"] == "play":
                past.shown_rung = int(record["rung"])
            elif record["e"] == "live":
                past.edge = (float(record["edge_s"]), float(record["t"]))
            elif record["e"] == "state":
                self._take_state(record)
        past.read = len(records)

    def _take_state(self, record: Mapping[str, Any]) -> None:
        past, time_s = self._past, float(record["t"])
        if record["to"] == "playing" and past.startup_s is None:
            past.startup_s = time_s
        if past.stalled_since_s is not None:
            past.stalls_s.append(time_s - past.stalled_since_s)
            past.stalled_since_s = None
        # After a pause the playback is stalled for an instant, which is none of its faults.
        if record["to"] == "stalled" and record["from"] == "playing":
            past.stalled_since_s = time_s
            past.is_starved = True


def object_type(want: Want, facts: Facts) -> ObjectType:
    """``ot`` of a request; empty where it is not known."""
    if want.kind != "segment":
        return _TYPES.get(want.kind, "")
    if want.track == "audio":
        return "a"
    return "v" if facts.has_audio_apart else facts.contents


def with_argument(url: str, argument: str) -> str:
    """``url`` as it is written, with ``CMCD=`` as its last argument and no other of that name."""
    place, hash_, fragment = url.partition("#")
    path, _, query = place.partition("?")
    if "CMCD=" in query:
        kept = [each for each in query.split("&") if each.partition("=")[0] != "CMCD"]
        query = "&".join(kept)
    return f"{path}?{query}{'&' if query else ''}{argument}{hash_}{fragment}"


_OF_URIS = "!#$%&'()*+,/:;=?@[]~"
"""RFC 3986, 2: what a URI may hold beside letters and digits; all else goes out escaped."""


def relative_path(url: str, base: str) -> str | None:
    """``url`` relative to ``base`` (RFC 3986, 4.2); None when it is on another server."""
    to, here = urlsplit(url), urlsplit(base)
    if (to.scheme, to.netloc) != (here.scheme, here.netloc) or not to.path:
        return None
    names, folders = to.path.split("/"), here.path.split("/")[:-1]
    common = 0
    while common < min(len(names) - 1, len(folders)) and names[common] == folders[common]:
        common += 1
    path = "../" * (len(folders) - common) + "/".join(names[common:])
    if not path or path.startswith("/") or ":" in path.partition("/")[0]:
        path = f"./{path}"
    return quote(path + (f"?{to.query}" if to.query else ""), safe=_OF_URIS)


def _range(byte_range: ByteRange | None) -> str:
    if byte_range is None:
        return ""
    return f"{byte_range.offset}-{byte_range.offset + byte_range.length - 1}"


def _in_list(key: str, value: Value, kind: ObjectType) -> Value:
    """A value as version 2 has it."""
    if key not in _LISTS or isinstance(value, tuple):
        return value
    return ((value, kind),) if kind in _MEDIA else (value,)


def _to_hundred(value: float) -> int:
    return 100 * round(value / 100)
