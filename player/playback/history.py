"""The finished downloads of one playback, as columns that grow in place."""

from __future__ import annotations

import numpy as np

from abr.decision import Download, Downloads

_FIELDS = len(Downloads._fields)


class DownloadHistory:
    """Columns for ``Observation.downloads``; handing them out copies nothing."""

    def __init__(self) -> None:
        self._table = np.empty((_FIELDS, 64))
        self._count = 0

    def __repr__(self) -> str:
        return f"<DownloadHistory of {self._count}>"

    def add(self, download: Download) -> None:
        """Append one download."""
        if self._count == self._table.shape[1]:
            self._table = np.concatenate([self._table, np.empty_like(self._table)], axis=1)
        self._table[:, self._count] = download
        self._count += 1

    def columns(self) -> Downloads:
        """Read-only views, oldest first."""
        seen = self._table[:, : self._count]
        seen.flags.writeable = False
        return Downloads(*seen)
