"""Common Media Client Data: one table of what players send, for reading, writing and mutations."""

from __future__ import annotations

from urllib.parse import quote

import numpy as np
import pytest

from edge.operations.cmcd import (
    MAX_BYTES,
    MAX_EVENTS,
    MAX_KEYS,
    Cmcd,
    parse_events,
    parse_headers,
    parse_query,
    parse_text,
    print_headers,
    print_query,
    print_text,
    strip_query,
)

CASES: list[tuple[str, dict[str, object]]] = [
    ("br=3200,bs,d=4004", {"br": 3200, "bs": True, "d": 4004}),
    ('sid="6e2fb550-c457-11e9"', {"sid": "6e2fb550-c457-11e9"}),
    ("ot=v,sf=h,st=v,tb=6000", {"ot": "v", "sf": "h", "st": "v", "tb": 6000}),
    ('nor="..%2F300kbps%2Fseg7.m4v"', {"nor": "..%2F300kbps%2Fseg7.m4v"}),
    ("pr=1.08", {"pr": 1.08}),
    ("pr=0", {"pr": 0}),
    ('com.example-page="a,b=\\"c\\""', {"com.example-page": 'a,b="c"'}),
    ("v=2,sta=p,msd=430", {"v": 2, "sta": "p", "msd": 430}),
    ("br=(2000;v 128;a),v=2", {"br": ((2000, "v"), (128, "a")), "v": 2}),
    ("bsd=(300 1200)", {"bsd": (300, 1200)}),
    ('nor=("a.m4s" "b.m4s")', {"nor": ("a.m4s", "b.m4s")}),
    ("e=ps,ts=1735689600000", {"e": "ps", "ts": 1735689600000}),
]
"""What is sent, and what it means."""

BROKEN: list[tuple[str, dict[str, object], int]] = [
    ("", {}, 0),
    ("br=abc,bl=2000", {"bl": 2000}, 1),  # not a number
    ("bs=5,bl=2000", {"bl": 2000}, 1),  # not a flag
    ('ot="v"', {"ot": "v"}, 0),  # a string where a token belongs is understood
    ("sid=abc", {"sid": "abc"}, 0),  # and the other way
    ("BR=1,bl=100", {"bl": 100}, 1),
    ("unknown=1,bl=100", {"bl": 100}, 1),  # a custom key has a hyphen
    ("bl=100,,br=1", {"bl": 100, "br": 1}, 0),
    ('sid="open,bl=100', {}, 1),
    ("bl=100,=5,br=1", {"bl": 100, "br": 1}, 1),
    ('sid="a\x00b",bl=1', {"bl": 1}, 1),
    (f'sid="{"a" * 65}",bl=1', {"bl": 1}, 1),  # longer than 64 characters
    ("br=999999999999999999999,bl=1", {"bl": 1}, 1),
    ("cid=:aGk=:,bl=1", {"bl": 1}, 1),  # bytes are no value of CMCD
    ("a" * (MAX_BYTES + 1), {}, 1),
]


@pytest.mark.parametrize(("text", "values"), CASES)
def test_what_players_send_is_read_and_printed_and_read_again(
    text: str, values: dict[str, object]
) -> None:
    found = parse_text(text)
    assert found == Cmcd(values=values)  # type: ignore[arg-type]  # the table's values are ours
    assert parse_text(print_text(found)) == found
    assert parse_query(f"a=b&{print_query(found)}&c=d") == found
    assert parse_headers(print_headers(found)) == found


@pytest.mark.parametrize(("text", "values", "left_out"), BROKEN)
def test_what_is_broken_is_left_out_and_the_rest_is_read(
    text: str, values: dict[str, object], left_out: int
) -> None:
    found = parse_text(text)
    assert (dict(found.values), found.left_out) == (values, left_out)


def test_keys_are_printed_in_order_and_what_is_false_or_version_1_is_not() -> None:
    said = Cmcd(values={"v": 1, "su": False, "sid": "x", "br": 1})
    assert print_text(said) == 'br=1,sid="x"'
    assert print_query(said) == "CMCD=br%3D1%2Csid%3D%22x%22"


def test_keys_travel_in_the_fields_that_the_standard_gives_them() -> None:
    said = Cmcd(values={"br": 1, "bl": 100, "pr": 0, "sid": "x", "bs": True})
    assert print_headers(said) == [
        ("CMCD-Object", "br=1"),
        ("CMCD-Request", "bl=100"),
        ("CMCD-Session", 'pr=0,sid="x"'),
        ("CMCD-Status", "bs"),
    ]
    assert parse_headers([("cmcd-object", "br=1"), ("X", "br=2"), ("CMCD-Object", "br=3")]) == Cmcd(
        values={"br": 1}
    )


def test_the_argument_is_taken_out_of_a_target_and_the_rest_stays_as_it_is() -> None:
    for target, stripped in (
        ("/a", "/a"),
        ("/a?", "/a?"),
        ("/a?CMCD=br%3D1", "/a"),
        ("/a?x=%2f&CMCD=br&y", "/a?x=%2f&y"),
        ("/CMCD=1?xCMCD=2", "/CMCD=1?xCMCD=2"),
        ("/a?CMCD", "/a"),
    ):
        assert strip_query(target) == stripped


def test_a_report_has_an_event_on_each_line_and_not_too_many_are_read() -> None:
    body = b'e=ps,sta=s,sid="x"\n\ne=t,bl=100\n'
    assert [dict(each.values) for each in parse_events(body)] == [
        {"e": "ps", "sta": "s", "sid": "x"},
        {"e": "t", "bl": 100},
    ]
    assert len(parse_events(b"e=t\n" * 1000)) == MAX_EVENTS
    assert len(parse_text(",".join(f"a-{n}=1" for n in range(300))).values) == MAX_KEYS


def test_mutated_data_is_never_an_error_and_what_is_understood_can_be_printed() -> None:
    rng = np.random.default_rng(5)
    seeds = [text for text, _ in CASES] + [text for text, _, _ in BROKEN if len(text) < 200]
    alphabet = ',;="()\\:? \t\x00é%2zAv9.-*'
    for _ in range(3000):
        text = seeds[rng.integers(len(seeds))]
        for _ in range(rng.integers(1, 4)):
            at = int(rng.integers(len(text) + 1))
            put = alphabet[rng.integers(len(alphabet))] * int(rng.integers(3))
            text = text[:at] + put + text[at + int(rng.integers(3)) :]
        found = parse_query(f"CMCD={quote(text)}")
        again = parse_text(print_text(found))
        assert again.left_out == 0, text
        said = {name: value for name, value in found.values.items() if value is not False}
        assert {**again.values, **({"v": 1} if said.get("v") == 1 else {})} == said, text
