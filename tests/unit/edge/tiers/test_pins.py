"""What an edge and ``abr fill`` say to each other, and files of premieres."""

from __future__ import annotations

import json

import pytest

from abr.errors import ConfigError, UpstreamError
from edge.tiers.fillconfig import FillConfig, check_url
from edge.tiers.pins import (
    MOST_KEYS,
    PinAnswer,
    PinQuestion,
    dump_answer,
    dump_question,
    load_answer,
    load_facts,
    load_question,
    split,
)
from edge.tiers.popularity import Premiere
from edge.tiers.premieres import parse_premieres


def test_questions_and_answers_arrive_as_they_were() -> None:
    question = PinQuestion(keys=("/a", "/ü?x=1"), how="also")
    assert load_question(dump_question(question)) == question
    answer = PinAnswer(pinned=2, missing=("/x",), refused=1)
    assert load_answer(json.dumps(dump_answer(answer)).encode()) == answer


def test_a_question_in_parts_ends_old_pins_once_and_names_every_key_once() -> None:
    question = PinQuestion(keys=tuple(f"/{number:04}" for number in range(10)))
    parts = list(split(question, most_bytes=40))  # of 9 bytes each
    assert [len(part.keys) for part in parts] == [4, 4, 2]
    assert [part.how for part in parts] == ["exactly", "also", "also"]
    assert sum((part.keys for part in parts), ()) == question.keys
    assert list(split(PinQuestion(keys=()), most_bytes=40)) == [PinQuestion(keys=())]


def test_more_keys_than_a_plan_may_have_are_refused() -> None:
    with pytest.raises(ConfigError, match=f"expected at most {MOST_KEYS}"):
        load_question(json.dumps({"keys": ["/a"] * (MOST_KEYS + 1)}).encode())


@pytest.mark.parametrize("data", [b"", b"null", b"{}", b'{"pinned": "x", "missing_keys": []}'])
def test_what_is_no_answer_of_an_edge_is_told(data: bytes) -> None:
    with pytest.raises(UpstreamError, match="expected an abr edge"):
        load_answer(data)
    with pytest.raises(UpstreamError, match="expected an abr edge"):
        load_facts(data)


CSV = "key, size_bytes, at_s, expected_share\n/t/1, 1000, 86400, 0.25\n"
LINES = '{"key": "/t/1", "size_bytes": 1000, "at_s": 86400, "expected_share": 0.25}\n\n'


@pytest.mark.parametrize(("text", "is_csv"), [(CSV, True), (LINES, False)])
def test_premieres_are_read_from_columns_and_from_lines(text: str, is_csv: bool) -> None:
    found = parse_premieres(text, where="p", is_csv=is_csv)
    assert found.premieres == (Premiere(key="/t/1", at_s=86400.0, expected_share=0.25),)
    assert found.sizes_bytes == {"/t/1": 1000}


@pytest.mark.parametrize(
    ("text", "is_csv", "said"),
    [
        ("key,at_s\n", True, "p:1: no size_bytes, expected_share"),
        (CSV.replace("0.25", "2.5"), True, "p:2: expected_share: found '2.5'"),
        (CSV.replace("/t/1", "t"), True, "p:2: key: found 't'"),
        (CSV.replace("1000", ""), True, "p:2: size_bytes: found ''"),
        (CSV, False, "p:1: not JSON .*name the file .csv"),
        (LINES.replace("1000", "1.5"), False, "p:1: size_bytes: found 1.5"),
        (LINES.replace("86400", "1e999"), False, "p:1: at_s: found inf"),
        ("[]", False, "p:1: expected an object"),
    ],
)
def test_a_wrong_premiere_is_told_with_its_line(text: str, is_csv: bool, said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        parse_premieres(text, where="p", is_csv=is_csv)


def test_urls_of_edges_are_checked_and_secrets_in_them_not_repeated() -> None:
    assert check_url("http://a:1/", "--edge a") == "http://a:1"
    with pytest.raises(ConfigError) as caught:
        check_url("http://me:hush@a", "--edge a")
    assert "hush" not in str(caught.value)
    for bad in ("a:1", "ftp://a", "http://", "http://a:x"):
        with pytest.raises(ConfigError, match="--edge a: found"):
            check_url(bad, "--edge a")
    with pytest.raises(ConfigError, match=r"fill\.half_life_d"):
        FillConfig(half_life_d=0.0).check()
