"""What ``abr watermark detect`` says of a capture, as people and as programs read it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from transcode.watermark.accusing import Suspect, Verdict, bits_needed
from transcode.watermark.evidence import Evidence, How

WORDS: dict[How, str] = {
    "files": "files of the package",
    "joined": "files of the package, one after the other",
    "samples": "encoded pictures of the package, in another container",
    "pictures": "decoded pictures, encoded anew",
}


def as_data(evidence: Evidence, verdict: Verdict, title: str) -> dict[str, Any]:
    """Everything that was found, in values that JSON has."""
    return {
        "title": title,
        "how": evidence.how,
        "segments": len(evidence.segments),
        "first_segment": min(evidence.segments, default=None),
        "last_segment": max(evidence.segments, default=None),
        "unclear": len(evidence.unclear),
        "both": len(evidence.both),
        "tracks": dict(evidence.places or {}),
        "bits": verdict.bits,
        "sessions": verdict.sessions,
        "limit": verdict.limit,
        "named": [_suspect(each) for each in verdict.named],
        "suspects": [_suspect(each) for each in verdict.suspects],
        "bits_needed": _needed(verdict),
    }


def _suspect(suspect: Suspect) -> dict[str, Any]:
    return {
        "session": suspect.session,
        "agreeing": suspect.agreeing,
        "of": suspect.of,
        "false_probability": suspect.false_probability,
    }


def _needed(verdict: Verdict) -> dict[str, int]:
    """How many bits name one of so many sessions, and both of a mix."""
    count = max(1, verdict.sessions)
    return {
        "one": bits_needed(count, limit=verdict.limit),
        "mix_of_two": bits_needed(count, limit=verdict.limit, colluders=2),
    }


def as_lines(evidence: Evidence, verdict: Verdict, title: str) -> Iterator[str]:
    """The same in words."""
    found = evidence.segments
    span = f", {found[0]} to {found[-1]}" if found else ""
    yield f"{title}: {len(found)} segments{span}, by {WORDS[evidence.how]}"
    if evidence.unclear:
        yield f"{len(evidence.unclear)} more segments whose variant cannot be told"
    if evidence.both:
        yield f"{len(evidence.both)} segments in both variants: a mix of sessions"
    for each in verdict.suspects:
        is_named = each in verdict.named
        yield (
            f"{'session' if is_named else 'perhaps'} {each.session}: {each.agreeing} of {each.of} "
            f"bits; chance makes one of {verdict.sessions} innocent sessions look like this with a "
            f"probability of {each.false_probability:.1e} at most"
        )
    if len(verdict.named) > 1:
        yield "a mix of these sessions"
    if len(verdict.named) < max(1, len(verdict.suspects)):
        needed = _needed(verdict)
        yield (
            f"nobody{' else' if verdict.named else ''} is named: {verdict.bits} bits are known, "
            f"and {needed['one']} are needed to name one of {verdict.sessions} sessions, about "
            f"{needed['mix_of_two']} for a mix of two (probability of a false accusation at most "
            f"{verdict.limit:g})"
        )
