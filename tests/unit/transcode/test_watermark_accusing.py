"""Who is named by what a capture shows, and how sure that is."""

from __future__ import annotations

import math

import numpy as np
import pytest

from abr.errors import InputError
from transcode.watermark.accusing import accuse, bits_needed
from transcode.watermark.evidence import Evidence, Sight, fold, gathered
from transcode.watermark.pattern import bit_of, pattern_of
from transcode.watermark.sessions import parse_sessions

SECRET = b"secret"


def crowd(count: int) -> tuple[list[str], list[bytes]]:
    names = [f"s{number}" for number in range(count)]
    return names, [pattern_of(SECRET, name) for name in names]


def copy_of(*sessions: str, segments: range, wrong: int = 0, how: str = "files") -> Evidence:
    """Evidence of a copy that takes its segments from ``sessions`` in turn, some bits wrong."""
    bits = {
        number: bit_of(pattern_of(SECRET, sessions[number % len(sessions)]), number)
        for number in segments
    }
    for number in list(segments)[:wrong]:
        bits[number] ^= 1
    return Evidence(how=how, bits=bits)  # type: ignore[arg-type]  # one of them


@pytest.mark.parametrize("first", [0, 7, 250, 1000])
def test_a_cut_of_thirty_bits_names_its_session_among_a_thousand(first: int) -> None:
    names, patterns = crowd(1000)
    for name in names[::50]:
        verdict = accuse(copy_of(name, segments=range(first, first + 30)), names, patterns)
        assert [each.session for each in verdict.named] == [name]
        (found,) = verdict.suspects
        assert (found.agreeing, found.of) == (30, 30)
        assert found.false_probability == pytest.approx(1000 / 2**30)


def test_the_probability_of_a_false_accusation_is_a_tail_of_fair_coins() -> None:
    names, patterns = crowd(100)
    evidence = copy_of("s5", segments=range(40), wrong=3, how="pictures")
    (found,) = accuse(evidence, names, patterns).suspects
    assert (found.session, found.agreeing, found.of) == ("s5", 37, 40)
    # 37 or more heads of 40: (C(40,3) + C(40,2) + 40 + 1) / 2^40, for any of 100 sessions.
    ways = math.comb(40, 3) + math.comb(40, 2) + 40 + 1
    assert found.false_probability == pytest.approx(100 * ways / 2**40)


def test_a_mix_of_two_names_both_and_nobody_else() -> None:
    names, patterns = crowd(500)
    for one, other in (("s1", "s2"), ("s400", "s77"), ("s13", "s14")):
        verdict = accuse(copy_of(one, other, segments=range(120)), names, patterns)
        assert {each.session for each in verdict.named} == {one, other}


def test_chance_likeness_is_no_accusation_where_another_explains_more() -> None:
    """Found by the bench: 27 of 30 bits by chance, beside a session with all 30."""
    names, patterns = crowd(2)
    bits = np.unpackbits(np.frombuffer(patterns[0], np.uint8))
    bits[:3] ^= 1
    verdict = accuse(
        copy_of("s0", segments=range(30)),
        [*names, "alike"],
        [*patterns, np.packbits(bits).tobytes()],
    )
    assert [each.session for each in verdict.named] == ["s0"]


def test_the_average_of_two_copies_names_both_by_the_bits_that_they_share() -> None:
    names, patterns = crowd(200)
    bits = [[bit_of(pattern_of(SECRET, name), n) for n in range(60)] for name in ("s4", "s90")]
    shared = {n: one for n, (one, other) in enumerate(zip(*bits, strict=True)) if one == other}
    verdict = accuse(Evidence(how="pictures", bits=shared), names, patterns)
    assert {each.session for each in verdict.named} == {"s4", "s90"}


def test_segments_in_both_variants_tell_of_a_mix() -> None:
    names, patterns = crowd(200)
    sights = [
        Sight(number, bit_of(pattern_of(SECRET, name), number))
        for number in range(60)
        for name in ("s3", "s9")
    ]
    evidence = gathered("files", sights, {"v0": 120})
    assert evidence.both
    verdict = accuse(evidence, names, patterns)
    assert {each.session for each in verdict.named} == {"s3", "s9"}


def test_nobody_is_named_by_too_few_bits_or_by_a_stranger() -> None:
    names, patterns = crowd(1000)
    few = accuse(copy_of("s8", segments=range(12)), names, patterns)
    assert few.named == ()
    assert few.suspects[0].false_probability > few.limit
    stranger = accuse(copy_of("not-listed", segments=range(60)), names, patterns)
    assert stranger.named == ()
    nothing = accuse(Evidence(how="pictures", bits={}), names, patterns)
    assert (nothing.suspects, nothing.bits) == ((), 0)


def test_innocent_sessions_are_named_no_more_often_than_is_said() -> None:
    """Of 1000 copies of strangers at most 1 % may name anybody at a limit of 1 %."""
    names, patterns = crowd(64)
    rng = np.random.default_rng(11)
    named = 0
    for _ in range(1000):
        bits = dict(enumerate(rng.integers(0, 2, int(rng.integers(8, 40))).tolist()))
        verdict = accuse(Evidence(how="pictures", bits=bits), names, patterns, limit=0.01)
        named += bool(verdict.named)
    # 10 expected at most; over 21 has a probability below 0.1 % with that rate.
    assert named <= 21


def test_the_second_of_a_pair_is_not_named_where_one_explains_everything() -> None:
    names, patterns = crowd(300)
    verdict = accuse(copy_of("s21", segments=range(90)), names, patterns)
    assert [each.session for each in verdict.suspects] == ["s21"]


@pytest.mark.parametrize(("sessions", "expected"), [(1, 10), (1000, 20), (10**6, 30)])
def test_bits_needed_for_one_follow_from_the_count(sessions: int, expected: int) -> None:
    # log2(N / 0.001), rounded up.
    assert bits_needed(sessions) == expected


def test_bits_needed_for_a_mix_are_enough() -> None:
    names, patterns = crowd(100)
    count = bits_needed(100, colluders=2)
    named = [
        len(accuse(copy_of(f"s{n}", f"s{n + 1}", segments=range(count)), names, patterns).named)
        for n in range(0, 60, 2)
    ]
    assert sum(named) >= 0.5 * 2 * len(named)
    longer = [
        len(accuse(copy_of(f"s{n}", f"s{n + 1}", segments=range(2 * count)), names, patterns).named)
        for n in range(0, 60, 2)
    ]
    assert longer == [2] * len(longer)


def test_segments_a_pattern_apart_are_one_place_and_may_show_both_bits() -> None:
    folded = fold(Evidence(how="files", bits={1: 0, 257: 0, 2: 1, 258: 0}), 256)
    assert folded.places.tolist() == [1]
    assert folded.bits.tolist() == [0]
    assert folded.both.tolist() == [2]


def test_patterns_of_other_lengths_are_refused() -> None:
    with pytest.raises(ValueError, match="bytes"):
        accuse(Evidence(how="files", bits={0: 1}), ["a", "b"], [b"xx", b"x"])


def test_a_list_holds_ids_or_objects_and_other_titles_are_left_out() -> None:
    text = (
        '# mine\none\n\n{"session": "two", "title": "film"}\n{"session": "x", "title": "other"}\n'
    )
    found = parse_sessions(text, title="film", secret=SECRET, where="list")
    assert [(each.id, each.pattern) for each in found] == [
        ("one", pattern_of(SECRET, "one")), ("two", pattern_of(SECRET, "two")),
    ]  # fmt: skip
    assert "pattern" not in repr(found[0])
    (given,) = parse_sessions(
        '{"session": "a", "pattern": "_-8"}', title="film", secret=SECRET, where="list"
    )
    assert given.pattern == b"\xff\xef"


@pytest.mark.parametrize(
    "text",
    ["", "# nobody\n", "two words\n", '{"session": 3}\n', "{\n", "x" * 300,
     '{"session": "a", "pattern": ""}\n', '{"session": "a", "title": "other"}\n',
     '{"session": "a", "pattern": "_-8"}\nb\n'],
)  # fmt: skip
def test_a_list_that_is_none_is_refused_with_its_place(text: str) -> None:
    with pytest.raises(InputError, match="list"):
        parse_sessions(text, title="film", secret=SECRET, where="list")
