"""A verdict as text for people and as data for programs."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from itertools import groupby
from typing import Any

from abr.wording import format_count
from transcode.inspection.facts import MediaFacts, PackageFacts, VariantFacts
from transcode.inspection.judge import Finding, Verdict
from transcode.inspection.rules.rates import mean_bps, peak_bps

SHOWN_PER_RULE = 4
"""Places of one rule that text shows; data has all."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One line of the ladder, as measured; None is not known."""

    name: str
    role: str
    size: str
    codecs: str
    frame_rate: float | None
    segments: int
    duration_s: float
    size_bytes: int | None
    mean_bps: float | None
    """Of the playlist's own segments."""
    peak_bps: float | None
    stated_mean_bps: int | None
    stated_peak_bps: int | None
    mean_quality: float | None


def ladder(package: PackageFacts) -> list[Row]:
    """Variants by rate, then renditions, then trick play."""
    variants: dict[str, VariantFacts] = {}
    for variant in (*package.variants, *package.iframes):
        if variant.media is not None:  # of several with other sound, the first listed
            variants.setdefault(variant.media.name, variant)
    rows = [_row(package, media, variants.get(media.name)) for media in package.media()]
    order = {"video": 0, "audio": 1, "subtitles": 2, "iframes": 3}
    return sorted(rows, key=lambda row: (order.get(row.role, 9), row.mean_bps or 0.0))


def _row(package: PackageFacts, media: MediaFacts, variant: VariantFacts | None) -> Row:
    sizes = media.sizes_bytes
    track = media.track("video")
    size = f"{track.width}x{track.height}" if track and track.width else ""
    sound = media.track("audio") if media.role == "audio" else None
    listed = variant.listed if variant else None
    if not size and listed and listed.size:
        size = "{}x{}".format(*listed.size)
    if sound is not None and sound.channels:
        size = f"{sound.channels} ch"
    quality = package.quality.get(media.name)
    rate = media.frame_rate or (listed.frame_rate if listed else None)
    return Row(
        name=media.name,
        role=media.role,
        size=size,
        codecs=",".join(media.codecs or (listed.codecs if listed else ())),
        frame_rate=rate,
        segments=len(media.segments),
        duration_s=media.duration_s,
        size_bytes=sum(sizes) if sizes else None,
        mean_bps=mean_bps(media),
        peak_bps=peak_bps(media),
        stated_mean_bps=listed.number("AVERAGE-BANDWIDTH") if listed else None,
        stated_peak_bps=listed.number("BANDWIDTH") if listed else None,
        mean_quality=sum(quality) / len(quality) if quality else None,
    )


def summary(verdict: Verdict) -> str:
    """One line: how many findings of each severity."""
    counts = [
        format_count(verdict.count("violation"), "violation"),
        format_count(verdict.count("warning"), "warning"),
        format_count(verdict.count("note"), "note"),
    ]
    left = len(verdict.unchecked)
    more = f"; {left} rules need media that were not read" if left else ""
    return f"{len(verdict.checked)} rules checked: {', '.join(counts)}{more}"


def text_of(verdict: Verdict) -> Iterator[str]:
    """Findings as lines, gravest first, those of one rule together."""
    for (severity, rule), group in groupby(verdict.findings, lambda f: (f.severity, f.rule)):
        found = list(group)
        first = found[0]
        yield f"{severity}: {rule} ({', '.join(first.clauses)}): {first.text}"
        for finding in found[:SHOWN_PER_RULE]:
            yield f"  {_where(finding)}: {finding.measured}; allowed: {finding.allowed}"
        if len(found) > SHOWN_PER_RULE:
            yield f"  … and {len(found) - SHOWN_PER_RULE} more (--json lists all)"
        yield f"  to do: {first.remedy}"


def _where(finding: Finding) -> str:
    return f"{finding.file}: {finding.place}" if finding.place else finding.file


def data_of(package: PackageFacts, verdict: Verdict, *, depth: str) -> dict[str, Any]:
    """Everything, for ``--json``."""
    return {
        "package": package.name,
        "depth": depth,
        "violations": verdict.count("violation"),
        "warnings": verdict.count("warning"),
        "notes": verdict.count("note"),
        "findings": [asdict(finding) for finding in verdict.findings],
        "ladder": [asdict(row) for row in ladder(package)],
        "checked": list(verdict.checked),
        "unchecked": list(verdict.unchecked),
    }
