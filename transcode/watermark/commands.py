"""What ffmpeg is asked about captures: digests of encoded pictures, and small grey pictures."""

from __future__ import annotations

from fractions import Fraction

from transcode.watermark.aligning import COLUMNS, ROWS

_HEAD = (
    "-hide_banner", "-y", "-loglevel", "repeat+level+warning", "-nostats",
    "-progress", "pipe:1", "-stats_period", "0.5",
)  # fmt: skip
PICTURES_ONLY = {
    "avc1": "h264_mp4toannexb,filter_units=pass_types=1-5",
    "avc3": "h264_mp4toannexb,filter_units=pass_types=1-5",
    "hvc1": "hevc_mp4toannexb,filter_units=pass_types=0-31",
    "hev1": "hevc_mp4toannexb,filter_units=pass_types=0-31",
    "av01": "filter_units=pass_types=3|4|6",
}
"""By codec, filters that leave nothing but the slices: containers put other units between them."""


def digest_arguments(codecs: str, source: str, output: str, *, program: str) -> list[str]:
    """The command that lists a digest of each encoded picture, in the order of decoding.

    Args:
        codecs: RFC 6381 name of the codec that is expected.
        source: What to read; ``pipe:0`` is fragmented MP4.
        output: Where the list goes.
        program: Path of ffmpeg.
    """
    kind = codecs.partition(".")[0]
    return [
        program, *_HEAD, *_source(source), "-map", "0:v:0", "-c", "copy",
        "-bsf:v", PICTURES_ONLY[kind], "-f", "framehash", "-hash", "sha160", output,
    ]  # fmt: skip


def digests_in(listing: bytes) -> list[bytes]:
    """The digests in a list of ``digest_arguments``."""
    lines = (line for line in listing.splitlines() if line and not line.startswith(b"#"))
    # Behind the sixth field there may be digests of side data, which containers add.
    return [line.split(b",")[5].strip() for line in lines]


def picture_arguments(
    source: str, output: str, *, program: str, rate: Fraction | None = None
) -> list[str]:
    """The command that writes small grey pictures, 16 bits a pixel.

    Args:
        source: What to read; ``pipe:0`` is fragmented MP4.
        output: Where they go, one after the other.
        program: Path of ffmpeg.
        rate: Frames per second that they are brought to; None leaves every frame as it is.
    """
    steps = [] if rate is None else [f"fps={rate}"]
    steps += [f"scale={COLUMNS}:{ROWS}:flags=area", "format=gray16le"]
    return [
        program, *_HEAD, *_source(source), "-map", "0:v:0", "-vf", ",".join(steps),
        "-fps_mode", "passthrough", "-f", "rawvideo", output,
    ]  # fmt: skip


def _source(source: str) -> list[str]:
    if source == "pipe:0":
        return ["-protocol_whitelist", "pipe", "-f", "mp4", "-i", "pipe:0"]
    return ["-protocol_whitelist", "file", "-i", f"file:{source}"]
