"""Which files seem to be parts of others, by their names."""

from __future__ import annotations

import pytest

from bench.experiments.clusters import cluster_of, read_clustering
from bench.experiments.parts import doubt_parts


def units_of(doubt: str, names: list[str]) -> set[str]:
    """The clusters of the rule that a doubt tells."""
    rule = doubt.partition("cluster = ")[2].partition(", and if")[0].strip("'")
    return {cluster_of(read_clustering(rule), name) for name in names}


PAGES = ("www.msn.com", "edition.cnn.com", "www.amazon.com")


@pytest.mark.parametrize(
    ("names", "of", "called"),
    [
        ([f"fcc/trace_{unit}_http---{page}" for unit in (909, 12) for page in PAGES],
         2, "household"),
        ([f"bus.oslo-report.2010-09-{day}_1407_{k}.log" for day in (28, 29) for k in range(3)],
         2, "recording"),
        ([f"a/B_2019.12.16_13.40.04-{k}.csv" for k in range(5)], 1, "recording"),
        ([f"t/trace_{unit}_page{p}.txt" for unit in (4711, 52, 8) for p in range(8)],
         3, "recording"),
        ([f"trace{unit}-page-{p}" for unit in (1, 2) for p in range(8)], 2, "recording"),
        ([f"house{unit}_{page}.csv" for unit in (1, 2, 3) for page in PAGES], 3, "house"),
        ([f"{page}_user-{unit}.csv" for unit in (1, 2, 3) for page in ("news", "mail")], 3, "user"),
        ([f"page{p}_trace_{unit}" for unit in (1, 2, 3) for p in range(4)], 3, "recording"),
        ([f"set/home12{unit}/lte/{k}.csv" for unit in (1, 2) for k in range(4)], 2, "home"),
        ([f"set/{word}_{unit}_part{k}" for word in ("bus", "car") for unit in (1, 2)
          for k in range(3)], 4, "recording"),
        ([f"2024-01-{day}_lte_run{k}.csv" for day in (10, 11) for k in range(4)], 2, "recording"),
        ([f"Client 7{unit} (clip {k}).json" for unit in (1, 2) for k in range(4)], 2, "client"),
        ([f"lte_{unit}_{name}" for unit in (1001, 1002) for name in ("a", "b", "c")],
         2, "recording"),
    ],
)  # fmt: skip
def test_names_of_parts_are_doubted_and_the_remedy_works(
    names: list[str], of: int, called: str
) -> None:
    doubt = doubt_parts(names)
    assert doubt.startswith(f"{len(names)} of {len(names)} files seem to be parts of {of} others ")
    units = units_of(doubt, names)
    assert len(units) == of
    assert {unit.partition(":")[0] for unit in units} == {called}


@pytest.mark.parametrize(
    "names",
    [
        [f"norway_{kind}_{k}" for kind in ("bus", "tram") for k in range(20)],
        [f"report_{kind}_{k:04}.log" for kind in ("bus", "tram") for k in range(20)],
        [f"hd_trace{k:04}.json" for k in range(20)],
        [f"trace_{unit}_http---www.msn.com" for unit in range(100, 120)],
        [f"report.2010-09-{day}_{hour}07CEST.log" for day in range(10, 20) for hour in (14, 16)],
        [f"B_2019.12.{day}_13.40.04.csv" for day in range(10, 20)],
        [f"{rate}mbps_{k}" for rate in (1, 2, 5) for k in range(9)],
        [f"{kind}_{k}" for kind in ("3g", "4g", "5g") for k in range(9)],
        [f"lte-walking-copula-{k}.csv" for k in range(9)],
        [f"set/{k}_{kind}.csv" for kind in ("static", "driving") for k in range(9)],
        [f"user{k}.csv" for k in range(9)],
        [f"house{k}_page1.csv" for k in range(9)],
        ["a_100_1.csv", "a_100_2.csv", "b.csv"],
        ["a", "b"],
        [],
    ],
)
def test_names_of_whole_recordings_are_not_doubted(names: list[str]) -> None:
    assert doubt_parts(names) == ""
