"""The ladder of a transcode where settings are not enough: a file read, a title studied."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from abr.errors import MissingFileError
from abr.shell import note, reason_of
from transcode.config import TranscodeConfig
from transcode.ladders.ladder import PER_TITLE, is_file, ladder_for
from transcode.ladders.rungs import PlannedRung
from transcode.masters.master import Master
from transcode.quality import Metric
from transcode.run.cache import Cache
from transcode.run.findings import address_of, keep, recall
from transcode.run.pertitle import study_title
from transcode.run.scoring import best_metric, measuring_tool


def metric_of(config: TranscodeConfig) -> Metric | None:
    """What quality is measured in; None where it is not.

    A per-title ladder is measured unless the settings say otherwise, by VMAF where it can be.

    Raises:
        ToolMissingError: it cannot be measured here.
    """
    if config.quality == "none" or (config.quality == "auto" and not is_per_title(config)):
        return None
    metric = best_metric() if config.quality == "auto" else config.quality
    measuring_tool(metric)
    return metric


def is_per_title(config: TranscodeConfig) -> bool:
    """Whether the ladder has to be found by trials."""
    return config.ladder.strip() == PER_TITLE


async def choose_ladder(
    master: Path, digest: str, facts: Master, config: TranscodeConfig, cache: Cache
) -> tuple[PlannedRung, ...] | None:
    """The ladder that ``config`` asks for; None where its name alone says it.

    Args:
        master: The master.
        digest: Of the master.
        facts: What was measured of it.
        config: Settings.
        cache: Where trials are made and what was found is kept.

    Raises:
        MissingFileError: the ladder file cannot be read.
        ConfigError: it lists what cannot be.
        MediaError: the master is damaged.
        ToolMissingError, ToolFailedError: ffmpeg.
    """
    if is_file(config.ladder):
        return ladder_for(facts, wanted=config.ladder, contents=_read(Path(config.ladder)))
    if not is_per_title(config):
        return None
    metric = metric_of(config) or best_metric()
    address = address_of(_told(digest, facts, config, metric))
    if known := _rungs_from(recall(cache.findings, address)):
        return known
    note(f"per-title: trial encodes of {facts.where}, measured in {metric.upper()}")
    cache.create()
    study = await study_title(master, facts, config, cache, metric)
    keep(cache.findings, address, {"rungs": [dataclasses.asdict(rung) for rung in study.rungs]})
    return study.rungs


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as exc:
        reason = reason_of(exc) if isinstance(exc, OSError) else "not UTF-8 text"
        raise MissingFileError(
            f"{path}: {reason}; expected a ladder file with a [[rung]] table for each rung"
        ) from exc


def _told(digest: str, facts: Master, config: TranscodeConfig, metric: Metric) -> Sequence[str]:
    """Everything that a study depends on."""
    settings = [
        getattr(config, name)
        for name in ("preset", "segment_s", "gop_s", "codec", "peak_ratio", "max_frame_rate",
                     "background")
    ]  # fmt: skip
    tool = measuring_tool(metric)
    nameless = dataclasses.replace(facts, name="", where="")
    return ["study 2", digest, repr(nameless), tool.path, tool.version, metric, repr(settings)]


def _rungs_from(known: Any) -> tuple[PlannedRung, ...]:
    """The rungs of a study that was kept; none where it cannot be read."""
    try:
        return tuple(PlannedRung(**each) for each in known["rungs"])
    except (TypeError, KeyError):  # None: nothing was kept
        return ()
