"""Functions for logs and files take text and paths, and say what they cannot use."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from abr.errors import ArgumentError, InputError, LogFormatError, MissingFileError
from abr.files.models import find_model, model, read_model_file
from abr.files.policies import read_bundled_policy, read_policy_file, write_policy_file
from abr.files.traces import read_readings_file, read_trace_file, resolve
from abr.log import SessionLog
from abr.logtable import data_frame, measured_bps, records_of, requests_of
from abr.media import constant_presentation
from abr.trace import Trace
from bench.experiments.files import read_folder
from bench.experiments.planexamples import QUICK
from bench.experiments.planfile import read_plan
from bench.experiments.run.materials import load_experiment
from player import replay, simulate
from player.files import MediaFolder, check_writable, read_log, write_log
from player.table import session_table
from transcode.files.reader import check_package, is_package, read_index, read_presentation

LOG = simulate(
    constant_presentation([1e6, 2e6], segments=5, segment_s=4.0), trace=Trace.constant(3e6)
)
PLAN = read_plan(QUICK, name="quick.toml")
NO_PATHS = (None, 3, b"film.jsonl", ["film.jsonl"], LOG)
NO_LOGS = (None, "film.jsonl", 3, [LOG])
OF_PATHS: dict[str, Callable[[Any], Any]] = {
    "write_log": lambda path: write_log(LOG, path),
    "read_log": read_log,
    "MediaFolder": MediaFolder,
    "read_readings_file": read_readings_file,
    "read_trace_file": read_trace_file,
    "read_model_file": read_model_file,
    "read_policy_file": read_policy_file,
    "write_policy_file": lambda path: write_policy_file(read_bundled_policy(), path),
    "is_package": is_package,
    "read_index": read_index,
    "read_presentation": read_presentation,
    "check_package": check_package,
    "read_folder": read_folder,
    "load_experiment": lambda path: load_experiment(PLAN, folder=path),
}
OF_TEXT: dict[str, Callable[[Any], Any]] = {
    "model": model,
    "find_model": find_model,
    "resolve_readings": resolve,
    "read_plan": lambda text: read_plan(text, name="plan.toml"),
    "SessionLog.loads": SessionLog.loads,
}
OF_LOGS: dict[str, Callable[[Any], Any]] = {
    "write_log": lambda log: write_log(log, "film.jsonl"),
    "records_of": records_of,
    "requests_of": requests_of,
    "measured_bps": measured_bps,
    "summary": session_table,
}


@pytest.mark.parametrize("form", [str, Path])
def test_a_log_is_written_and_read_by_text_and_by_path(form: type, tmp_path: Path) -> None:
    path = form(tmp_path / "film.jsonl")
    write_log(LOG, path)
    assert read_log(path).dumps() == replay(path).dumps().replace('"replay"', '"virtual"')
    check_writable(path)
    MediaFolder(form(tmp_path / "media"))
    assert (tmp_path / "media").is_dir()
    (tmp_path / "trace.csv").write_text("time_s,capacity_bps\n0,1000000\n5,2000000\n10,\n")
    read_trace_file(form(tmp_path / "trace.csv"))
    assert not is_package(form(tmp_path))
    write_policy_file(read_bundled_policy(), form(tmp_path / "policy.json"))
    assert read_policy_file(form(tmp_path / "policy.json")) == read_bundled_policy()


@pytest.mark.parametrize("name", OF_PATHS)
def test_what_is_no_path_is_refused(name: str) -> None:
    for wrong in NO_PATHS:
        with pytest.raises(ArgumentError, match=rf"{name}\(.*=\.\.\.\): found .*; expected a path"):
            OF_PATHS[name](wrong)


@pytest.mark.parametrize("name", OF_PATHS)
def test_a_path_that_no_file_can_have_is_an_error_of_the_user(name: str) -> None:
    if name not in ("is_package", "load_experiment"):
        with pytest.raises(InputError):
            OF_PATHS[name]("film\0.jsonl")


@pytest.mark.parametrize("name", OF_TEXT)
def test_what_is_no_text_is_refused(name: str) -> None:
    for wrong in (None, 3, b"text", ["text"], Path("text")):
        with pytest.raises(ArgumentError, match=rf"{name}\(.*=\.\.\.\): found .*; expected"):
            OF_TEXT[name](wrong)


@pytest.mark.parametrize("name", OF_LOGS)
def test_what_is_no_log_is_refused(name: str) -> None:
    for wrong in NO_LOGS:
        with pytest.raises(ArgumentError, match=rf"{name}\(log=\.\.\.\): found .*SessionLog"):
            OF_LOGS[name](wrong)


def test_kinds_that_no_record_has_are_refused() -> None:
    """They would be an empty list otherwise, as of a session without stalls."""
    wrong: Any = "stall"
    for call in (lambda: records_of(LOG, wrong), lambda: LOG.of(wrong)):
        with pytest.raises(ArgumentError, match=r"'stall'.*no such kind; expected some of start"):
            call()


@pytest.mark.parametrize("wrong", [None, 3, {"a": 1}, [3], [None]])
def test_a_frame_is_of_rows_only(wrong: Any) -> None:
    with pytest.raises(ArgumentError, match=r"data_frame\(rows.*expected a SessionLog, or rows"):
        data_frame(wrong)


@pytest.mark.parametrize("wrong", [0, -1, None, 2.5, True])
def test_a_mean_is_of_a_number_of_segments(wrong: Any) -> None:
    with pytest.raises(ArgumentError, match=r"measured_bps\(last=\.\.\.\): found .*; expected"):
        measured_bps(LOG, last=wrong)


def test_a_folder_and_a_missing_folder_are_told(tmp_path: Path) -> None:
    with pytest.raises(MissingFileError, match="a folder"):
        write_log(LOG, str(tmp_path))
    with pytest.raises(MissingFileError, match="no such folder; make it first"):
        write_log(LOG, str(tmp_path / "nowhere" / "film.jsonl"))
    (tmp_path / "picture.jsonl").write_bytes(b"\xff\xd8\xff")
    with pytest.raises(LogFormatError, match="not text"):
        read_log(str(tmp_path / "picture.jsonl"))
