"""Transcoding: a master becomes a package on disk, whole or not at all.

Inspect, plan, encode, measure, package, validate: one module each, called here in order. The
encode puts products into the cache; the package is made of them in a folder beside the target,
named ``.OUT.partial-…``, checked, flushed to the disk and renamed. A failure or an interruption
leaves nothing behind but finished products, which the next run uses.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from abr.arguments import as_path
from abr.errors import ConfigError, MissingFileError
from abr.shell import note
from transcode.config import TranscodeConfig
from transcode.encryption import KeyProvider
from transcode.files.keystore import KeyStore, default_keys_dir
from transcode.files.reader import check_package
from transcode.masters.damage import DamagedError
from transcode.measuring.comparing import display_of
from transcode.media.transport import ORIGIN
from transcode.packaging import layout
from transcode.packaging.index import PresentationIndex
from transcode.packaging.layout import video_folder
from transcode.planning.jobs import Job, longest_first
from transcode.planning.planview import plan_as_data
from transcode.quality import QualityFacts
from transcode.run.assemble import index_of, write_index, write_tracks
from transcode.run.cache import Cache
from transcode.run.ladder import metric_of
from transcode.run.loudness import loudness_of
from transcode.run.owned import owned_folder, remove_abandoned
from transcode.run.placing import (
    check_target,
    flush,
    move_into_place,
    partial_folder,
    remove_leftovers,
)
from transcode.run.planning import (
    Planned,
    cache_folder,
    plan_for_damage,
    plan_once_more,
    plan_transcode,
)
from transcode.run.process import Tick
from transcode.run.progress import Pace, TranscodeProgress
from transcode.run.schedule import do_all, keep_undamaged, look_up, tasks_of
from transcode.run.scoring import measure_tracks
from transcode.run.texts import Text, read_texts, write_texts
from transcode.run.threads import in_thread
from transcode.run.thumbnails import thumbnails
from transcode.run.tracks import Encrypter
from transcode.run.validate import check_rules, decode_tracks, read_back, variants_b
from transcode.verify import check_frames, check_sound
from transcode.watermark.marks import seed_of
from transcode.watermark.pattern import Secrets, watermark_secret

__all__ = ["TranscodeProgress", "transcode"]


async def transcode(
    master: str | os.PathLike[str],
    out: str | os.PathLike[str],
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
        DiskFullError: no room; of the package nothing is left behind.
        PeerError: the cluster.
    """
    master = as_path(master, "transcode(master=...)")
    out = _absolute(as_path(out, "transcode(out=...)"))
    config = (config or TranscodeConfig()).check()
    remove_leftovers(out)
    with _open_cache(config, out) as cache:
        title = check_out(out, config)
        seed = _marks_seed(config, out, title, keys)
        planned = await plan_transcode(master, config, cache, marks_seed=seed)
        texts = await read_texts(
            master, planned.master, config.subtitles, stall_limit_s=config.stall_limit_s
        )
        encrypter = _encrypter(config, out, title, keys)
        async with partial_folder(out) as package:
            with contextlib.ExitStack() as uses:
                work = _Work(planned, config, cache, uses, on_progress)
                await work.encode()
                quality = await work.measure()
                if quality and (again := plan_once_more(work.planned, quality, config)):
                    on_note(_once_more(work.planned, again))
                    work.begin(again)
                    await work.encode()
                    quality = await work.measure()
                index = await _package(
                    work.planned, config, cache, package, work.pace,
                    title=title, source_name=source_name, encrypter=encrypter,
                    texts=texts, quality=quality, on_note=on_note,
                )  # fmt: skip
            move_into_place(package, out, force=config.force)
        cache.prune(round(config.cache_gb * 1e9))
    return index


def _once_more(before: Planned, after: Planned) -> str:
    """What is encoded again, and how."""
    changed = [
        f"{video_folder(number)} at constant quality {new.rate_control.crf:g} instead of "
        f"{old.rate_control.crf:g}"
        for number, (old, new) in enumerate(zip(before.plan.rungs, after.plan.rungs, strict=True))
        if old != new
    ]
    return f"below its target, so encoded once more: {', '.join(changed)}"


def check_out(out: Path, config: TranscodeConfig) -> str:
    """Check that a package may be made in ``out``; return its title.

    Raises:
        PackageError: it is taken, or gives no title.
    """
    out = _absolute(out)
    title = layout.title_of(out.name)
    check_target(out, force=config.force)
    return title


async def show_plan(master: Path, out: Path, config: TranscodeConfig) -> dict[str, Any]:
    """What would be done with ``master``; see ``plan_as_data``. Nothing is encoded.

    Raises:
        MissingFileError, MediaError: the master cannot be used.
        ConfigError: settings do not fit the master or each other.
        ToolMissingError, ToolFailedError: ffmpeg.
    """
    config = config.check()
    cache = Cache(cache_folder(config))
    out = _absolute(out)
    seed = _marks_seed(config, out, check_out(out, config), None)
    planned = await plan_transcode(master, config, cache, marks_seed=seed)
    addresses = planned.order.addresses
    there = frozenset(each for each in addresses.values() if cache.holds(each))
    return plan_as_data(planned.master, planned.plan, addresses, there)


@contextlib.contextmanager
def _open_cache(config: TranscodeConfig, out: Path) -> Iterator[Cache]:
    """The cache of ``config``; one for this run only where none is wanted, or none can be."""
    if not config.no_cache:
        cache = Cache(cache_folder(config))
        try:
            cache.create()
        except MissingFileError as exc:
            if config.cache_dir:
                raise
            note(f"{exc}; nothing is kept")
        else:
            yield cache
            return
    existing = next(each for each in out.parents if each.is_dir())
    prefix = f".{out.name}.cache-"
    remove_abandoned(existing, prefix)
    with owned_folder(existing, prefix) as folder:
        cache = Cache(folder)
        cache.create()
        yield cache


def _encrypter(
    config: TranscodeConfig, out: Path, title: str, keys: KeyProvider | None
) -> Encrypter | None:
    if config.encrypt == "none":
        return None
    provider = keys or KeyStore.open(_keys_dir(config, out))
    return Encrypter(
        provider, title, config.rotate_every, config.scheme, config.keys_per, config.explicit_iv
    )


def _marks_seed(config: TranscodeConfig, out: Path, title: str, keys: KeyProvider | None) -> bytes:
    """What the marks of variants are made of; nothing where there are none."""
    if not config.watermark:
        return b""
    secrets = keys or KeyStore.open(_keys_dir(config, out))
    if not isinstance(secrets, Secrets):
        raise ConfigError(
            "transcode.watermark: the keys that are given keep no secrets; expected a key store"
        )
    return seed_of(watermark_secret(secrets), title)


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


class _Work:
    """What a plan takes: products made and measured, and kept while they are needed."""

    def __init__(
        self,
        planned: Planned,
        config: TranscodeConfig,
        cache: Cache,
        uses: contextlib.ExitStack,
        on_progress: Callable[[TranscodeProgress], None] | None,
    ) -> None:
        self._config = config
        self._cache = cache
        self._uses = uses
        self._on_progress = on_progress
        self.begin(planned)

    def __repr__(self) -> str:
        return f"<_Work of {len(self.planned.order.jobs)} jobs, {self.pace!r}>"

    def begin(self, planned: Planned) -> None:
        """Go on with another plan; what was made for the one before is still kept."""
        self.planned = planned
        self._uses.enter_context(self._cache.in_use(planned.order.addresses.values()))
        self.pace = Pace(
            planned.plan,
            self._on_progress,
            in_full=self._config.verify == "full",
            measures=metric_of(self._config) is not None,
        )

    async def encode(self) -> None:
        """Have everything made that the cache lacks; once more where damage turns up."""
        try:
            await self._encode()
        except DamagedError:
            if self.planned.master.damage is not None:
                raise
            before = self.planned.order
            self.begin(await plan_for_damage(self.planned, self._config, self._cache))
            keep_undamaged(before, self.planned.order, self._cache)
            await self._encode()

    async def _encode(self) -> None:
        planned, cache, pace = self.planned, self._cache, self.pace
        todo = await in_thread(lambda check: look_up(planned.order, cache, check))
        pace.skip(todo)
        pace.begin("encode")
        loop = asyncio.get_running_loop()

        def on_tick(job: Job, tick: Tick) -> None:
            loop.call_soon_threadsafe(pace.tick, job, tick)

        ordered = longest_first(todo, planned.plan)
        tasks = tasks_of(planned.order, ordered, planned.source, self._config, cache)
        await do_all(tasks, self._config, cache, on_tick=on_tick, on_done=pace.finish)

    async def measure(self) -> QualityFacts | None:
        """Quality of every rung, where it is asked for."""
        metric = metric_of(self._config)
        if metric is None:
            return None
        planned, pace = self.planned, self.pace
        plan = planned.plan
        pace.begin("measure")
        sizes = [(rung.width, rung.height) for rung in plan.rungs]
        return await measure_tracks(
            plan,
            planned.order.addresses,
            display_of(planned.master, sizes, metric),
            planned.source,
            self._config,
            self._cache,
            tell=lambda part: pace.tell(part, part * plan.duration_s),
        )


async def _package(
    planned: Planned,
    config: TranscodeConfig,
    cache: Cache,
    package: Path,
    pace: Pace,
    *,
    title: str,
    source_name: str | None,
    encrypter: Encrypter | None,
    texts: Sequence[Text],
    quality: QualityFacts | None,
    on_note: Callable[[str], None],
) -> PresentationIndex:
    """Make the package of the products, and check it."""
    plan = planned.plan
    pace.begin("package")
    tracks = await in_thread(
        lambda check: write_tracks(
            plan,
            lambda name: cache.path_of(planned.order.addresses[name]),
            package,
            encrypter=encrypter,
            encrypts_init=config.seal_init,
            container=config.container,
            check=check,
        )
    )
    check_frames(planned.master, plan, [folder.frames for folder in tracks.video])
    check_sound(
        planned.source.where,
        tracks.video[0].duration_s,
        {folder.path.name: folder.duration_s for folder in tracks.audio},
    )
    pace.begin("verify")
    await read_back(tracks.all)
    if config.verify == "full":
        count = len(tracks.all)
        await decode_tracks(
            tracks.all,
            on_tick=lambda track, tick: pace.tell(
                (track + min(1.0, tick.media_s / plan.duration_s)) / count,
                track * plan.duration_s + tick.media_s,
            ),
            stall_limit_s=config.stall_limit_s,
        )
    if config.loudness_lufs:
        for folder in tracks.audio:
            heard = await loudness_of(folder, stall_limit_s=config.stall_limit_s)
            folder.loudness_lufs = round(heard.integrated_lufs, 1)
    durations_s = [segment.duration_s for segment in tracks.video[0].segments]
    origin = ORIGIN if config.container == "ts" else 0
    text = write_texts(texts, package, durations_s, origin=origin, on_note=on_note)
    rungs = tuple(zip(tracks.video, plan.rungs, strict=True))
    images = await thumbnails(rungs, package, config, on_note=on_note)
    index = index_of(
        tracks, planned.master, plan, config,
        title=title, source_name=source_name, encrypter=encrypter, text=text, images=images,
        quality=quality,
    )  # fmt: skip
    write_index(index, package)
    check_package(package)
    await check_rules(package, encrypter.keys if encrypter else ())
    if index.watermarked:
        with variants_b(package, index) as seen:
            await check_rules(seen, encrypter.keys if encrypter else ())
    await flush(package)
    pace.tell(1.0, plan.duration_s)
    return index
