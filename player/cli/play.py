"""``abr play``: a URL over HTTP, in real time."""

from __future__ import annotations

import contextlib
import math
import re
import sys
import time
from collections.abc import Callable, Coroutine, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from abr.cli.traces import columns_option, read_trace
from abr.errors import ConfigError
from abr.shell import note, run_async
from player.cli.options import (
    TRACE_HELP,
    algorithm_for,
    begun_after,
    check_algorithm,
    cmcd_options,
    find_qoes,
    playing_options,
    read_cmcd,
    read_config,
)
from player.cli.result import finish, keep, leave_behind

if TYPE_CHECKING:
    from abr.log import SessionLog
    from abr.qoe import Model
    from player.playback.session import PlaybackSession

PROGRESS_EVERY_S = 0.2


@click.command()
@click.argument("url")
@click.option(
    "--trace",
    "trace_text",
    metavar="TRACE",
    help=f"{TRACE_HELP}  [default: the network as it is]",
)
@columns_option
@click.option(
    "--save",
    "save_dir",
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="Keep the decrypted media: one file per track and rung.",
)
@click.option(
    "--algorithm",
    "-a",
    default="bola-sabre",
    show_default=True,
    metavar="NAME",
    help="ABR algorithm: `abr algorithms` lists them; FILE.py:CLASS is one of your own.",
)
@click.option(
    "--header",
    "-H",
    "header_texts",
    metavar="NAME:VALUE",
    multiple=True,
    help="Send this field to the server of URL, and to no other. Repeatable.",
)
@click.option("--user-agent", metavar="TEXT", help="Send this as User-Agent to every server.")
@click.option("--insecure", is_flag=True, help="Take certificates of HTTPS servers as they are.")
@click.option(
    "--codecs",
    metavar="NAMES",
    help="Codec families to play, best liked first, such as hevc,avc.  [default: the first listed]",
)
@click.option(
    "--language", metavar="TAG", help="Of the sound, such as de.  [default: the playlist's]"
)
@click.option(
    "--audio-group", metavar="ID", help="GROUP-ID of the sound.  [default: the first listed]"
)
@click.option(
    "--live-delay",
    "live_delay_s",
    type=click.FloatRange(min=0, min_open=True),
    metavar="SECONDS",
    help="Join a live stream this far from its end.  [default: as it says]",
)
@cmcd_options
@playing_options
@click.pass_context
def play(
    ctx: click.Context,
    /,
    url: str,
    trace_text: str | None,
    columns: str | None,
    save_dir: Path | None,
    header_texts: tuple[str, ...],
    user_agent: str | None,
    insecure: bool,
    cmcd_carriage: str | None,
    cmcd_version: str | None,
    session_id: str | None,
    content_id: str | None,
    algorithm: str,
    params: tuple[str, ...],
    after_path: Path | None,
    max_play_s: float | None,
    player: str | None,
    log_path: Path | None,
    qoe: tuple[str, ...],
    as_json: bool,
    **settings: Any,
) -> None:
    """Play URL headless over HTTP in real time.

    URL is a multivariant playlist, for example one printed by `abr serve`. With --trace
    every byte goes through a shaping proxy in this process that follows the trace.

    \b
    Examples:
      abr play http://127.0.0.1:8080/t/TOKEN/film/multivariant.m3u8
      abr play URL --trace lte.csv --algorithm bba-0 --log session.jsonl
      abr play URL --trace 3g.json --algorithm fixed --param rung=1 --duration 60 --json
      abr play https://cdn.example/film.m3u8 -H "X-Key: ..." --user-agent "tv/3"
    """
    from abr.files.traces import check_columns
    from player.api import play as play_url
    from player.files import MediaFolder, check_writable

    config = read_config(ctx, player=player, **settings)
    headers = read_headers(header_texts, user_agent)
    cmcd = read_cmcd(
        cmcd_carriage, version=cmcd_version, session_id=session_id, content_id=content_id
    )
    named = algorithm_for(ctx, algorithm, player)
    chosen, parameters = check_algorithm(named, begun_after([named], params, after_path))
    check_columns(columns, [] if trace_text is None else [trace_text])
    trace = None if trace_text is None else read_trace(trace_text, columns)
    check_writable(log_path)
    models = find_qoes(qoe)
    progress = ProgressLine(max_play_s) if sys.stderr.isatty() else None
    playing = partial(
        play_url,
        url,
        trace=trace,
        algorithm=chosen,
        params=parameters,
        config=config,
        max_play_s=max_play_s or math.inf,
        sink=MediaFolder(save_dir) if save_dir is not None else None,
        headers=headers,
        insecure=insecure,
        cmcd=cmcd,
    )
    log = _play_to_end(playing, progress, log_path, as_json=as_json, models=models)
    if log.provenance.get("shaper", {}).get("is_overloaded"):
        note("this machine was too busy to shape the network faithfully; do not trust the figures")
    finish(log, log_path, as_json=as_json, qoe=models)


def _play_to_end(
    playing: Callable[..., Coroutine[Any, Any, SessionLog]],
    progress: ProgressLine | None,
    log_path: Path | None,
    *,
    as_json: bool,
    models: Sequence[Model],
) -> SessionLog:
    """The log of a playback; what there is of it is kept when it is interrupted."""
    ended: list[SessionLog] = []
    try:
        with contextlib.redirect_stdout(sys.stderr):  # what an algorithm prints is no result
            return run_async(playing(on_progress=progress, on_end=ended.append))
    except KeyboardInterrupt:
        clear(progress)
        for log in ended:
            leave_behind(log, log_path, as_json=as_json, qoe=models)
        raise
    except BaseException:
        for log in ended:
            keep(log, log_path)
        raise
    finally:
        clear(progress)


def clear(progress: ProgressLine | None) -> None:
    """Take the progress line away, where there is one."""
    if progress is not None:
        progress.clear()


def read_headers(texts: Sequence[str], user_agent: str | None) -> dict[str, str]:
    """Fields of ``--header`` and ``--user-agent``.

    Raises:
        ConfigError: a text is no field; it is not repeated, since it may be a secret.
    """
    found = {} if user_agent is None else {"User-Agent": user_agent}
    for number, text in enumerate(texts, 1):
        name, colon, value = text.partition(":")
        is_field = colon and _NAME.fullmatch(name.strip()) and _VALUE.fullmatch(value.strip())
        if not is_field or name.strip().title() in ("Host", "Content-Length", "Range"):
            raise ConfigError(
                f"--header number {number}: expected NAME: VALUE of one line, and no name that "
                "the player sets itself (Host, Range)"
            )
        found[name.strip()] = value.strip()
    return found


# RFC 9110, 5.6.2 (token) and 5.5 (field-value).
_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_VALUE = re.compile(r"[\t\x20-\x7e\x80-\xff]*")


class ProgressLine:
    """One line on the terminal that follows the playback."""

    def __init__(self, max_play_s: float | None) -> None:
        self._max_play_s = max_play_s
        self._start_s = self._shown_s = time.monotonic()

    def __repr__(self) -> str:
        return f"<ProgressLine last shown after {self._shown_s - self._start_s:.1f} s>"

    def __call__(self, session: PlaybackSession) -> None:
        """Show where ``session`` stands, unless that was done a moment ago."""
        now_s = time.monotonic()
        if now_s - self._shown_s < PROGRESS_EVERY_S:
            return
        self._shown_s = now_s
        throughput = session.throughput_bps
        rate = "   -  " if math.isnan(throughput) else f"{throughput / 1e6:6.2f}"
        presentation, is_live = session.presentation, not math.isnan(session.latency_s)
        known_s = math.inf if presentation is None or is_live else presentation.duration_s
        total_s = self._max_play_s or known_s
        of = f"/{total_s:.0f}" if math.isfinite(total_s) else ""
        latency = f"latency {session.latency_s:5.1f} s   " if is_live else ""
        click.echo(
            f"\r{session.state:8} {now_s - self._start_s:6.1f}{of} s   "
            f"buffer {session.buffer_s:5.1f} s   {latency}rung {max(session.last_rung, 0)}   "
            f"throughput {rate} Mbit/s ",
            err=True,
            nl=False,
        )

    def clear(self) -> None:
        """Leave an empty line behind."""
        click.echo("\r" + " " * 96 + "\r", err=True, nl=False)
