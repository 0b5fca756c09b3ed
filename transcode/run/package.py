"""Transcoding: a master becomes a package on disk, whole or not at all.

Inspect, plan, encode, package, validate, one module each. Everything is written into a folder
beside the target, named ``.OUT.partial-…``: first the products of the encode, then the package
made of them. The package is checked, flushed to the disk and renamed. A failure or an
interruption leaves nothing behind.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from pathlib import Path

from abr.errors import ConfigError
from abr.shell import cause_of
from transcode import layout
from transcode.config import TranscodeConfig
from transcode.encryption import KeyProvider
from transcode.files.keystore import KeyStore, default_keys_dir
from transcode.files.reader import check_package
from transcode.jobs import Job, VideoJob, jobs_of
from transcode.layout import PresentationIndex
from transcode.masters.damage import DamagedError
from transcode.masters.master import Master
from transcode.masters.streams import StreamWish
from transcode.plan import EncodePlan, plan_encode
from transcode.run.assemble import index_of, write_index, write_tracks
from transcode.run.encode import encode, product_path
from transcode.run.examine import examine
from transcode.run.loudness import bring_to, loudness_of
from transcode.run.placing import check_target, flush, move_into_place, partial_folder
from transcode.run.probe import probe
from transcode.run.process import Tick
from transcode.run.progress import Pace, TranscodeProgress
from transcode.run.texts import read_texts, write_texts
from transcode.run.thumbnails import thumbnails
from transcode.run.tracks import Encrypter
from transcode.run.validate import check_rules, decode_tracks
from transcode.verify import check_frames, check_sound

__all__ = ["TranscodeProgress", "transcode"]


async def transcode(
    master: str | Path,
    out: str | Path,
    config: TranscodeConfig | None = None,
    on_progress: Callable[[TranscodeProgress], None] | None = None,
    *,
    on_note: Callable[[str], None] = lambda _line: None,
    keys: KeyProvider | None = None,
    source_name: str | None = None,
) -> PresentationIndex:
    """Turn ``master`` into a package in the folder ``out``.

    Args:
        master: A video file.
        out: The folder to make; its name gives the title.
        config: Settings; the defaults when None.
        on_progress: Called with the progress a few times a second.
        on_note: Called with a line for each thing that a user should know of.
        keys: Where content keys come from; None opens the key store of ``config``.
        source_name: Name of the master in the index; its file name and size when None.

    Raises:
        MissingFileError, MediaError: the master cannot be used.
        PackageError: ``out`` is taken.
        ConfigError: settings do not fit the master or each other.
        KeyStoreError: the key store cannot be opened.
        ToolMissingError, ToolFailedError: ffmpeg.
        DiskFullError: no room; nothing is left behind.
    """
    config = (config or TranscodeConfig()).check()
    out = _absolute(out)
    title = layout.title_of(out.name)
    check_target(out, force=config.force)
    wish = StreamWish.of(config.video, config.audio, all_audio=config.all_audio)
    facts = await probe(master, wish=wish)
    plan = await _plan(facts, Path(master), config)
    texts = await read_texts(
        Path(master), facts, config.subtitles, stall_limit_s=config.stall_limit_s
    )
    encrypter = None
    if config.encrypt != "none":
        provider = keys or KeyStore.open(_keys_dir(config, out))
        encrypter = Encrypter(provider, title, config.rotate_every)
    pace = Pace(plan.duration_s, on_progress)
    async with partial_folder(out) as partial:
        products, package = partial / "products", partial / "package"
        products.mkdir()
        package.mkdir()
        try:
            await _encode(plan, Path(master), facts, products, pace, config)
        except DamagedError:
            if facts.damage is not None:
                raise
            facts = await examine(Path(master), facts)
            plan = await _plan(facts, Path(master), config)
            await _encode(plan, Path(master), facts, products, pace, config)
        tracks = write_tracks(
            plan,
            lambda name: product_path(products, name),
            package,
            encrypter=encrypter,
            encrypts_init=config.seal_init,
        )
        check_frames(facts, plan, [folder.frames for folder in tracks.video])
        check_sound(
            facts.where,
            tracks.video[0].duration_s,
            {folder.path.name: folder.duration_s for folder in tracks.audio},
        )
        pace.begin("verify")
        await decode_tracks(
            tracks.all,
            in_full=config.verify == "full",
            on_tick=lambda track, tick: pace.tell(
                track * plan.duration_s + tick.media_s, of=len(tracks.all)
            ),
            stall_limit_s=config.stall_limit_s,
        )
        if config.loudness_lufs:
            for folder in tracks.audio:
                heard = await loudness_of(folder, stall_limit_s=config.stall_limit_s)
                folder.loudness_lufs = round(heard.integrated_lufs, 1)
        durations_s = [segment.duration_s for segment in tracks.video[0].segments]
        text = write_texts(texts, package, durations_s, on_note=on_note)
        rungs = tuple(zip(tracks.video, plan.rungs, strict=True))
        images = await thumbnails(rungs, package, config, on_note=on_note)
        index = index_of(
            tracks, facts, plan, config,
            title=title, source_name=source_name, encrypter=encrypter,
            text=text,
            images=images,
        )  # fmt: skip
        write_index(index, package)
        check_package(package)
        await check_rules(package, encrypter.keys if encrypter else ())
        await flush(package)
        move_into_place(package, out, force=config.force)
    return index


async def _plan(facts: Master, master: Path, config: TranscodeConfig) -> EncodePlan:
    plan = plan_encode(facts, config)
    if not config.loudness_lufs:
        return plan
    return await bring_to(
        plan, config.loudness_lufs, master, facts.where, stall_limit_s=config.stall_limit_s
    )


def _absolute(path: str | Path) -> Path:
    """``path`` from the root, without ``..``; links are not followed."""
    return Path(os.path.abspath(path))


def _keys_dir(config: TranscodeConfig, out: Path) -> Path:
    folder = Path(config.keys_dir) if config.keys_dir else default_keys_dir(os.environ)
    if folder.resolve().is_relative_to(out.resolve()):
        raise ConfigError(
            f"transcode.keys_dir: {folder} lies in the package {out}; expected a folder apart, "
            "because packages are public"
        )
    return folder


async def _encode(
    plan: EncodePlan,
    master: Path,
    facts: Master,
    products: Path,
    pace: Pace,
    config: TranscodeConfig,
) -> None:
    """Do all the work of ``plan``, pictures and sound side by side."""

    def show(job: Job) -> Callable[[Tick], None] | None:
        if not isinstance(job, VideoJob):
            return None
        return lambda tick: pace.tell(tick.frames / float(plan.pictures.frame_rate))

    try:
        async with asyncio.TaskGroup() as tasks:
            for job in jobs_of(plan):
                tasks.create_task(
                    encode(
                        job, master, facts.where, products,
                        on_tick=show(job), stall_limit_s=config.stall_limit_s,
                    )
                )  # fmt: skip
    except BaseExceptionGroup as group:
        raise cause_of(group) from group
