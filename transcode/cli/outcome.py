"""What ``abr transcode`` tells of a package that was made: a table, or one JSON object."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

    from transcode.packaging.index import PresentationIndex


def summary(index: PresentationIndex, out: Path) -> dict[str, object]:
    """What ``--json`` prints: figures in seconds, bytes and bits per second."""
    lowest = index.video[0]
    return {
        "out": str(out),
        "title": index.title,
        "source": index.source.name,
        "streams": [asdict(each) for each in index.source.streams],
        "notes": list(index.source.notes),
        "duration_s": index.source.duration_s,
        "segments": len(lowest.segments),
        "target_duration_s": index.target_duration_s,
        "rungs": _rungs(index),
        "audio": _audio(index),
        "subtitles": _subtitles(index),
        "thumbnails": _thumbnails(index),
        "container": index.container,
        "dash": index.dash,
        "watermarked": index.watermarked,
        "encryption": _encryption(index),
    }


def _rungs(index: PresentationIndex) -> list[dict[str, object]]:
    return [
        {
            "folder": track.folder,
            "width": track.width,
            "height": track.height,
            "frame_rate": track.frame_rate,
            "codecs": track.codecs,
            "bandwidth_bps": index.bandwidth_bps(rung),
            "average_bandwidth_bps": index.average_bandwidth_bps(rung),
            "size_bytes": track.media_bytes + track.init_bytes,
            **_quality(index, rung),
        }
        for rung, track in enumerate(index.rungs)
    ]


def _audio(index: PresentationIndex) -> list[dict[str, object]]:
    from transcode.packaging.index import groups_of

    return [
        {
            "folder": track.folder,
            "codecs": track.codecs,
            "channels": track.channels,
            "language": track.language,
            "name": track.name,
            "groups": groups_of(track),
            "loudness_lufs": track.loudness_lufs,
            "size_bytes": track.media_bytes + track.init_bytes,
        }
        for track in index.audio
    ]


def _subtitles(index: PresentationIndex) -> list[dict[str, object]]:
    return [
        {
            "folder": track.folder,
            "language": track.language,
            "name": track.name,
            "forced": track.forced,
            "hearing_impaired": track.hearing_impaired,
            "size_bytes": track.size_bytes,
        }
        for track in index.text
    ]


def _thumbnails(index: PresentationIndex) -> list[dict[str, object]]:
    return [
        {
            "folder": track.folder,
            "count": track.count,
            "interval_s": track.interval_s,
            "size_bytes": sum(track.sizes_bytes),
        }
        for track in index.images
    ]


def _encryption(index: PresentationIndex) -> dict[str, object] | None:
    if not index.encryption:
        return None
    return {
        "method": index.encryption.method,
        "keys": len(index.encryption.kids),
        "rotate_every": index.encryption.rotate_every,
        "seals_init": index.encryption.seals_init,
        "explicit_iv": index.encryption.explicit_iv,
        "groups": [
            {"name": group.name, "height": group.height, "folders": group.folders}
            for group in index.key_groups
        ],
    }


def _quality(index: PresentationIndex, rung: int) -> dict[str, object]:
    """What was measured of a rung; nothing where nothing was."""
    if index.quality is None:
        return {}
    found = index.quality.tracks[rung]
    names = ("mean", "harmonic_mean", "low", "minimum", "target")
    return {"quality": {"metric": index.quality.metric, **{n: getattr(found, n) for n in names}}}


def print_table(index: PresentationIndex, out: Path) -> None:
    """Print the tracks of a package as a table, and what else is to be known of it."""
    from rich.console import Console

    table = _table(index)
    console = Console(soft_wrap=True)
    # Names of codecs are not cut off, however narrow the terminal is.
    wide = console.options.update(max_width=200)
    console.width = max(console.width, console.measure(table, options=wide).maximum)
    console.print(table)
    sound = "audio included in the rates" if index.audio else "silent"
    console.print(
        f"{index.source.duration_s:.2f} s of {index.source.name}; {sound}", highlight=False
    )
    _print_streams(console, index)
    _print_measured(console, index)
    console.print(f"{out / 'multivariant.m3u8'}", highlight=False, markup=False)


def _table(index: PresentationIndex) -> Table:
    from rich.table import Table

    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("rung")
    for name in ("size", "frames/s", "mean kbit/s", "peak kbit/s", "segments", "MB"):
        table.add_column(name, justify="right")
    table.add_column("codecs")
    for rung, track in enumerate(index.rungs):
        table.add_row(
            track.folder,
            f"{track.width}x{track.height}",
            f"{track.frame_rate:.5g}",
            f"{index.average_bandwidth_bps(rung) / 1000:.0f}",
            f"{index.bandwidth_bps(rung) / 1000:.0f}",
            str(len(track.segments)),
            f"{(track.media_bytes + track.init_bytes) / 1e6:.2f}",
            track.codecs,
        )
    for track in index.audio:
        language = f" {track.language}" if track.language else ""
        size_bytes = track.media_bytes + track.init_bytes
        mean = 8 * track.media_bytes / sum(track.durations_s) / 1000
        table.add_row(
            track.folder,
            f"{track.channels} ch{language}",
            "",
            f"{mean:.0f}",
            "",
            str(len(track.segments)),
            f"{size_bytes / 1e6:.2f}",
            track.codecs,
        )
    for text in index.text:
        kind = "WebVTT" + (", forced" if text.forced else "")
        kind += ", SDH" if text.hearing_impaired else ""
        megabytes, parts = f"{text.size_bytes / 1e6:.2f}", str(len(text.sizes_bytes))
        table.add_row(text.folder, text.language or "", "", "", "", parts, megabytes, kind)
    for images in index.images:
        size = f"{images.width}x{images.height}"
        megabytes = f"{sum(images.sizes_bytes) / 1e6:.2f}"
        table.add_row(
            images.folder, size, "", "", "", str(len(images.sizes_bytes)), megabytes, "JPEG"
        )
    return table


def _print_measured(console: Console, index: PresentationIndex) -> None:
    """Quality where it was measured, encryption and marks."""
    from transcode.quality import shortfalls

    if index.quality is not None:
        rungs = ", ".join(f"{each.folder} {each.mean:.4g}" for each in index.quality.tracks)
        console.print(f"{index.quality.metric} of {rungs}", highlight=False)
        for each in shortfalls(index.quality):
            console.print(
                f"{each.folder}: {each.mean:.4g} is below its target, {each.target:.4g}: the film "
                "has harder parts than were tried, or its cap took effect; a ladder file with a "
                "lower crf or a higher cap_kbps mends it",
                highlight=False,
            )
    if index.encryption:
        count = len(index.encryption.kids)
        console.print(
            f"encrypted with {index.encryption.method}, {count} key{'s' if count > 1 else ''}",
            highlight=False,
        )
    if index.watermarked:
        console.print(
            f"watermarked: {len(index.video[0].segments)} segments of video in two variants, "
            "a bit each; `abr watermark` finds whose a copy is",
            highlight=False,
        )


def _print_streams(console: Console, index: PresentationIndex) -> None:
    """What became of the master's streams, where there was a choice, and notes."""
    streams = index.source.streams
    if any(each.use not in ("the picture", "main sound") for each in streams):
        for each in streams:
            line = f"stream {each.index}  {each.kind}  {each.what}: {each.use}"
            console.print(line, highlight=False, markup=False)
    for track in index.audio:
        if track.loudness_lufs is not None:
            line = f"{track.folder}: loudness {track.loudness_lufs:.1f} LUFS"
            console.print(line, highlight=False, markup=False)
    for said in index.source.notes:
        console.print(f"note: {said}", highlight=False, markup=False)
