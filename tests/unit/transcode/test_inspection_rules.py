"""Rules over facts: figures by hand, and what only small made-up facts can show."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from typing import Any
from xml.etree import ElementTree as ET

import pytest

from abr.errors import ConfigError
from transcode.inspection.bits import Sps
from transcode.inspection.facts import (
    InitFacts,
    MediaFacts,
    PackageFacts,
    SegmentFacts,
    Stretch,
    TrackFacts,
    VariantFacts,
    init_key,
)
from transcode.inspection.judge import chosen, judge
from transcode.inspection.listed import read_listed
from transcode.inspection.picture import draw, page
from transcode.inspection.playlists import ListedMedia, ListedMultivariant
from transcode.inspection.report import data_of, summary, text_of
from transcode.inspection.rules import RULES
from transcode.inspection.rules.rates import mean_bps, peak_bps
from transcode.playlist.tags import read_lines

SPS = Sps(
    profile=100,
    constraints=0,
    level=13,
    width=320,
    height=180,
    macroblocks=240,
    is_progressive=True,
)
TRACK = TrackFacts(
    id=1, kind="video", codec="avc1.64000d", entry="avc1", width=320, height=180, sps=SPS
)


def listed(durations_s: list[float], *, target_s: int = 2, extra: str = "") -> ListedMedia:
    """A finished playlist of fMP4 segments."""
    lines = ["#EXTM3U", "#EXT-X-VERSION:6", f"#EXT-X-TARGETDURATION:{target_s}"]
    lines += ["#EXT-X-PLAYLIST-TYPE:VOD", "#EXT-X-INDEPENDENT-SEGMENTS", extra]
    lines.append('#EXT-X-MAP:URI="init.mp4"')
    for number, duration_s in enumerate(durations_s):
        lines += [f"#EXTINF:{duration_s:.3f},", f"{number}.m4s"]
    found = read_listed("\n".join([*lines, "#EXT-X-ENDLIST"]), where="film")
    assert isinstance(found, ListedMedia)
    return found


def rung(
    durations_s: list[float],
    sizes: list[int] | None = None,
    *,
    track: TrackFacts = TRACK,
    frame_s: float = 0.04,
    container: str = "fmp4",
    name: str = "v0.m3u8",
    **stretch: Any,
) -> MediaFacts:
    """A rung whose segments begin with a key frame and are what they say."""
    playlist, start_s, segments = listed(durations_s), 0.0, []
    for duration_s, size in zip(durations_s, sizes or [1000] * len(durations_s), strict=True):
        facts = Stretch(
            track=1,
            kind="video",
            start_s=start_s,
            end_s=start_s + duration_s,
            first_shown_s=start_s,
            shown_end_s=start_s + duration_s,
            frames=round(duration_s / frame_s),
            key_times_s=(start_s,),
            starts_with_idr=True,
            frame_s=frame_s,
        )
        start_s += duration_s
        segments.append(
            SegmentFacts(
                size_bytes=size, container=container, stretches=(replace(facts, **stretch),)
            )
        )
    section = playlist.segments[0].map
    assert section is not None
    return MediaFacts(
        name=name,
        listed=playlist,
        role="video",
        segments=tuple(segments),
        inits={init_key(section): InitFacts(uri="init.mp4", tracks=(track,))},
        names=tuple(f"{number}.m4s" for number in range(len(durations_s))),
    )


def package(*rungs: MediaFacts, attributes: str = "") -> PackageFacts:
    """A package of rungs, listed as they are."""
    lines = ["#EXTM3U", "#EXT-X-INDEPENDENT-SEGMENTS"]
    for media in rungs:
        peak, mean = round(peak_bps(media) or 0), round(mean_bps(media) or 0)
        track = media.track("video")
        assert track is not None
        lines.append(
            f"#EXT-X-STREAM-INF:BANDWIDTH={peak},AVERAGE-BANDWIDTH={mean},"
            f'CODECS="{track.codec}",RESOLUTION={track.width}x{track.height},'
            f"FRAME-RATE={media.frame_rate:.3f},CLOSED-CAPTIONS=NONE{attributes}"
        )
        lines.append(media.name)
    found = read_listed("\n".join(lines), where="film")
    assert isinstance(found, ListedMultivariant)
    variants = zip(found.variants, rungs, strict=True)
    return PackageFacts(
        name="film.m3u8",
        multivariant=found,
        variants=tuple(VariantFacts(listed=each, media=media) for each, media in variants),
        is_stored=True,
    )


def broken(facts: PackageFacts) -> set[str]:
    """Ids of violations and warnings."""
    findings = judge(facts, "decode").findings
    return {f.rule for f in findings if f.severity != "note"}


QUIET = {"iframes-listed", "several-variants"}
"""What a single rung without I-frames is told in any case."""


def test_a_rung_that_is_what_it_says_breaks_no_rule() -> None:
    assert broken(package(rung([2.0, 2.0, 1.0]))) == QUIET


def test_the_peak_is_that_of_runs_near_the_target_duration() -> None:
    # Target 2 s: runs of 1 to 3 s count. 8*1000/2 = 4000, 8*3000/2 = 12000; the last, 0.5 s,
    # counts only with the one before it: 8*(3000 + 2000)/2.5 = 16000, not 8*2000/0.5 = 32000.
    media = rung([2.0, 2.0, 0.5], [1000, 3000, 2000])
    assert peak_bps(media) == 16_000
    assert mean_bps(media) == pytest.approx(8 * 6000 / 4.5)


@pytest.mark.parametrize(
    ("rule", "make"),
    [
        ("frame-rate-limit", lambda: rung([2.0], frame_s=1 / 120)),
        ("frame-rate-natural", lambda: rung([2.0], frame_s=1 / 17)),
        ("h264-profile", lambda: rung([2.0], track=with_sps(profile=122))),
        ("h264-level", lambda: rung([2.0], track=with_sps(level=12, macroblocks=3600))),
        ("progressive", lambda: rung([2.0], track=replace(TRACK, is_progressive=False))),
        ("one-size", lambda: rung([2.0], track=with_sps(width=640, height=360))),
        ("sample-entry", lambda: rung([2.0], track=replace(TRACK, entry="avc3"))),
        ("hevc-in-fmp4", lambda: rung([2.0], track=replace(TRACK, entry="hvc1"), container="ts")),
        ("key-frame-spacing", lambda: rung([2.5, 2.5])),
        ("segments-even", lambda: rung([2.0, 0.5, 2.0, 1.0])),
        ("peak-to-average", lambda: rung([2.0, 2.0, 2.0], [1000, 9000, 1000])),
        ("no-empty-edit", lambda: rung([2.0], track=replace(TRACK, empty_edit_s=0.08))),
        ("times-continuous", lambda: rung([2.0], jump_s=0.1)),
        ("segment-length", lambda: rung([2.0], end_s=3.0)),
        ("video-range", lambda: rung([2.0], track=replace(TRACK, transfer=16))),
        ("pattern", lambda: rung([2.0], track=replace(TRACK, scheme="cbcs", pattern=(1, 0)))),
        ("starts-with-idr", lambda: rung([2.0], starts_with_idr=False)),
    ],
)
def test_a_rung_that_breaks_one_rule_is_found(rule: str, make: Callable[[], MediaFacts]) -> None:
    assert rule in broken(package(make()))


def with_sps(**fields: Any) -> TrackFacts:
    """The track with other parameter sets."""
    return replace(TRACK, sps=replace(SPS, **fields))


def test_rungs_of_other_colours_are_found_and_unstated_ones_are_one_colour() -> None:
    first = rung([2.0], track=replace(TRACK, primaries=1, matrix=1))
    other = rung([2.0], track=replace(TRACK, primaries=5, matrix=5), name="v1.m3u8")
    assert "one-colour-space" in broken(package(first, other))
    unstated = rung([2.0], track=replace(TRACK, primaries=2, matrix=2), name="v1.m3u8")
    assert "one-colour-space" not in broken(package(rung([2.0]), unstated))


def test_pixels_that_are_not_square_count_as_they_are_shown() -> None:
    wide = with_sps(
        width=720, height=576, sample_aspect=Fraction(64, 45), macroblocks=1620, level=30
    )
    shown = replace(wide, width=1024, height=576)
    assert broken(package(rung([2.0], track=shown))) == QUIET


def test_a_frame_that_decodes_away_is_found() -> None:
    media = rung([2.0, 2.0])
    segments = tuple(
        replace(segment, decoded_frames=count)
        for segment, count in zip(media.segments, (50, 47), strict=True)
    )
    findings = judge(package(replace(media, segments=segments)), "decode").findings
    (finding,) = (each for each in findings if each.rule == "decodes-whole")
    assert (finding.measured, finding.place) == ("47 frames decode", "segment 1 (1.m4s)")


def test_discontinuities_reset_what_must_go_on() -> None:
    media = rung([2.0, 2.0])
    jumped = replace(
        media.segments[1],
        stretches=(replace(media.segments[1].stretches[0], start_s=100.0, end_s=102.0),),
    )
    broken_media = replace(media, segments=(media.segments[0], jumped))
    assert {"times-continuous", "extinf-accurate"} <= broken(package(broken_media))
    text = listed([2.0, 2.0]).segments
    marked = replace(media.listed, segments=(text[0], replace(text[1], discontinuity=True)))
    told = replace(broken_media, listed=marked)
    assert not {"times-continuous", "extinf-accurate"} & broken(package(told))


def test_rules_are_chosen_by_id_and_by_clause() -> None:
    assert {rule.id for rule in chosen(["1.26"])} == {"average-bandwidth"}
    assert {rule.id for rule in chosen(["Apple 7.3"])} == {"times-continuous"}
    assert "codecs" not in {rule.id for rule in chosen([], ["codecs"])}
    with pytest.raises(ConfigError, match="no rule 'bandwith'"):
        chosen(["bandwith"])


def test_rules_have_ids_of_their_own_and_sentences() -> None:
    assert len({rule.id for rule in RULES}) == len(RULES)
    assert [rule.id for rule in RULES if not rule.text.endswith(".")] == []
    assert [rule.id for rule in RULES if rule.remedy.endswith(".") or not rule.remedy] == []


def test_what_was_not_read_is_not_judged() -> None:
    verdict = judge(package(rung([2.0])), "sizes")
    assert "starts-with-idr" in verdict.unchecked
    assert "need media that were not read" in summary(verdict)


def test_reports_hold_every_finding_and_escape_names() -> None:
    odd = rung([2.0, 2.0], frame_s=1 / 120, name="<b>&.m3u8")
    facts = replace(package(odd), quality={odd.name: (80.0, 90.0)}, metric="vmaf")
    verdict = judge(facts, "media")
    data = data_of(facts, verdict, depth="media")
    assert data["violations"] == len([f for f in data["findings"] if f["severity"] == "violation"])
    assert data["ladder"][0]["mean_quality"] == 85.0
    assert any("frame-rate-limit (Apple 1.19)" in line for line in text_of(verdict))
    picture = ET.fromstring(draw(facts))
    texts = " ".join(picture.itertext())
    assert "Mean vmaf over mean bit rate" in texts
    assert "<b>&.m3u8" in texts
    assert "<b>&" not in page(facts, verdict)


def test_a_last_picture_that_stands_longer_does_not_change_the_frame_rate() -> None:
    media = rung([2.0, 2.0])
    longer = replace(media.segments[1].stretches[0], frames=20)  # 0.8 s of pictures, one of 1.2 s
    still = replace(
        media, segments=(media.segments[0], replace(media.segments[1], stretches=(longer,)))
    )
    facts = package(media)
    (variant,) = facts.variants
    facts = replace(facts, variants=(replace(variant, media=still),))
    assert still.frame_rate == pytest.approx(17.5)
    assert "frame-rate" not in broken(facts)


@pytest.mark.parametrize(
    ("codec", "is_fine"),
    [
        ("hvc1.1.6.L93.90", True),
        ("hvc1.2.4.H153.B0", True),
        ("hvc1.2.4.L156.B0", False),
        ("hvc1.4.10.L93.90", False),
    ],
)
def test_hevc_has_its_own_limits(codec: str, is_fine: bool) -> None:
    media = rung([2.0], track=replace(TRACK, codec=codec, entry="hvc1", sps=None))
    assert ("hevc-profile" not in broken(package(media))) == is_fine


def test_an_encoding_that_changes_without_a_mark_is_found() -> None:
    media = rung([2.0, 2.0])
    first, second = media.listed.segments
    assert first.map is not None
    other = replace(second, map=replace(first.map, uri="other.mp4"))
    small = InitFacts(uri="other.mp4", tracks=(replace(TRACK, width=160, height=90, sps=None),))
    for marked in (False, True):
        segments = (first, replace(other, discontinuity=marked))
        changed = replace(
            media,
            listed=replace(media.listed, segments=segments),
            inits={**media.inits, "other.mp4": small},
        )
        assert ("encoding-changes" in broken(package(changed))) != marked


def test_hdr_alone_and_descriptions_that_nobody_finds_are_told() -> None:
    assert "sdr-present" in broken(package(rung([2.0]), attributes=",VIDEO-RANGE=PQ"))
    text = (
        '#EXTM3U\n#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="a",NAME="Described",LANGUAGE="en",'
        'CHANNELS="2",CHARACTERISTICS="public.accessibility.describes-video",URI="a.m3u8"\n'
        '#EXT-X-STREAM-INF:BANDWIDTH=1,AUDIO="a"\nv.m3u8\n'
    )
    found = read_listed(text, where="film")
    assert isinstance(found, ListedMultivariant)
    assert "accessible-autoselect" in broken(PackageFacts(name="film", multivariant=found))


def dated(text: str) -> MediaFacts:
    """A rung of three segments of two seconds with what stands before each."""
    parts = text.split("|")
    lines = ["#EXTM3U", "#EXT-X-VERSION:6", "#EXT-X-TARGETDURATION:2", "#EXT-X-PLAYLIST-TYPE:VOD"]
    lines += ["#EXT-X-INDEPENDENT-SEGMENTS", '#EXT-X-MAP:URI="init.mp4"']
    for number, part in enumerate(parts):
        lines += [part, "#EXTINF:2.000,", f"{number}.m4s"]
    found = read_listed("\n".join([*lines, "#EXT-X-ENDLIST"]), where="film")
    assert isinstance(found, ListedMedia)
    return replace(rung([2, 2, 2]), listed=found)


DATE = "#EXT-X-PROGRAM-DATE-TIME:2026-01-01T10:00:"


@pytest.mark.parametrize(
    ("text", "rules"),
    [
        (f"{DATE}00Z||{DATE}04.1Z", set()),
        (f"{DATE}00+01:00||2026", set()),
        (f"{DATE}00Z||{DATE}09Z", {"dates-go-on"}),
        (f"{DATE}00Z||#EXT-X-DISCONTINUITY\n{DATE}09Z", set()),
        ("#EXT-X-PROGRAM-DATE-TIME:noon||", {"playlist-grammar"}),
        ("#EXT-X-START:TIME-OFFSET=-6||", set()),
        ("#EXT-X-START:TIME-OFFSET=6.5||", {"start-inside"}),
        ("#EXT-X-START:PRECISE=YES||", {"playlist-grammar"}),
    ],
)
def test_dates_and_starts_of_one_playlist(text: str, rules: set[str]) -> None:
    text = text.replace("|2026", "|")
    assert broken(package(dated(text))) - QUIET == rules


def test_playlists_that_go_together_have_the_same_dates_and_numbers() -> None:
    first = dated(f"{DATE}00Z||")
    other = replace(dated(f"{DATE}30Z||"), name="v1.m3u8")
    bare = replace(dated("||"), name="v1.m3u8")
    numbered = replace(dated(f"#EXT-X-MEDIA-SEQUENCE:7\n{DATE}00Z||"), name="v1.m3u8")
    same = replace(first, name="v1.m3u8")
    assert "dates-same" in broken(package(first, other))
    assert "dates-same" in broken(package(first, bare))
    assert "sequence-same" in broken(package(first, numbered))
    assert not {"dates-same", "sequence-same"} & broken(package(first, same))


def test_codecs_are_named_in_the_case_of_their_sample_entries() -> None:
    """Browsers do not know AVC1; digits may have either case."""
    facts = package(rung([2.0, 2.0, 1.0]))
    (variant,) = facts.variants
    (name,) = variant.listed.codecs
    entry, _, digits = name.partition(".")
    told = {}
    for stated in (f"{entry}.{digits.upper()}", f"{entry.upper()}.{digits}"):
        attributes = {**variant.listed.attributes, "CODECS": stated}
        other = replace(variant, listed=replace(variant.listed, attributes=attributes))
        told[stated] = "codecs" in broken(replace(facts, variants=(other,)))
    assert list(told.values()) == [False, True]


def test_bytes_that_are_not_utf_8_are_told() -> None:
    text = b'#EXTM3U\n#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="a",NAME="M\xe4r"\n'.decode(errors="replace")
    faults = [fault for line in read_lines(text, where="film") for fault in line.faults]
    assert faults == ["bytes that are not UTF-8"]
