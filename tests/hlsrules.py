"""Rules that every package must keep, checked on the files as a stranger would.

Sizes, times and pictures are read from the media itself (``mp4facts``, ffmpeg) and from an
independent parser of playlists (npm ``hls-parser`` in strict mode, where it is installed);
never from the package's own index. ``check`` gives a list of broken rules, each named by
its source: RFC 8216bis, or an item of Apple's HLS authoring specification.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from abr.errors import InputError
from tests import mp4facts
from transcode.encryption import decrypt, iv_for
from transcode.files.keystore import KeyStore
from transcode.files.reader import check_package
from transcode.packaging.layout import INDEX
from transcode.playlist import MediaPlaylist, MultivariantPlaylist, Segment, parse

NODE = Path(__file__).parent / "node"
AAC_FRAME_S = 1024 / 44_100
_LOCAL = "file,crypto,data"


class Broken(NamedTuple):
    """One rule that a package breaks."""

    rule: str
    where: str
    found: str


@dataclass(frozen=True, slots=True)
class TrackFiles:
    """One folder of a package, opened."""

    name: str
    playlist: MediaPlaylist
    init: bytes
    """In the clear."""
    segments: tuple[bytes, ...]
    """In the clear."""
    sizes_bytes: tuple[int, ...]
    """As served."""
    is_video: bool

    def samples(self) -> Iterator[mp4facts.Sample]:
        """All samples in order."""
        for segment in self.segments:
            for run in mp4facts.runs(self.init, segment):
                yield from run.samples


@dataclass(frozen=True, slots=True)
class PackageFiles:
    """A package, opened."""

    folder: Path
    multivariant: MultivariantPlaylist
    tracks: dict[str, TrackFiles] = field(default_factory=dict)
    """By URI of their playlist."""
    side: dict[str, MediaPlaylist] = field(default_factory=dict)
    """Playlists of key frames, images and subtitles, by URI."""

    @property
    def video(self) -> list[TrackFiles]:
        """The rungs, as listed."""
        return [track for track in self.tracks.values() if track.is_video]

    @property
    def audio(self) -> list[TrackFiles]:
        """The renditions, as listed."""
        return [track for track in self.tracks.values() if not track.is_video]


def has_node() -> bool:
    """Whether the independent parser can be run here."""
    return shutil.which("node") is not None and (NODE / "node_modules/hls-parser").is_dir()


def oracle(paths: Sequence[Path]) -> list[dict[str, Any]]:
    """What ``hls-parser`` in strict mode makes of playlists."""
    done = subprocess.run(
        ["node", str(NODE / "check_hls.mjs"), *map(str, paths)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    answers = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(answers) == len(paths), done.stderr
    return answers


def load(folder: Path, keys: KeyStore | None = None) -> PackageFiles:
    """Read a package and open what is encrypted; the title is the folder's name."""
    multivariant = parse((folder / "multivariant.m3u8").read_text())
    assert isinstance(multivariant, MultivariantPlaylist)
    package = PackageFiles(folder, multivariant)
    listed = multivariant.renditions
    audio = [each.uri for each in listed if each.uri and each.type == "AUDIO"]
    trick_play = [*multivariant.iframe_variants, *multivariant.image_variants]
    text = [each.uri for each in listed if each.uri and each.type == "SUBTITLES"]
    for uri in [*(variant.uri for variant in trick_play), *text]:
        playlist = parse((folder / uri).read_text())
        assert isinstance(playlist, MediaPlaylist)
        package.side[uri] = playlist
    for uri in [*(variant.uri for variant in multivariant.variants), *audio]:
        package.tracks[uri] = _load_track(folder / uri, keys, is_video=uri not in audio)
    return package


def _load_track(path: Path, keys: KeyStore | None, *, is_video: bool) -> TrackFiles:
    playlist = parse(path.read_text())
    assert isinstance(playlist, MediaPlaylist)
    home = path.parent
    section = playlist.segments[0].map
    assert section is not None
    init = (home / section.uri).read_bytes()
    if section.key:
        as_segment = Segment(uri=section.uri, duration_s=0, key=section.key)
        init = _opened(init, as_segment, home.parent.name, keys)
    encrypted = [(home / segment.uri).read_bytes() for segment in playlist.segments]
    return TrackFiles(
        name=home.name,
        playlist=playlist,
        init=init,
        segments=tuple(
            _opened(data, segment, home.parent.name, keys)
            for data, segment in zip(encrypted, playlist.segments, strict=True)
        ),
        sizes_bytes=tuple(map(len, encrypted)),
        is_video=is_video,
    )


def _opened(data: bytes, segment: Segment, title: str, keys: KeyStore | None) -> bytes:
    if segment.key is None:
        return data
    assert keys is not None, "an encrypted package needs its key store"
    kid = segment.key.uri.rpartition("/")[2]
    return decrypt(data, keys.key(title, kid), iv_for(segment))


def check(
    folder: Path, *, keys: KeyStore | None = None, ffmpegs: Sequence[str] = ()
) -> list[Broken]:
    """Every rule on the package in ``folder``.

    Playlists are played in each of ``ffmpegs``, segments alone in the first.
    """
    broken = []
    try:
        check_package(folder)
    except InputError as exc:
        broken.append(Broken("index", INDEX, str(exc)))
    package = load(folder, keys)
    broken += [*listing_rules(package), *side_rules(package)]
    broken += [*rate_rules(package), *file_rules(package, keys)]
    for track in package.tracks.values():
        broken += track_rules(track)
    if has_node():
        broken += oracle_rules(package)
    for ffmpeg in ffmpegs[:1]:
        broken += alone_rules(package, ffmpeg)
    for ffmpeg in ffmpegs:
        broken += playing_rules(package, keys, ffmpeg)
    return broken


def oracle_rules(package: PackageFiles) -> Iterator[Broken]:
    """The independent parser has no complaint, and reads what we read."""
    uris = ["multivariant.m3u8", *package.tracks, *package.side]
    answers = oracle([package.folder / uri for uri in uris])
    for uri, answer in zip(uris, answers, strict=True):
        if answer["error"]:
            yield Broken("hls-parser strict", uri, answer["error"])
        elif uri in package.tracks:
            ours = [
                (s.uri, s.duration_s, s.key and s.key.uri, s.map and s.map.uri)
                for s in package.tracks[uri].playlist.segments
            ]
            theirs = [(s["uri"], s["duration"], s["key"], s["map"]) for s in answer["segments"]]
            if ours != theirs:
                yield Broken("hls-parser agrees", uri, f"{theirs[:2]}… against {ours[:2]}…")


def side_rules(package: PackageFiles) -> Iterator[Broken]:
    """Playlists beside picture and sound end with the film."""
    first = package.video[0].playlist
    for uri, own in package.side.items():
        if (own.playlist_type, own.endlist) != ("VOD", True):
            yield Broken("8.6", uri, f"{own.playlist_type} endlist={own.endlist}")
        if abs(own.duration_s - first.duration_s) > 0.001:
            yield Broken("8.3", uri, f"lasts {own.duration_s} s, video {first.duration_s} s")


def listing_rules(package: PackageFiles) -> Iterator[Broken]:
    """What playlists must say, apart from figures of the media."""
    everything = package.multivariant
    if not everything.independent_segments or everything.version < 6:
        yield Broken("9.11", "multivariant.m3u8", "no INDEPENDENT-SEGMENTS or a version below 6")
    first = package.video[0].playlist
    for uri, track in package.tracks.items():
        own = track.playlist
        if (own.playlist_type, own.endlist, own.independent_segments) != ("VOD", True, True):
            yield Broken("8.6", uri, f"{own.playlist_type} endlist={own.endlist}")
        if own.target_duration_s != first.target_duration_s:
            yield Broken("8.2", uri, f"target {own.target_duration_s}, {first.target_duration_s}")
        longest_s = max(segment.duration_s for segment in own.segments)
        if int(longest_s + 0.5) > own.target_duration_s:
            yield Broken("4.4.3.1", uri, f"target {own.target_duration_s} for {longest_s} s")
        durations_s = [segment.duration_s for segment in own.segments]
        if track.is_video and durations_s != [s.duration_s for s in first.segments]:
            yield Broken("8.22", uri, "boundaries differ from the first variant's")
        if abs(own.duration_s - first.duration_s) > max(AAC_FRAME_S * 2, 0.05):
            yield Broken("8.3", uri, f"lasts {own.duration_s} s, video {first.duration_s} s")
        if any(Path(segment.uri).name != segment.uri for segment in own.segments):
            yield Broken("relative", uri, "a segment outside its folder")
    for variant in everything.variants:
        track = package.tracks[variant.uri]
        codec = mp4facts.video_codec(track.init)
        if codec and not any(each.startswith(codec) for each in variant.codecs.split(",")):
            yield Broken("9.1", variant.uri, f"CODECS {variant.codecs}, the file has {codec}")
        if not (variant.width and variant.height and variant.frame_rate):
            yield Broken("9.4, 9.15", variant.uri, "no RESOLUTION or FRAME-RATE")
        if bool(variant.audio_group) != bool(package.audio):
            yield Broken("8.10", variant.uri, f"audio group {variant.audio_group}")


def rate_rules(package: PackageFiles) -> Iterator[Broken]:
    """Bit rates listed against those of the files, within a tenth."""
    audio_peak = max(map(_peak_bps, package.audio), default=0.0)
    audio_mean = max(map(_mean_bps, package.audio), default=0.0)
    for variant in package.multivariant.variants:
        track = package.tracks[variant.uri]
        peak_bps, mean_bps = _peak_bps(track) + audio_peak, _mean_bps(track) + audio_mean
        if not peak_bps <= variant.bandwidth_bps <= 1.1 * peak_bps:
            yield Broken("9.13", variant.uri, f"{variant.bandwidth_bps}, peak {peak_bps:.0f}")
        average_bps = variant.average_bandwidth_bps or 0
        if not 0.9 * mean_bps <= average_bps <= 1.1 * mean_bps:
            yield Broken("9.14", variant.uri, f"{average_bps}, mean {mean_bps:.0f}")
        if average_bps > variant.bandwidth_bps:
            yield Broken("4.4.6.2", variant.uri, "AVERAGE-BANDWIDTH above BANDWIDTH")
    for uri, track in package.tracks.items():
        for segment, size in zip(track.playlist.segments, track.sizes_bytes, strict=True):
            kbps = 8 * size / segment.duration_s / 1000
            if not 0.9 * kbps - 1 <= (segment.bitrate_kbps or 0) <= 1.1 * kbps + 1:
                yield Broken("4.4.4.8", f"{uri} {segment.uri}", f"{segment.bitrate_kbps}, {kbps}")


def _mean_bps(track: TrackFiles) -> float:
    return 8 * sum(track.sizes_bytes) / track.playlist.duration_s


def _peak_bps(track: TrackFiles) -> float:
    """RFC 8216bis, 4.1: over every run of segments of 0.5 to 1.5 target durations."""
    target_s = track.playlist.target_duration_s
    durations_s = [segment.duration_s for segment in track.playlist.segments]
    count = len(durations_s)
    rates = []
    for first in range(count):
        for last in range(first + 1, count + 1):
            run_s = sum(durations_s[first:last])
            if 0.5 * target_s <= run_s <= 1.5 * target_s:
                rates.append(8 * sum(track.sizes_bytes[first:last]) / run_s)
    return max(rates, default=0.0) or 8 * max(track.sizes_bytes) / max(durations_s)


def track_rules(track: TrackFiles) -> Iterator[Broken]:
    """Times and pictures of one track, from its samples."""
    scale = mp4facts.timescale(track.init)
    expected: int | None = None
    since_idr_s, elapsed_s, listed_s = 0.0, 0.0, 0.0
    for segment, data in zip(track.playlist.segments, track.segments, strict=True):
        where = f"{track.name}/{segment.uri}"
        found = mp4facts.runs(track.init, data)
        for run in found:
            if expected is not None and run.decode_time != expected:
                yield Broken("7.3", where, f"tfdt {run.decode_time}, expected {expected}")
            expected = run.decode_time + run.duration
        samples = [sample for run in found for sample in run.samples]
        lasts_s = sum(run.duration for run in found) / scale
        frame_s = lasts_s / len(samples)
        elapsed_s, listed_s = elapsed_s + lasts_s, listed_s + segment.duration_s
        if abs(elapsed_s - listed_s) > frame_s:
            yield Broken("8.1", where, f"{listed_s} s listed so far, {elapsed_s} s of samples")
        if not track.is_video:
            continue
        if not mp4facts.starts_decoding(track.init, samples[0].data):
            yield Broken("7.4", where, "no IDR first")
        for sample in samples:
            since_idr_s = 0.0 if mp4facts.starts_decoding(track.init, sample.data) else since_idr_s
            since_idr_s += sample.duration / scale
            if since_idr_s > 2.0 + 1.5 * frame_s:
                yield Broken("1.13", where, f"{since_idr_s} s without an IDR")
                break


def file_rules(package: PackageFiles, keys: KeyStore | None) -> Iterator[Broken]:
    """Nothing beside what is listed; and no key anywhere."""
    listed = {"multivariant.m3u8", "presentation.json", *package.tracks}
    for uri, track in package.tracks.items():
        home = uri.rpartition("/")[0]
        listed |= {f"{home}/{segment.uri}" for segment in track.playlist.segments}
        listed |= {f"{home}/{s.map.uri}" for s in track.playlist.segments if s.map}
    for uri, playlist in package.side.items():
        home = uri.rpartition("/")[0]
        listed |= {uri, *(f"{home}/{segment.uri}" for segment in playlist.segments)}
        if home.startswith("s"):
            listed.add(f"{home}/subtitles.vtt")
        if home.startswith("t"):
            listed.add(f"{home}/thumbnails.vtt")
    if (package.folder / "manifest.mpd").is_file():
        listed.add("manifest.mpd")
    there = {
        str(path.relative_to(package.folder)): path
        for path in package.folder.rglob("*")
        if path.is_file()
    }
    for name in sorted(there.keys() ^ listed):
        yield Broken("listed", name, "missing" if name in listed else "in no playlist")
    title = package.folder.name
    contents = [(name, path.read_bytes()) for name, path in there.items()]
    for kid in keys.kids(title) if keys else ():
        key = keys.key(title, kid) if keys else b""
        for name, data in contents:
            if key in data or key.hex().encode() in data.lower():
                yield Broken("key", name, f"holds the key {kid}")


def playing_rules(package: PackageFiles, keys: KeyStore | None, ffmpeg: str) -> Iterator[Broken]:
    """Every playlist plays to the same pictures and sound as the opened files, encrypted or not."""
    with tempfile.TemporaryDirectory() as scratch:
        home = Path(scratch) / package.folder.name
        shutil.copytree(package.folder, home)
        _give_keys(home, keys)
        for uri, track in package.tracks.items():
            whole, complaint = framemd5(
                ffmpeg, ["-i", "pipe:0"], data=track.init + b"".join(track.segments)
            )
            played, trouble = framemd5(
                ffmpeg,
                [
                    "-allowed_extensions",
                    "ALL",
                    "-protocol_whitelist",
                    _LOCAL,
                    "-i",
                    str(home / uri),
                ],
            )
            if complaint or trouble:
                yield Broken("ffmpeg", uri, complaint or trouble)
            if played != whole:
                yield Broken("5.2", uri, f"{len(played)} frames played, {len(whole)} in the clear")


def alone_rules(package: PackageFiles, ffmpeg: str) -> Iterator[Broken]:
    """Every segment decodes with nothing but its initialisation section before it."""
    for uri, track in package.tracks.items():
        frames: list[str] = []
        for segment, data in zip(track.playlist.segments, track.segments, strict=True):
            where = f"{track.name}/{segment.uri}"
            sums, complaint = framemd5(ffmpeg, ["-i", "pipe:0"], data=track.init + data)
            samples = sum(len(run.samples) for run in mp4facts.runs(track.init, data))
            if complaint:
                yield Broken("7.4", where, complaint)
            # A decoder of AAC may hold back or drop a frame at either end.
            if track.is_video and len(sums) != samples:
                yield Broken("7.4", where, f"{len(sums)} of {samples} frames")
            frames += sums
        everything = track.init + b"".join(track.segments)
        whole, _ = framemd5(ffmpeg, ["-i", "pipe:0"], data=everything)
        if track.is_video and frames != whole:
            yield Broken("7.4", uri, "segments decode otherwise alone than in a row")


def _give_keys(home: Path, keys: KeyStore | None) -> None:
    """Lay keys where playlists look for them: in a scratch copy only."""
    title = home.name
    (home / "key").mkdir()
    for kid in keys.kids(title) if keys else ():
        (home / "key" / kid).write_bytes(keys.key(title, kid) if keys else b"")


def framemd5(
    ffmpeg: str, given: Iterable[str], *, data: bytes | None = None
) -> tuple[list[str], str]:
    """Sum of every decoded frame, in order; and the first complaint, if any."""
    command = [ffmpeg, "-nostdin", "-v", "error", "-xerror", "-err_detect", "explode"]
    if data is not None:
        command.remove("-nostdin")
    command += [*given, "-map", "0", "-fps_mode", "passthrough", "-f", "framemd5", "-"]
    done = subprocess.run(command, input=data, capture_output=True, timeout=120, check=False)
    text = done.stdout.decode()
    sums = [line.rpartition(",")[2].strip() for line in text.splitlines() if line[:1] != "#"]
    complaints = done.stderr.decode(errors="replace").strip().splitlines()
    if done.returncode and not complaints:
        complaints = [f"exit code {done.returncode}"]
    return sums, complaints[0] if complaints else ""
