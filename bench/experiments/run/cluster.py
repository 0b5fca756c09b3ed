"""Workers on other machines, through a Dask scheduler.

Workers must have the same version of abrkit, and the same source of every algorithm that is
played.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from typing import Any

from abr.run import cluster
from abr.run.cluster import RETRIES
from bench.experiments.run import engine
from bench.experiments.run.pool import Result, Workers


class Cluster(cluster.Cluster):
    """A connection to a Dask scheduler whose workers can play."""

    def __init__(self, address: str) -> None:
        """Connect to ``dask://HOST:PORT``.

        Raises:
            InputError: not such an address, or workers with another version of abrkit.
            ToolMissingError: Dask is not installed.
            PeerError: no scheduler answers, or it has no workers.
        """
        super().__init__(address)
        try:
            self.check_version(engine.version)
        except BaseException:
            self.close()
            raise

    def __repr__(self) -> str:
        return f"<Cluster of players {self.address}>"

    @contextlib.contextmanager
    def opener(self, _workers: int, parts: Sequence[Any]) -> Iterator[Workers]:
        """Open the workers of the cluster; see ``bench.experiments.run.pool.Opener``."""
        with self.executor() as executor:
            yield _ClusterWorkers(self.client, executor, parts)


class _ClusterWorkers:
    """The workers of a scheduler, to which each part is sent once."""

    def __init__(self, client: Any, executor: Any, parts: Sequence[Any]) -> None:
        self._client = client
        self._executor = executor
        self._parts = parts
        self._sent: dict[int, Any] = {}

    def __repr__(self) -> str:
        return f"_ClusterWorkers({len(self._parts)} parts, {len(self._sent)} of them sent)"

    def submit(self, work: Callable[[Any, Any], Result], job: Any, part: int) -> Future[Result]:
        if part not in self._sent:
            # Not ``scatter``: scattered data is lost with its worker, while the result of a
            # task is computed again.
            self._sent[part] = self._client.submit(
                _same, self._parts[part], pure=False, retries=RETRIES
            )
        future: Future[Result] = self._executor.submit(work, job, self._sent[part])
        return future

    def forget(self, part: int) -> None:
        self._sent.pop(part, None)


def _same(part: Any) -> Any:
    return part
