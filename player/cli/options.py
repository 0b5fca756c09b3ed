"""Options that the commands share, and what they mean."""

from __future__ import annotations

import contextlib
import math
import re
import shlex
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click
from click.core import ParameterSource

from abr.cli import configuration
from abr.errors import InputError
from abr.shell import note

if TYPE_CHECKING:
    from abr.qoe import Model
    from player.config import PlayerConfig
    from player.playback.cmcd import CmcdConfig

F = TypeVar("F", bound=Callable[..., Any])

PLAYERS = ("hlsjs-chromium", "shaka-chromium", "dashjs-chromium", "ideal", "abrkit")
"""Names of ``player.presets.PRESETS``, which takes longer to import than --help may."""

TRACE_HELP = (
    "Network to play over: a file in any known format, profile:NAME or "
    "generate:CLASS:SEED[:SECONDS]."
)


def _finite(_ctx: click.Context, _param: click.Parameter, value: float | None) -> float | None:
    if value is not None and not math.isfinite(value):
        raise click.BadParameter(f"{value}; expected seconds")
    return value


QOE = click.option(
    "--qoe",
    "qoe",
    multiple=True,
    metavar="NAME[:PARAM=VALUE]",
    help="Score the session by this QoE: qoe_lin, linear, log, hd, vmaf, ssim, sabre, p1203, or "
    "FILE.py:FUNCTION; repeat for several.",
)


def find_qoes(texts: Sequence[str]) -> tuple[Model, ...]:
    """The QoEs that ``--qoe`` names.

    Raises:
        QoEError: there is none of that name, it does not load, or one is named twice.
    """
    from abr.qoe import check_distinct, named

    with contextlib.redirect_stdout(sys.stderr):  # what a file prints is no result
        models = tuple(named(text) for text in texts)
    check_distinct(models)
    return models


_SHARED = (
    click.option(
        "--player",
        type=click.Choice(tuple(PLAYERS)),
        help="Buffer, start, resume and retry as this player does, and choose by its algorithm.",
    ),
    click.option(
        "--param",
        "params",
        multiple=True,
        metavar="NAME=VALUE",
        help="Parameter of the algorithm; repeat for several.",
    ),
    click.option(
        "--after",
        "after_path",
        type=click.Path(path_type=Path),
        metavar="LOG",
        help="Begin with the throughput that this earlier session measured (initial_bps).",
    ),
    click.option(
        "--duration",
        "max_play_s",
        type=click.FloatRange(min=0, min_open=True),
        callback=_finite,
        metavar="SECONDS",
        help="Stop this long after play is requested.  [default: play to the end]",
    ),
    click.option(
        "--rtt-ms",
        type=click.FloatRange(min=0),
        metavar="MS",
        help="Round-trip time where the trace gives none.  [default: 40]",
    ),
    click.option(
        "--max-buffer",
        "max_buffer_s",
        type=click.FloatRange(min=0, min_open=True),
        metavar="SECONDS",
        help="Most media to buffer.  [default: 30, or what --player does]",
    ),
    click.option(
        "--max-bitrate-mbps",
        type=click.FloatRange(min=0, min_open=True),
        metavar="MBPS",
        help="Play no rung above this mean rate, except the lowest.  [default: all]",
    ),
    click.option(
        "--max-height",
        type=click.FloatRange(min=0, min_open=True),
        metavar="LINES",
        help="Play no rung with a higher picture, except the lowest.  [default: all]",
    ),
    click.option(
        "--log",
        "log_path",
        type=click.Path(path_type=Path),
        metavar="FILE",
        help="Write the session log here (JSON Lines).",
    ),
    QOE,
    click.option("--json", "as_json", is_flag=True, help="Print one JSON object instead."),
)


def playing_options(command: F) -> F:
    """Add the options of both commands that play."""
    for option in reversed(_SHARED):
        command = option(command)
    return command


_CMCD = (
    click.option(
        "--cmcd",
        "cmcd_carriage",
        type=click.Choice(["query", "headers"]),
        help="Tell servers with each request where playback stands (CMCD).  [default: nothing]",
    ),
    click.option(
        "--cmcd-version",
        type=click.Choice(["1", "2"]),
        help="Version of CMCD: CTA-5004 or CTA-5004-B.  [default: 1]",
    ),
    click.option(
        "--session-id",
        metavar="TEXT",
        help="With --cmcd: sid.  [default: a UUID for each playback]",
    ),
    click.option("--content-id", metavar="TEXT", help="With --cmcd: cid.  [default: not told]"),
)


def cmcd_options(command: F) -> F:
    """Add the options of what is told to servers."""
    for option in reversed(_CMCD):
        command = option(command)
    return command


def read_cmcd(
    carriage: str | None, *, version: str | None, session_id: str | None, content_id: str | None
) -> CmcdConfig | None:
    """What is told to servers; None: nothing.

    Raises:
        ConfigError: an id that cannot be told.
        UsageError: something is said about CMCD, and none is sent.
    """
    if carriage is None:
        if version or session_id or content_id:
            raise click.UsageError(
                "--cmcd-version, --session-id and --content-id need --cmcd query or --cmcd headers"
            )
        return None
    from player.playback.cmcd import CmcdConfig

    return CmcdConfig(
        carriage=carriage,  # type: ignore[arg-type]  # one of the choices
        version=2 if version == "2" else 1,
        session_id=session_id or "",
        content_id=content_id or "",
    )


def read_config(
    ctx: click.Context,
    *,
    rtt_ms: float | None,
    max_buffer_s: float | None,
    max_bitrate_mbps: float | None,
    max_height: float | None,
    codecs: str | None = None,
    language: str | None = None,
    audio_group: str | None = None,
    live_delay_s: float | None = None,
    player: str | None = None,
) -> PlayerConfig:
    """The player's settings: of the file, of ``player``, and what the command line says."""
    from player.config import PlayerConfig
    from player.presets import preset

    config = configuration(
        ctx,
        "player",
        PlayerConfig,
        rtt_s=None if rtt_ms is None else rtt_ms / 1000,
        max_buffer_s=max_buffer_s,
        max_bitrate_bps=None if max_bitrate_mbps is None else max_bitrate_mbps * 1e6,
        max_height=max_height,
        codecs=codecs,
        language=language,
        audio_group=audio_group,
        live_delay_s=live_delay_s,
    )
    if player is None:
        return config
    config = preset(player).applied_to(config)
    if max_buffer_s is None:
        return config
    return replace(
        config, max_buffer_s=max_buffer_s, buffer_bytes=0.0, top_buffer_s=0.0, long_top_buffer_s=0.0
    )


def algorithm_for(ctx: click.Context, algorithm: str, player: str | None) -> str:
    """The algorithm asked for; the player's own when only a player was."""
    from player.presets import preset

    is_asked = any(
        ctx.get_parameter_source(name) not in (None, ParameterSource.DEFAULT)
        for name in ("algorithm", "algorithms")
    )
    return algorithm if is_asked or player is None else preset(player).algorithm


def check_algorithm(name: str, params: tuple[str, ...]) -> tuple[str, dict[str, str]]:
    """The canonical name, known to exist, and its parameters as given."""
    from abr import registry

    parameters = registry.params_from(params)
    canonical, remark = registry.resolve(name)
    if remark:
        note(remark)
    registry.load(canonical, **parameters)
    return canonical, parameters


def begun_after(
    names: Sequence[str], params: tuple[str, ...], path: Path | None
) -> tuple[str, ...]:
    """``params`` of algorithms, with the ``initial_bps`` that the log at ``path`` tells.

    Raises:
        InputError: it tells none, or one of them does not take it.
        UsageError: the parameter is given as well.
    """
    if path is None:
        return params
    from abr import registry
    from abr.logtable import measured_bps
    from player.files import read_log

    if any(each.partition("=")[0].strip() == "initial_bps" for each in params):
        raise click.UsageError("--after and --param initial_bps=... say the same; give one of them")
    rate_bps = measured_bps(read_log(path))
    if math.isnan(rate_bps):
        raise InputError(f"{path}: no video segment was finished; expected a session that played")
    for name in names:
        if not registry.takes(name, "initial_bps"):
            raise InputError(
                f"--after {path}: algorithm {name!r} has no parameter initial_bps: an earlier "
                "session tells it nothing; leave --after out, or choose one that has it, such as "
                "bola-e"
            )
    return (*params, f"initial_bps={rate_bps!r}")


def command_line() -> str:
    """The command as it was called, without the secrets of its URLs and fields."""
    return shlex.join(["abr", *shown_arguments(sys.argv[1:])])


def shown_arguments(arguments: Sequence[str]) -> list[str]:
    """Arguments as a log may hold them: without secrets in URLs, and fields without values."""
    from abr.redaction import Redactor, secrets_in_source
    from origin.tokens.redaction import redact

    shown: list[str] = []
    is_field = False
    for each in arguments:
        option = _FIELD_OPTION.match(each)
        if is_field or option is None:
            names = Redactor(secrets=secrets_in_source(each))
            shown.append(_without_value(each) if is_field else redact(names.words(each)))
            is_field = False
        else:
            shown.append(option[0] + _without_value(each[option.end() :]))
            is_field = each in ("-H", "--header")
    return shown


_FIELD_OPTION = re.compile(r"--header(?:=|$)|-H")


def _without_value(field: str) -> str:
    name, colon, _ = field.partition(":")
    return f"{name}: -" if colon else "-" if field else ""
