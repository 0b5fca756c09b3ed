"""The replay driver: recorded inputs in, and the log they must produce out.

Nothing is fetched and no time passes; the session decides everything anew. A replay
that differs from its recording shows a change of the player or of the algorithm.
"""

from __future__ import annotations

from itertools import takewhile

from abr.errors import LogFormatError
from abr.log import INPUTS, Record, SessionLog
from player.playback.retry import Failure
from player.playback.session import PlaybackSession
from transcode.playlist import resolve

_NEW_TOKEN = b'{"token": "-"}'
"""Logs hold no tokens: the answer to every recorded renewal."""


class ReplayDriver:
    """Feeds the inputs of ``recorded`` to a fresh session."""

    def __init__(self, session: PlaybackSession, recorded: SessionLog, *, url: str) -> None:
        """``url``: the source the session was made with; redirects are relative to it."""
        self._session = session
        self._recorded = recorded
        self._url = url
        self._received: dict[int, float] = {}

    def __repr__(self) -> str:
        return f"<ReplayDriver of {len(self._recorded.records)} records, {self._session!r}>"

    def run(self) -> SessionLog:
        """Replay to the end and return the new log.

        Raises:
            LogFormatError: a record lacks a field.
        """
        records = self._recorded.records
        for index, record in enumerate(records):
            if record["e"] not in INPUTS:
                continue
            try:
                # What an input aborts had brought bytes that no wake has told of.
                for told in takewhile(lambda r: r["e"] not in INPUTS, records[index + 1 :]):
                    if told["e"] == "abort":
                        self._receive(told["id"], told["received_bytes"], record["t"])
                self._feed(record)
            except (KeyError, TypeError) as exc:
                raise LogFormatError(
                    f"record {record.get('e')!r} at {record.get('t')} s: "
                    f"field {exc} is missing or of the wrong type; the log is damaged"
                ) from exc
        if self._session.state != "ended":
            self._session.wake(self._recorded.records[-1]["t"])
        return self._session.log

    def _feed(self, record: Record) -> None:
        session, kind, t_s = self._session, record["e"], record["t"]
        match kind:
            case "start":
                session.start(t_s)
            case "sent":
                session.sent(record["id"], t_s)
            case "response":
                url = resolve(self._url, record["uri"]) if "uri" in record else None
                session.response_started(record["id"], t_s, url=url)
            case "finished":
                self._receive(record["id"], record["size_bytes"], t_s)
                body = record["text"].encode() if "text" in record else _NEW_TOKEN
                session.finished(record["id"], t_s, body)
            case "failed":
                failure = {name: record[name] for name in Failure.__dataclass_fields__}
                session.failed(record["id"], t_s, Failure(**failure))
            case "wake":
                for got in record["received"]:
                    self._receive(got["id"], got["received_bytes"], t_s)
                    if (newest_s := got.get("newest_byte_s")) is not None:
                        session.received(got["id"], 0.0, t_s, newest_s=newest_s)
                session.wake(t_s)
            case "pause":
                session.pause(t_s)
            case "resume":
                session.resume(t_s)
            case "stop":
                session.stop(t_s)

    def _receive(self, request_id: int, received_bytes: float, t_s: float) -> None:
        """Bring the count of one request to what the recording had at this time."""
        more = received_bytes - self._received.get(request_id, 0.0)
        if more > 0:
            self._received[request_id] = received_bytes
            self._session.received(request_id, more, t_s)


def differences(recorded: SessionLog, replayed: SessionLog, *, most: int = 5) -> list[str]:
    """Where two logs differ, record by record; empty when they are identical."""
    found: list[str] = []
    for index, (old, new) in enumerate(zip(recorded.records, replayed.records, strict=False)):
        if old != new:
            found.append(f"record {index + 1}: recorded {_shorten(old)}, replayed {_shorten(new)}")
    if len(recorded.records) != len(replayed.records):
        found.append(f"recorded {len(recorded.records)} records, replayed {len(replayed.records)}")
    return found[:most]


def _shorten(record: Record) -> str:
    return ", ".join(f"{name}={str(value)[:40]}" for name, value in record.items())
