"""Presentations that are bundled, and movies of Sabre's format."""

from __future__ import annotations

import json

import numpy as np
import pytest

from abr.errors import InputError
from abr.sabremovie import read_sabre_movie
from bench.experiments.presentations import BUILTIN, MOST_RATIO, builtin


@pytest.mark.parametrize("name", BUILTIN)
def test_means_are_nominal_and_sizes_vary_together(name: str) -> None:
    presentation = builtin(name)
    assert presentation.duration_s == pytest.approx(300)
    rates = presentation.sizes_bytes.sum(axis=1) * 8 / presentation.duration_s
    assert rates == pytest.approx(presentation.bitrates_bps, rel=1e-3)
    nominal = presentation.bitrates_bps[:, None] * presentation.durations_s / 8
    assert (presentation.sizes_bytes / nominal).max() < 1.2 * MOST_RATIO
    correlation = np.asarray(np.corrcoef(presentation.sizes_bytes))
    assert correlation[0, -1] > 0.8
    assert 0.15 < presentation.sizes_bytes[0].std() / presentation.sizes_bytes[0].mean() < 0.45


def test_the_same_seed_is_the_same_presentation_and_another_is_not() -> None:
    assert builtin("vbr-6").digest() == builtin("vbr-6").digest()
    assert builtin("vbr-6", 1).digest() != builtin("vbr-6").digest()
    assert (builtin("vbr-6").title, builtin("vbr-6", 1).title) == ("vbr-6", "vbr-6-1")


def test_an_unknown_name_lists_those_there_are() -> None:
    with pytest.raises(InputError, match="unknown presentation 'x'; expected one of vbr-6, vbr-10"):
        builtin("x")


MOVIE = {
    "segment_duration_ms": 3000,
    "bitrates_kbps": [100, 200],
    "segment_sizes_bits": [[300_000, 600_000], [240_000, 480_000]],
}


def test_a_movie_of_sabre_is_read() -> None:
    """300,000 bits are 37,500 bytes."""
    presentation = read_sabre_movie(json.dumps(MOVIE), name="m.json", title="m")
    assert presentation.sizes_bytes.tolist() == [[37_500, 30_000], [75_000, 60_000]]
    assert presentation.durations_s.tolist() == [3.0, 3.0]
    assert presentation.bitrates_bps.tolist() == [1e5, 2e5]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"bitrates_kbps": None}, "m.json"),
        ({"bitrates_kbps": [100]}, r"m.json: sizes of shape \(2, 2\) for 1 bit rates"),
        ({"segment_sizes_bits": []}, "m.json: sizes of shape"),
        ({"segment_sizes_bits": [[1, -2]]}, "m.json: sizes_bytes must be finite and positive"),
        ({"segment_duration_ms": 0}, "m.json: durations_s must be finite and positive"),
    ],
)
def test_what_is_no_movie_is_refused(change: dict[str, object], message: str) -> None:
    with pytest.raises(InputError, match=message):
        read_sabre_movie(json.dumps(MOVIE | change), name="m.json", title="m")


@pytest.mark.parametrize("text", ["", "[]", "{}", "3", '{"segment_duration_ms": 1}'])
def test_garbage_is_refused(text: str) -> None:
    with pytest.raises(InputError, match="expected segment_duration_ms"):
        read_sabre_movie(text, name="m.json", title="m")
