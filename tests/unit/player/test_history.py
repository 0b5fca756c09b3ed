"""Finished downloads in columns."""

from __future__ import annotations

import pytest

from abr.decision import Download
from player.playback.history import DownloadHistory


def download(k: int) -> Download:
    return Download(k, k % 3, 1000.0 * k, k + 0.0, k + 0.25, k + 0.5)


def test_columns_hold_what_was_added_in_order_however_much() -> None:
    """Room for 64 is doubled twice on the way."""
    history = DownloadHistory()
    for k in range(150):
        history.add(download(k))
    columns = history.columns()
    assert [len(column) for column in columns] == [150] * 6
    rows = list(zip(*(column.tolist() for column in columns), strict=True))
    assert rows == [tuple(download(k)) for k in range(150)]


def test_what_was_handed_out_is_read_only_and_stays_as_it_was() -> None:
    history = DownloadHistory()
    history.add(download(0))
    before = history.columns()
    with pytest.raises(ValueError, match="read-only"):
        before.rung[0] = 7
    for k in range(1, 100):
        history.add(download(k))
    assert before.end_s.tolist() == [0.5]


def test_an_empty_history_has_empty_columns() -> None:
    assert [column.shape for column in DownloadHistory().columns()] == [(0,)] * 6
