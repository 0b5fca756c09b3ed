"""What the words of a command line mean, and how files that cannot be read are told."""

from __future__ import annotations

from pathlib import Path

import pytest

from abr.errors import InputError, MissingFileError
from bench.traces.files import NOTES, Read, Source, need_some, note_left_out, read_source, sources

CSV = "time_s,capacity_kbps\n0,800\n10,\n"


@pytest.fixture(name="folder")
def with_files(tmp_path: Path) -> Path:
    for name in ("b.csv", "a.csv", "deep/c.csv", ".hidden.csv", "README.md"):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(CSV)
    return tmp_path


def test_a_folder_means_its_traces_in_order(folder: Path) -> None:
    assert [each.below for each in sources([str(folder)])] == ["a.csv", "b.csv", "deep/c.csv"]


def test_a_file_named_twice_is_one_source(folder: Path) -> None:
    words = [str(folder / "a.csv"), str(folder / "[ab].csv")]
    assert [each.below for each in sources(words)] == ["a.csv", "b.csv"]


@pytest.mark.parametrize(
    ("word", "message"),
    [("none.csv", "no such file or folder"), ("*.none", "matches no file"), ("empty", "no files")],
)
def test_a_word_that_means_nothing_is_refused(
    word: str, message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "empty").mkdir()
    with pytest.raises(MissingFileError, match=message):
        sources([word])


def test_what_is_wrong_with_a_file_becomes_a_line(folder: Path) -> None:
    good = read_source(sources([str(folder / "a.csv")])[0])
    assert [trace.duration_s for trace in good.traces] == [10]
    (folder / "a.csv").write_text("nothing of the kind")
    bad = read_source(Source(str(folder / "a.csv"), "a.csv"))
    assert bad.traces == []
    assert "\n" not in bad.error
    assert "a.csv" in bad.error
    with pytest.raises(InputError, match=r"a\.csv.*\(and 1 more\)"):
        need_some(0, [bad, bad])


def test_many_bad_files_are_counted_rather_than_listed(capsys: pytest.CaptureFixture[str]) -> None:
    bad = [Read(Source(f"{k}", f"{k}"), error=f"bad {k}") for k in range(NOTES + 3)]
    note_left_out(bad)
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == NOTES + 1
    assert lines[-1].endswith("left out: 3 more; `abr traces validate` names them all")
