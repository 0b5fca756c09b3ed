"""Draw servers: how each request for a random title is answered, as its number decides.

Every URL is well, or has an illness: it is gone, slow, silent, cut, refused, a page, a wrong range,
now and then or always, until a time or for good. What a body says is decided here too.
"""

from __future__ import annotations

import json
import math
from collections import Counter
from dataclasses import dataclass
from urllib.parse import urlsplit

from player.playback.actions import Want
from player.playback.checking import Body, check_body
from player.playback.retry import Failure
from tests.scripts.draw import Draw
from tests.scripts.title import Title
from tests.unit.transcode.test_fragments import AAC, init_section
from transcode.encryption import encrypt

INIT, STREAM = init_section(AAC), b"\x47" + bytes(187)
MEDIA = b"\0\0\0\x08moof" + b"\0\0\0\x5cmdat" + bytes(84)
KEY = bytes(range(16))
PAGE = b"<!DOCTYPE html><title>Sign in</title>"


@dataclass(frozen=True, slots=True)
class Answer:
    """How one request is answered."""

    first_byte_s: float = 0.01
    """From request to first byte; inf: silence."""
    rest_s: float = 0.02
    """From first to last byte; inf: the rest never comes."""
    failure: Failure | None = None
    """In place of the last byte."""
    body: bytes = b""


WELL = Answer()

FAILURES = (
    Failure("status", 503),
    Failure("status", 500),
    Failure("status", 404),
    Failure("status", 403),
    Failure("status", 403, "expired"),
    Failure("status", 410),
    Failure("status", 429, after_s=2.0),
    Failure("status", 503, after_s=600.0),
    Failure("connect", message="refused"),
    Failure("timeout", message="no connection within 10 s"),
    Failure("truncated", message="the connection broke off in the body"),
    Failure("unusable", message="the server ignored a byte range"),
    Failure("unusable", message="Content-Range: found none; expected bytes 0-99"),
    Failure("content", message="not a usable URL"),
)

TIMES = ((0.0, 0.0), (0.0, 0.3), (1.9, 0.01), (0.01, 1.0), (0.01, 7.0), (3.0, 0.01))
SILENCES = ((math.inf, 0.0), (0.01, math.inf))


@dataclass(slots=True)
class Illness:
    """What is wrong with one URL."""

    answers: tuple[Answer, ...]
    """One of them is given, in turn."""
    damage: str
    """Of bodies: ``page``, ``empty``, ``cut``, ``longer``, ``noise``; empty: none."""
    ratio: float
    """How often it shows."""
    until_s: float
    tries: int
    """After so many it is over."""


class Server:
    """Answers every request for ``title``."""

    def __init__(self, title: Title, draw: Draw) -> None:
        self.title = title
        self._draw = draw
        self._sickness = draw.one((0.0, 0.05, 0.05, 0.2, 0.6))
        self._illnesses: dict[str, Illness | None] = {}
        self._tries: Counter[str] = Counter()
        self._times = draw.one((WELL, WELL, Answer(0.0, 0.0), Answer(0.2, 0.9)))

    def __repr__(self) -> str:
        return f"<Server of {self.title.url}, {sum(self._tries.values())} answers>"

    def answer(self, want: Want, now_s: float) -> Answer:
        """How ``want`` is answered when it is asked for now."""
        url = f"{want.url} {want.byte_range or ''}"
        if url not in self._illnesses:
            is_ill = self._draw.random() < self._sickness
            self._illnesses[url] = self._illness() if is_ill else None
        self._tries[url] += 1
        illness = self._illnesses[url]
        given, damage = self._times, ""
        if illness is not None and self._shows(illness, self._tries[url], now_s):
            given, damage = self._draw.one(illness.answers), illness.damage
        if given.failure is not None:
            return given
        data = damaged(self.body(want, now_s), damage)
        failure = given.failure
        if problem := check_body(want, Body(data, "text/html" if damage == "page" else "")):
            failure = Failure("unusable", 200, message=problem)
        return Answer(given.first_byte_s, given.rest_s, failure, data)

    def body(self, want: Want, now_s: float) -> bytes:
        """What a server that is well sends, encrypted as the playlist says."""
        name = urlsplit(want.url).path.rpartition("/")[2]
        if want.kind == "token":
            return b'{"token": "new.body.signature"}'
        if want.kind in ("multivariant", "media"):
            if name in self.title.media:
                return self.title.media[name].text(now_s).encode()
            return self.title.multivariant.encode()
        if want.kind == "key":
            return KEY
        if want.kind not in ("init", "segment"):
            return json.dumps(self._steering()).encode()
        clear = INIT if want.kind == "init" else MEDIA if want.init is not None else STREAM
        if want.byte_range is not None and want.key is None:
            clear = (clear + bytes(want.byte_range.length))[: want.byte_range.length]
        return clear if want.key is None else encrypt(clear, KEY, want.key.iv)

    def _steering(self) -> dict[str, object]:
        draw = self._draw
        return {
            "VERSION": draw.one((1, 1, 1, 2)),
            "TTL": draw.one((1, 5, 300, 0, "x")),
            "PATHWAY-PRIORITY": draw.one((["one", "two"], ["two", "one"], ["three"], [])),
        }

    def _shows(self, illness: Illness, tries: int, now_s: float) -> bool:
        is_over = tries > illness.tries or now_s > illness.until_s
        return not is_over and self._draw.random() < illness.ratio

    def _illness(self) -> Illness:
        draw = self._draw
        kind = draw.random()
        answers: tuple[Answer, ...] = (WELL,)
        damage = ""
        if kind < 0.5:
            some = [draw.one(FAILURES) for _ in range(draw.one((1, 1, 3)))]
            answers = tuple(Answer(0.01, draw.one((0.0, 1.0)), each) for each in some)
        elif kind < 0.75:
            answers = (Answer(*draw.one(TIMES + SILENCES)),)
        else:
            damage = draw.one(("page", "empty", "cut", "longer", "noise"))
        return Illness(
            answers,
            damage,
            ratio=draw.one((1.0, 1.0, 0.4)),
            until_s=draw.one((math.inf, math.inf, 3.0, 30.0)),
            tries=draw.one((1, 1, 2, 4, 10**9)),
        )


def damaged(data: bytes, damage: str) -> bytes:
    """A body that has gone wrong on its way."""
    match damage:
        case "page":
            return PAGE
        case "empty":
            return b""
        case "cut":
            return data[: len(data) * 2 // 3]
        case "longer":
            return data + b"\n#EXT-X-NOISE"
        case "noise":
            return bytes(byte ^ 0x55 for byte in data)
    return data
