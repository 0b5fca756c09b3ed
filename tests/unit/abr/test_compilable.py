"""Functions that plain Python and the compiler each understand their own way."""

from __future__ import annotations

import numpy as np

from abr.compilable import cells, fields, numbers, store


def test_what_is_only_looked_up_is_a_list_and_what_is_written_is_the_array() -> None:
    array = np.arange(6.0).reshape(2, 3)
    assert numbers(array[1]) == [3.0, 4.0, 5.0]
    cells(array)[1, 2] = -1.0
    assert array[1, 2] == -1.0


def test_columns_that_are_not_kept_can_be_told_from_their_cells() -> None:
    assert cells(np.zeros((9, 0))).shape[1] == 0


def test_fields_go_back_to_the_record_they_are_stored_in() -> None:
    records = np.zeros(2, np.dtype([("stall_s", np.float64), ("shown", np.float64)]))
    first = fields(records)
    first.stall_s, first.shown = 1.5, 3.0
    store(first, records, 1)
    assert records[0].item() == (0.0, 0.0)
    assert records[1].item() == (1.5, 3.0)
