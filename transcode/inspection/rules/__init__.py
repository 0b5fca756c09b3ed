"""The table of rules, by subject."""

from __future__ import annotations

from transcode.inspection.rules import (
    dates,
    delivery,
    encryption,
    groups,
    hdr,
    playlists,
    presence,
    rates,
    sound,
    subtitles,
    times,
    tracks,
    trickplay,
    variants,
)
from transcode.inspection.rules.rule import Breach, Needs, Rule, Severity

SUBJECTS: dict[str, tuple[Rule, ...]] = {
    "Files": presence.RULES,
    "Multivariant playlist": variants.RULES,
    "Renditions and groups": groups.RULES,
    "Media playlists": playlists.RULES,
    "Bit rates": rates.RULES,
    "Tracks": tracks.RULES,
    "Sound": sound.RULES,
    "High dynamic range": hdr.RULES,
    "Times": times.RULES,
    "Numbers and dates": dates.RULES,
    "Trick play": trickplay.RULES,
    "Subtitles": subtitles.RULES,
    "Encryption": encryption.RULES,
    "Delivery": delivery.RULES,
}
"""All rules in the order of reports and of the page that lists them."""

RULES: tuple[Rule, ...] = tuple(rule for rules in SUBJECTS.values() for rule in rules)

__all__ = ["RULES", "SUBJECTS", "Breach", "Needs", "Rule", "Severity"]
