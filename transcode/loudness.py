"""Loudness of a sound: what a meter printed, and how much louder it has to become.

Two passes: the sound is measured as it will be encoded, then made louder or softer by one
factor. Peaks that this would bring above full scale are limited. ffmpeg's own ``loudnorm``
in its linear mode is not used: where the peak does not allow the gain it changes to its
dynamic mode without a word, and it puts out 192 kHz.

Source: ITU-R BS.1770-5 and EBU R 128 (integrated loudness, with its gates).
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass

SILENT_LUFS = -70.0
"""The meter's absolute gate: it reports this for silence."""
METER = "ebur128=metadata=1:peak=true:framelog=quiet,ametadata=mode=print"
"""Filters of ffmpeg that measure; with ``:file=`` and a name they print there."""
_READING = re.compile(rb"^lavfi\.r128\.(I|true_peak)=(-?[0-9.]+)\s*$", re.MULTILINE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Loudness:
    """What the meter says of a whole sound."""

    integrated_lufs: float
    true_peak_db: float
    """Below full scale; ``-inf`` for silence."""

    @property
    def is_silent(self) -> bool:
        """Whether nothing is above the gate."""
        return self.integrated_lufs <= SILENT_LUFS + 0.05


class Meter:
    """Reads what the meter prints; its last words hold for the whole."""

    def __init__(self) -> None:
        self._rest = b""
        self._last: dict[bytes, float] = {}

    def __repr__(self) -> str:
        return f"<Meter {self._last}>"

    def feed(self, data: bytes) -> None:
        """Accept more of its output, in pieces of any size."""
        lines, _, self._rest = (self._rest + data).rpartition(b"\n")
        self._last.update((name, float(value)) for name, value in _READING.findall(lines + b"\n"))

    def reading(self) -> Loudness:
        """The loudness so far; silence where nothing was heard."""
        peak = self._last.get(b"true_peak", 0.0)
        return Loudness(
            integrated_lufs=self._last.get(b"I", SILENT_LUFS),
            true_peak_db=20 * math.log10(peak) if peak > 0 else -math.inf,
        )


def gain_db(measured: Loudness, target_lufs: float) -> float:
    """How much louder a sound has to become; 0 for silence."""
    return 0.0 if measured.is_silent else target_lufs - measured.integrated_lufs
