"""How stored responses are used and renewed: RFC 9111 §4.3, §5.2.1, RFC 9110 §13 to §15, §7.6."""

from __future__ import annotations

from tests.conformance.cases_freshness import HOUR, says
from tests.conformance.exchange import Answer, Case, Step

_SHORT = "Cache-Control: max-age=2"
_GONE = Answer(status=304)

VALIDATION = "RFC 9111 §4.3.1"
_VALIDATION = (
    *(
        Case(
            says=f"what is stale is validated with {line.partition(':')[0]}",
            clause=VALIDATION,
            must=False,
            steps=(
                Step(answer=says(_SHORT, line)),
                Step(after_s=3, answer=_GONE, status=200, come_from="confirmed", asks=(asked,)),
                Step(after_s=1, status=200, come_from="cache"),
            ),
        )
        for line, asked in (
            ('ETag: "x"', 'If-None-Match: "x"'),
            ('ETag: W/"x"', 'If-None-Match: W/"x"'),
            ("Last-Modified: Sun, 06 Nov 1994 08:49:37 GMT", "If-Modified-Since"),
        )
    ),
    Case(
        says="no-cache is validated even when it is fresh",
        clause="RFC 9111 §5.2.2.4",
        must=False,
        steps=(
            Step(answer=says(f"{HOUR}, no-cache", 'ETag: "x"')),
            Step(answer=_GONE, status=200, come_from="confirmed", text=b"body 1"),
        ),
    ),
    Case(
        says="must-revalidate only when it is stale",
        clause="RFC 9111 §5.2.2.2",
        must=True,
        steps=(
            Step(answer=says(f"{_SHORT}, must-revalidate", 'ETag: "x"')),
            Step(after_s=1, come_from="cache"),
            Step(after_s=2, answer=_GONE, status=200, come_from="confirmed"),
        ),
    ),
    Case(
        says="the fields that select it go along",
        clause=VALIDATION,
        must=True,
        steps=(
            Step(fields=("Abc: 1",), answer=says(_SHORT, 'ETag: "x"', "Vary: Abc")),
            Step(
                after_s=3,
                fields=("Abc: 1",),
                answer=_GONE,
                status=200,
                come_from="confirmed",
                asks=("Abc: 1",),
            ),
        ),
    ),
    Case(
        says="one client's refusal does not take it from the others",
        clause="RFC 9111 §4.3.3",
        must=True,
        steps=(
            Step(answer=says(_SHORT, 'ETag: "x"')),
            Step(after_s=3, answer=Answer(status=403)),
            Step(answer=_GONE, status=200, come_from="confirmed", text=b"body 1"),
        ),
    ),
    Case(
        says="another answer replaces it",
        clause="RFC 9111 §4.3.3",
        must=True,
        steps=(
            Step(answer=says(_SHORT, 'ETag: "x"')),
            Step(after_s=3, answer=Answer(status=404)),
            Step(come_from="origin", asks_no=("If-None-Match",)),
        ),
    ),
)

RENEWAL = "RFC 9111 §3.2"


def renewed(line: str, newer: str, *, to: str | None = None, must: bool = False) -> Case:
    """A 304 with another value of a field."""
    kept = to or newer
    return Case(
        says=f"a 304 with {newer} leaves {kept}",
        clause=RENEWAL,
        must=must,
        steps=(
            Step(answer=says(_SHORT, 'ETag: "x"', line)),
            Step(
                after_s=3,
                answer=Answer(status=304, fields=(HOUR, newer)),
                status=200,
                come_from="confirmed",
                holds=(kept,),
            ),
            Step(after_s=3, status=200, come_from="cache", holds=(kept,)),
        ),
    )


_RENEWAL = (
    renewed("X-Foo: 1", "X-Foo: 2", must=True),
    renewed("Content-Foo: 1", "Content-Foo: 2", must=True),
    renewed("Content-Type: text/plain", "Content-Type: text/plain;charset=utf-8"),
    renewed("Set-Cookie: a=b", "Set-Cookie: a=c"),
    renewed("Expires: Fri, 01 Jan 2038 01:01:01 GMT", "Expires: Mon, 11 Jan 2038 11:11:11 GMT"),
    renewed("Content-Encoding: a", "Content-Encoding: b", to="Content-Encoding: a"),
    renewed("X-Foo: 1", "Content-Length: 99", to="Content-Length: 6", must=True),
    Case(
        says="a 304 about another representation renews nothing",
        clause="RFC 9111 §4.3.4",
        must=True,
        steps=(
            Step(answer=says(_SHORT, 'ETag: "x"', "X-Foo: 1")),
            Step(
                after_s=3,
                answer=Answer(status=304, fields=(HOUR, 'ETag: "y"', "X-Foo: 2")),
                status=200,
                holds=('ETag: "x"', "X-Foo: 1"),
            ),
            Step(come_from="origin", asks=('If-None-Match: "x"',)),
        ),
    ),
    Case(
        says="what a 304 leaves out stays",
        clause=RENEWAL,
        must=True,
        steps=(
            Step(answer=says(_SHORT, "Last-Modified: {-9999}", "X-Foo: 1")),
            Step(after_s=3, answer=_GONE, status=200, holds=("X-Foo: 1",)),
        ),
    ),
    Case(
        says="a HEAD renews what it is about",
        clause="RFC 9111 §4.3.5",
        must=False,
        steps=(
            Step(answer=says(_SHORT, "X-Foo: 1")),
            Step(
                after_s=3,
                method="HEAD",
                answer=says(HOUR, "X-Foo: 2", "Content-Length: 6"),
                come_from="origin",
            ),
            Step(come_from="cache", holds=("X-Foo: 2",), text=b"body 1"),
        ),
    ),
    Case(
        says="and what it is not about is not used",
        clause="RFC 9111 §4.3.5",
        must=False,
        steps=(
            Step(answer=says(_SHORT, "X-Foo: 1")),
            Step(after_s=3, method="HEAD", answer=says(HOUR, "Content-Length: 7")),
            Step(come_from="origin"),
        ),
    ),
)

REQUESTS = "RFC 9111 §5.2.1"


def wish(text: str, held: str, asked: str, *, from_cache: bool, after_s: float = 0) -> Case:
    """A request with directives."""
    return Case(
        says=text,
        clause=REQUESTS,
        must=False,
        steps=(
            Step(answer=says(f"Cache-Control: {held}")),
            Step(after_s=after_s, fields=(asked,), come_from="cache" if from_cache else "origin"),
        ),
    )


_REQUESTS = (
    wish("max-age=0 asks", "max-age=60", "Cache-Control: max-age=0", from_cache=False),
    wish("max-age", "max-age=60", "Cache-Control: max-age=5", from_cache=False, after_s=6),
    wish("max-age", "max-age=60", "Cache-Control: max-age=5", from_cache=True, after_s=4),
    wish("min-fresh", "max-age=60", "Cache-Control: min-fresh=61", from_cache=False),
    wish("max-stale", "max-age=1", "Cache-Control: max-stale=9", from_cache=True, after_s=3),
    wish("max-stale", "max-age=1", "Cache-Control: max-stale=9", from_cache=False, after_s=11),
    wish("max-stale", "s-maxage=1", "Cache-Control: max-stale=9", from_cache=False, after_s=3),
    wish("no-cache", "max-age=60", "Cache-Control: no-cache", from_cache=False),
    wish("Pragma alone", "max-age=60", "Pragma: no-cache", from_cache=False),
    wish("unknown words", "max-age=60", "Cache-Control: x", from_cache=True),
    Case(
        says="the answer to no-store is not stored",
        clause=REQUESTS,
        must=True,
        steps=(
            Step(fields=("Cache-Control: no-store",), answer=says(HOUR)),
            Step(come_from="origin"),
        ),
    ),
    Case(
        says="only-if-cached asks nobody",
        clause="RFC 9111 §5.2.1.7",
        must=True,
        steps=(
            Step(fields=("Cache-Control: only-if-cached",), status=504, lacks=("X-Step",)),
            Step(answer=says(HOUR)),
            Step(fields=("Cache-Control: only-if-cached",), come_from="cache"),
        ),
    ),
)

CONDITIONS = "RFC 9111 §4.3.2"
_THEN = "Sun, 06 Nov 1994 08:49:37 GMT"
_BEFORE = "Sat, 06 Nov 1993 08:49:37 GMT"
_DATED = f"Last-Modified: {_THEN}"


def condition(text: str, held: str, *asked: str, status: int = 304) -> Case:
    """A conditional request for what is stored and fresh."""
    return Case(
        says=text,
        clause=CONDITIONS,
        must=False,
        steps=(
            Step(answer=says(HOUR, *held.split("\n"))),
            Step(
                fields=asked,
                status=status,
                come_from="cache",
                holds=tuple(line for line in held.split("\n") if line.startswith("ETag")),
                text=b"body 1" if status == 200 else b"",
            ),
        ),
    )


_CONDITIONS = (
    condition("a tag that matches", 'ETag: "x"', 'If-None-Match: "x"'),
    condition("one of several", 'ETag: "x"', 'If-None-Match: "a", "x", W/"b"'),
    condition("a weak tag", 'ETag: W/"x"', 'If-None-Match: W/"x"'),
    condition("weakly compared", 'ETag: "x"', 'If-None-Match: W/"x"'),
    condition("any tag", 'ETag: "x"', "If-None-Match: *"),
    condition("another tag", 'ETag: "x"', 'If-None-Match: "y"', status=200),
    condition("a date", _DATED, f"If-Modified-Since: {_THEN}"),
    condition("a later date", _DATED, "If-Modified-Since: Sun, 06 Nov 2005 08:49:37 GMT"),
    condition("an old form", _DATED, "If-Modified-Since: Sunday, 06-Nov-94 08:49:37 GMT"),
    condition(
        "an earlier date", _DATED, "If-Modified-Since: Sun, 06 Nov 1993 08:49:37 GMT", status=200
    ),
    condition("Date stands in for Last-Modified", "X-Foo: 1", "If-Modified-Since: {+1}"),
    condition(
        "a tag is worth more than a date",
        f'{_DATED}\nETag: "x"',
        'If-None-Match: "x"',
        f"If-Modified-Since: {_BEFORE}",
    ),
    Case(
        says="a client's condition is answered after a validation",
        clause=CONDITIONS,
        must=False,
        steps=(
            Step(answer=says(_SHORT, _DATED)),
            Step(
                after_s=3,
                fields=(f"If-Modified-Since: {_THEN}",),
                answer=_GONE,
                come_from="confirmed",
            ),
        ),
    ),
)

RANGES = "RFC 9110 §14"
_TEN = Answer(fields=(HOUR, 'ETag: "x"'), body=b"0123456789")


def part(text: str, asked: str, body: bytes, *also: str, status: int = 206) -> Case:
    """A range of a stored response."""
    return Case(
        says=text,
        clause=RANGES,
        must=False,
        steps=(
            Step(answer=_TEN),
            Step(fields=(f"Range: {asked}", *also), status=status, come_from="cache", text=body),
        ),
    )


_RANGES = (
    part("the first bytes", "bytes=0-1", b"01"),
    part("to the end", "bytes=7-", b"789"),
    part("the last ones", "bytes=-1", b"9"),
    part("beyond the end", "bytes=10-", b"", status=416),
    part("another unit", "lines=1-2", b"0123456789", status=200),
    part("If-Range that holds", "bytes=0-1", b"01", 'If-Range: "x"'),
    part("If-Range that does not", "bytes=0-1", b"0123456789", 'If-Range: "y"', status=200),
    Case(
        says="a range of what is not stored fills the whole once",
        clause=RANGES,
        must=False,
        steps=(
            Step(
                fields=("Range: bytes=2-3",),
                answer=_TEN,
                status=206,
                text=b"23",
                asks_no=("Range",),
            ),
            Step(fields=("Range: bytes=5-",), status=206, come_from="cache", text=b"56789"),
            Step(come_from="cache", text=b"0123456789"),
        ),
    ),
)

FORWARDING = "RFC 9110 §7.6"
_FORWARDING = (
    Case(
        says="what a client sends goes on, without the fields of one hop, and with Via",
        clause=FORWARDING,
        must=True,
        steps=(
            Step(
                fields=(
                    *("X-Foo: 1", "Cookie: a=b", "Accept-Encoding: gzip, x", "Referer: r"),
                    *("Connection: X-Hop", "X-Hop: 1", "TE: x", "Upgrade: y", "Keep-Alive: 5"),
                ),
                asks=(
                    *("X-Foo: 1", "Cookie: a=b", "Accept-Encoding: gzip, x", "Referer: r"),
                    *("Via: 1.1 edge", "CDN-Loop", "Host"),
                ),
                asks_no=("X-Hop", "TE", "Upgrade", "Keep-Alive", "Connection"),
            ),
        ),
    ),
    *(
        Case(
            says=f"{method} with a body goes on as it is",
            clause=FORWARDING,
            must=True,
            steps=(
                Step(
                    method=method,
                    body=b"x" * 200_000,
                    answer=Answer(status=201, body=b"made"),
                    text=b"made",
                    asks=("Content-Length: 200000",),
                ),
            ),
        )
        for method in ("POST", "PUT", "PROPFIND", "MADE-UP", "post")
    ),
    Case(
        says="what is stored does not depend on a field that is not in its key",
        clause="RFC 9111 §7.1",
        must=True,
        steps=(
            Step(
                fields=("X-Forwarded-Host: evil.example", "X-Original-URL: /admin", "X-Foo: 1"),
                answer=says(HOUR),
                asks=("X-Foo: 1",),
                asks_no=("X-Forwarded-Host", "X-Original-URL"),
            ),
            Step(come_from="cache"),
        ),
    ),
    Case(
        says="different queries are different resources",
        clause="RFC 9111 §2",
        must=True,
        steps=(
            Step(path="?a=1", answer=says(HOUR)),
            Step(path="?a=2", answer=says(HOUR), come_from="origin"),
            Step(path="?a=1", come_from="cache"),
        ),
    ),
    Case(
        says="an absolute target is understood, and reaches no other server",
        clause="RFC 9112 §3.2.2",
        must=True,
        steps=(
            Step(path="http://site.example/absolute?x", answer=says(HOUR)),
            Step(path="http://site.example/absolute?x", come_from="cache"),
        ),
    ),
    Case(
        says="OPTIONS * goes on",
        clause="RFC 9112 §3.2.4",
        must=True,
        steps=(
            Step(method="OPTIONS", path="*", answer=Answer(status=204)),
            Step(method="OPTIONS", path="http://site.example", answer=Answer(status=204)),
        ),
    ),
    Case(
        says="whoever waits for 100 is told to go on",
        clause="RFC 9110 §10.1.1",
        must=True,
        steps=(
            Step(
                method="POST",
                body=b"abc",
                fields=("Expect: 100-continue",),
                interim=(100,),
                asks_no=("Expect",),
            ),
        ),
    ),
    Case(
        says="another expectation cannot be met",
        clause="RFC 9110 §10.1.1",
        must=True,
        steps=(Step(fields=("Expect: x",), status=417, lacks=("X-Step",)),),
    ),
    *(
        Case(
            says=f"{method} with Max-Forwards: 0 goes no further",
            clause="RFC 9110 §7.6.2",
            must=True,
            steps=(
                Step(
                    method=method,
                    fields=("Max-Forwards: 0",),
                    status=status,
                    lacks=("X-Step",),
                ),
                Step(method=method, fields=("Max-Forwards: 3",), asks=("Max-Forwards: 2",)),
            ),
        )
        for method, status in (("OPTIONS", 204), ("TRACE", 405))
    ),
)

_OK = b"HTTP/1.1 200 OK\r\n"
FRAMING = "RFC 9112 §6.3"
_FRAMING = (
    Case(
        says="a body that ends with the connection is stored",
        clause=FRAMING,
        must=False,
        steps=(
            Step(answer=Answer(fields=(HOUR,), ends=True), text=b"body 1"),
            Step(come_from="cache", text=b"body 1", holds=("Content-Length: 6",)),
        ),
    ),
    Case(
        says="so is one in chunks",
        clause=FRAMING,
        must=False,
        steps=(
            Step(
                answer=Answer(
                    fields=(HOUR, "Transfer-Encoding: chunked"),
                    body=b"5;x=1\r\nhello\r\n0\r\nTrailer: 1\r\n\r\n",
                ),
                text=b"hello",
            ),
            Step(come_from="cache", text=b"hello", lacks=("Trailer",)),
        ),
    ),
    Case(
        says="a transfer coding that is none does not matter",
        clause=FRAMING,
        must=False,
        steps=(
            Step(
                answer=Answer(fields=(HOUR, "Transfer-Encoding: identity"), body=b"plain"),
                text=b"plain",
                lacks=("Transfer-Encoding",),
            ),
            Step(come_from="cache", text=b"plain"),
        ),
    ),
    *(
        Case(
            says=f"{what} is not passed off as a response",
            clause=FRAMING,
            must=True,
            steps=(Step(answer=Answer(raw=raw), status=502), Step(come_from="origin")),
        )
        for what, raw in (
            ("nonsense", b"hello\r\n\r\n"),
            (
                "a body in a coding we did not ask for",
                b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\nx",
            ),
            (
                "two lengths",
                b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabcd",
            ),
            ("an endless head", b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 20_000 + b"\r\n"),
            ("a switch of protocols", b"HTTP/1.1 101 Switch\r\n\r\n"),
            ("a cut head", b"HTTP/1.1 200 OK\r\nContent-"),
        )
    ),
    Case(
        says="what follows a body is not part of it, nor of the next response",
        clause=FRAMING,
        must=True,
        steps=(
            Step(answer=Answer(fields=("Content-Length: 3",), body=b"abcEXTRA"), text=b"abc"),
            Step(come_from="origin", text=b"body 2"),
        ),
    ),
)

CASES = (
    *_VALIDATION,
    *_RENEWAL,
    *_REQUESTS,
    *_CONDITIONS,
    *_RANGES,
    *_FORWARDING,
    *_FRAMING,
)
