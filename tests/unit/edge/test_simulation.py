"""Request logs read, surveyed and replayed."""

from __future__ import annotations

import json
import math
import struct
from collections.abc import Iterable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from abr.errors import AbrError, ConfigError, LogFormatError
from edge import policies
from edge.index import CacheIndex
from edge.simulation.amounts import parse_requests, parse_size, show_bytes
from edge.simulation.formats import Columns, Troubles, guess_format, reader_of
from edge.simulation.replay import Outcome, Replay
from edge.simulation.requests import Request
from edge.simulation.survey import Survey
from edge.simulation.viewing import Viewing, watch

LOG = [Request(0.5, "/a", 10), Request(1.0, "/b,c", 20), Request(2.0, "/a", 10)]
WRITTEN = {
    "access": "".join(json.dumps({**row._asdict(), "status": 200}) + "\n" for row in LOG).encode(),
    "csv": b't_s,key,size_bytes\r\n0.5,/a,10\r\n1,"/b,c",20\r\n2.0,/a,10',
    "oracle-general": b"".join(
        struct.pack("<IQIq", *row) for row in [(5, 2**63, 10, -1), (6, 7, 20, -1)]
    ),
}
READ = {
    "access": LOG,
    "csv": LOG,
    "oracle-general": [Request(5, str(2**63), 10), Request(6, "7", 20)],
}


def read(name: str, data: Iterable[bytes], columns: Columns | None = None) -> list[Request]:
    troubles = Troubles("log")
    found = list(reader_of(name, columns)(data, troubles))
    assert not troubles.told
    return found


@pytest.mark.parametrize("name", WRITTEN)
def test_each_format_is_read_the_same_in_blocks_of_any_length(name: str) -> None:
    data = WRITTEN[name]
    for length in (1, 2, 3, 7, 23, 24, 25, 1000):
        parts = [data[at : at + length] for at in range(0, len(data), length)]
        assert read(name, parts) == READ[name]


def test_columns_are_found_by_name_or_number() -> None:
    by_name = Columns(time="when", key="url", size="bytes", delimiter="\t")
    assert read("csv", [b"bytes\twhen\turl\n10\t1\t/a\n"], by_name) == [Request(1.0, "/a", 10)]
    by_number = Columns(time="2", key="3", size="1")
    assert read("csv", [b"10,1,/a\n20,2,/b\n"], by_number) == [
        Request(1.0, "/a", 10),
        Request(2.0, "/b", 20),
    ]
    without_time = Columns(time="", key="1", size="2")
    assert read("csv", [b"/a,10\n/b,20\n"], without_time)[1] == Request(2, "/b", 20)


def test_a_missing_column_is_named_with_those_there_are() -> None:
    with pytest.raises(LogFormatError, match="log:1: no column 'key'; found when, url, bytes"):
        read("csv", [b"when,url,bytes\n1,/a,10\n"], Columns(time="when", size="bytes"))


BAD_LINES = {
    b"{": "not JSON",
    b"[1]": "found list",
    b'{"t_s": 1, "key": "/a"}': "no size_bytes",
    b'{"t_s": 1, "key": 5, "size_bytes": 1}': "key is 5",
    b'{"t_s": 1, "key": "/a", "size_bytes": 1.5}': "size_bytes is 1.5",
    b'{"t_s": 1, "key": "/a", "size_bytes": -1}': "size_bytes is -1",
    b'{"t_s": NaN, "key": "/a", "size_bytes": 1}': "t_s is nan",
    b'{"t_s": true, "key": "/a", "size_bytes": 1}': "t_s is True",
    b"\xff": "not JSON",
}


@pytest.mark.parametrize("bad", BAD_LINES)
def test_a_bad_line_is_skipped_and_told_with_its_number(bad: bytes) -> None:
    good = b'{"t_s": 1, "key": "/a", "size_bytes": 1}'
    troubles = Troubles("access.jsonl")
    found = list(reader_of("access")([good + b"\n\n" + bad + b"\n" + good], troubles))
    assert (len(found), troubles.count) == (2, 1)
    assert troubles.told[0].startswith("access.jsonl:3: ")
    assert BAD_LINES[bad] in troubles.told[0]


@pytest.mark.parametrize("bad", [b"x,/a,1", b"1,/a", b"1,/a,x", b"1,/a,-1", b"1,,1", b'1,"/a,1'])
def test_a_bad_row_is_skipped_and_told(bad: bytes) -> None:
    troubles = Troubles("day.csv")
    data = [b"t_s,key,size_bytes\n1,/a,1\n", bad, b"\n2,/b,1"]
    assert len(list(reader_of("csv")(data, troubles))) == 2
    assert troubles.count == 1
    assert troubles.told[0].startswith("day.csv:3: ")
    assert "expected" in troubles.told[0]


def test_only_the_first_bad_lines_are_told_but_all_are_counted() -> None:
    troubles = Troubles("log")
    assert list(reader_of("access")([b"x\n" * 1000], troubles)) == []
    assert (troubles.count, len(troubles.told)) == (1000, 5)


def test_a_binary_log_that_was_cut_says_so() -> None:
    troubles = Troubles("log.bin")
    data = WRITTEN["oracle-general"]
    assert len(list(reader_of("oracle-general")([data[:-1]], troubles))) == 1
    assert troubles.told == ["log.bin:2: 23 bytes at the end; expected a record of 24"]


def test_a_line_without_end_is_refused_before_it_fills_memory() -> None:
    with pytest.raises(LogFormatError, match="log:1: a line of more than"):
        read("access", (b"x" * 100_000 for _ in range(1000)))


@given(data=st.binary(max_size=200), name=st.sampled_from(sorted(WRITTEN)), cut=st.integers(1, 50))
def test_garbage_is_told_and_never_crashes(data: bytes, name: str, cut: int) -> None:
    for whole in (data, WRITTEN[name][:cut] + data):
        try:
            for request in reader_of(name)([whole[:cut], whole[cut:]], Troubles("log")):
                assert request.size_bytes >= 0
                assert math.isfinite(request.t_s)
        except AbrError:
            continue


def test_the_format_is_told_by_the_name() -> None:
    names = {
        "access.jsonl": "access",
        "access.log.gz": "access",
        "wiki.oracleGeneral.bin.zst": "oracle-general",
        "DAY.CSV": "csv",
        "trace.bin": None,
    }
    assert {name: guess_format(name) for name in names} == names


def test_sizes_and_shares_are_read() -> None:
    assert parse_size("10GB", "--size").of(0) == 10**10
    assert parse_size("1.5 MiB", "--size").of(0) == 3 << 19
    assert parse_size("5%", "--size").of(1000) == 50
    assert parse_requests("20%", "--warm-up").of(1000) == 200
    assert parse_requests("17", "--warm-up").of(1000) == 17
    assert [show_bytes(count) for count in (8.57e9, 42.9e9, 857e9, 12)] == [
        "8.57 GB",
        "42.9 GB",
        "857 GB",
        "12 B",
    ]


@pytest.mark.parametrize(
    "text", ["", "GB", "-1", "0", "0%", "2000%", "5 furlongs", "1e9", "9" * 400]
)
def test_sizes_that_make_no_sense_are_refused(text: str) -> None:
    with pytest.raises(ConfigError, match="--size: found"):
        parse_size(text, "--size")


@pytest.mark.parametrize("text", ["", "100%", "1GB", "1.5", "x"])
def test_a_warm_up_that_makes_no_sense_is_refused(text: str) -> None:
    with pytest.raises(ConfigError, match="--warm-up: found"):
        parse_requests(text, "--warm-up")


def test_the_survey_adds_up_requests_and_objects() -> None:
    survey = Survey()
    survey.feed(LOG)
    facts = survey.facts()
    assert (facts.requests, facts.requested_bytes, facts.length_s) == (3, 40, 1.5)
    assert (facts.objects, facts.footprint_bytes, facts.is_estimate) == (2, 30, False)


def test_the_survey_of_many_objects_is_an_estimate_in_bounded_memory() -> None:
    """100,000 objects, at most 4,096 kept: the standard error is about 2 %."""
    survey = Survey(most_kept=4096)
    survey.feed(Request(0.0, f"/film/{number}.m4s", 100) for number in range(100_000))
    facts = survey.facts()
    assert facts.is_estimate
    assert len(survey._sizes) <= 4096
    assert facts.objects == pytest.approx(100_000, rel=0.1)
    assert facts.footprint_bytes == pytest.approx(10_000_000, rel=0.1)


def replay(requests: list[Request], **more: float) -> Outcome:
    """An LRU cache of 30 bytes."""
    index = CacheIndex(30, policies.make("lru", capacity_bytes=30))
    replayed = Replay(
        index,
        warm_up_requests=int(more.get("warm_up_requests", 0)),
        lifetime_s=more.get("lifetime_s", math.inf),
    )
    for at in range(0, len(requests), 2):  # in slices, as the command does
        replayed.feed(requests[at : at + 2])
    return replayed.outcome()


def test_requests_and_bytes_that_hit_are_counted() -> None:
    """a a b a c: the second and fourth hit, 20 of 60 bytes; c of 20 evicts b."""
    found = replay([Request(t, key, 20 if key == "c" else 10) for t, key in enumerate("aabac")])
    assert (found.requests, found.hits, found.hit_bytes) == (5, 2, 20)
    assert (found.hit_ratio, found.byte_hit_ratio) == (2 / 5, 20 / 60)
    assert (found.evicted, found.held_objects, found.held_bytes) == (1, 2, 30)


def test_the_warm_up_fills_the_cache_and_is_not_counted() -> None:
    """Of a b a b, the first three warm up: only the last is counted, and hits."""
    found = replay([Request(t, key, 10) for t, key in enumerate("abab")], warm_up_requests=3)
    assert (found.warm_up_requests, found.requests, found.hits) == (3, 1, 1)
    assert found.requested_bytes == 10


def test_a_stale_object_is_validated_without_its_bytes() -> None:
    """Stored at 0, fresh for 10 s: validated at 12, which lasts until 22."""
    found = replay([Request(t, "a", 10) for t in (0, 9, 12, 21, 23)], lifetime_s=10.0)
    assert (found.hits, found.validated, found.hit_bytes) == (2, 2, 40)


def test_what_is_larger_than_the_cache_is_refused() -> None:
    found = replay([Request(0.0, "a", 31), Request(1.0, "a", 31)])
    assert (found.refused, found.hits, found.held_objects) == (2, 0, 0)


def test_viewing_is_repeatable_in_order_and_consistent() -> None:
    viewing = Viewing(titles=20, viewers=100, segments_per_title=(30, 60), watched_segments=20)
    log, again = (watch(viewing, np.random.default_rng(1)) for _ in range(2))
    assert np.array_equal(log.objects, again.objects)
    assert np.all(np.diff(log.times_s) >= 0)
    sizes: dict[str, int] = {}
    for request in log.requests():
        assert sizes.setdefault(request.key, request.size_bytes) == request.size_bytes
    assert (log.distinct, log.footprint_bytes) == (len(sizes), sum(sizes.values()))


def test_the_standard_viewing_is_of_the_size_that_caches_are_compared_on() -> None:
    """About a million requests, half of them for something new; a tenth of the viewers here."""
    log = watch(Viewing(viewers=1420), np.random.default_rng(1))
    assert len(log) == pytest.approx(104_000, rel=0.1)
    assert log.requests().__next__().size_bytes > 10_000


def test_requests_that_say_nothing_of_demand_are_left_out_of_an_access_log() -> None:
    """About the edge, refused, failed, and the single bytes that `abr fill` asks for."""
    lines = [
        b'{"t_s": 1, "key": "/healthz", "size_bytes": 9, "cache": "own", "sent_bytes": 9}',
        b'{"t_s": 2, "key": "/down", "size_bytes": 9, "cache": "error", "sent_bytes": 9}',
        b'{"t_s": 3, "key": "/filled", "size_bytes": 9, "cache": "miss", "sent_bytes": 1}',
        b'{"t_s": 4, "key": "/a", "size_bytes": 9, "cache": "hit", "sent_bytes": 9}',
        b'{"t_s": 5, "key": "/one", "size_bytes": 1, "cache": "miss", "sent_bytes": 1}',
    ]
    troubles = Troubles("log")
    found = [each.key for each in reader_of("access")([b"\n".join(lines)], troubles)]
    assert (found, troubles.count) == (["/a", "/one"], 0)
