"""The ``transcode`` command: a master in, a package out."""

from __future__ import annotations

import contextlib
import json
from collections.abc import AsyncIterator, Callable
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

import click

from abr.cli import configuration
from abr.shell import note, run_async
from transcode.cli.outcome import print_table, summary
from transcode.config import Preset, TranscodeConfig
from transcode.packaging.keygroups import KeysPer

if TYPE_CHECKING:
    from transcode.packaging.index import PresentationIndex
    from transcode.run.package import TranscodeProgress
    from transcode.storage.objects import ObjectStore


@click.command()
@click.argument("paths", nargs=-1, metavar="MASTER OUT", type=click.Path(path_type=Path))
@click.option(
    "--demo", is_flag=True, help="Generate a master instead of reading one; give only OUT."
)
@click.option(
    "--demo-s",
    type=click.FloatRange(1, 3600),
    default=24.0,
    help="Length of the generated master in seconds  [24].",
)
@click.option(
    "--demo-size", default="640x360", help="Picture size of the generated master  [640x360]."
)
@click.option("--segment", "segment_s", type=float, help="Seconds per segment  [4].")
@click.option(
    "--ladder",
    metavar="LADDER",
    help="auto, apple, small, per-title, HEIGHT:KBPS,…, or a file ending in .toml  [auto].",
)
@click.option(
    "--quality",
    type=click.Choice(["auto", "none", "vmaf", "xpsnr", "ssim"]),
    help="Measure every segment and rung  [auto: per-title ladders only].",
)
@click.option(
    "--codec", metavar="NAME,…", help="h264, hevc, av1: a ladder in each that is named  [h264]."
)
@click.option("--tone-map", is_flag=True, default=None, help="Turn HDR into SDR in every codec.")
@click.option(
    "--preset", type=click.Choice(get_args(Preset)), help="Speed of encoders  [veryfast]."
)
@click.option("--video", metavar="N", help="Stream of MASTER that is the picture  [by rule].")
@click.option(
    "--background", metavar="COLOUR", help="What is behind transparent pictures: white, #204060, …"
)
@click.option(
    "--audio",
    metavar="N,…",
    help="Sounds to keep, the default first: numbers of streams (2+3 joins two), languages, none.",
)
@click.option(
    "--all-audio", is_flag=True, default=None, help="Keep sounds of every language and kind."
)
@click.option("--surround", is_flag=True, default=None, help="Keep 5.1 too where there is some.")
@click.option("--audio-codec", type=click.Choice(["aac", "opus"]), help="Opus comes beside AAC.")
@click.option(
    "--loudness", "loudness_lufs", type=float, metavar="LUFS", help="Bring every sound to it."
)
@click.option(
    "--container",
    type=click.Choice(["fmp4", "ts"]),
    help="Segments in fragments of MP4, or in transport streams for old devices  [fmp4].",
)
@click.option(
    "--encrypt",
    type=click.Choice(["none", "aes-128", "cbcs", "cenc"]),
    help="Encrypt segments (aes-128), or samples (cbcs, cenc), of picture and sound; subtitles and "
    "thumbnails stay clear.",
)
@click.option("--rotate-every", type=int, metavar="N", help="Use a new key every N segments.")
@click.option(
    "--seal-init", is_flag=True, default=None, help="Encrypt initialisation sections too."
)
@click.option(
    "--watermark",
    is_flag=True,
    default=None,
    help="Two variants of each segment of video, so that copies can be traced to sessions.",
)
@click.option(
    "--explicit-iv",
    is_flag=True,
    default=None,
    help="Give every segment a vector of its own in the playlist; else its number is it.",
)
@click.option(
    "--keys-per",
    type=click.Choice(get_args(KeysPer)),
    help="quality: keys of their own for sound, SD, HD and UHD  [title].",
)
@click.option("--keys", "keys_dir", metavar="DIR", help="Folder of the key store.")
@click.option(
    "--subtitles",
    multiple=True,
    metavar="FILE[:LANG]",
    help="A file of subtitles, several times if wanted; none: not even the master's own.",
)
@click.option(
    "--thumbnails", is_flag=True, default=None, help="Make images of thumbnails, for scrubbing."
)
@click.option(
    "--verify",
    type=click.Choice(["full", "quick"]),
    help="Decode all frames as a check, or key frames  [quick].",
)
@click.option(
    "--executor", metavar="WHERE", help="Where to encode: local, or dask://HOST:PORT  [local]."
)
@click.option("--workers", type=int, metavar="N", help="Chunks at a time on this machine.")
@click.option("--cache", "cache_dir", metavar="DIR", help="Folder in which chunks are kept.")
@click.option("--no-cache", is_flag=True, default=None, help="Keep no chunks for later runs.")
@click.option(
    "--tolerate",
    type=float,
    metavar="N",
    help="Damage that is let through: N percent of the frames or N seconds  [1].",
)
@click.option(
    "--strict", "tolerate", flag_value=0.0, type=float, help="Refuse a master with any damage."
)
@click.option("--force", is_flag=True, default=None, help="Replace the package OUT.")
@click.option(
    "--publish",
    "store",
    metavar="STORE",
    help="Publish the package too: in a folder, or s3://BUCKET/PREFIX.",
)
@click.option(
    "--plan", "plan_only", is_flag=True, help="Print what would be done, and encode nothing."
)
@click.option(
    "--events",
    "events_to",
    default="",
    metavar="FILE",
    help="Write progress as lines of JSON; - is standard error.",
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object instead of a table.")
@click.pass_context
def transcode(
    ctx: click.Context,
    /,
    paths: tuple[Path, ...],
    demo: bool,
    demo_s: float,
    demo_size: str,
    store: str | None,
    plan_only: bool,
    events_to: str,
    as_json: bool,
    **settings: Any,
) -> None:
    """Turn a MASTER file into a packaged HLS ladder in the folder OUT.

    The rungs suit the master: none has a larger picture or a higher frame rate. OUT
    appears complete or not at all, once every rung has been decoded as a check.

    \b
    Examples:
      abr transcode film.mp4 packages/film
      abr transcode film.mp4 packages/film --encrypt aes-128 --rotate-every 10
      abr transcode film.mp4 packages/film --ladder 234:200,360:600,720:2500
      abr transcode film.mkv packages/film --audio de,en --surround --loudness -23
      abr transcode film.mp4 packages/film --publish s3://films/live
      abr transcode film.mp4 packages/film --plan
      abr transcode film.mp4 packages/film --executor dask://10.0.0.7:8786
      abr transcode --demo packages/demo       a generated master
    """
    from transcode.files.keystore import is_no_store

    if len(paths) != (1 if demo else 2):
        expected = "OUT only with --demo" if demo else "MASTER and OUT, or --demo and OUT"
        raise click.UsageError(f"found {len(paths)} paths; expected {expected}")
    settings["subtitles"] = settings["subtitles"] or None
    config = configuration(ctx, "transcode", TranscodeConfig, **settings)
    if plan_only:
        if demo:
            raise click.UsageError("found --plan with --demo; expected MASTER and OUT")
        run_async(_show_plan(paths, config, as_json=as_json))
        return
    generated = (demo_s, demo_size) if demo else None
    opened = _open_store(store)  # before the work of a package that cannot be published
    is_new = config.encrypt != "none" and is_no_store(config.keys_dir)
    index = run_async(make_package(paths, config, generated, events_to))
    published = _publish(paths[-1], opened)
    if is_new:
        note(f"{config.keys_dir}: no key store was there, so a new one was made for these keys")
    if as_json:
        click.echo(
            json.dumps(summary(index, paths[-1]) | ({"published": published} if store else {}))
        )
        return
    print_table(index, paths[-1])
    if published is not None:
        click.echo(f"published: version {published['version']} in {published['where']}")


def _open_store(where: str | None) -> ObjectStore | None:
    """The store to publish in; it has answered once."""
    if where is None:
        return None
    from transcode.files.publish import published_titles
    from transcode.files.stores import open_store

    opened = open_store(where, create=True)
    published_titles(opened)
    return opened


def _publish(package: Path, store: ObjectStore | None) -> dict[str, Any] | None:
    """Publish what was made; when that fails, the package stays."""
    if store is None:
        return None
    from abr.errors import PeerError, ResourceError
    from transcode.files.publish import publish

    try:
        return asdict(publish(package, store))
    except (PeerError, ResourceError) as exc:
        raise type(exc)(
            f"{exc}; {package} is complete: `abr store publish {package} {store.where}` goes on"
        ) from exc


async def make_package(
    paths: tuple[Path, ...],
    config: TranscodeConfig,
    demo: tuple[float, str] | None,
    events_to: str = "",
) -> PresentationIndex:
    """Transcode ``MASTER OUT``, or with ``demo`` (seconds, size) a generated one to ``OUT``.

    Shows its progress on a terminal, and as lines of JSON in ``events_to``.
    """
    from transcode.run import package, telling
    from transcode.run.generate import GENERATED_NAME

    with telling.open_events(events_to) as events, telling.bars() as show:

        def on_progress(progress: TranscodeProgress) -> None:
            show(progress)
            events.progress(progress)

        if demo is None:
            return await package.transcode(
                paths[0], paths[1], config, on_progress, on_note=events.note
            )
        package.check_out(paths[0], config)  # before the work of a master that nobody wants
        async with _generate_master(*demo, on_progress) as master:
            return await package.transcode(
                master, paths[0], config, on_progress,
                on_note=events.note, source_name=GENERATED_NAME,
            )  # fmt: skip


@contextlib.asynccontextmanager
async def _generate_master(
    duration_s: float, size: str, on_progress: Callable[[TranscodeProgress], None]
) -> AsyncIterator[Path]:
    """A generated master, while it is needed."""
    import tempfile

    from transcode.run.generate import write_master
    from transcode.run.progress import TranscodeProgress
    from transcode.scenes import SceneSpec

    def tell(fraction: float) -> None:
        on_progress(
            TranscodeProgress(
                phase="generate", fraction=fraction, speed=0.0, eta_s=float("inf"), tracks={}
            )
        )

    try:
        width, height = map(int, size.lower().split("x"))
        spec = SceneSpec(width=width, height=height, duration_s=duration_s)
    except ValueError as exc:
        raise click.BadParameter(
            f"found {size!r}; expected even WIDTHxHEIGHT such as 640x360", param_hint="--demo-size"
        ) from exc
    with tempfile.TemporaryDirectory(prefix="abr-master-") as folder:
        yield await write_master(Path(folder) / "generated.mkv", spec, on_progress=tell)


async def _show_plan(paths: tuple[Path, ...], config: TranscodeConfig, *, as_json: bool) -> None:
    """Print what would be done."""
    from transcode.planning.planview import plan_as_lines
    from transcode.run.package import show_plan

    data = await show_plan(paths[0], paths[1], config)
    if as_json:
        click.echo(json.dumps(data))
        return
    for line in plan_as_lines(data):
        click.echo(line)
