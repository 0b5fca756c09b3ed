"""The ``abr`` command: a table of subcommands, each imported only when it is called.

This is the only module of ``abr`` that refers to the other packages, and only by name.
The table holds one line of help per command, so ``abr --help`` imports none of them.
Errors are turned into one line on stderr here and nowhere else.

Exit codes: 0 success, 1 the command failed, 2 usage error, 130 interrupted.
"""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from importlib import import_module
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import click

from abr.errors import MissingFileError
from abr.shell import (
    INTERRUPTED_EXIT_CODE,
    NO_ROOM_ERRORS,
    discard_stdout,
    explain,
    interrupt_on_termination,
    one_line,
    stdout_is_gone,
)

T = TypeVar("T")


class Entry(NamedTuple):
    """One command: where to import it from, and its line in ``abr --help``."""

    target: str
    """``module:attribute`` of a click command."""
    help: str


SECTIONS: Mapping[str, Mapping[str, Entry]] = {
    "Make and serve video": {
        "transcode": Entry(
            "transcode.cli.transcode:transcode", "Turn a master file into a packaged ladder."
        ),
        "store": Entry(
            "transcode.cli.store:store", "Publish packages in a folder or an S3 bucket."
        ),
        "inspect": Entry(
            "transcode.cli.inspect:inspect", "Check an HLS package against the rules."
        ),
        "keys": Entry("transcode.cli.keys:keys", "Look after content keys: list, rotate, check."),
        "origin": Entry("origin.cli:origin", "Serve packages, tokens and keys over HTTP."),
        "gateway": Entry(
            "origin.gateway.cli:gateway", "Give sessions to those who may watch, and count them."
        ),
        "token": Entry(
            "origin.tokens.cli:token", "Mint, verify, explain and revoke permission to watch."
        ),
        "signing": Entry("origin.cli:signing", "Change the keys that sign tokens."),
        "edge": Entry("edge.cli.edge:edge", "Run one caching tier in front of a parent."),
        "director": Entry(
            "edge.cli.director:director", "Register caches, and steer players to the best one."
        ),
        "cache": Entry("edge.cli.cache:cache", "Find out how a cache would do, from a log."),
        "watermark": Entry(
            "origin.tracing.cli:watermark", "Find out whose a captured copy of a title is."
        ),
        "fill": Entry("edge.cli.fill:fill", "Copy to edges at night what will be asked for."),
        "serve": Entry(
            "bench.stack.cli.serve:serve", "Run an origin and two tiers of edges locally."
        ),
    },
    "Play and measure": {
        "play": Entry("player.cli.play:play", "Play a URL headless over an emulated network."),
        "simulate": Entry("player.cli.simulate:simulate", "Play a package on a virtual clock."),
        "replay": Entry("player.cli.replay:replay", "Replay a session log, decision by decision."),
        "algorithms": Entry("abr.cli.algorithms:algorithms", "List the installed algorithms."),
    },
    "Networks": {
        "traces": Entry(
            "bench.traces.cli.group:traces", "Inspect, convert and generate network traces."
        ),
        "shape": Entry("player.shaping.cli:shape", "Emulate a traced network for any client."),
    },
    "Compare and report": {
        "bench": Entry("bench.reports.cli.group:bench", "Compare algorithms over many networks."),
        "demo": Entry("bench.demo:demo", "Run every step once, from master to report."),
        "report": Entry(
            "bench.reports.cli.sessions:report", "Make an HTML report from session logs."
        ),
        "agree": Entry(
            "bench.stack.cli.agree:agree", "Measure how far simulation and HTTP differ."
        ),
    },
    "This machine": {
        "doctor": Entry(
            "bench.doctor:doctor", "Check which tools are installed and which are missing."
        ),
        "config": Entry("abr.cli.config:config", "Show settings and where each comes from."),
    },
}

COMMANDS: Mapping[str, Entry] = {
    name: entry for section in SECTIONS.values() for name, entry in section.items()
}

TABLES: Mapping[str, str] = {
    "transcode": "transcode.config:TranscodeConfig",
    "origin": "origin.config:OriginConfig",
    "gateway": "origin.gateway.config:GatewayConfig",
    "edge": "edge.config:EdgeConfig",
    "director": "edge.tiers.config:DirectorConfig",
    "fill": "edge.tiers.fillconfig:FillConfig",
    "serve": "bench.stack.config:ServeConfig",
    "player": "player.config:PlayerConfig",
}
"""Tables of the settings file, with the dataclass of each."""


@dataclass(slots=True)
class Invocation:
    """Values of the options shared by all commands; the ``ctx.obj`` of each command."""

    debug: bool = False
    verbose: int = 0
    config_file: str | None = None


def _set(field: str) -> Callable[[click.Context, click.Parameter, Any], None]:
    """A callback that stores an option in the invocation, wherever on the line it was given."""

    def callback(ctx: click.Context, _param: click.Parameter, value: Any) -> None:
        if value:
            setattr(ctx.ensure_object(Invocation), field, value)
        if field == "verbose" and value:
            _start_logging(value)

    return callback


def _start_logging(verbose: int) -> None:
    """Log to stderr; from level 2 on, include debug messages."""
    import logging

    logging.basicConfig(format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    logging.getLogger().setLevel(logging.INFO if verbose == 1 else logging.DEBUG)


def _shared_options() -> list[click.Parameter]:
    """Options accepted both before and after the name of a command."""
    return [
        click.Option(
            ["--config", "config_file"],
            metavar="FILE",
            expose_value=False,
            is_eager=True,
            callback=_set("config_file"),
            help="Settings file; default: $ABR_CONFIG, or ./abr.toml if it exists.",
        ),
        click.Option(
            ["-v", "--verbose"],
            count=True,
            expose_value=False,
            is_eager=True,
            callback=_set("verbose"),
            help="Log to stderr; give it twice for debug messages.",
        ),
        click.Option(
            ["--debug"],
            is_flag=True,
            expose_value=False,
            is_eager=True,
            callback=_set("debug"),
            help="Show the traceback when an error occurs.",
        ),
    ]


def _with_shared_options(command: click.Command) -> click.Command:
    """``command`` with the shared options added, to its subcommands too; idempotent."""
    taken = {option for param in command.params for option in param.opts}
    for option in _shared_options():
        if not taken.intersection(option.opts):
            command.params.append(option)
    if isinstance(command, click.Group):
        for child in command.commands.values():
            _with_shared_options(child)
    return command


def load_target(target: str) -> Any:
    """Import what ``module:attribute`` names."""
    module, _, attribute = target.partition(":")
    return getattr(import_module(module), attribute)


class LazyGroup(click.Group):
    """A group that lists its commands by name and imports one only when it is called."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Names of the commands, in the order of the table."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import the command; None if the table has no such name."""
        entry = COMMANDS.get(cmd_name)
        if entry is None:
            return None
        command: click.Command = load_target(entry.target)
        return _with_shared_options(command)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command, or suggest similar names."""
        name = args[0]
        if name not in COMMANDS and not name.startswith("-") and not ctx.resilient_parsing:
            near = get_close_matches(name, COMMANDS, n=2)
            hint = f"did you mean {' or '.join(map(repr, near))}?" if near else "see 'abr --help'"
            raise click.UsageError(f"no command {name!r}; {hint}", ctx)
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the commands by section without importing any."""
        width = max(map(len, COMMANDS))
        for title, section in SECTIONS.items():
            with formatter.section(title):
                rows = [(name.ljust(width), entry.help) for name, entry in section.items()]
                formatter.write_dl(rows)


def _show_version(ctx: click.Context, _param: click.Parameter, value: bool) -> None:
    if not value or ctx.resilient_parsing:
        return
    from abr import __version__

    python = ".".join(map(str, sys.version_info[:3]))
    click.echo(f"abrkit {__version__} (Python {python})")
    ctx.exit()


ROOT = LazyGroup(
    "abr",
    help="""Adaptive-bitrate video: transcode, serve, cache, play and measure.

    \b
    Examples:
      abr doctor                              check which tools are installed
      abr demo --out demo-out                 run every step once and write a report
      abr transcode film.mp4 packages/film    encode and package an HLS ladder
      abr COMMAND --help                      show the options and examples of a command
    """,
    params=[
        click.Option(
            ["--version"],
            is_flag=True,
            expose_value=False,
            is_eager=True,
            callback=_show_version,
            help="Print the version and exit.",
        ),
        *_shared_options(),
    ],
    context_settings={"help_option_names": ["-h", "--help"]},
)


def configuration(ctx: click.Context, table: str, cls: type[T], /, **overrides: object) -> T:
    """The settings of one component, by precedence: command line, environment, file, defaults.

    Args:
        ctx: The context of the running command.
        table: Name of the component's table in the settings file.
        cls: Its frozen dataclass.
        overrides: Fields given on the command line; those that are None are ignored.

    Raises:
        ConfigError: a value has an unknown name, a wrong type or is out of range.
        MissingFileError: the settings file named does not exist.
    """
    from abr.settings import load

    text, source = settings_text(ctx)
    given = {name: value for name, value in overrides.items() if value is not None}
    config, _ = load(
        table,
        cls,
        text=text,
        source=source,
        environ=os.environ,
        overrides=given,
        tables=TABLES,
    )
    return config


def settings_text(ctx: click.Context) -> tuple[str | None, str]:
    """Text and name of the settings file in use; the text is None if there is none.

    Raises:
        MissingFileError: the file named by ``--config`` or ``ABR_CONFIG`` cannot be read.
    """
    invocation = ctx.ensure_object(Invocation)
    named = invocation.config_file or os.environ.get("ABR_CONFIG")
    path = Path(named or "abr.toml")
    try:
        return path.read_text(encoding="utf-8"), str(path)
    except (OSError, UnicodeDecodeError) as exc:
        if named is None and isinstance(exc, FileNotFoundError):
            return None, ""
        reason = exc.strerror if isinstance(exc, OSError) else "not UTF-8 text"
        origin = "--config" if invocation.config_file else "ABR_CONFIG" if named else "settings"
        raise MissingFileError(f"{path}: {reason}; {origin} must be a readable TOML file") from exc


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command line and return its exit code; never raises.

    Args:
        argv: Arguments after ``abr``; if None, those of the process.
    """
    args = list(sys.argv[1:] if argv is None else argv)
    if "_ABR_COMPLETE" in os.environ:  # the shell asks for completions
        ROOT.main(args, prog_name="abr")
    invocation = Invocation()
    with contextlib.suppress(ValueError):  # outside the main thread
        interrupt_on_termination()
    try:
        return _run(args, invocation)
    except KeyboardInterrupt as exc:
        return _fail("interrupted", INTERRUPTED_EXIT_CODE, exc, invocation)
    except BrokenPipeError as exc:
        if not stdout_is_gone():
            return _fail(explain(exc), 1, exc, invocation)
        discard_stdout()
        return 1
    except Exception as exc:  # noqa: BLE001  # whatever goes wrong, the user sees one line and exit code 1
        if isinstance(exc, OSError) and exc.filename is None and exc.errno in NO_ROOM_ERRORS:
            discard_stdout()  # flushing its buffer at exit would fail again
        return _fail(explain(exc), 1, exc, invocation)


def _run(args: list[str], invocation: Invocation) -> int:
    try:
        with ROOT.make_context("abr", args, obj=invocation) as ctx:
            ROOT.invoke(ctx)
        sys.stdout.flush()
        return 0
    except click.exceptions.Exit as exc:
        sys.stdout.flush()
        return exc.exit_code
    except click.exceptions.NoArgsIsHelpError as exc:
        exc.show()
        return exc.exit_code
    except click.UsageError as exc:
        path = exc.ctx.command_path if exc.ctx is not None else "abr"
        what = one_line(exc.format_message()).rstrip(".")
        hint = "" if "--help" in what else f"; see '{path} --help'"
        return _fail(f"{what}{hint}", exc.exit_code, exc, invocation)
    except click.ClickException as exc:
        return _fail(one_line(exc.format_message()), exc.exit_code, exc, invocation)
    except click.Abort as exc:
        raise KeyboardInterrupt from exc


def _fail(text: str, exit_code: int, exc: BaseException, invocation: Invocation) -> int:
    if invocation.debug:
        import traceback

        traceback.print_exception(exc, file=sys.stderr)
    if exit_code == INTERRUPTED_EXIT_CODE:
        start = "\n" if sys.stderr.isatty() else ""  # ends the line on which the terminal echoed ^C
        print(f"{start}abr: {text}", file=sys.stderr)
    else:
        print(f"abr: error: {text}", file=sys.stderr)
    return exit_code


__all__ = [
    "COMMANDS",
    "ROOT",
    "TABLES",
    "Invocation",
    "configuration",
    "load_target",
    "main",
    "settings_text",
]
