"""Functions that plain Python and the compiler each understand their own way."""

from __future__ import annotations

import numpy as np

from abr.compilable import part


def test_a_part_is_a_view_of_the_array() -> None:
    whole = np.arange(12.0).reshape(3, 4)
    row, table = part(whole, 5, 3), part(whole, 2, (2, 5))
    assert row.tolist() == [5.0, 6.0, 7.0]
    assert table.tolist() == [[2.0, 3.0, 4.0, 5.0, 6.0], [7.0, 8.0, 9.0, 10.0, 11.0]]
    whole[1, 2] = -1.0
    assert row[1] == table[0, 4] == -1.0
