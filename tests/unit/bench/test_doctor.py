"""``abr doctor``: one line per look, honest about what is required."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from abr import cli
from abr.errors import ToolMissingError
from bench import doctor
from bench.doctor import Finding

HERE = Finding("ffmpeg", True, "7.0 at /x/ffmpeg", required=True)
GONE = Finding("ffmpeg", False, "not found", "pip install imageio-ffmpeg", required=True)
OPTIONAL = Finding("libvmaf", False, "not found", "an ffmpeg that has it")

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
        "✗ libvmaf          not found (an ffmpeg that has it)",
    ]


def test_json_is_one_object(report: Report) -> None:
    code, out = report([GONE, OPTIONAL], "--json")
    found = json.loads(out)
    assert code == 1
    assert found["ok"] is False
    assert found["checks"][1] == {
        "name": "libvmaf",
        "ok": False,
        "found": "not found",
        "how": "an ffmpeg that has it",
        "required": False,
    }


@pytest.mark.parametrize(
    ("why_not", "ok", "found"),
    [
        ("", True, "can be made, for shaping by the kernel"),
        ("unshare: x\nunshare failed: not permitted", False, "unshare failed: not permitted"),
    ],
)
def test_shaping_by_the_kernel_is_optional_and_its_obstacle_named(
    why_not: str, ok: bool, found: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("player.shaping.kernel.find_obstacle", lambda: why_not)
    (finding,) = doctor.look_at_shaping()
    assert (finding.ok, finding.found, finding.required) == (ok, found, False)


def test_missing_ffmpeg_is_required_and_names_what_to_install(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def find(name: str, need: tuple[str, ...] = ()) -> None:
        raise ToolMissingError(f"{name}: not found {need}")

    monkeypatch.setattr("transcode.ffmpegtools.find", find)
    findings = {each.name: each for each in doctor.look_at_ffmpeg()}
    assert findings["ffmpeg"].required
    assert "imageio-ffmpeg" in findings["ffmpeg"].how
    assert not findings["libvmaf"].required
    assert not doctor.healthy(list(findings.values()))


def test_the_looks_at_this_machine_all_answer() -> None:
    """Nothing is assumed of the machine but that each look ends and says something."""
    for look in doctor.LOOKS:
        for finding in look():
            assert finding.found
            assert finding.ok or finding.how
