"""HTTP rules: the answer as a pure function of the request and the object.

``plan_response`` takes a method, header fields and a ``Representation`` and returns a
``ResponsePlan``: status, fields, and which bytes to send. ``sending`` carries it out; nothing
here reads a file, a clock or a socket. Origin and edges share it.

Sources: RFC 9110 §8.8 (validators), §13 (conditions, their order in §13.2.2), §14
(ranges), §14.6 (multipart/byteranges); RFC 9111 §5.2 and RFC 8246 (``immutable``).
"""

from __future__ import annotations

import hashlib
import itertools
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath

from origin.httpdate import http_date, parse_http_date

Field = tuple[str, str]

MEDIA_TYPES: Mapping[str, str] = {
    ".m3u8": "application/vnd.apple.mpegurl",
    ".m4s": "video/iso.segment",
    ".mp4": "video/mp4",
    ".ts": "video/mp2t",
    ".vtt": "text/vtt; charset=utf-8",
    ".jpg": "image/jpeg",
    ".mpd": "application/dash+xml",
    ".json": "application/json",
}
"""Types by suffix; a file with another suffix is not part of a package."""

MAX_RANGES = 8
"""More ranges in one request, or overlapping ones, are answered with the whole object
(RFC 9110 §14.2 permits it: such requests can cost a server far more than the object)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Representation:
    """An object as it could be sent whole."""

    size_bytes: int
    media_type: str
    etag: str
    """Strong entity tag with its quotes."""
    last_modified_s: int
    """Unix time, whole seconds."""
    cache_control: str


@dataclass(frozen=True, slots=True)
class Span:
    """Bytes ``start`` to ``start + length`` of the object."""

    start: int
    length: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ResponsePlan:
    """What to send. ``body`` is empty for HEAD, whose fields are those of GET."""

    status: int
    headers: tuple[Field, ...]
    body: tuple[bytes | Span, ...] = ()

    @property
    def body_bytes(self) -> int:
        """Bytes of body that will be sent."""
        return _length(self.body)


def media_type(path: str) -> str | None:
    """Type of a file of a package by its suffix; None for any other file."""
    return MEDIA_TYPES.get(PurePosixPath(path).suffix)


def join_fields(fields: Iterable[Field]) -> dict[str, str]:
    """Header fields by lower-case name, repeated ones joined by a comma (RFC 9110 §5.3)."""
    headers: dict[str, str] = {}
    for name, value in fields:
        lower = name.lower()
        headers[lower] = f"{headers[lower]}, {value}" if lower in headers else value
    return headers


def plan_response(
    method: str, fields: Iterable[Field], held: Representation, *, now_s: float
) -> ResponsePlan:
    """The answer to a request for ``held``: 200, 206, 304, 405, 412 or 416.

    Args:
        method: Request method, upper case.
        fields: Request header fields, in any spelling, repeated ones allowed.
        held: The object as it is now.
        now_s: Unix time, for dates with a year of two digits.
    """
    if method not in ("GET", "HEAD"):
        return ResponsePlan(
            status=405, headers=(("Allow", "GET, HEAD, OPTIONS"), ("Content-Length", "0"))
        )
    headers = join_fields(fields)
    status = _condition(headers, held, now_s)
    if status == 304:
        return ResponsePlan(status=304, headers=_validators(held))
    if status == 412:
        return ResponsePlan(status=412, headers=(*_validators(held), ("Content-Length", "0")))
    spans = _wanted_spans(headers, held, now_s) if method == "GET" else None
    if spans is None:
        return _whole(held, with_body=method == "GET")
    if not spans:
        unsatisfied = ("Content-Range", f"bytes */{held.size_bytes}")
        return ResponsePlan(status=416, headers=(unsatisfied, ("Content-Length", "0")))
    return _one_part(held, spans[0]) if len(spans) == 1 else _many_parts(held, spans)


def parse_ranges(text: str, size_bytes: int) -> list[Span] | None:
    """The ranges of a ``Range`` field that an object of this size can satisfy.

    Returns:
        None when the field must be ignored (another unit, wrong syntax); an empty list
        when it is valid and nothing of it can be satisfied (416).
    """
    unit, equals, rest = text.partition("=")
    if not equals or unit.strip().lower() != "bytes":
        return None
    spans, seen = [], False
    for item in rest.split(","):
        if not item.strip(" \t"):
            continue
        match = _RANGE.fullmatch(item.strip(" \t"))
        if match is None or not any(match.groups()):
            return None
        first, last = (_number(group) for group in match.groups())
        if first is not None and last is not None and first > last:
            return None
        seen = True
        span = _span(first, last, size_bytes)
        if span is not None:
            spans.append(span)
    return spans if seen else None


_RANGE = re.compile(r"([0-9]*)-([0-9]*)")
_ETAG = re.compile(r'(W/)?("[\x21\x23-\x7e\x80-\xff]*")')


def _number(digits: str) -> int | None:
    # Converting very long numbers takes time, and they all mean "to the end".
    return None if not digits else int(digits) if len(digits) <= 18 else 10**18


def _span(first: int | None, last: int | None, size_bytes: int) -> Span | None:
    if first is None:
        length = min(last or 0, size_bytes)
        return Span(size_bytes - length, length) if length else None
    if first >= size_bytes:
        return None
    end = size_bytes if last is None else min(last + 1, size_bytes)
    return Span(first, end - first)


def _wanted_spans(
    headers: Mapping[str, str], held: Representation, now_s: float
) -> list[Span] | None:
    """Spans to send, or None for the whole object; an empty list is 416."""
    text = headers.get("range")
    if text is None or not _if_range_holds(headers.get("if-range"), held, now_s):
        return None
    if text.count(",") >= 4 * MAX_RANGES:
        return None
    spans = parse_ranges(text, held.size_bytes)
    if spans is None or len(spans) > MAX_RANGES:
        return None
    ordered = sorted(spans, key=lambda span: span.start)
    for one, two in itertools.pairwise(ordered):
        if one.start + one.length > two.start:
            return None
    return spans


def _if_range_holds(text: str | None, held: Representation, now_s: float) -> bool:
    """RFC 9110 §13.1.5: a strong entity tag, or exactly the date that was sent."""
    if text is None:
        return True
    text = text.strip()
    if text.startswith('"'):
        return text == held.etag
    return parse_http_date(text, now_s=now_s) == held.last_modified_s


def _condition(headers: Mapping[str, str], held: Representation, now_s: float) -> int:
    """Status that the conditions ask for: 304, 412, or 200 when they hold (RFC 9110 §13.2.2)."""
    if "if-match" in headers:
        if not _lists_tag(headers["if-match"], held.etag, weakly=False):
            return 412
    elif "if-unmodified-since" in headers:
        since_s = parse_http_date(headers["if-unmodified-since"], now_s=now_s)
        if since_s is not None and held.last_modified_s > since_s:
            return 412
    if "if-none-match" in headers:
        return 304 if _lists_tag(headers["if-none-match"], held.etag, weakly=True) else 200
    since_s = parse_http_date(headers.get("if-modified-since"), now_s=now_s)
    return 304 if since_s is not None and held.last_modified_s <= since_s else 200


def _lists_tag(text: str, etag: str, *, weakly: bool) -> bool:
    if text.strip() == "*":
        return True
    held = _ETAG.fullmatch(etag)
    if held is None:
        return False
    # RFC 9110 §8.8.3.2: weakly, the tags alone count; strongly, neither may be weak.
    return any(
        tag == held[2] and (weakly or not (weak or held[1])) for weak, tag in _ETAG.findall(text)
    )


def _validators(held: Representation) -> tuple[Field, ...]:
    return (
        ("ETag", held.etag),
        ("Last-Modified", http_date(held.last_modified_s)),
        ("Cache-Control", held.cache_control),
    )


def _describing_fields(held: Representation, kind: str, length: int) -> tuple[Field, ...]:
    return (
        ("Content-Type", kind),
        ("Content-Length", str(length)),
        *_validators(held),
        ("Accept-Ranges", "bytes"),
    )


def _whole(held: Representation, *, with_body: bool) -> ResponsePlan:
    return ResponsePlan(
        status=200,
        headers=_describing_fields(held, held.media_type, held.size_bytes),
        body=(Span(0, held.size_bytes),) if with_body and held.size_bytes else (),
    )


def _content_range(span: Span, size_bytes: int) -> str:
    return f"bytes {span.start}-{span.start + span.length - 1}/{size_bytes}"


def _one_part(held: Representation, span: Span) -> ResponsePlan:
    described = _describing_fields(held, held.media_type, span.length)
    content_range = ("Content-Range", _content_range(span, held.size_bytes))
    return ResponsePlan(status=206, headers=(*described, content_range), body=(span,))


def _many_parts(held: Representation, spans: list[Span]) -> ResponsePlan:
    """RFC 9110 §14.6: multipart/byteranges, in the order of the request."""
    boundary = hashlib.sha256(f"{held.etag}{spans}".encode()).hexdigest()[:24]
    body: list[bytes | Span] = []
    for span in spans:
        head = (
            f"\r\n--{boundary}\r\nContent-Type: {held.media_type}\r\n"
            f"Content-Range: {_content_range(span, held.size_bytes)}\r\n\r\n"
        )
        body += [head.encode("ascii"), span]
    body.append(f"\r\n--{boundary}--\r\n".encode("ascii"))
    kind = f"multipart/byteranges; boundary={boundary}"
    return ResponsePlan(
        status=206, headers=_describing_fields(held, kind, _length(body)), body=tuple(body)
    )


def _length(body: Iterable[bytes | Span]) -> int:
    return sum(len(part) if isinstance(part, bytes) else part.length for part in body)
