"""What functions say that run both as plain Python and compiled, so that both are fast.

Plain Python looks numbers up fastest in lists and memory views, compiled code in bare
arrays. A compiled loop gets its own meaning of these functions from
``player.batch.run.compiled``.
"""

from __future__ import annotations

from typing import Any


def uncounted(array: Any) -> Any:
    """``array`` as it is.

    Compiled: a view that does not keep its memory. Counting who uses an array costs more
    than most of what is done with it; whoever calls keeps it, for as long as the view is
    used.
    """
    return array


def numbers(array: Any) -> Any:
    """What is only looked up, as plain Python looks it up fastest.

    Compiled: ``uncounted``.
    """
    return array.tolist()


def cells(array: Any) -> Any:
    """What is written a number at a time, as plain Python does so fastest.

    Compiled: ``uncounted``.
    """
    return memoryview(array)
