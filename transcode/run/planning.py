"""The first two stages: inspect the master, and plan everything that follows.

Nothing is encoded here. What is planned says of each product where the cache keeps it, so a
plan can be printed together with what is left to do.
"""

from __future__ import annotations

import asyncio
import os
from dataclasses import dataclass, replace
from pathlib import Path

from abr.userfolders import cache_home
from transcode.config import TranscodeConfig
from transcode.ladders.pertitle import mend_rungs
from transcode.ladders.rungs import PlannedRung
from transcode.masters.master import Master
from transcode.masters.streams import StreamWish
from transcode.planning.jobs import jobs_of
from transcode.planning.plan import EncodePlan, plan_encode, with_marks
from transcode.quality import QualityFacts, shortfalls
from transcode.run.cache import Cache
from transcode.run.digests import digest_of
from transcode.run.encode import Source, build_of, tool_for
from transcode.run.examine import examine
from transcode.run.findings import address_of, keep, recall
from transcode.run.ladder import choose_ladder
from transcode.run.loudness import bring_to
from transcode.run.probe import probe
from transcode.run.schedule import Order, order_of
from transcode.run.starts import keep_real_starts


@dataclass(frozen=True, slots=True, kw_only=True)
class Planned:
    """A transcode before it begins."""

    master: Master
    plan: EncodePlan
    rungs: tuple[PlannedRung, ...] | None
    """The ladder that was found by trials or read; None where its name says it."""
    source: Source
    digest: str
    """Of the master."""
    order: Order


def cache_folder(config: TranscodeConfig) -> Path:
    """Folder of the cache."""
    given = config.cache_dir or os.environ.get("ABR_CACHE")
    if given:
        return Path(os.path.abspath(given))
    return cache_home(os.environ) / "abrkit" / "transcode"


async def plan_transcode(
    master: Path, config: TranscodeConfig, cache: Cache, *, marks_seed: bytes = b""
) -> Planned:
    """Inspect ``master``, and plan; ``marks_seed`` is what a watermark is made of.

    Raises:
        MissingFileError, MediaError: the master cannot be used.
        ConfigError: settings do not fit the master.
        ToolMissingError, ToolFailedError: ffmpeg.
    """
    wish = StreamWish.of(config.video, config.audio, all_audio=config.all_audio)
    facts = await probe(master, wish=wish)
    source = Source.of(master, facts.where)
    digest = await asyncio.to_thread(digest_of, master, cache.digests)
    facts = await keep_real_starts(facts, master, stall_limit_s=config.stall_limit_s)
    if recall(*_damage_at(digest, cache)):
        facts = await examine(master, facts)
    return await _plan(facts, source, digest, config, cache, marks_seed)


async def plan_for_damage(planned: Planned, config: TranscodeConfig, cache: Cache) -> Planned:
    """Plan again, once the master has turned out to be damaged.

    Raises:
        DamagedError: it is damaged too much.
        ToolMissingError, ToolFailedError: ffmpeg.
    """
    facts = await examine(Path(planned.source.path), planned.master)
    keep(*_damage_at(planned.digest, cache), True)  # known beforehand the next time
    seed = planned.plan.pictures.marks_seed
    return await _plan(facts, planned.source, planned.digest, config, cache, seed)


def plan_once_more(
    planned: Planned, quality: QualityFacts, config: TranscodeConfig
) -> Planned | None:
    """Plan again where rungs did not keep what they promise; None where all did.

    Those rungs alone are changed, so everything else that was encoded is used.
    """
    if planned.rungs is None:
        return None
    places = {track.folder: number for number, track in enumerate(quality.tracks)}
    missing = {
        places[each.folder]: each.target - each.mean
        for each in shortfalls(quality)
        if each.target is not None
    }
    if not missing:
        return None
    rungs = mend_rungs(planned.rungs, missing)
    mended = plan_encode(planned.master, config, rungs=rungs)
    plan = replace(
        planned.plan,
        rungs=tuple(
            new if number in missing else old
            for number, (new, old) in enumerate(zip(mended.rungs, planned.plan.rungs, strict=True))
        ),
    )
    order = order_of(tuple(jobs_of(plan)), source=planned.digest, build=planned.order.build)
    return replace(planned, plan=plan, rungs=rungs, order=order)


def _damage_at(digest: str, cache: Cache) -> tuple[Path, str]:
    """Where it is kept that a master is damaged."""
    return cache.findings, address_of(["damaged", digest])


async def _plan(
    facts: Master,
    source: Source,
    digest: str,
    config: TranscodeConfig,
    cache: Cache,
    marks_seed: bytes,
) -> Planned:
    rungs = await choose_ladder(Path(source.path), digest, facts, config, cache)
    plan = with_marks(plan_encode(facts, config, rungs=rungs), marks_seed)
    if config.loudness_lufs:
        plan = await bring_to(
            plan, config.loudness_lufs, Path(source.path), facts.where,
            stall_limit_s=config.stall_limit_s,
        )  # fmt: skip
    jobs = tuple(jobs_of(plan))
    build = build_of(tool_for(jobs), cache)
    return Planned(
        master=facts,
        plan=plan,
        rungs=rungs,
        source=source,
        digest=digest,
        order=order_of(jobs, source=digest, build=build),
    )
