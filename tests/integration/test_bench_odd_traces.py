"""Plans over sets of traces as they are published: odd units, equal names, files that are none."""

from __future__ import annotations

import json
import re
import warnings
from pathlib import Path

import pytest

from abr.cli import main
from abr.errors import InputError
from abr.media import constant_presentation
from bench.experiments.planfile import read_plan
from bench.experiments.run.materials import load_experiment
from player import simulate_many

PLAN = """\
[[algorithm]]
name = "lowest"
[[traces]]
files = ["set"]
{more}
[[presentation]]
builtin = "vbr-6"
"""


@pytest.fixture(name="folder")
def with_a_set(tmp_path: Path) -> Path:
    """Two columns without units, ms and kbit/s, called alike in their folders."""
    for k, kind in enumerate(("bus", "tram")):
        (tmp_path / "set" / kind).mkdir(parents=True)
        rows = (f"{500 * n} {900 + (70 * n + k) % 800}\n" for n in range(200))
        (tmp_path / f"set/{kind}/report_1.log").write_text("".join(rows))
    (tmp_path / "set/movie.json").write_text('{"segment_sizes_bits": []}')
    return tmp_path


def test_doubts_about_a_set_are_in_plan_run_and_report(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(folder)
    Path("plan.toml").write_text(PLAN.format(more=""))
    doubt = "if it is kbit/s: --columns time=1:ms,rate=2:kbit,applies=since"
    assert main(["bench", "run", "plan.toml", "--out", "r", "--workers", "1"]) == 0
    said = capsys.readouterr().err
    assert said.count(doubt) == 1
    assert said.count("movie.json") == 1
    assert main(["bench", "report", "r"]) == 0
    assert doubt in " ".join(capsys.readouterr().out.split())
    assert main(["bench", "report", "r", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)


def test_columns_of_a_plan_read_the_set_and_folders_tell_equal_names_apart(folder: Path) -> None:
    columns = 'columns = { time = "1:ms", rate = "2:kbit", applies = "since" }'
    plan = read_plan(PLAN.format(more=columns), name="plan.toml")
    experiment = load_experiment(plan, folder=folder)
    traces = {each.trace.name: each.trace for each in experiment.networks}
    assert list(traces) == ["bus/report_1", "tram/report_1"]
    assert experiment.doubts == ()
    assert all(900e3 <= trace.mean_bps <= 1700e3 for trace in traces.values())
    assert all(trace.duration_s == pytest.approx(99.5) for trace in traces.values())


def test_simulate_many_reads_the_same_columns_and_warns_of_the_rest(folder: Path) -> None:
    short = constant_presentation([3e5, 1e6], segments=4, segment_s=4.0, title="short")
    (folder / "set/bus/odd.json").write_text('{"segment_sizes_bits": []}')
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        table = simulate_many(
            short, traces=[folder / "set/bus", folder / "set/tram"], algorithms="lowest"
        )
    assert table["trace"].tolist() == ["bus/report_1", "tram/report_1"]
    said = " ".join(str(each.message) for each in told)
    assert "left out: " in said
    assert "odd.json" in said
    assert "if it is kbit/s" in said
    again = simulate_many(
        short,
        traces=folder / "set/tram",
        columns="time=1:ms,rate=2:kbit,applies=since",
        algorithms="lowest",
    )
    assert again["elapsed_s"][0] > table["elapsed_s"][1]


def test_columns_of_what_is_no_file_are_refused_wherever_they_are_given(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(folder)
    text = PLAN.format(more='columns = "time=1:ms,rate=2:kbit"').replace(
        '"set"', '"profile:sitespeed-3g"'
    )
    Path("plan.toml").write_text(text)
    columns = ["--columns", "time=1:ms,rate=2:kbit"]
    url = "http://127.0.0.1:9/x.m3u8"
    for words in (
        ["bench", "plan", "plan.toml"],
        ["simulate", "package", "--trace", "profile:sitespeed-3g", *columns],
        ["play", url, "--trace", "profile:sitespeed-3g", *columns],
        ["play", url, *columns],
        ["shape", "--trace", "profile:sitespeed-3g", "--upstream", "127.0.0.1:9", *columns],
        ["simulate", "--preset", "sabre", "--movie", "movie.json", *columns, "--network",
         "profile:sitespeed-3g"],
    ):  # fmt: skip
        Path("movie.json").write_text(
            '{"segment_duration_ms": 4000, "bitrates_kbps": [200], "segment_sizes_bits": [[8000]]}'
        )
        assert main(words) == 1, words
        assert "say how a file is read, and " in capsys.readouterr().err


def test_a_plan_over_parts_of_recordings_is_told_the_key_that_puts_them_together(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(folder)
    for home in range(3):
        for page in range(8):
            rows = (f"{n},{1500 + home * 100 + page * 10 + n}\n" for n in range(20))
            Path(f"set/trace_{home}_page{page}.csv").write_text("t_s,kbps\n" + "".join(rows))
    Path("plan.toml").write_text(PLAN.format(more="").replace('"set"', '"set/*.csv"'))
    assert main(["bench", "plan", "plan.toml"]) == 0
    told = capsys.readouterr()
    assert "independent    24 files" in told.out
    assert "24 of 24 files seem to be parts of 3 others by their names" in told.err
    key = f"cluster = {told.err.partition('say cluster = ')[2].partition(', and if')[0]}"
    Path("plan.toml").write_text(PLAN.format(more=key).replace('"set"', '"set/*.csv"'))
    assert main(["bench", "plan", "plan.toml"]) == 0
    told = capsys.readouterr()
    assert "independent    3 recordings" in told.out
    assert "seem to be parts" not in told.err


def test_commands_that_play_take_columns(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """With a table that no format describes, and without the option an error that names it."""
    monkeypatch.chdir(folder)
    Path("walk.csv").write_text("no,value\n1,2500\n2,900\n3,1800\n")
    sizes = [[800_000] * 5, [2_000_000] * 5]
    movie = {"segment_duration_ms": 4000, "bitrates_kbps": [200, 500], "segment_sizes_bits": []}
    movie["segment_sizes_bits"] = [list(row) for row in zip(*sizes, strict=True)]
    Path("movie.json").write_text(json.dumps(movie))
    words = ["simulate", "--preset", "sabre", "--movie", "movie.json", "--network", "walk.csv"]
    words += ["--algorithm", "throughput", "--json"]
    assert main(words) == 1
    assert "--columns time=TIME,rate=RATE:UNIT" in capsys.readouterr().err
    assert main([*words, "--columns", "rate=value:kbit,step=5s"]) == 0
    assert json.loads(capsys.readouterr().out.splitlines()[0])


def test_many_networks_are_doubted_once(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(folder)
    sizes = [[800_000, 2_000_000]] * 5
    movie = {"segment_duration_ms": 4000, "bitrates_kbps": [200, 500], "segment_sizes_bits": sizes}
    Path("movie.json").write_text(json.dumps(movie))
    words = ["simulate", "--preset", "pensieve", "--movie", "movie.json", "--algorithm", "lowest"]
    networks = [str(path) for path in sorted(Path("set").rglob("*.log"))]
    assert main([*words, "--json", "--network", *networks]) == 0
    assert capsys.readouterr().err.count("if it is kbit/s: --columns") == 1


@pytest.mark.parametrize(
    ("said", "more", "line"),
    [
        ("QoE 'linear' twice", '[[qoe]]\nname = "linear"\n[[qoe]]\nname = "linear"', 3),
        ("'stall_weight' after 'linear'", '[[qoe]]\nname = "linear:stall_weight"', 1),
        ("qoe.. vmaf: vmaf: it needs", '[[qoe]]\nname = "vmaf"', 1),
        ("two presentations called", '[[presentation]]\nbuiltin = "vbr-6"', 1),
        ("nowhere: no package", '[[presentation]]\npath = "nowhere"', 1),
        ("nowhere.csv: no such file", '[[traces]]\nfiles = ["nowhere.csv"]', 1),
        ("unknown model 'lte'", '[[traces]]\ngenerate = "lte"', 1),
        ("unknown algorithm 'bolla'", '[[algorithm]]\nname = "bolla"', 1),
        ("has no parameter 'gpp'", '[[algorithm]]\nname = "bola"\nparams = { gpp = 5 }', 1),
        ("mine.py: no such file", '[[algorithm]]\nname = "mine.py:Mine"', 1),
        ("max_buffer", "[player]\nrtt_s = 0.1\nmax_buffer = 5", 3),
        ("max_buffer_s", "[player]\nrtt_s = 0.1\nmax_buffer_s = -5", 3),
    ],
)
def test_whatever_is_wrong_with_a_plan_is_told_with_its_file_and_line(
    said: str, more: str, line: int, tmp_path: Path
) -> None:
    text = PLAN.format(more="").replace('files = ["set"]', 'generate = "lte-driving"') + more
    place = len(PLAN.format(more="").splitlines()) + line
    plan = read_plan(text, name="plans/mine.toml")
    with pytest.raises(InputError) as caught:
        load_experiment(plan, folder=tmp_path)
    assert str(caught.value).startswith(f"plans/mine.toml:{place}: "), caught.value
    assert re.search(said, str(caught.value))
