"""How long responses are fresh: RFC 9111 §4.2 and §5, RFC 9213, RFC 5861."""

from __future__ import annotations

from tests.conformance.exchange import Answer, Case, Step


def says(*lines: str, **more: object) -> Answer:
    """An answer with these fields."""
    return Answer(fields=lines, **more)  # type: ignore[arg-type]  # cases give the right types


def reuse(
    text: str,
    clause: str,
    *lines: str,
    fresh: bool,
    must: bool | None = None,
    after_s: float = 3.0,
    **more: object,
) -> Case:
    """A response that is, or is not, used again for the same request.

    Not to use what is stale is required; to use what is fresh is what a good cache does.
    """
    again = Step(after_s=after_s, come_from="cache" if fresh else "origin")
    return Case(
        says=text,
        clause=clause,
        must=not fresh if must is None else must,
        steps=(Step(answer=says(*lines, **more)), again),
    )


HOUR = "Cache-Control: max-age=3600"

LIFETIMES = "RFC 9111 §4.2.1"
_LIFETIMES = (
    reuse("nothing said is not fresh", LIFETIMES, fresh=False),
    reuse("max-age makes fresh", LIFETIMES, HOUR, fresh=True),
    reuse("until it has passed", LIFETIMES, "Cache-Control: max-age=2", fresh=False),
    reuse("and not when it is 0", LIFETIMES, "Cache-Control: max-age=0", fresh=False),
    reuse("its last second counts", LIFETIMES, "Cache-Control: max-age=4", fresh=True),
    *(
        reuse(f"{seconds} s are very long", "RFC 9111 §1.2.2", line, fresh=True)
        for seconds in ("2147483647", "2147483648", "2147483649", "99999999999", "9" * 40)
        for line in (f"Cache-Control: max-age={seconds}",)
    ),
    reuse("zeros in front do not count", "RFC 9111 §1.2.2", f"{HOUR[:23]}003600", fresh=True),
    reuse("max-age is worth more than Expires", LIFETIMES, HOUR, "Expires: {-7200}", fresh=True),
    reuse("than an invalid one too", LIFETIMES, HOUR, "Expires: 0", fresh=True),
    reuse(
        "also when it is 0",
        LIFETIMES,
        "Cache-Control: max-age=0",
        "Expires: {+3600}",
        fresh=False,
    ),
    reuse("s-maxage makes fresh", LIFETIMES, "Cache-Control: s-maxage=3600", fresh=True),
    *(
        reuse("a short s-maxage is worth more than a long max-age", LIFETIMES, *lines, fresh=False)
        for lines in (
            ("Cache-Control: max-age=3600, s-maxage=1",),
            ("Cache-Control: s-maxage=1, max-age=3600",),
            ("Cache-Control: max-age=3600", "Cache-Control: s-maxage=1"),
        )
    ),
    reuse(
        "a long s-maxage than a short max-age",
        LIFETIMES,
        "Cache-Control: max-age=0, s-maxage=3600",
        "Expires: {-10}",
        fresh=True,
    ),
)

PARSING = "RFC 9111 §5.2"
_PARSING = (
    reuse("names have any case", PARSING, "Cache-Control: MAX-age=3600", fresh=True),
    reuse("unknown directives are ignored", PARSING, "Cache-Control: x, max-age=60", fresh=True),
    reuse("a value may be quoted", PARSING, 'Cache-Control: max-age="3600"', fresh=True),
    *(
        reuse(f"{value} is no time", PARSING, f"Cache-Control: max-age{value}", fresh=False)
        for value in ("=-3600", "='3600'", "=3600.5", "=a3600", "=3600a", " =3600", "= 3600", "")
    ),
    *(
        reuse("what is quoted is no directive", PARSING, f"Cache-Control: {text}", fresh=False)
        for text in ('x="max-age=3600", max-age=1', 'max-age=1, x="max-age=3600"')
    ),
    reuse(
        "the shorter of two counts", PARSING, "Cache-Control: max-age=60, max-age=1", fresh=False
    ),
)

EXPIRES = "RFC 9111 §5.3"
_EXPIRES = (
    reuse("a date ahead makes fresh", EXPIRES, "Expires: {+3600}", fresh=True),
    reuse("a past one does not", EXPIRES, "Expires: {-3600}", fresh=False),
    reuse("nor the present one", EXPIRES, "Expires: {+0}", fresh=False, after_s=0.0),
    reuse("nor one before Date", EXPIRES, "Expires: {+300}", "Date: {+400}", fresh=False),
    reuse("Date may be invalid", EXPIRES, "Date: x", "Expires: {+60}", fresh=True),
    reuse("or missing", EXPIRES, "Expires: {+60}", fresh=True, dates=False),
    *(
        reuse(f"{text} is a date", "RFC 9111 §4.2", f"Expires: {text}", fresh=True)
        for text in (
            "Thursday, 18-Aug-50 02:01:18 GMT",
            "Thu Aug  8 02:01:18 2075",
            "THU, 18 aug 2050 02:01:18 gmt",
            "Sun, 21 Nov 2286 04:46:39 GMT",
        )
    ),
    *(
        reuse(f"{text!r} is none", EXPIRES, f"Expires: {text}", fresh=False)
        for text in (
            "0",
            "Thu, 18 Aug 2050 02:01:18 UTC",
            "Thu, 18 Aug 2050 02:01:18 +0000",
            "Thu, 18 Aug 50 02:01:18 GMT",
            "Thu 18 Aug 2050 02:01:18 GMT",
            "Thu, 18  Aug  2050 02:01:18 GMT",
            "Thu, 18-Aug-2050 02:01:18 GMT",
            "Thu, 18 Aug 2050 02.01.18 GMT",
            "Thu, 18 Aug 2050 2:01:18 GMT",
            "Thu, 18 Aug 2050 02:01:18 GMT, Thu, 18 Aug 2050 02:01:19 GMT",
        )
    ),
)

AGE = "RFC 9111 §4.2.3"
_AGE = (
    reuse("what others counted adds up", AGE, HOUR, "Age: 7200", fresh=False, must=True),
    reuse(
        "also against Expires, with a slow clock",
        AGE,
        "Date: {-10}",
        "Expires: {+10}",
        "Age: 25",
        fresh=False,
        after_s=0.0,
    ),
    reuse(
        "and with a fast one",
        AGE,
        "Date: {+10}",
        "Expires: {+20}",
        "Age: 15",
        fresh=False,
        after_s=0.0,
    ),
    reuse("a clock that differs makes nothing older", AGE, HOUR, "Date: {-7200}", fresh=True),
    *(
        reuse(f"Age: {text} is read so", "RFC 9111 §5.1", HOUR, *lines, fresh=fresh, must=True)
        for text, lines, fresh in (
            ("abc", ("Age: abc",), True),
            ("-7200", ("Age: -7200",), True),
            ("7200.0", ("Age: 7200.0",), True),
            ("2147483648", ("Age: 2147483648",), False),
            ("99999999999", ("Age: 99999999999",), False),
            ("7200, 0", ("Age: 7200, 0",), False),
            ("0, 7200", ("Age: 0, 7200",), True),
            ("7200 and 0", ("Age: 7200", "Age: 0"), False),
            ("0 and 7200", ("Age: 0", "Age: 7200"), True),
        )
    ),
    Case(
        says="what comes from the origin just now has no age, unless it says so",
        clause="RFC 9111 §5.1",
        must=True,
        steps=(
            Step(path="/a", answer=says(HOUR), lacks=("Age",)),
            Step(path="/a", come_from="cache", holds=("Age: 0",)),
            Step(path="/b", answer=says(HOUR, "Age: 0"), holds=("Age: 0",)),
        ),
    ),
    Case(
        says="a stored response has its age now, and the Date it came with",
        clause="RFC 9111 §5.1",
        must=True,
        steps=(
            Step(answer=says(HOUR, "Age: 30", "Date: {+0}"), holds=("Age: 30", "Date: {+0}")),
            Step(after_s=7, come_from="cache", holds=("Age: 37", "Date: {-7}")),
        ),
    ),
)

TARGETED = "RFC 9213 §2"
_CDN = "CDN-Cache-Control: "
_TARGETED = (
    reuse("the targeted field counts", TARGETED, f"{_CDN}max-age=3600", fresh=True),
    reuse("long as it may be", TARGETED, f"{_CDN}max-age=99999999999", fresh=True),
    reuse("0 is not fresh", TARGETED, f"{_CDN}max-age=0", "Expires: {+60}", fresh=False),
    reuse("Age counts", TARGETED, f"{_CDN}max-age=3600", "Age: 7200", fresh=False),
    reuse("extensions do not", TARGETED, f"{_CDN}x, max-age=3600", fresh=True),
    reuse("nor Expires", TARGETED, f"{_CDN}max-age=3600", "Expires: 0", fresh=True),
    reuse("it is worth more", TARGETED, f"{_CDN}max-age=60", "Cache-Control: no-store", fresh=True),
    *(
        reuse(f"also {text}", TARGETED, f"{_CDN}{text}", HOUR, "Expires: {+60}", fresh=False)
        for text in ("max-age=1", "private", "no-store", "no-cache")
    ),
    *(
        reuse(
            f"{text} is no structured field, so it is not there",
            "RFC 9213 §2.1",
            f"{_CDN}{text}",
            "Cache-Control: no-store",
            fresh=False,
        )
        for text in ("max-age=60, &&&&", 'max-age="60"', "max-age= 60", "MAX-AGE=60")
    ),
    Case(
        says="it is passed on",
        clause=TARGETED,
        must=False,
        steps=(Step(answer=says(f"{_CDN}max-age=60"), holds=(f"{_CDN}max-age=60",)),),
    ),
)

GUESSED = "RFC 9111 §4.2.2"
_GUESSED = tuple(
    Case(
        says=f"{status}{' with public' if public else ''} may{'' if fresh else ' not'} be guessed",
        clause=GUESSED,
        must=not fresh,
        settings={"heuristic_ratio": 0.1},
        steps=(
            Step(
                answer=Answer(
                    status=status,
                    fields=("Last-Modified: {-86400}", *(("Cache-Control: public",) * public)),
                )
            ),
            Step(
                answer=Answer(status=status),
                after_s=1,
                come_from="cache" if fresh else "origin",
            ),
        ),
    )
    for status, fresh, public in (
        *((each, True, False) for each in (200, 203, 204, 404, 405, 410, 414, 501)),
        *((each, False, False) for each in (201, 202, 403, 502, 503, 504, 599)),
        (599, True, True),
    )
)

STALE = "RFC 5861 §3 and §4"
_STALE = (
    *(
        Case(
            says=f"a stale response may stand in when the origin {what}",
            clause=STALE,
            must=False,
            steps=(
                Step(answer=says("Cache-Control: max-age=2, stale-if-error=60")),
                Step(after_s=3, answer=failing, status=200, come_from="cache"),
                Step(after_s=60, answer=failing, status=status),
            ),
        )
        for what, failing, status in (
            ("drops", Answer(drops=True), 502),
            ("says 503", Answer(status=503), 503),
        )
    ),
    *(
        Case(
            says=f"but never when {directive} forbids it",
            clause="RFC 9111 §4.2.4",
            must=True,
            steps=(
                Step(answer=says(f"Cache-Control: max-age=2, {directive}")),
                Step(after_s=3, answer=Answer(drops=True), status=502, lacks=("X-Step",)),
            ),
        )
        for directive in ("must-revalidate", "proxy-revalidate", "no-cache", "s-maxage=2")
    ),
    Case(
        says="a stale response is served while it is validated, within its window",
        clause=STALE,
        must=False,
        steps=(
            Step(answer=says("Cache-Control: max-age=1, stale-while-revalidate=5", 'ETag: "a"')),
            Step(
                after_s=3,
                answer=says("Cache-Control: no-cache", 'ETag: "b"'),
                text=b"body 1",
            ),
        ),
    ),
    Case(
        says="and not beyond",
        clause=STALE,
        must=True,
        steps=(
            Step(answer=says("Cache-Control: max-age=1, stale-while-revalidate=5")),
            Step(after_s=7, come_from="origin"),
        ),
    ),
)

CASES = (
    *_LIFETIMES,
    *_PARSING,
    *_EXPIRES,
    *_AGE,
    *_TARGETED,
    *_GUESSED,
    *_STALE,
)
