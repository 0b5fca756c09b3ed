"""Workers on other machines, through a Dask scheduler.

The user starts ``dask scheduler`` and ``dask worker``. Whoever has work for them depends on
``concurrent.futures.Executor`` only.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Executor
from typing import Any, Self, TypeVar

from abr.errors import InputError, PeerError, ToolMissingError

Answer = TypeVar("Answer")

SCHEME = "dask://"
CONNECT_S = 10.0
"""Longest wait for the scheduler and for its first worker."""
_ASKS, _ASK_AGAIN_S = 5, 1.0
RETRIES = 3
"""Times that Dask repeats a job whose worker died."""


class Cluster:
    """A connection to a Dask scheduler."""

    def __init__(self, address: str) -> None:
        """Connect to ``dask://HOST:PORT``.

        Raises:
            InputError: not such an address.
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
        self.address = address
        try:
            self.client: Any = Client(  # type: ignore[no-untyped-call]
                f"tcp://{host}:{port}", timeout=CONNECT_S, set_as_default=False
            )
        except (OSError, TimeoutError) as exc:
            raise PeerError(
                f"{address}: no Dask scheduler answered within {CONNECT_S:g} s; start one with "
                f"`dask scheduler --port {port}`"
            ) from exc
        try:
            self.client.wait_for_workers(1, timeout=CONNECT_S)
        except TimeoutError as exc:
            self.close()
            raise PeerError(
                f"{address}: the scheduler has no workers; start some with "
                f"`dask worker {address.replace(SCHEME, 'tcp://')} --nthreads 1`"
            ) from exc
        except BaseException:
            self.close()
            raise

    def __repr__(self) -> str:
        return f"<Cluster {self.address}>"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exc: object) -> None:
        self.close()

    def ask_workers(self, function: Callable[..., Answer], *arguments: Any) -> dict[str, Answer]:
        """What ``function`` returns on each worker, by the worker's address.

        Raises:
            PeerError: it fails on one, or cannot be loaded there.
        """
        for attempt in range(1, _ASKS + 1):
            try:
                answers: dict[str, Answer] = self.client.run(function, *arguments)
                return answers
            except OSError as exc:  # a worker died meanwhile
                if attempt == _ASKS:
                    raise PeerError(
                        f"{self.address}: workers do not answer ({exc}); are they being restarted?"
                    ) from exc
                time.sleep(_ASK_AGAIN_S)
            except Exception as exc:
                raise PeerError(
                    f"{self.address}: workers cannot load abrkit ({type(exc).__name__}: {exc}); "
                    "install it where they run"
                ) from exc
        raise AssertionError("the last attempt returns or raises")

    def check_version(self, version: Callable[[], str]) -> None:
        """Check that ``version`` is on each worker what it is here.

        Raises:
            PeerError: workers cannot load abrkit.
            InputError: a worker has another version.
        """
        for worker, found in self.ask_workers(version).items():
            if found != version():
                raise InputError(
                    f"{worker}: abrkit {found}, here {version()}; results of different "
                    "versions do not belong together: install the same on both"
                )

    @property
    def threads(self) -> int:
        """Number of jobs that the cluster can run at a time."""
        threads: dict[str, int] = self.client.nthreads()
        return max(1, sum(threads.values()))

    def has_workers(self) -> bool:
        """Whether there is a worker now; not when the scheduler does not answer."""
        try:
            return bool(self.client.nthreads())
        except (OSError, TimeoutError, RuntimeError):
            return False

    @contextlib.contextmanager
    def executor(self) -> Iterator[Executor]:
        """All workers together; leaving the block waits for nothing."""
        executor: Executor = self.client.get_executor(pure=False, retries=RETRIES)
        try:
            yield executor
        finally:
            executor.shutdown(wait=False)

    def close(self) -> None:
        """Disconnect; jobs under way are abandoned."""
        self.client.close(timeout=2)
