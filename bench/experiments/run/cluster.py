"""Workers on other machines, through a Dask scheduler.

The user starts ``dask scheduler`` and ``dask worker``. Workers
must have the same version of abrkit, and the same source of every algorithm that is played.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from typing import Any

from abr.errors import InputError, PeerError, ToolMissingError
from bench.experiments.run import engine
from bench.experiments.run.pool import Result, Workers

SCHEME = "dask://"
CONNECT_S = 10.0
"""Longest wait for the scheduler and for its first worker."""
RETRIES = 3
"""Times that Dask repeats a job whose worker died."""


class Cluster:
    """A connection to a Dask scheduler."""

    def __init__(self, address: str) -> None:
        """Connect to ``dask://HOST:PORT``.

        Raises:
            InputError: not such an address, or workers with another version of abrkit.
            ToolMissingError: Dask is not installed.
            PeerError: no scheduler answers, or it has no workers.
        """
        host, colon, port = address.removeprefix(SCHEME).rpartition(":")
        if not address.startswith(SCHEME) or not (host and colon and port.isdecimal()):
            raise InputError(f"executor {address!r}; expected local, or dask://HOST:PORT")
        try:
            from distributed import Client
        except ImportError as exc:
            raise ToolMissingError(
                "Dask is not installed, which dask:// needs: pip install 'abrkit[cluster]'"
            ) from exc
        self._address = address
        try:
            self._client: Any = Client(  # type: ignore[no-untyped-call]
                f"tcp://{host}:{port}", timeout=CONNECT_S, set_as_default=False
            )
        except (OSError, TimeoutError) as exc:
            raise PeerError(
                f"{address}: no Dask scheduler answered within {CONNECT_S:g} s; start one with "
                f"`dask scheduler --port {port}`"
            ) from exc
        try:
            self._check_workers()
        except BaseException:
            self.close()
            raise

    def __repr__(self) -> str:
        return f"<Cluster {self._address}>"

    def _check_workers(self) -> None:
        try:
            self._client.wait_for_workers(1, timeout=CONNECT_S)
        except TimeoutError as exc:
            raise PeerError(
                f"{self._address}: the scheduler has no workers; start some with "
                f"`dask worker {self._address.replace(SCHEME, 'tcp://')} --nthreads 1`"
            ) from exc
        try:
            versions = self._client.run(engine.version)
        except Exception as exc:
            raise PeerError(
                f"{self._address}: workers cannot load abrkit ({type(exc).__name__}: {exc}); "
                "install it where they run"
            ) from exc
        for worker, found in versions.items():
            if found != engine.version():
                raise InputError(
                    f"{worker}: abrkit {found}, here {engine.version()}; results of different "
                    "versions do not belong together: install the same on both"
                )

    @property
    def threads(self) -> int:
        """Number of jobs that the cluster can run at a time."""
        threads: dict[str, int] = self._client.nthreads()
        return max(1, sum(threads.values()))

    @contextlib.contextmanager
    def opener(self, _workers: int, parts: Sequence[Any]) -> Iterator[Workers]:
        """Open the workers of the cluster; see ``bench.experiments.run.pool.Opener``."""
        executor = self._client.get_executor(pure=False, retries=RETRIES)
        try:
            yield _ClusterWorkers(self._client, executor, parts)
        finally:
            executor.shutdown(wait=False)

    def close(self) -> None:
        """Disconnect; jobs under way are abandoned."""
        self._client.close(timeout=2)


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
