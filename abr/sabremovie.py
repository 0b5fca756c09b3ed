"""Presentations in Sabre's format for them, which Sabre calls a movie (``movie.json``).

``{"segment_duration_ms": 3000, "bitrates_kbps": [230, ...], "segment_sizes_bits":
[[886360, ...], ...]}``: one list per segment, with one size per rung.
"""

from __future__ import annotations

import json
from typing import Any

import numpy as np

from abr.errors import InputError
from abr.media import Presentation

_EXPECTED = "expected segment_duration_ms, bitrates_kbps and segment_sizes_bits, as in Sabre"


def read_sabre_movie(text: str, *, name: str, title: str) -> Presentation:
    """Parse the text of a movie file.

    Args:
        text: JSON.
        name: Name of the text in error messages.
        title: Name of the presentation in reports.

    Raises:
        InputError: the text is not a movie file.
    """
    try:
        found: Any = json.loads(text)
        sizes = np.array(found["segment_sizes_bits"], dtype=np.float64)
        rates = np.array(found["bitrates_kbps"], dtype=np.float64)
        segment_s = float(found["segment_duration_ms"]) / 1000
        if sizes.ndim != 2 or sizes.shape[1] != len(rates):
            raise ValueError(f"sizes of shape {sizes.shape} for {len(rates)} bit rates")
        return Presentation(
            bitrates_bps=rates * 1000,
            sizes_bytes=sizes.T / 8,
            durations_s=np.full(len(sizes), segment_s),
            title=title,
        )
    except KeyError as exc:
        raise InputError(f"{name}: no {exc.args[0]!r}; {_EXPECTED}") from exc
    except (ValueError, TypeError, IndexError) as exc:
        raise InputError(f"{name}: {exc}; {_EXPECTED}") from exc


def write_sabre_movie(presentation: Presentation) -> str:
    """Format ``presentation`` as the text of a movie file.

    Raises:
        ValueError: the segments differ in length, which the format cannot express.
    """
    lengths = presentation.durations_s
    if not np.allclose(lengths, lengths[0]):
        raise ValueError("segments differ in length; the movie format has a single length for all")
    return json.dumps(
        {
            "segment_duration_ms": _shorten(lengths[0] * 1000),
            "bitrates_kbps": [_shorten(rate / 1000) for rate in presentation.bitrates_bps],
            "segment_sizes_bits": [
                [_shorten(8 * size) for size in sizes] for sizes in presentation.sizes_bytes.T
            ],
        }
    )


def _shorten(value: float) -> int | float:
    return int(value) if float(value).is_integer() else float(value)
