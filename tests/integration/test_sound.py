"""The film and its sound are found in files of many kinds, and the sound comes out right.

Each stream of a generated master has a tone of its own, so that what comes out tells where it
came from.
"""

from __future__ import annotations

import asyncio
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from abr.errors import MediaError
from abr.media import FloatArray
from transcode.config import TranscodeConfig
from transcode.files.reader import check_package
from transcode.graphs.audio import padded, sound_graph
from transcode.masters.sound import AudioFacts
from transcode.masters.timing import Clock
from transcode.packaging.index import PresentationIndex
from transcode.run.ffmpegtools import Tool, candidates
from transcode.run.package import transcode

FFMPEGS = [
    tool for tool in candidates("ffmpeg") if isinstance(tool, Tool) and not tool.lacks(["libx264"])
]
pytestmark = pytest.mark.skipif(not FFMPEGS, reason="no ffmpeg with libx264 was found")
RATE = 48_000
H264 = ("-c:v", "libx264", "-preset", "ultrafast")


def make(path: Path, *arguments: str) -> Path:
    """A file that ffmpeg makes."""
    command = [FFMPEGS[0].path, "-nostdin", "-y", "-v", "error", *arguments, f"file:{path}"]
    subprocess.run(command, check=True, timeout=60, capture_output=True)
    return path


def picture(size: str = "160x90", seconds: float = 1.2) -> tuple[str, ...]:
    return ("-f", "lavfi", "-i", f"testsrc2=size={size}:rate=25:duration={seconds}")


def tones(*hertz: int, seconds: float = 1.2) -> list[str]:
    """One input for each tone."""
    made = (f"sine={each}:duration={seconds}:sample_rate={RATE}" for each in hertz)
    return [word for each in made for word in ("-f", "lavfi", "-i", each)]


def maps(count: int) -> list[str]:
    return [word for number in range(count) for word in ("-map", str(number))]


def package(master: Path, out: Path, **settings: Any) -> PresentationIndex:
    config = TranscodeConfig(preset="ultrafast", ladder="90:100", verify="quick", **settings)
    index = asyncio.run(transcode(master, out, config))
    check_package(out)
    return index


def heard(folder: Path, channels: int = 2, tool: Tool | None = None) -> FloatArray:
    """A rendition as a player hears it: a row for each channel."""
    command = [
        (tool or FFMPEGS[0]).path, "-nostdin", "-v", "error",
        *("-i", str(folder / "playlist.m3u8"), "-f", "f32le", "-"),
    ]  # fmt: skip
    done = subprocess.run(command, capture_output=True, check=True, timeout=60)
    return np.frombuffer(done.stdout, "<f4").reshape(-1, channels).T.astype(float)


def tone(samples: FloatArray) -> int:
    """The loudest frequency, to the nearest 10 Hz; 0 for silence."""
    middle = samples[RATE // 4 : RATE // 4 + RATE // 2]
    if np.abs(middle).max() < 0.01:
        return 0
    spectrum = np.abs(np.fft.rfft(middle * np.hanning(len(middle))))
    return round(int(spectrum.argmax()) * 2, -1)


def cover_first(folder: Path) -> Path:
    """A picture of 600x600 that no flag marks as a cover, before the film."""
    still = make(folder / "cover.png", *picture("600x600"), "-frames:v", "1")
    return make(
        folder / "m.mkv", "-i", str(still), *picture(), *tones(440), *maps(3),
        *("-c:v:0", "copy", "-c:v:1", "libx264", "-preset", "ultrafast", "-c:a", "aac"),
        *("-disposition:v:0", "default", "-disposition:v:1", "0"),
    )  # fmt: skip


def two_programmes(folder: Path) -> Path:
    """The larger picture belongs to the second programme, its sound comes last."""
    return make(
        folder / "m.ts", *picture("96x54"), *tones(330), *picture(), *tones(440), *maps(4),
        *("-program", "st=0:st=1", "-program", "st=2:st=3", *H264, "-c:a", "mp2"),
    )  # fmt: skip


def left_and_right(folder: Path) -> Path:
    return make(
        folder / "m.mov", *picture(), *tones(440, 660), *maps(3), *H264, "-c:a", "pcm_s24le"
    )


def eight_tracks(folder: Path) -> Path:
    """5.1 and a pair; bass on the fourth."""
    hertz = (440, 660, 880, 60, 550, 770, 1100, 1210)
    return make(
        folder / "m.mxf", *picture("720x576"), *tones(*hertz), *maps(9),
        *("-c:v", "mpeg2video", "-c:a", "pcm_s16le"),
    )  # fmt: skip


def commentary_first(folder: Path) -> Path:
    return make(
        folder / "m.mkv", *picture(), *tones(330, 440), *maps(3), *H264, "-c:a", "aac",
        *("-metadata:s:a:0", "title=Commentary", "-metadata:s:a:0", "language=eng"),
        *("-metadata:s:a:1", "language=ger", "-disposition:a:0", "default"),
    )  # fmt: skip


def silence_first(folder: Path) -> Path:
    """A recorder's first track, to which nothing was connected."""
    return make(
        folder / "m.mkv", *picture(), "-f", "lavfi", "-i", "anullsrc=cl=stereo:d=1.2",
        *tones(440), *maps(3), *H264, "-c:a", "ac3", "-disposition:a:0", "default",
    )  # fmt: skip


FILES: dict[str, tuple[Callable[[Path], Path], list[int]]] = {
    "a cover before the film": (cover_first, [440, 440]),
    "two programmes": (two_programmes, [440, 440]),
    "left and right apart": (left_and_right, [440, 660]),
    "commentary first": (commentary_first, [440, 440]),
    "silence first": (silence_first, [440, 440]),
}


@pytest.mark.parametrize("kind", FILES)
def test_the_film_and_its_sound_are_found(kind: str, tmp_path: Path) -> None:
    build, expected = FILES[kind]
    index = package(build(tmp_path), tmp_path / "out")
    assert (index.source.width, index.source.height) == (160, 90)
    assert len(index.video[0].segments) == 1
    assert [tone(side) for side in heard(tmp_path / "out/a0")] == expected
    assert index.audio[0].durations_s == pytest.approx(index.video[0].durations_s, abs=0.022)
    assert all(use.use for use in index.source.streams)


def test_six_of_eight_mono_tracks_become_surround(tmp_path: Path) -> None:
    index = package(eight_tracks(tmp_path), tmp_path / "out", surround=True)
    assert [track.channels for track in index.audio] == [2, 6]
    assert [tone(each) for each in heard(tmp_path / "out/a1", 6)] == [440, 660, 880, 60, 550, 770]
    unused = [use.index for use in index.source.streams if not use.is_used]
    assert unused == [7, 8]


def test_a_sound_file_with_a_cover_is_no_film(tmp_path: Path) -> None:
    still = make(tmp_path / "cover.png", *picture("600x600"), "-frames:v", "1")
    song = make(tmp_path / "m.mkv", "-i", str(still), *tones(440), *maps(2), "-c", "copy",
                "-c:a", "aac")  # fmt: skip
    with pytest.raises(MediaError, match="found audio only, with a still picture"):
        package(song, tmp_path / "out")


def clicks(folder: Path, *, channels: int = 2) -> Path:
    """White pictures and clicks at every half second."""
    flash = "color=black:s=160x90:r=25:d=2.2,geq=lum='if(lt(mod(T+0.001,0.5),0.04),235,16)':cb=128"
    click = "|".join(["if(lt(mod(t,0.5),0.001),0.9,0)"] * channels)
    return make(
        folder / "m.mkv", "-f", "lavfi", "-i", flash,
        *("-f", "lavfi", "-i", f"aevalsrc='{click}':s={RATE}:d=2.2"),
        *(*H264, "-c:a", "pcm_s16le"),
    )  # fmt: skip


def starts_s(samples: FloatArray) -> list[float]:
    """Where clicks begin, without the first: nothing comes before it, so AAC fades in."""
    loud = np.flatnonzero(np.abs(samples) > 0.2)
    apart = np.diff(loud, prepend=-RATE) > RATE // 10
    return [float(at) / RATE for at in loud[apart] if at > RATE // 10]


@pytest.mark.parametrize("tool", FFMPEGS, ids=lambda tool: tool.version)
def test_every_codec_and_layout_is_in_step_to_the_millisecond(
    tool: Tool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Stereo and 5.1 in AAC, and Opus; made and played by each ffmpeg."""
    if tool.lacks(["libopus"]):
        pytest.skip("this ffmpeg has no libopus")
    monkeypatch.setenv("ABR_FFMPEG", tool.path)
    index = package(
        clicks(tmp_path, channels=6), tmp_path / "out", surround=True, audio_codec="opus"
    )
    assert [track.codecs for track in index.audio] == ["mp4a.40.2", "mp4a.40.2", "Opus"]
    for track in index.audio:
        samples = heard(tmp_path / "out" / track.folder, track.channels, tool)
        assert starts_s(samples[0]) == pytest.approx([0.5, 1.0, 1.5, 2.0], abs=0.001)
        assert samples.shape[1] / RATE == pytest.approx(2.2, abs=0.0214)


def test_a_hole_of_60_ms_does_not_move_what_follows(tmp_path: Path) -> None:
    """Two whole pieces with a hole between, as a recording with lost packets has them."""
    whole = make(tmp_path / "whole.mp4", "-i", str(clicks(tmp_path)), "-c:v", "copy", "-c:a", "aac")
    holed = make(
        tmp_path / "holed.mkv", "-i", str(whole), "-c", "copy",
        *("-bsf:a", "noise=drop='between(pts*tb,0.7,0.76)+between(pts*tb,1.1,1.3)'"),
    )  # fmt: skip
    package(holed, tmp_path / "out")
    heard_s = starts_s(heard(tmp_path / "out/a0")[0])
    assert heard_s == pytest.approx([0.5, 1.0, 1.5, 2.0], abs=0.002)


def test_a_change_of_channels_adds_no_silence(tmp_path: Path) -> None:
    """5.1 for a second, then stereo: a graph made anew would begin at 0 again."""
    wide = make(tmp_path / "wide.ac3", *tones(440, seconds=1.0), "-ac", "6", "-c:a", "ac3")
    plain = make(tmp_path / "plain.ac3", *tones(660, seconds=1.0), "-ac", "2", "-c:a", "ac3")
    both = tmp_path / "both.ac3"
    both.write_bytes(wide.read_bytes() + plain.read_bytes())
    master = make(tmp_path / "m.ts", *picture(seconds=2.0), "-i", str(both), *H264, "-c:a", "copy")
    index = package(master, tmp_path / "out")
    left = heard(tmp_path / "out/a0")[0]
    assert index.audio[0].durations_s == pytest.approx((2.0,), abs=0.022)
    assert [tone(left[at:]) for at in (0, RATE)] == [440, 660]


def test_sounds_are_brought_to_a_loudness(tmp_path: Path) -> None:
    quiet = make(
        tmp_path / "m.mkv", *picture(), *tones(1000), "-af", "volume=-20dB", *H264, "-c:a", "flac"
    )
    (track,) = package(quiet, tmp_path / "out", loudness_lufs=-23.0).audio
    assert track.loudness_lufs == pytest.approx(-23.0, abs=0.3)
    # BS.1770: a sine of 997 Hz at full scale is -3 LUFS on one side, so 0 LUFS on both; at
    # -23 LUFS its amplitude is 10^(-23/20), and its mean square half the square of that.
    middle = heard(tmp_path / "out/a0")[0][RATE // 4 : -RATE // 4]
    assert np.sqrt(2 * np.mean(middle**2)) == pytest.approx(10 ** (-23 / 20), rel=0.03)


def test_a_loud_surround_sound_is_mixed_without_clipping(tmp_path: Path) -> None:
    """Five channels at full scale add up to 2.4 times that."""
    loud = "volume=17.9dB,pan=5.1|" + "|".join(
        f"{each}=c0" for each in ("FL", "FR", "FC", "LFE", "BL", "BR")
    )
    master = make(tmp_path / "m.mkv", *picture(), *tones(440), "-af", loud, *H264, "-c:a", "flac")
    package(master, tmp_path / "out")
    assert 0.8 < np.abs(heard(tmp_path / "out/a0")).max() <= 1.0


STORED: dict[str, tuple[str, int, int, AudioFacts, list[int]]] = {
    # format, rate, channels, what the master says, loudest tone on the left and on the right
    "u8 at 8 kHz": ("u8", 8_000, 1, AudioFacts(index=0, channels=1, layout="mono"), [440, 440]),
    "s24 at 192 kHz": (
        "s24le", 192_000, 2, AudioFacts(index=0, channels=2, layout="stereo"), [440, 660],
    ),
    "f64 at 96 kHz": (
        "f64le", 96_000, 2, AudioFacts(index=0, channels=2, layout="stereo"), [440, 660],
    ),
    "quad": ("s16le", 48_000, 4, AudioFacts(index=0, channels=4, layout="quad"), [440, 660]),
    "12 channels without places": (
        "s16le", 48_000, 12, AudioFacts(index=0, channels=12), [440, 660],
    ),
}  # fmt: skip


@pytest.mark.parametrize("kind", STORED)
def test_samples_of_every_kind_become_stereo_at_48_khz(kind: str, tmp_path: Path) -> None:
    """The graph alone, on raw samples with a tone of its own on each channel."""
    form, rate, channels, facts, expected = STORED[kind]
    hertz = (440, 660, 880, 990, 1100, 1210, 1320, 1430, 1540, 1650, 1760, 1870)[:channels]
    waves = "|".join(f"{0.5 / (1 + 2 * n)}*sin({each}*2*PI*t)" for n, each in enumerate(hertz))
    raw = make(
        tmp_path / "samples.wav", "-f", "lavfi", "-i", f"aevalsrc='{waves}':s={rate}:d=1",
        *("-c:a", f"pcm_{form}"),
    )  # fmt: skip
    graph = sound_graph(facts, channels=2, clocks=[Clock()], tail=padded(1.5))
    command = [
        FFMPEGS[0].path, "-nostdin", "-v", "error", "-i", str(raw), *graph.arguments,
        *("-map", graph.label, "-t", "1.5", "-f", "f32le", "-"),
    ]  # fmt: skip
    done = subprocess.run(command, capture_output=True, check=True, timeout=60)
    samples = np.frombuffer(done.stdout, "<f4").reshape(-1, 2).T.astype(float)
    assert samples.shape[1] == 1.5 * RATE
    assert [tone(side) for side in samples] == expected


def raw_sound(path: Path, *channels: FloatArray) -> Path:
    path.write_bytes(np.stack(channels, axis=1).astype("<f4").tobytes())
    return path


def sine(hertz: int, seconds: float = 1.2) -> FloatArray:
    return np.asarray(0.3 * np.sin(2 * np.pi * hertz * np.arange(round(seconds * RATE)) / RATE))


def test_ambisonics_keep_left_and_right(tmp_path: Path) -> None:
    """Two sources, 440 Hz at the left and 660 Hz at the right: W is their sum, Y tells apart."""
    left, right, nothing = sine(440), sine(660), 0 * sine(440)
    raw = raw_sound(tmp_path / "a.raw", left + right, left - right, nothing, nothing)
    master = make(
        tmp_path / "m.mkv", *picture(), "-f", "f32le", "-ar", str(RATE),
        *("-ch_layout", "ambisonic 1", "-i", str(raw)),
        *(*H264, "-c:a", "libopus", "-mapping_family", "2"),
    )  # fmt: skip
    index = package(master, tmp_path / "out")
    assert [tone(side) for side in heard(tmp_path / "out/a0")] == [440, 660]
    assert any("ambisonic 1: mixed to two microphones" in note for note in index.source.notes)


@pytest.mark.parametrize(("layout", "count"), [("7.1.4", 12), ("22.2", 24), ("hexadecagonal", 16)])
def test_no_channel_of_a_large_layout_is_lost(layout: str, count: int, tmp_path: Path) -> None:
    """ffmpeg by itself leaves out 2 of 12, 15 of 24 and 6 of 16 channels without a word."""
    step = RATE // 10
    channels = np.zeros((count, count * step))
    for number in range(count):
        channels[number, number * step : (number + 1) * step] = sine(440)[:step]
    raw = raw_sound(tmp_path / "a.raw", *channels)
    facts = AudioFacts(index=0, channels=count, layout=layout)
    graph = sound_graph(facts, channels=2, clocks=[Clock()], tail="anull")
    command = [
        FFMPEGS[0].path, "-nostdin", "-v", "error", "-f", "f32le", "-ar", str(RATE),
        *("-ch_layout", layout, "-i", str(raw)),
        *(*graph.arguments, "-map", graph.label, "-f", "f32le", "-"),
    ]  # fmt: skip
    done = subprocess.run(command, capture_output=True, check=True, timeout=60)
    both = np.abs(np.frombuffer(done.stdout, "<f4").reshape(-1, 2)).max(axis=1)
    loud = [both[number * step : (number + 1) * step].max() > 0.05 for number in range(count)]
    effects = {"7.1.4": {3}, "22.2": {3, 18}}.get(layout, set())
    assert {number for number, is_loud in enumerate(loud) if not is_loud} == effects
