"""AAC frames behind ADTS headers: written and read.

Source: ISO/IEC 14496-3, 1.A.3.2 (ADTS) and table 1.18 (sample rates).
"""

from __future__ import annotations

from dataclasses import dataclass

from abr.errors import MediaError

SAMPLE_RATES = (
    96_000, 88_200, 64_000, 48_000, 44_100, 32_000, 24_000, 22_050, 16_000, 12_000, 11_025, 8_000,
    7_350,
)  # fmt: skip
"""By samplingFrequencyIndex."""
FRAME_SAMPLES = 1024
_HEADER_BYTES = 7
_MOST_BYTES = 0x1FFF  # frame_length has 13 bits


@dataclass(frozen=True, slots=True, kw_only=True)
class AdtsFields:
    """What every header of a stream says, as numbers of the standard's tables."""

    profile: int
    """Object type less 1."""
    rate: int
    channels: int


def fields_of(configuration: bytes) -> AdtsFields:
    """The fields for an AudioSpecificConfig.

    ADTS has two bits for the object type, four for the rate and three for the channels.

    Raises:
        MediaError: ADTS cannot say it.
    """
    if len(configuration) < 2:
        raise MediaError("mp4: AudioSpecificConfig is cut off; expected two bytes or more")
    kind = configuration[0] >> 3
    rate = (configuration[0] & 7) << 1 | configuration[1] >> 7
    channels = configuration[1] >> 3 & 15
    if not (1 <= kind <= 4 and rate < len(SAMPLE_RATES) and 1 <= channels <= 7):
        raise MediaError(
            f"aac: object type {kind}, sample rate {rate} and channels {channels} of their tables; "
            "expected what ADTS can say: types 1 to 4, a rate of the table, 1 to 7 channels"
        )
    return AdtsFields(profile=kind - 1, rate=rate, channels=channels)


def write_header(fields: AdtsFields, frame: bytes) -> bytes:
    """The seven bytes before ``frame``, without a checksum.

    Raises:
        MediaError: the frame is too large.
    """
    size = len(frame) + _HEADER_BYTES
    if size > _MOST_BYTES:
        raise MediaError(
            f"aac: a frame of {len(frame):,} bytes; expected at most "
            f"{_MOST_BYTES - _HEADER_BYTES:,} in a transport stream"
        )
    words = 0xFFF1 << 40 | fields.profile << 38 | fields.rate << 34 | fields.channels << 30
    return (words | size << 13 | 0x7FF << 2).to_bytes(_HEADER_BYTES, "big")


@dataclass(frozen=True, slots=True, kw_only=True)
class SoundFrames:
    """Frames of sound one after the other."""

    frames: int
    samples: int
    """Of each channel."""
    sample_rate: int
    channels: int
    codec: str
    whole: bool
    """Whether the last frame is complete and nothing else lies between them."""

    @property
    def duration_s(self) -> float:
        """Of all frames."""
        return self.samples / self.sample_rate

    @property
    def frame_s(self) -> float:
        """Of one frame."""
        return self.duration_s / self.frames if self.frames else 0.0


def read_adts(data: bytes) -> SoundFrames | None:
    """The frames of AAC with ADTS headers in ``data``; None when it does not begin with one."""
    at, frames, whole = 0, 0, True
    first: tuple[int, int, int] | None = None
    while at + _HEADER_BYTES <= len(data):
        if data[at] != 0xFF or data[at + 1] & 0xF6 != 0xF0:
            whole = False
            break
        size = (data[at + 3] & 3) << 11 | data[at + 4] << 3 | data[at + 5] >> 5
        rate = data[at + 2] >> 2 & 15
        if size < _HEADER_BYTES or rate >= len(SAMPLE_RATES):
            whole = False
            break
        channels = (data[at + 2] & 1) << 2 | data[at + 3] >> 6
        first = first or (SAMPLE_RATES[rate], channels, (data[at + 2] >> 6) + 1)
        frames += 1 + (data[at + 6] & 3)
        at += size
    if first is None:
        return None
    return SoundFrames(
        frames=frames,
        samples=FRAME_SAMPLES * frames,
        sample_rate=first[0],
        channels=first[1],
        codec=f"mp4a.40.{first[2]}",
        whole=whole and at == len(data),
    )
