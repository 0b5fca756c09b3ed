"""The samples in docs/formats.md are what our readers read."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from abr.qoe import qoe_lin
from abr.sabremovie import read_sabre_movie, write_sabre_movie
from abr.traceformats import FORMATS, read_trace, remarks, write_trace
from abr.traceformats.profiles import names, profile
from bench.experiments.results import FIELDS, read_results
from bench.reports.sessions import report_data
from tests.fakes.logs import played_log
from transcode.keyfiles import parse_keys, print_keys
from transcode.packaging.indexfile import parse_index, print_index
from transcode.packaging.listing import media_playlist_of, multivariant_of
from transcode.playlist import MediaPlaylist, parse, print_media, print_multivariant

PAGE = Path(__file__).parents[2] / "docs/formats.md"


def samples(language: str) -> list[str]:
    """Code blocks of one language, in order."""
    return re.findall(rf"^```{language}\n(.*?)^```$", PAGE.read_text(), re.MULTILINE | re.DOTALL)


def test_the_index_of_the_page_is_read_and_says_what_the_playlist_says() -> None:
    """Digest, figures and the multivariant playlist beside it agree."""
    index = parse_index(samples("json")[0])
    assert json.loads(print_index(index)) == json.loads(samples("json")[0])
    assert print_multivariant(multivariant_of(index)) == samples("m3u8")[0]
    assert print_media(media_playlist_of(index, index.video[0]))


def test_the_media_playlist_of_the_page_is_read_and_printed_alike() -> None:
    """Letter by letter."""
    playlist = parse(samples("m3u8")[1])
    assert isinstance(playlist, MediaPlaylist)
    assert print_media(playlist) == samples("m3u8")[1]


def test_the_key_file_of_the_page_is_read() -> None:
    """It opens nothing, of course."""
    keys = parse_keys(samples("json")[1], where="sample")
    assert json.loads(print_keys(keys)) == json.loads(samples("json")[1])


def test_the_trace_of_the_page_is_one_trace_in_four_formats() -> None:
    """Each is read without being told its format, and written letter by letter."""
    texts = {
        "json": samples("json")[2],
        "sabre": samples("json")[3],
        "csv": samples("csv")[0],
        "cooked": samples("tsv")[0],
    }
    held = {kind: read_trace(text.encode(), name="hill") for kind, text in texts.items()}
    for kind, text in texts.items():
        assert write_trace(held[kind], kind).decode() == text
        assert held[kind].times_s.tolist() == held["json"].times_s.tolist()
        assert held[kind].capacity_bps.tolist() == held["json"].capacity_bps.tolist()
    assert held["csv"].digest() == held["sabre"].digest() == held["json"].digest()
    assert held["cooked"].rtt_s is None
    assert remarks(held["json"]) == ()


def test_the_header_of_the_page_names_columns_and_units() -> None:
    trace = read_trace(samples("csv")[1].encode(), name="x")
    assert (trace.duration_s, trace.capacity_at(0), trace.loss_at(61)) == (62, 8e5, 0.015)


def test_the_profiles_of_the_page_are_those_there_are() -> None:
    rows = re.findall(
        r"^\| `((?:lighthouse|sitespeed)-\S+)` \| (\S+) \| (\S+) \|$",
        PAGE.read_text(),
        re.MULTILINE,
    )
    assert {name for name, _, _ in rows} == set(names())
    for name, kbps, rtt_ms in rows:
        assert profile(name).mean_bps == pytest.approx(float(kbps) * 1e3)
        assert profile(name).rtt_at(0, 9) == pytest.approx(float(rtt_ms) / 1e3)


def test_every_trace_format_is_on_the_page() -> None:
    assert set(re.findall(r"^\| `(\w+)` \|", PAGE.read_text(), re.MULTILINE)) >= set(FORMATS)


def test_the_results_of_the_page_are_read() -> None:
    """And its score is what the formula gives: (0.3 + 0.75 - 0.45 - 4.3 * 2.5) / 2."""
    found = read_results(samples("jsonl")[-1], name="sample")
    (row,) = found.rows
    assert list(row) == list(FIELDS)
    assert row["qoe_lin"] == pytest.approx(qoe_lin([3e5, 7.5e5], row["stall_s"]))


def test_the_cache_counts_of_the_page_are_taken() -> None:
    counts = json.loads(samples("json")[4])
    (tier,) = report_data([played_log()], cache_stats=counts).tiers
    assert (tier.name, tier.hit_ratio, tier.byte_hit_ratio) == ("edge", 0.75, 0.75)


def test_the_movie_of_the_page_is_written_as_it_stands() -> None:
    text = samples("json")[-1]
    presentation = read_sabre_movie(text, name="page", title="page")
    assert (presentation.rungs, presentation.segments) == (2, 2)
    assert json.loads(write_sabre_movie(presentation)) == json.loads(text)
