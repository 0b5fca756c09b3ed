"""All packets of a master, read once by ffprobe and kept as arrays.

A packet takes 29 bytes, so two hours of film with one sound take about 15 MB.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np

from transcode.masters.packets import CORRUPT, DISCARD, KEY, Packets

ENTRIES = (
    "packet=stream_index,pts_time,dts_time,duration_time,size,flags"
    ":packet_side_data=side_data_type,skip_samples,discard_padding"
)
"""What ffprobe is to show of each packet, with ``-of compact=p=0:nk=1``."""
_NAN = float("nan")
_FLAGS = (("K", KEY), ("D", DISCARD), ("C", CORRUPT))
_FIRST_PACKETS = 50
_SKIPPED, _ENCRYPTED = "Skip Samples", "Encryption info"


@dataclass(slots=True)
class _Stream:
    pts_s: array[float] = field(default_factory=lambda: array("d"))
    dts_s: array[float] = field(default_factory=lambda: array("d"))
    duration_s: array[float] = field(default_factory=lambda: array("f"))
    flags: array[int] = field(default_factory=lambda: array("B"))
    places: array[int] = field(default_factory=lambda: array("q"))
    size_bytes: int = 0
    skip_samples: int = 0
    is_encrypted: bool = False

    def take(self, said: list[str]) -> None:
        """Note what a packet's side data say, one kind after the other."""
        self.is_encrypted |= _ENCRYPTED in said
        if _SKIPPED in said:
            samples = said[said.index(_SKIPPED) + 1 :][:1]
            self.skip_samples += sum(int(each) for each in samples if each.isdigit())


class PacketReader:
    """Takes what ffprobe prints, in pieces of any size."""

    def __init__(self) -> None:
        self._rest = b""
        self._count = 0
        self._streams: dict[int, _Stream] = {}
        self._known: dict[str, int] = {}

    def __repr__(self) -> str:
        return f"<PacketReader {self._count:,} packets of {len(self._streams)} streams>"

    def feed(self, data: bytes) -> None:
        """Read the lines that ``data`` completes."""
        *lines, self._rest = (self._rest + data).split(b"\n")
        self._take(lines)

    def close(self) -> None:
        """Read the last line."""
        lines, self._rest = [self._rest], b""
        self._take(lines)

    def _take(self, lines: Iterable[bytes]) -> None:
        for line in lines:
            fields = line.decode("ascii", errors="replace").rstrip("\r|").split("|")
            if len(fields) < 6 or not fields[0].isdigit():
                continue
            self._add(fields)

    def _add(self, fields: list[str]) -> None:
        number = int(fields[0])
        stream = self._streams.get(number)
        if stream is None:
            stream = self._streams[number] = _Stream()
        stream.pts_s.append(_time(fields[1]))
        stream.dts_s.append(_time(fields[2]))
        stream.duration_s.append(_time(fields[3]))
        stream.size_bytes += int(fields[4]) if fields[4].isdigit() else 0
        stream.flags.append(self._flags(fields[5]))
        stream.places.append(self._count)
        self._count += 1
        if len(fields) > 6 and len(stream.flags) <= _FIRST_PACKETS:
            stream.take(fields[6:])

    def _flags(self, text: str) -> int:
        flags = self._known.get(text)
        if flags is None:
            flags = self._known[text] = sum(bit for letter, bit in _FLAGS if letter in text)
        return flags

    def packets(self, sample_rates: dict[int, int]) -> dict[int, Packets]:
        """What was read, by number of the stream.

        Args:
            sample_rates: Of audio streams, in Hz.
        """
        return {
            number: _packets(stream, sample_rates.get(number, 0))
            for number, stream in self._streams.items()
        }


def _packets(stream: _Stream, sample_rate: int) -> Packets:
    return Packets(
        pts_s=np.frombuffer(stream.pts_s, dtype=np.float64),
        dts_s=np.frombuffer(stream.dts_s, dtype=np.float64),
        duration_s=np.frombuffer(stream.duration_s, dtype=np.float32).astype(np.float64),
        flags=np.frombuffer(stream.flags, dtype=np.uint8),
        places=np.frombuffer(stream.places, dtype=np.int64),
        size_bytes=stream.size_bytes,
        is_encrypted=stream.is_encrypted,
        skip_s=stream.skip_samples / sample_rate if sample_rate else 0.0,
    )


def _time(text: str) -> float:
    try:
        return float(text)
    except ValueError:  # N/A
        return _NAN
