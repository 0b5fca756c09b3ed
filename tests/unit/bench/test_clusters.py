"""Which networks are independent, and how that is said."""

from __future__ import annotations

import pytest

from abr.errors import ConfigError
from bench.experiments.clusters import (
    cluster_of,
    cluster_of_row,
    count_by_kind,
    name_units,
    read_clustering,
    read_members,
)

FCC = "fcc/trace_10322_http---edition.cnn.com"


@pytest.mark.parametrize(
    ("rule", "cluster"),
    [
        ("file", f"file:{FCC}"),
        ("trace", f"trace:{FCC}#part"),
        ("folder", "folder:fcc"),
        (r"trace_(?P<household>\d+)_", "household:10322"),
        (r"trace_(\d+)_http---\w+\.(\w+)", "group:10322-cnn"),
    ],
)
def test_a_plan_says_what_is_independent(rule: str, cluster: str) -> None:
    assert cluster_of(read_clustering(rule), FCC, "part") == cluster


@pytest.mark.parametrize("rule", ["household", "(", "no group", "homes.csv:"])
def test_what_says_nothing_is_refused(rule: str) -> None:
    with pytest.raises(ValueError, match="expected 'file', 'trace', 'folder', a regular"):
        read_clustering(rule)


def test_a_column_of_a_table_may_say_it() -> None:
    rule = read_clustering("homes.csv:household")
    text = "file,city,household\na.csv,Oslo,7\nsub/b.csv,Oslo,8\n\n"
    members = read_members(text, rule, name="homes.csv")
    assert cluster_of(rule, "traces/a.csv", members=members) == "household:7"
    assert cluster_of(rule, "traces/sub/b.csv", members=members) == "household:8"
    with pytest.raises(ConfigError, match=r"homes\.csv: no row for 'traces/b.csv'"):
        cluster_of(rule, "traces/b.csv", members=members)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "homes.csv:1: no column 'household' after the first, .* found nothing"),
        ("file,city\n", "found file, city"),
        ("file,household\na,\n", "homes.csv:2: no household"),
    ],
)
def test_a_table_without_it_is_refused(text: str, message: str) -> None:
    rule = read_clustering("homes.csv:household")
    with pytest.raises(ConfigError, match=message):
        read_members(text, rule, name="homes.csv")


def test_a_file_that_the_pattern_does_not_match_is_named() -> None:
    with pytest.raises(ConfigError, match=r"matches nothing in 'a/b\.csv'; expected"):
        cluster_of(read_clustering(r"trace_(\d+)_"), "a/b.csv")


def test_rotations_in_older_results_are_one() -> None:
    rows = [
        {"class": "3g", "trace": name, "trace_digest": name} for name in ("a", "a@12s", "a@1e+02s")
    ]
    assert len({cluster_of_row(row) for row in rows}) == 1
    assert cluster_of_row({"cluster": "file:x"}) == "file:x"


def test_what_is_counted_has_its_plural() -> None:
    clusters = ["household:1", "household:2", "household:1", "draw:x", "city:a", "city:b"]
    assert count_by_kind(clusters) == {"household": 2, "city": 2, "draw": 1}
    assert name_units(count_by_kind(clusters)) == "2 households, 2 cities and 1 draw"
    assert name_units({"class": 1}) == "1 class"
    assert name_units({"class": 3, "day": 2}) == "3 classes and 2 days"
