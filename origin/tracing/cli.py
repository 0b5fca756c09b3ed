"""The commands ``abr watermark``: whose a captured copy is, and what a session's pattern is."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from abr.shell import reason_of, run_async

if TYPE_CHECKING:
    from transcode.files.keystore import KeyStore
    from transcode.run.captures import Tell
    from transcode.watermark.sessions import Session

NOBODY_EXIT_CODE = 3
"""The capture was read, and nobody can be named by it."""
_STATE = "state"


@click.group()
def watermark() -> None:
    """Find out whose a captured copy of a watermarked title is.

    \b
    Examples:
      abr watermark detect capture.mkv --package packages/film --sessions state
      abr watermark pattern 8kWmQ2TzR0uY
    """


_keys_option = click.option(
    "--keys",
    "keys_dir",
    metavar="DIR",
    help="Key store with the secret that marks and patterns are made under. "
    "[$ABR_KEYS, else abrkit/keys below the user's data folder]",
)


@watermark.command()
@click.argument("capture", type=click.Path(path_type=Path))
@click.option(
    "--package",
    required=True,
    metavar="DIR",
    type=click.Path(path_type=Path),
    help="The package that was copied, with both variants.",
)
@click.option(
    "--sessions",
    "sessions_in",
    required=True,
    metavar="FILE|state|WHERE",
    help="Who may have made it: a file with a session a line; state for the playback service's "
    "own list, by $ABR_STATE; or another FILE.sqlite or postgresql://… of that kind.",
)
@_keys_option
@click.option(
    "--limit",
    type=click.FloatRange(1e-12, 0.5),
    default=1e-3,
    metavar="P",
    help="Name nobody with a higher probability of a false accusation.  [0.001]",
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def detect(
    capture: Path,
    package: Path,
    sessions_in: str,
    keys_dir: str | None,
    limit: float,
    as_json: bool,
) -> None:
    """Name the session, or the two sessions, that CAPTURE was made from.

    CAPTURE is a folder of segments, segments in one file, or any film that ffmpeg reads: cut
    anywhere, in another container, scaled or encoded anew.

    Exit codes: 0 somebody is named, 1 an error, 2 wrong usage, 3 nobody can be named.

    \b
    Examples:
      abr watermark detect capture.mkv --package packages/film --sessions sessions.txt
      abr watermark detect segments/ --package packages/film --sessions state --json
    """
    from origin.tracing.telling import as_data, as_lines
    from transcode.run.captures import look_at
    from transcode.run.packagemedia import PackageMedia
    from transcode.watermark.accusing import accuse
    from transcode.watermark.pattern import watermark_secret

    keys = _open_keys(keys_dir)
    media = PackageMedia.open(package, keys.key)
    title = media.index.title
    sessions = _sessions(sessions_in, title, watermark_secret(keys))
    with _bar() as tell:
        evidence = run_async(look_at(capture, media, tell=tell))
    verdict = accuse(
        evidence,
        [each.id for each in sessions],
        [each.pattern for each in sessions],
        limit=limit,
    )
    if as_json:
        click.echo(json.dumps(as_data(evidence, verdict, title)))
    else:
        for line in as_lines(evidence, verdict, title):
            click.echo(line)
    if not verdict.named:
        raise click.exceptions.Exit(NOBODY_EXIT_CODE)


@watermark.command()
@click.argument("session")
@_keys_option
def pattern(session: str, keys_dir: str | None) -> None:
    """Print the pattern of SESSION, as the claim wm of its token has it.

    For services that make tokens of their own; the playback service does this by itself.

    \b
    Examples:
      abr watermark pattern 8kWmQ2TzR0uY --keys keys
    """
    from origin.tokens.keysets import b64url
    from transcode.watermark.pattern import pattern_of, watermark_secret

    click.echo(b64url(pattern_of(watermark_secret(_open_keys(keys_dir)), session)))


def _open_keys(keys_dir: str | None) -> KeyStore:
    from abr.errors import MissingFileError
    from transcode.files.keystore import KeyStore, default_keys_dir

    folder = Path(keys_dir) if keys_dir else default_keys_dir(os.environ)
    if not folder.is_dir():
        raise MissingFileError(
            f"{folder}: no such folder; expected the key store that the title was made with; "
            "give --keys DIR"
        )
    return KeyStore.open(folder, create=False)


def _sessions(where: str, title: str, secret: bytes) -> list[Session]:
    """The sessions of a title."""
    from abr.errors import MissingFileError
    from transcode.watermark.sessions import parse_sessions

    if where == _STATE or where.endswith(".sqlite") or "://" in where:
        return _sessions_in_state(where, title, secret)
    try:
        text = Path(where).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as exc:
        reason = reason_of(exc) if isinstance(exc, OSError) else "not UTF-8"
        raise MissingFileError(f"{where}: {reason}; expected a list of sessions") from exc
    return parse_sessions(text, title=title, secret=secret, where=where)


def _sessions_in_state(where: str, title: str, secret: bytes) -> list[Session]:
    """Those that the playback service has written down."""
    from origin.gateway.server.opening import default_state, open_state
    from transcode.watermark.pattern import pattern_of
    from transcode.watermark.sessions import Session, SessionsError

    place = default_state(os.environ) if where == _STATE else where
    if "://" not in place and not Path(place).is_file():
        raise SessionsError(f"{place}: no such file; expected the state of `abr gateway`")
    state = open_state(place)
    try:
        found = state.marked(title)
    finally:
        state.close()
    if not found:
        raise SessionsError(
            f"{place}: no session of {title} in it; expected some: name the state of the service "
            "that gave them (`abr serve` keeps one with --state only)"
        )
    return [Session(id=each, pattern=pattern_of(secret, each)) for each in found]


@contextmanager
def _bar() -> Iterator[Tell]:
    """A bar on a terminal, told what is done; nothing elsewhere."""
    import sys

    if not sys.stderr.isatty():
        yield lambda _what, _share: None
        return
    from rich.console import Console
    from rich.progress import Progress

    with Progress(console=Console(stderr=True), transient=True) as shown:
        task = shown.add_task("reading", total=1.0)
        yield lambda what, share: shown.update(task, description=what, completed=share)
