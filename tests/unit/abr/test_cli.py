"""The root command: lazy table, one-line errors, exit codes, shared options."""

from __future__ import annotations

import errno
import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import click
import pytest

from abr import cli
from abr.errors import DiskFullError, InputError, UpstreamError
from abr.shell import cause_of, explain, one_line

Plant = Callable[[BaseException], None]


@pytest.fixture
def plant(monkeypatch: pytest.MonkeyPatch) -> Plant:
    """Make ``abr play`` a command that raises what it is given."""

    def plant(exc: BaseException) -> None:
        @click.command()
        def play() -> None:
            raise exc

        monkeypatch.setattr(sys.modules[__name__], "PLANTED", play, raising=False)
        entry = cli.Entry(f"{__name__}:PLANTED", "Raise.")
        monkeypatch.setattr(cli, "COMMANDS", {"play": entry})
        monkeypatch.setattr(cli, "load_target", lambda _target: play)

    return plant


def test_help_lists_every_command_and_imports_nothing_heavy() -> None:
    code = (
        "import sys; from abr.cli import main; code = main(['--help']); "
        "heavy = {'numpy', 'aiohttp', 'numba', 'asyncio', 'jinja2', 'rich'} & set(sys.modules); "
        "print('HEAVY', sorted(heavy), code)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "HEAVY [] 0" in done.stdout
    for name, entry in cli.COMMANDS.items():
        assert name in done.stdout
        assert entry.help in done.stdout


def test_python_m_abr_is_the_same_command() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "abr", "--version"], capture_output=True, text=True, check=True
    )
    assert done.stdout.startswith("abrkit ")


USAGE = [
    (["bolt"], "no command 'bolt'; see 'abr --help'"),
    (["simulat"], "no command 'simulat'; did you mean 'simulate'?"),
    (["--nonsense"], "No such option '--nonsense'; see 'abr --help'"),
    (["config", "show", "egde"], "'egde' is not one of"),
    (["config", "shw"], "No such command 'shw'"),
]


@pytest.mark.parametrize(("args", "message"), USAGE)
def test_wrong_usage_is_one_line_and_exit_2(
    args: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(args) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("abr: error: ")
    assert message in err
    assert err.count("\n") == 1


FAILURES: list[tuple[BaseException, str]] = [
    (InputError("a.csv:3: found x"), "a.csv:3: found x"),
    (InputError("two\n  lines\n"), "two lines"),
    (ExceptionGroup("g", [ValueError("v"), UpstreamError("http://h/: 503")]), "http://h/: 503"),
    (OSError(errno.ENOSPC, "No space left on device", "out/x"), "out/x: no space left on the disk"),
    (DiskFullError("out/x: no room left; free 3 MB"), "out/x: no room left; free 3 MB"),
    (PermissionError(errno.EACCES, "Permission denied", "/etc/x"), "/etc/x: Permission denied"),
    (KeyError("k"), "internal error: KeyError: 'k'; run the same command with --debug"),
    (RuntimeError(), "internal error: RuntimeError; run the same command with --debug"),
    (click.ClickException("no."), "no."),
]


@pytest.mark.parametrize(("exc", "message"), FAILURES)
def test_a_failure_is_one_line_on_stderr_and_exit_1(
    exc: BaseException, message: str, plant: Plant, capsys: pytest.CaptureFixture[str]
) -> None:
    plant(exc)
    assert cli.main(["play"]) == 1
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith(f"abr: error: {message}")
    assert err.count("\n") == 1


@pytest.mark.parametrize("args", [["--debug", "play"], ["play", "--debug"]])
def test_debug_adds_the_traceback_wherever_it_stands(
    args: list[str], plant: Plant, capsys: pytest.CaptureFixture[str]
) -> None:
    plant(InputError("bad"))
    assert cli.main(args) == 1
    err = capsys.readouterr().err
    assert "Traceback" in err
    assert err.endswith("abr: error: bad\n")


@pytest.mark.parametrize("exc", [KeyboardInterrupt(), click.Abort()])
def test_an_interruption_says_so_and_is_exit_130(
    exc: BaseException, plant: Plant, capsys: pytest.CaptureFixture[str]
) -> None:
    plant(exc)
    assert cli.main(["play"]) == 130
    assert capsys.readouterr().err == "abr: interrupted\n"


def test_an_exit_code_of_a_command_is_kept(plant: Plant) -> None:
    plant(click.exceptions.Exit(7))
    assert cli.main(["play"]) == 7


def test_a_reader_who_goes_away_is_no_error() -> None:
    command = f"{sys.executable} -m abr --help | head -n 1; echo ${{PIPESTATUS[0]}}"
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, check=True)
    assert done.stderr == ""
    assert done.stdout.splitlines()[-1] in {"0", "1"}


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_output_that_does_not_fit_is_one_clear_line() -> None:
    with open("/dev/full", "w") as full:
        done = subprocess.run(
            [sys.executable, "-m", "abr", "--help"], stdout=full, stderr=subprocess.PIPE, text=True,
            check=False,
        )  # fmt: skip
    assert done.returncode == 1
    assert done.stderr.startswith("abr: error: no space left on the disk")
    assert done.stderr.count("\n") == 1


@dataclass(frozen=True)
class Small:
    """A stand-in for a component's settings."""

    port: int = 1


@pytest.fixture
def context() -> Iterator[click.Context]:
    """The context of a running command."""
    with click.Context(click.Command("edge"), obj=cli.Invocation()) as ctx:
        yield ctx


def test_configuration_reads_file_and_environment_and_drops_none(
    context: click.Context, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert cli.configuration(context, "edge", Small) == Small(1)
    (tmp_path / "abr.toml").write_text("[edge]\nport = 2\n")
    assert cli.configuration(context, "edge", Small, port=None) == Small(2)
    (tmp_path / "other.toml").write_text("[edge]\nport = 3\n")
    monkeypatch.setenv("ABR_CONFIG", "other.toml")
    assert cli.configuration(context, "edge", Small) == Small(3)
    monkeypatch.setenv("ABR_EDGE_PORT", "4")
    assert cli.configuration(context, "edge", Small) == Small(4)
    assert cli.configuration(context, "edge", Small, port=5) == Small(5)


@pytest.mark.parametrize("content", [None, b"\xff\xfe"])
def test_a_settings_file_that_was_named_must_be_readable(
    content: bytes | None, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "lab.toml"
    if content is not None:
        path.write_bytes(content)
    assert cli.main(["config", "show", "edge", "--config", str(path)]) == 1
    err = capsys.readouterr().err
    assert err.startswith(f"abr: error: {path}: ")
    assert "--config must be a readable TOML file" in err


def test_config_show_prints_a_settings_file_that_gives_the_same_settings(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ABR_EDGE_PORT", "9000")
    assert cli.main(["config", "show"]) == 0
    shown = capsys.readouterr().out
    assert "port = 9000                             # ABR_EDGE_PORT" in shown
    assert cli.main(["config", "show", "--json"]) == 0
    before = json.loads(capsys.readouterr().out)
    monkeypatch.delenv("ABR_EDGE_PORT")
    (tmp_path / "abr.toml").write_text(shown)
    assert cli.main(["config", "show", "--json"]) == 0
    after = json.loads(capsys.readouterr().out)
    assert {table: each["hash"] for table, each in after.items()} == {
        table: each["hash"] for table, each in before.items()
    }
    assert before["edge"]["settings"]["port"] == {"value": 9000, "origin": "ABR_EDGE_PORT"}
    assert after["edge"]["settings"]["port"] == {"value": 9000, "origin": "abr.toml"}


def test_config_show_writes_a_file_after_it_has_read_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "abr.toml").write_text("[edge]\nport = 9001\n")
    assert cli.main(["config", "show", "edge", "--out", "abr.toml"]) == 1
    assert "abr.toml: exists; --force replaces it" in capsys.readouterr().err
    assert cli.main(["config", "show", "edge", "--out", "abr.toml", "--force"]) == 0
    assert "port = 9001 " in (tmp_path / "abr.toml").read_text()
    assert cli.main(["config", "show", "--json", "--out", "all.json"]) == 0
    told = json.loads((tmp_path / "all.json").read_text())
    assert told["edge"]["settings"]["port"] == {"value": 9001, "origin": "abr.toml"}


@pytest.mark.parametrize("named", [[], ["--config", "abr.toml"]])
def test_config_show_into_the_file_that_it_reads_says_what_the_shell_did(
    tmp_path: Path, named: list[str]
) -> None:
    settings = tmp_path / "abr.toml"
    command = [sys.executable, "-m", "abr", *named, "config", "show", "edge"]

    def show(mode: str) -> subprocess.CompletedProcess[str]:
        with settings.open(mode) as out:
            return subprocess.run(
                command, cwd=tmp_path, stdout=out, stderr=subprocess.PIPE, text=True, check=False
            )

    settings.write_text("[edge]\nport = 9001\n")
    appended = show("a")
    assert appended.returncode == 1
    assert "write them with --out abr.toml --force" in appended.stderr
    assert settings.read_text() == "[edge]\nport = 9001\n"
    emptied = show("w")  # as by ``>``
    assert emptied.returncode == 0
    assert "abr.toml: read as empty, as the shell emptied it" in emptied.stderr
    assert settings.read_text().startswith("[edge]\n")


def test_one_line_joins_lines_and_keeps_the_rest() -> None:
    assert one_line("a  b\n\n  c\n") == "a  b c"


def test_our_own_error_is_shown_before_its_neighbours_in_nested_groups() -> None:
    inner = ExceptionGroup("inner", [OSError("o"), InputError("ours")])
    assert explain(ExceptionGroup("outer", [ValueError("v"), inner])) == "ours"
    assert isinstance(cause_of(ExceptionGroup("g", [ValueError("v")])), ValueError)
