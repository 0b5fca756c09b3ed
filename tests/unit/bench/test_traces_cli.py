"""``abr traces``: what is said, what is written, what is left alone."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from abr.cli import main
from abr.files.traces import read_trace_file
from abr.trace import Trace
from abr.traceformats import WRITABLE, write_trace

STEPS = Trace.from_periods([(1, 4e6), (2, 1e6), (1, 0), (4, 2e6)], name="steps")
DELAYED = Trace.from_periods([(3, 5e6, 0.05, 0.01), (3, 1e6, 0.1, 0)], end="hold")


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working folder with traces/: two in a folder of their own, and a page of text."""
    (tmp_path / "traces/bus").mkdir(parents=True)
    (tmp_path / "traces/home.csv").write_bytes(write_trace(STEPS, "csv"))
    (tmp_path / "traces/bus/a.log").write_bytes(write_trace(STEPS, "cooked"))
    (tmp_path / "traces/bus/a.json").write_bytes(write_trace(DELAYED, "json"))
    (tmp_path / "traces/README.md").write_text("no trace\n")
    monkeypatch.chdir(tmp_path)
    return tmp_path


class Said:
    """What a command said and left behind."""

    def __init__(self, code: int, out: str, err: str) -> None:
        self.code, self.out, self.err = code, out, err

    @property
    def json(self) -> Any:
        """The one object on stdout."""
        return json.loads(self.out)

    @property
    def complaint(self) -> str:
        """The one line of error."""
        assert self.code == 1, self.err
        (line,) = [line for line in self.err.splitlines() if line.startswith("abr: error: ")]
        assert "internal" not in line
        return line.removeprefix("abr: error: ")


class Run:
    """Runs ``abr traces`` in this process."""

    def __init__(self, capsys: pytest.CaptureFixture[str]) -> None:
        self.capsys = capsys

    def __call__(self, *words: str) -> Said:
        """Run one command line."""
        code = main(["traces", *words])
        told = self.capsys.readouterr()
        return Said(code, told.out, told.err)


@pytest.fixture
def run(place: Path, capsys: pytest.CaptureFixture[str]) -> Run:
    assert place.is_dir()
    return Run(capsys)


def files(folder: Path) -> list[str]:
    """All files below a folder."""
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


def test_list_names_what_comes_along(run: Run) -> None:
    rows = run("list", "--json").json["traces"]
    kinds = {row["kind"] for row in rows}
    assert kinds == {"profile", "generator", "demo"}
    names = {row["name"] for row in rows}
    assert {"profile:sitespeed-3g", "generate:lte-walking:SEED", "commute"} <= names
    assert "profile:lighthouse-slow-4g" in run("list").out


def test_list_names_what_is_found_and_what_is_not(run: Run, place: Path) -> None:
    (place / "traces/bad.csv").write_text("junk\n")
    said = run("list", "traces")
    assert "traces/home.csv" in said.out
    assert "csv, 8 s, 1.75 Mbit/s" in said.out
    assert "left out: traces/bad.csv:1:" in said.err
    assert said.complaint == "1 of 4 files could not be read; left out"


def test_stats_of_a_folder_is_a_table(run: Run) -> None:
    said = run("stats", "traces")
    assert said.code == 0
    assert said.out.splitlines()[-1].startswith("3 traces")
    assert said.err == ""


def test_stats_as_json_holds_every_figure(run: Run) -> None:
    """Mean 1.75 Mbit/s, an outage of 1 s in 8; formats are named."""
    told = run("stats", "traces/home.csv", "--json").json
    (row,) = told["traces"]
    assert (row["file"], row["format"], row["mean_bps"]) == ("traces/home.csv", "csv", 1.75e6)
    assert row["percentiles_bps"] == [0, 1e6, 2e6, 2e6, 4e6]
    assert len(row["autocorrelation"]) == 10
    assert (row["outages"], row["outage_ratio"]) == (1, 0.125)
    assert told["total"]["traces"] == 1
    assert (told["percentiles"], told["errors"]) == ([5, 25, 50, 75, 95], [])


def test_stats_looks_at_means_when_asked_and_of_packets_always(run: Run, place: Path) -> None:
    """Between two packets is no outage."""
    (place / "m").write_bytes(write_trace(Trace.from_periods([(5, 3e6)]), "mahimahi"))
    (row,) = run("stats", "m", "--json").json["traces"]
    assert (row["mean_over_s"], row["outages"]) == (1, 0)
    (row,) = run("stats", "traces/home.csv", "--mean-over", "4", "--json").json["traces"]
    assert (row["min_bps"], row["max_bps"], row["outages"]) == (1.5e6, 2e6, 0)
    (row,) = run("stats", "traces/home.csv", "--outage-kbps", "1500", "--json").json["traces"]
    assert (row["outages"], row["outage_s"]) == (1, 3)


def test_stats_takes_patterns_and_named_traces(run: Run) -> None:
    told = run("stats", "traces/**/a.*", "profile:sitespeed-3g", "generate:lte-walking:7:60")
    assert told.code == 0, told.err
    assert told.out.splitlines()[-1].startswith("4 traces")


def test_the_same_file_counts_once(run: Run) -> None:
    assert run("stats", "traces", "traces/home.csv", "--json").json["total"]["traces"] == 3


def test_pipes_and_dead_links_in_a_folder_are_passed_over(run: Run, place: Path) -> None:
    """A pipe that nobody writes to would be read for ever."""
    os.mkfifo(place / "traces/pipe")
    (place / "traces/gone").symlink_to(place / "nowhere")
    assert run("stats", "traces", "--json").json["total"]["traces"] == 3


def test_one_bad_file_does_not_hide_the_others(run: Run, place: Path) -> None:
    (place / "traces/bad.csv").write_text("junk\n")
    said = run("stats", "traces")
    assert "3 traces" in said.out
    assert said.complaint == "1 of 4 could not be read; left out"
    assert run("stats", "traces/bad.csv").complaint.startswith("traces/bad.csv:1: found 'junk'")
    assert run("stats", "traces", "--json").json["errors"][0]["file"] == "traces/bad.csv"


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (["stats", "nowhere"], "nowhere: no such file or folder; expected traces"),
        (["stats", "*.nothing"], "*.nothing: matches no file; expected traces"),
        (["stats", "empty"], "empty: no files in this folder; expected traces"),
        (["stats", "traces", "--format", "x"], "unknown trace format 'x'; expected one of"),
        (["stats", "profile:4d"], "unknown network profile '4d'; expected one"),
        (["slice", "traces", "--out", "x.csv"], "traces: 3 files; expected one trace"),
        (["slice", "traces/home.csv", "--end", "9", "--out", "x.csv"], "home: a piece up to 9 s"),
        (["slice", "traces/home.csv", "--out", "x.pcap"], "x.pcap: its name does not tell"),
        (["scale", "traces/home.csv", "--factor", "0", "--out", "x.csv"], "factor 0; expected"),
        (["concat", "traces", "--out", "x.csv"], "home: no round-trip times, while other traces"),
        (["convert", "traces", "--to", "raca", "--out", "x"], "'raca' is read only; expected"),
        (["convert", "traces", "--to", "y", "--out", "x"], "'y' is no trace format; expected"),
        (["convert", "traces", "--to", "csv", "--out", "traces/home.csv"], "traces/home.csv: not"),
        (["plot", "traces", "--out", "x.pdf"], "x.pdf: not a picture's name; expected"),
        (["generate", "5g", "--out", "x"], "unknown model '5g'; expected one of"),
        (["generate", "lte-walking", "--out", "x", "--duration", "1e12"], "duration_s is 1"),
        (["fit", "traces/home.csv", "--name", "x"], "x: "),
    ],
)
def test_what_cannot_be_done_is_one_line_and_leaves_nothing(
    run: Run, place: Path, words: list[str], complaint: str
) -> None:
    (place / "empty").mkdir()
    before = files(place)
    said = run(*words)
    assert said.complaint.startswith(complaint)
    assert said.out == ""
    assert files(place) == before


def test_scale_needs_one_way_to_be_told(run: Run) -> None:
    for words in ([], ["--factor", "2", "--mean-mbps", "3"]):
        said = run("scale", "traces/home.csv", "--out", "x.csv", *words)
        assert said.code == 2
        assert "give either --factor or --mean-mbps" in said.err


def test_validate_tells_good_from_odd_from_bad(run: Run, place: Path) -> None:
    (place / "traces/bad.csv").write_text("t_s,kbps\n0,1\n2,x\n")
    (place / "traces/odd.csv").write_text("0,0\n5,1000\n9,0\n")
    said = run("validate", "traces")
    assert said.code == 1
    lines = said.out.splitlines()
    assert "error   traces/bad.csv:3:" in said.out
    assert "remark  traces/odd.csv: csv, " in said.out
    assert "starts with an outage" in said.out
    assert lines[-1] == "3 ok, 1 remark, 1 error"
    assert "home.csv" not in run("validate", "traces", "--quiet").out
    assert run("validate", "traces", "--json").json["counts"] == {"ok": 3, "remark": 1, "error": 1}
    assert run("validate", "traces/home.csv").code == 0


@pytest.mark.parametrize("form", WRITABLE)
def test_convert_writes_what_reads_back_as_the_same(run: Run, place: Path, form: str) -> None:
    said = run("convert", "traces/home.csv", "--to", form, "--out", "new/deep")
    assert said.out == f"new/deep: 1 written as {form}\n"
    (name,) = files(place / "new")
    again = read_trace_file(place / "new" / name, form)
    assert again.mean_bps == pytest.approx(STEPS.mean_bps, rel=0.01)
    assert again.duration_s == 8


def test_convert_keeps_folders_and_parts_names(run: Run, place: Path) -> None:
    told = run("convert", "traces", "--to", "csv", "--out", "csv", "--json").json
    assert files(place / "csv") == ["bus/a-2.csv", "bus/a.csv", "home.csv"]
    assert sorted(told["written"]) == ["csv/bus/a-2.csv", "csv/bus/a.csv", "csv/home.csv"]


def test_convert_replaces_nothing_without_leave(run: Run, place: Path) -> None:
    """Not one file is written when one is in the way."""
    (place / "csv").mkdir()
    (place / "csv/home.csv").write_text("mine")
    said = run("convert", "traces", "--to", "csv", "--out", "csv")
    assert said.complaint == "csv/home.csv: exists; --force replaces it"
    assert files(place / "csv") == ["home.csv"]
    assert run("convert", "traces", "--to", "csv", "--out", "csv", "--force").code == 0
    assert (place / "csv/home.csv").read_text() != "mine"


def test_convert_says_what_a_format_cannot_hold(run: Run) -> None:
    said = run("convert", "traces/bus/a.json", "--to", "cooked", "--out", "cooked")
    for lost in ("round-trip times", "losses", "end rule 'hold'"):
        assert f"note: cooked cannot hold {lost}: left out of 1" in said.err
    assert run("convert", "traces/bus/a.json", "--to", "json", "--out", "json").err == ""


def test_convert_goes_on_past_a_bad_file(run: Run, place: Path) -> None:
    (place / "traces/bad.csv").write_text("junk\n")
    said = run("convert", "traces", "--to", "json", "--out", "json")
    assert said.complaint == "1 of 4 could not be converted; left out"
    assert len(files(place / "json")) == 3


def test_convert_goes_on_past_what_a_format_cannot_hold(run: Run, place: Path) -> None:
    """A day at 1 Tbit/s would be a Mahimahi file of terabytes."""
    (place / "traces/fast.csv").write_text("0,1e9\n86400,\n")
    said = run("convert", "traces", "--to", "mahimahi", "--out", "m")
    assert said.complaint == "1 of 4 could not be converted; left out"
    assert "left out: fast: needs 7200000000000 lines as mahimahi" in said.err
    assert len(files(place / "m")) == 3


def test_slice_scale_and_concat_make_one_file(run: Run, place: Path) -> None:
    """From 1 s to 4 s of the steps: 2 s of 1 Mbit/s and 1 s of nothing."""
    assert run("slice", "traces/home.csv", "--start", "1", "--end", "4", "-o", "s.json").code == 0
    piece = read_trace_file(place / "s.json")
    assert piece.capacity_bps.tolist() == [1e6, 0]
    told = run("scale", "s.json", "--mean-mbps", "2", "--out", "fast.csv", "--json").json
    assert (told["duration_s"], told["mean_bps"]) == (3, pytest.approx(2e6))
    said = run(
        "concat", "s.json", "s.json", "profile:sitespeed-3g", "--rtt-ms", "20", "-o", "c.json"
    )
    assert said.code == 0, said.err
    both = read_trace_file(place / "c.json")
    assert (both.duration_s, both.end) == (7, "hold")
    assert both.rtt_s is not None
    assert both.rtt_s.tolist() == [0.02] * 4 + [0.15]
    assert run("scale", "s.json", "--factor", "2", "-o", "s.json").complaint.startswith(
        "s.json: exists"
    )


def test_generate_gives_the_same_bytes_again(run: Run, place: Path) -> None:
    words = ["generate", "lte-walking", "--seed", "5", "--count", "2", "--duration", "30"]
    assert run(*words, "--out", "a").code == 0
    told = run(*words, "--out", "b", "--kind", "copula", "--json").json
    assert [row["seed"] for row in told["traces"]] == [5, 6]
    names = ["lte-walking-copula-5.csv", "lte-walking-copula-6.csv"]
    assert files(place / "a") == files(place / "b") == names
    for name in names:
        assert (place / "a" / name).read_bytes() == (place / "b" / name).read_bytes()
    assert run(*words, "--out", "a").complaint.startswith("a/lte-walking-copula-5.csv: exists (and")


def test_fit_makes_a_model_that_generates(run: Run, place: Path) -> None:
    assert (
        run("generate", "3g-commute", "--count", "3", "--duration", "200", "-o", "real").code == 0
    )
    said = run("fit", "real", "--name", "mine")
    assert said.out.startswith("mine.json: mine, of 3 traces, 600 s\n")
    assert "KS distance" in said.out
    assert run("fit", "real", "--name", "mine").complaint.startswith("mine.json: exists")
    told = run("fit", "real", "--name", "mine", "--force", "--json").json
    assert set(told["goodness"]) == {"chain", "copula"}
    assert (
        run("generate", "mine.json", "--duration", "20", "--out", "made", "--kind", "chain").code
        == 0
    )
    assert files(place / "made") == ["mine-chain-0.csv"]


def test_plot_draws_what_it_may_and_says_what_it_left_out(run: Run, place: Path) -> None:
    told = run("plot", "traces", "--limit", "2", "--until", "3", "--out", "two.svg", "--json").json
    assert (told["traces"], told["left_out"]) == (2, 1)
    assert (place / "two.svg").read_bytes().startswith(b"<?xml")
    said = run("plot", "traces", "--out", "all.PNG", "--panels", "1")
    assert said.out == "all.PNG: 3 traces\n"
    assert (place / "all.PNG").read_bytes().startswith(b"\x89PNG")
    assert run("plot", "traces", "--out", "two.svg").complaint.startswith("two.svg: exists")


def test_plot_advises_when_traces_are_far_apart(run: Run) -> None:
    words = ["plot", "profile:sitespeed-dial", "profile:sitespeed-fois", "--out", "p.svg"]
    assert "--log or --own-axes shows them all" in run(*words).err
    assert run(*words, "--force", "--log").err == ""


def test_an_interruption_leaves_whole_files_only(
    run: Run, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ctrl-C while the second file is written."""
    import abr.files.whole as shell

    write, calls = shell.write_whole, []

    def once(path: Path, data: bytes) -> None:
        calls.append(path)
        if len(calls) == 2:
            raise KeyboardInterrupt
        write(path, data)

    monkeypatch.setattr(shell, "write_whole", once)
    said = run("convert", "traces", "--to", "csv", "--out", "csv")
    assert (said.code, said.err) == (130, "abr: interrupted\n")
    assert len(files(place / "csv")) == 1


def kilobits(place: Path, files: int = 3) -> None:
    """A set in kbit/s and ms, in two columns without headings, in a folder for each."""
    for k in range(files):
        (place / f"set/{k}").mkdir(parents=True)
        rows = (f"{50 * n} {60 + (7 * n + k) % 80}\n" for n in range(40))
        (place / f"set/{k}/report.log").write_text("".join(rows))


def test_doubts_are_about_the_set_and_said_once(run: Run, place: Path) -> None:
    kilobits(place)
    units = "if it is kbit/s: --columns time=1:ms,rate=2:kbit,applies=since"
    for words in (
        ("stats", "set"),
        ("list", "set"),
        ("convert", "set", "--to", "json", "--out", "json"),
        ("fit", "set", "--name", "odd", "--period", "50"),
        ("concat", "set", "--out", "all.json"),
        ("slice", "set/0/report.log", "--end", "500", "--out", "piece.json"),
    ):
        said = run(*words)
        assert said.code == 0, said.err
        assert said.err.count(units) == 1, words
        assert said.err.count("rows are 50 s apart") == 1, words
    checked = run("validate", "set")
    assert any(line.startswith("all ") and units in line for line in checked.out.splitlines())
    assert len(run("stats", "set", "--json").json["doubts"]) == 2


def test_columns_read_a_set_in_other_units(run: Run, place: Path) -> None:
    kilobits(place)
    told = run("stats", "set", "--columns", "time=1:ms,rate=2:kbit,applies=since", "--json").json
    assert told["doubts"] == []
    assert {row["format"] for row in told["traces"]} == {"columns"}
    assert told["total"]["duration_s"] == pytest.approx(3 * 39 * 0.05)
    assert 60e3 <= told["total"]["min_bps"] <= told["total"]["max_bps"] <= 140e3
    told = run(
        "convert", "set", "--columns", "time=1:ms,rate=2:kbit", "--to", "csv", "--out", "csv"
    )
    assert told.code == 0, told.err
    assert read_trace_file(place / "csv/1/report.csv").duration_s == pytest.approx(2)


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (("stats", "set", "--columns", "rate=1"), "columns: expected one of time, duration and"),
        (("stats", "set", "--columns", "time=1,rate=2:x"), "columns: rate=2:x; expected a unit of"),
        (
            ("validate", "set", "--format", "cooked", "--columns", "time=1,rate=2:kbit"),
            "a format and --columns exclude each other; give one",
        ),
    ],
)
def test_a_wrong_option_of_columns_is_told_before_anything_is_read(
    run: Run, place: Path, words: tuple[str, ...], complaint: str
) -> None:
    kilobits(place, 1)
    assert run(*words).complaint.startswith(complaint)


@pytest.mark.parametrize(
    "words",
    [
        ("list",),
        ("list", "profile:sitespeed-3g"),
        ("stats", "profile:sitespeed-3g", "generate:lte-driving:1:60"),
        ("validate", "profile:sitespeed-3g"),
        ("plot", "profile:sitespeed-3g", "--out", "x.svg"),
        ("convert", "profile:sitespeed-3g", "--to", "csv", "--out", "x"),
        ("slice", "profile:sitespeed-3g", "--start", "0", "--end", "1", "--out", "x.csv"),
        ("scale", "profile:sitespeed-3g", "--mean-mbps", "1", "--out", "x.csv"),
        ("concat", "profile:sitespeed-3g", "--out", "x.csv"),
        ("fit", "generate:lte-driving:1:60", "--name", "x", "--out", "x.json"),
    ],
)
def test_columns_that_no_file_is_read_by_are_refused(
    run: Run, place: Path, words: tuple[str, ...]
) -> None:
    said = run(*words, "--columns", "time=1:s,rate=2:kbit")
    assert said.complaint.startswith("columns time=1:s,rate=2:kbit say how a file is read, and ")
    assert not list(place.glob("x*"))


@pytest.mark.parametrize("command", ["list", "stats", "validate", "plot", "convert", "fit"])
def test_each_command_reads_a_table_of_decimal_commas_as_told(
    run: Run, place: Path, command: str
) -> None:
    rows = (f"29.11.2026 10:0{k // 60}:{k % 60:02};{1500 + k},25\r\n" for k in range(90))
    (place / "de.csv").write_text("\ufeffZeit;Rate\r\n" + "".join(rows))
    more = {
        "plot": ["--out", "x.svg"],
        "convert": ["--to", "json", "--out", "x"],
        "fit": ["--name", "x", "--out", "x.json"],
    }
    words = [command, "de.csv", *more.get(command, []), "--json", "--columns"]
    said = run(*words, "time=Zeit,rate=Rat:kbit")
    assert "found no column 'Rat' in 'Zeit, Rate'" in said.out + said.err
    assert said.code == 1
    assert run(*words, "time=Zeit,rate=Rate:kbit").code == 0


def test_a_counter_read_as_amounts_is_doubted_in_figures(run: Run, place: Path) -> None:
    (place / "eth0.csv").write_text("".join(f"{k},{k * 125000}\n" for k in range(40)))
    doubt = "if it is a running counter: bytes_total=2:B"
    assert doubt in run("stats", "eth0.csv", "--columns", "time=1:s,bytes=2:B").err
    said = run("validate", "eth0.csv", "traces", "--columns", "time=1:s,bytes=2:B")
    assert said.out.count(doubt) == 1
    told = run("stats", "eth0.csv", "--columns", "time=1:s,bytes_total=2:B", "--json").json
    assert told["traces"][0]["mean_bps"] == 1e6


def test_odd_files_of_a_folder_are_named_and_left_out(run: Run, place: Path) -> None:
    (place / "traces/movie.json").write_text('{"segment_duration_ms": 1, "segment_sizes_bits": []}')
    (place / "traces/rates.npy").write_bytes(b"\x93NUMPY\x01\x00")
    (place / "traces/session.pkl").write_bytes(b"\x80\x04\x95")
    said = run("stats", "traces")
    assert said.complaint == "3 of 6 could not be read; left out"
    for reason in ("a movie of Sabre's", "a NumPy array", "a Python pickle"):
        assert reason in said.err


def test_equal_names_of_a_set_are_told_apart_by_their_folders(run: Run, place: Path) -> None:
    kilobits(place)
    told = run("stats", "set", "--json").json
    assert [row["name"] for row in told["traces"]] == ["0/report", "1/report", "2/report"]
