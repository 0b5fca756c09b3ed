"""What is stored, of whom and of what: RFC 9111 §3, §4.1, §4.4 and §5.2, RFC 9110 §15.2."""

from __future__ import annotations

from tests.conformance.cases_freshness import HOUR, reuse, says
from tests.conformance.exchange import Answer, Case, Lines, Step

FORBIDDEN = "RFC 9111 §5.2.2"
_FORBIDDEN = (
    *(
        reuse(f"{text} forbids it", FORBIDDEN, f"Cache-Control: {text}", fresh=False, after_s=0)
        for text in (
            "no-store",
            "No-StOrE, max-age=60",
            "private, max-age=60",
            "no-cache, max-age=60",
            "max-age=60, No-CaChE",
        )
    ),
    Case(
        says="fields that no-cache or private names are for the first client only",
        clause=FORBIDDEN,
        must=True,
        steps=(
            Step(
                answer=says('Cache-Control: max-age=60, no-cache="a", private="B"', "A: 1", "B: 2"),
                holds=("A: 1", "B: 2"),
            ),
            Step(come_from="cache", lacks=("A", "B")),
        ),
    ),
    reuse(
        "must-understand overrides no-store for a status that is known",
        FORBIDDEN,
        "Cache-Control: max-age=60, no-store, must-understand",
        fresh=True,
    ),
    Case(
        says="and does not for one that is not",
        clause=FORBIDDEN,
        must=True,
        steps=(
            Step(
                answer=Answer(
                    status=599, fields=("Cache-Control: max-age=60, no-store, must-understand",)
                )
            ),
            Step(come_from="origin"),
        ),
    ),
)

STATUSES = "RFC 9111 §3"
_STATUSES = tuple(
    case
    for status in (
        *(200, 203, 204, 299, 301, 302, 303, 307, 308),
        *(400, 404, 410, 499, 500, 502, 503, 504, 599, 999),
    )
    for case in (
        Case(
            says=f"a fresh {status} is used again, with its phrase",
            clause=STATUSES,
            must=False,
            steps=(
                Step(answer=Answer(status=status, reason="Whatever", fields=(HOUR,))),
                Step(after_s=3, status=status, come_from="cache"),
            ),
        ),
        Case(
            says=f"a stale {status} is not",
            clause=STATUSES,
            must=True,
            steps=(
                Step(
                    answer=Answer(
                        status=status, fields=("Expires: {-60}", "Last-Modified: {-9999}")
                    )
                ),
                Step(after_s=3, come_from="origin"),
            ),
        ),
    )
)

FIELDS = "RFC 9111 §3.1"
_KEPT = (
    *("Content-Foo: a", "Content-Encoding: x", "Content-Location: /foo", "Content-MD5: rL0Y2=="),
    *("Content-Range: whatever", "Content-Security-Policy: default-src 'self'", "X-Foo: b"),
    *("Content-Type: text/plain;charset=utf-8", 'ETag: "x"', "Set-Cookie: a=b", "X-Empty: "),
    *("Expires: {+9999}", "Clear-Site-Data: cookies", "Public-Key-Pins: p", "Set-Cookie2: a=b"),
)
_HOPS = (
    *("Keep-Alive: x", "Proxy-Authenticate: x", "Proxy-Authentication-Info: x", "TE: x"),
    *("Proxy-Authorization: x", "Proxy-Connection: x", "Upgrade: x", "Trailer: x"),
)
_FIELDS = (
    *(
        Case(
            says=f"{line.partition(':')[0]} is stored",
            clause=FIELDS,
            must=True,
            steps=(
                Step(answer=says(HOUR, line), holds=(line,)),
                Step(come_from="cache", holds=(line,)),
            ),
        )
        for line in _KEPT
    ),
    *(
        Case(
            says=f"{line.partition(':')[0]} is not",
            clause=FIELDS,
            must=True,
            steps=(
                Step(answer=says(HOUR, line), lacks=(line.partition(":")[0],)),
                Step(come_from="cache", lacks=(line.partition(":")[0],)),
            ),
        )
        for line in _HOPS
    ),
    Case(
        says="nor what Connection names",
        clause="RFC 9110 §7.6.1",
        must=True,
        steps=(
            Step(answer=says(HOUR, "Connection: a, B", "A: 1", "B: 2", "C: 3"), lacks=("A", "B")),
            Step(come_from="cache", holds=("C: 3",), lacks=("A", "B")),
        ),
    ),
    Case(
        says="bytes that are no ASCII stay as they are",
        clause="RFC 9110 §5.5",
        must=True,
        steps=(
            Step(answer=says(HOUR, "X-Name: f\xfcr"), holds=("X-Name: f\xfcr",)),
            Step(come_from="cache", holds=("X-Name: f\xfcr",)),
        ),
    ),
    Case(
        says="no other field is added than Age, Cache-Status and what frames the message",
        clause=FIELDS,
        must=True,
        steps=tuple(
            Step(
                answer=says(HOUR),
                lacks=(
                    *("Server", "Content-Type", "Access-Control-Allow-Origin", "Via"),
                    *("X-Content-Type-Options", "Timing-Allow-Origin"),
                ),
            )
            for _ in range(2)
        ),
    ),
)

CREDENTIALS = "RFC 9111 §3.5"
_TO_ALL = ("Cache-Control: max-age=60", *(f"{HOUR}, public", f"{HOUR}, must-revalidate"))
_CREDENTIALS = tuple(
    Case(
        says=f"the answer to a request with Authorization: {line}",
        clause=CREDENTIALS,
        must=not shared,
        steps=(
            Step(fields=("Authorization: A",), answer=says(line), asks=("Authorization: A",)),
            Step(come_from="cache" if shared else "origin"),
        ),
    )
    for line, shared in (
        *zip(_TO_ALL, (False, True, True), strict=True),
        ("Cache-Control: s-maxage=60", True),
    )
)

VARIANTS = "RFC 9111 §4.1"


def variants(
    text: str, vary: str, first: Lines, second: Lines, *, same: bool, also: Lines = ()
) -> Case:
    """Two requests for one URL whose response depends on fields."""
    answer = says(HOUR, f"Vary: {vary}", *also)
    return Case(
        says=text,
        clause=VARIANTS,
        must=not same,
        steps=(
            Step(fields=first, answer=answer),
            Step(fields=second, answer=answer, come_from="cache" if same else "origin"),
            # What was stored first is still there.
            Step(fields=first, answer=answer, come_from="origin" if "*" in vary else "cache"),
        ),
    )


_LANGUAGE = "Accept-Language: en, de"
_VARIANTS = (
    variants("equal fields select", "Foo", ("Foo: 1",), ("Foo: 1",), same=True),
    variants("others do not", "Foo", ("Foo: 1",), ("Foo: 2",), same=False),
    variants("nor a field that is missing", "Foo", ("Foo: 1",), (), same=False),
    variants("nor one that was", "Foo", (), ("Foo: 1",), same=False),
    variants("both may lack it", "Foo", (), (), same=True),
    variants("the rest does not count", "Foo", ("Foo: 1", "O: 2"), ("O: 3", "Foo: 1"), same=True),
    variants("two fields", "Foo, Bar", ("Foo: 1", "Bar: a"), ("Bar: a", "Foo: 1"), same=True),
    variants("each counts", "Foo, Bar", ("Foo: 1", "Bar: a"), ("Foo: 1", "Bar: b"), same=False),
    variants("lines join", "Foo", ("Foo: 1, 2",), ("Foo: 1", "Foo: 2"), same=True),
    variants("spaces do not count", "Foo", ("Foo: 1,2",), ("Foo:  1, 2 ",), same=True),
    variants(
        "order of languages does not",
        "Accept-Language",
        (_LANGUAGE,),
        ("Accept-Language: de ,EN",),
        same=True,
    ),
    variants(
        "nor that of codings",
        "accept-encoding",
        ("Accept-Encoding: gzip, br",),
        ("Accept-Encoding: BR,gzip;q=1.0",),
        same=True,
    ),
    variants(
        "weights do",
        "Accept-Language",
        (_LANGUAGE,),
        ("Accept-Language: en, de;q=0.5",),
        same=False,
    ),
    variants(
        "the language wanted most selects what is in it",
        "Accept-Language",
        (_LANGUAGE,),
        ("Accept-Language: fr;q=0.5, de",),
        same=True,
        also=("Content-Language: de",),
    ),
    *(
        variants(f"{text!r} selects nothing", text, ("Foo: 1",), ("Foo: 1",), same=False)
        for text in ("*", "*, *", ", *", "*, Foo", "Foo, *")
    ),
)

CHANGES = "RFC 9111 §4.4"
_FRESH = Step(answer=says(HOUR))
_CHANGES = tuple(
    case
    for method in ("POST", "PUT", "DELETE", "PATCH", "M-SEARCH", "MADE-UP")
    for case in (
        Case(
            says=f"{method} makes what is stored invalid",
            clause=CHANGES,
            must=True,
            steps=(
                _FRESH,
                Step(method=method, body=b"abc", come_from="origin"),
                Step(come_from="origin"),
            ),
        ),
        Case(
            says=f"a {method} that fails does not",
            clause=CHANGES,
            must=False,
            steps=(
                _FRESH,
                Step(method=method, body=b"abc", answer=Answer(status=500)),
                Step(come_from="cache"),
            ),
        ),
        Case(
            says=f"{method} reaches what Location and Content-Location name",
            clause=CHANGES,
            must=False,
            steps=(
                Step(path="/a", answer=says(HOUR)),
                Step(path="/b?c", answer=says(HOUR)),
                Step(
                    method=method,
                    body=b"abc",
                    path="/x",
                    answer=says("Location: a", "Content-Location: b?c"),
                ),
                Step(path="/a", come_from="origin"),
                Step(path="/b?c", come_from="origin"),
            ),
        ),
    )
)
_CHANGES = (
    *_CHANGES,
    *(
        Case(
            says=f"{method} changes nothing",
            clause=CHANGES,
            must=False,
            steps=(_FRESH, Step(method=method), Step(come_from="cache")),
        )
        for method in ("OPTIONS", "TRACE")
    ),
    Case(
        says="another host's URL is not touched",
        clause=CHANGES,
        must=True,
        steps=(
            Step(path="/a", answer=says(HOUR)),
            Step(method="POST", path="/x", answer=says("Location: http://other.example/a")),
            Step(path="/a", come_from="cache"),
        ),
    ),
)

INTERIM = "RFC 9110 §15.2"
_HINTS = ((103, ("Link: </style.css>; rel=preload", "X-Hint: 1")),)
_INTERIM = (
    *(
        Case(
            says=f"a {status} goes to the client, and only the final response is stored",
            clause=INTERIM,
            must=status == 103,
            steps=(
                Step(
                    answer=Answer(fields=(HOUR,), interim=((status, lines),)),
                    interim=(status,),
                    lacks=("X-Hint",),
                ),
                Step(come_from="cache", interim=(), lacks=("X-Hint",)),
            ),
        )
        for status, lines in ((102, ()), _HINTS[0])
    ),
    Case(
        says="several go in their order, whatever the method",
        clause=INTERIM,
        must=True,
        steps=(
            Step(
                method="POST",
                body=b"x",
                answer=Answer(interim=((102, ()), *_HINTS, (199, ()))),
                interim=(102, 103, 199),
            ),
        ),
    ),
    Case(
        says="100 is between neighbours",
        clause="RFC 9110 §10.1.1",
        must=True,
        steps=(Step(answer=Answer(interim=((100, ()),)), interim=()),),
    ),
)

CASES = (
    *_FORBIDDEN,
    *_STATUSES,
    *_FIELDS,
    *_CREDENTIALS,
    *_VARIANTS,
    *_CHANGES,
    *_INTERIM,
)
