"""``abr doctor``: one line per look, honest about what is required."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from abr import cli
from abr.errors import ToolMissingError
from bench import doctor
from bench.doctor import Finding

HERE = Finding("ffmpeg", True, "7.0 at /x/ffmpeg", required=True)
GONE = Finding("ffmpeg", False, "not found", "pip install imageio-ffmpeg", required=True)
OPTIONAL = Finding("chromium", False, "not found", "apt-get install chromium")

Report = Callable[..., tuple[int, str]]


@pytest.fixture
def report(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Report:
    """Run the command on made-up findings."""

    def run(findings: list[Finding], *args: str) -> tuple[int, str]:
        monkeypatch.setattr(doctor, "LOOKS", (lambda: findings,))
        code = cli.main(["doctor", *args])
        return code, capsys.readouterr().out

    return run


def test_only_something_required_fails_the_command(report: Report) -> None:
    assert report([HERE, OPTIONAL])[0] == 0
    assert report([GONE, OPTIONAL])[0] == 1


def test_a_line_says_what_is_missing_and_how_to_get_it(report: Report) -> None:
    lines = report([HERE, GONE, OPTIONAL])[1].splitlines()
    assert lines == [
        "✓ ffmpeg           7.0 at /x/ffmpeg",
        "✗ ffmpeg           not found (REQUIRED; pip install imageio-ffmpeg)",
        "✗ chromium         not found (apt-get install chromium)",
    ]


def test_json_is_one_object(report: Report) -> None:
    code, out = report([GONE, OPTIONAL], "--json")
    found = json.loads(out)
    assert code == 1
    assert found["ok"] is False
    assert found["checks"][1] == {
        "name": "chromium",
        "ok": False,
        "found": "not found",
        "how": "apt-get install chromium",
        "required": False,
    }


def test_missing_shaping_tools_are_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("shutil.which", lambda _name, **_: None)
    with pytest.raises(ToolMissingError, match="unshare not found; apt-get install util-linux"):
        doctor.shaping_facilities()
    (finding,) = doctor.look_at_shaping()
    assert not finding.ok
    assert not finding.required


@pytest.mark.parametrize(
    ("works", "names"),
    [
        (frozenset[str](), {"kernel shaping": False}),
        (
            frozenset({"namespace", "tbf", "htb"}),
            {"net namespace": True, "tc tbf": True, "tc htb": True, "tc netem": False},
        ),
    ],
)
def test_each_shaper_gets_its_line(
    works: frozenset[str], names: dict[str, bool], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(doctor, "shaping_facilities", lambda: works)
    assert {each.name: each.ok for each in doctor.look_at_shaping()} == names


def test_a_tool_that_fails_or_hangs_is_silence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "LOOK_LIMIT_S", 0.2)
    assert doctor.run(["sleep", "5"]) == ""
    assert doctor.run(["no-such-tool-here"]) == ""
    assert doctor.run(["echo", "x"]) == "x\n"


def test_the_looks_at_this_machine_all_answer() -> None:
    """Nothing is assumed of the machine but that each look ends and says something."""
    for look in doctor.LOOKS:
        for finding in look():
            assert finding.found
            assert finding.ok or finding.how
