"""The state in one SQLite file, shared by processes on this machine.

Readers and one writer do not wait for each other (WAL). A commit is on the disk soon, and at once
where ``is_durable`` asks for it: after a power cut, leases may be some heartbeats old, but no
revocation that was acknowledged is lost.

What is in the log (WAL) is copied into the file by a thread of its own. By default whoever commits
does that every thousand pages, and waits for the disk meanwhile: on a busy disk half a second,
several times a minute. The log begins anew only when all of it was copied and nobody wrote
meanwhile, so once it is long the writer copies the little that is left.

Source: SQLite's documentation, "Write-Ahead Logging" and ``PRAGMA synchronous``.
"""

from __future__ import annotations

import logging
import os
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from abr.errors import StateError
from origin.gateway.server.sqlstate import Row

LOGGER = logging.getLogger("abr.gateway")

BUSY_S = 0.4
"""How long a command waits for another process that writes."""

COPY_BYTES = 4 << 20
"""A log of this size is copied, ..."""

COPY_S = 1.0
"""... looked at this often."""

LONG_BYTES = 64 << 20
"""Of a log of this size the writer copies the rest, so that it begins anew."""

_COPY = "PRAGMA wal_checkpoint(PASSIVE)"
_BUSY = (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)


class SqliteDatabase:
    """A ``Database`` in a file."""

    def __init__(self, path: Path, *, now: Callable[[], float], busy_s: float = BUSY_S) -> None:
        """Open the file, or make it: for this user only.

        Raises:
            StateError: it cannot be opened or is no database.
        """
        self._path, self._now = path, now
        try:
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
        except OSError as exc:
            raise StateError(
                f"{path}: {exc.strerror}; expected a file to keep the state in, name another with "
                "--state or ABR_STATE"
            ) from exc
        with self._telling():
            self._connection = sqlite3.connect(
                path, timeout=busy_s, isolation_level=None, check_same_thread=False
            )
        try:
            self._set("journal_mode = WAL")
            self._set("synchronous = NORMAL")
            self._set("wal_autocheckpoint = 0")
        except StateError:
            self._connection.close()
            raise
        self._copier: _Copier | None = None

    def __repr__(self) -> str:
        return f"<SqliteDatabase {self._path}>"

    @property
    def name(self) -> str:
        """Its path."""
        return str(self._path)

    @contextmanager
    def transaction(self, *, is_durable: bool = False) -> Iterator[None]:
        """As ``Database`` says; no other process writes meanwhile."""
        if is_durable:
            self._set("synchronous = FULL")
        try:
            self.rows("BEGIN IMMEDIATE")
            try:
                yield
                self.rows("COMMIT")
                self._mind_log()
            except BaseException:
                if self._connection.in_transaction:
                    self.rows("ROLLBACK")
                raise
        finally:
            if is_durable:
                self._set("synchronous = NORMAL")

    @contextmanager
    def reading(self) -> Iterator[None]:
        """As ``Database`` says; waits for nobody."""
        self.rows("BEGIN")
        try:
            yield
        finally:
            self.rows("ROLLBACK")

    def lock(self, accounts: Sequence[str]) -> None:
        """Nothing to do: one transaction writes at a time."""

    def lock_migrations(self) -> None:
        """Nothing to do: one transaction writes at a time."""

    def rows(self, sql: str, values: Sequence[Any] = ()) -> list[Row]:
        """As ``Database`` says."""
        with self._telling():
            return self._connection.execute(sql, values).fetchall()

    def run_many(self, sql: str, rows: Sequence[Row]) -> None:
        """As ``Database`` says."""
        with self._telling():
            self._connection.executemany(sql, rows)

    def now_s(self) -> float:
        """As ``Database`` says."""
        return self._now()

    def interrupt(self) -> None:
        """As ``Database`` says."""
        self._connection.interrupt()

    def close(self) -> None:
        """As ``Database`` says."""
        if self._copier is not None:
            self._copier.stop()
        self._connection.close()

    def _mind_log(self) -> None:
        if self._copier is None:
            self._copier = _Copier(self._path)
            self._copier.start()
        if _log_bytes(self._path) >= LONG_BYTES:
            self.rows(_COPY)

    def _set(self, pragma: str) -> None:
        self.rows(f"PRAGMA {pragma}")

    @contextmanager
    def _telling(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as exc:
            raise self._error(exc) from exc

    def _error(self, exc: sqlite3.Error) -> StateError:
        if getattr(exc, "sqlite_errorcode", 0) & 0xFF in _BUSY:
            return StateError(f"{self._path}: another process has been writing for too long")
        hint = ""
        if isinstance(exc, sqlite3.DatabaseError) and "not a database" in str(exc):
            hint = "; move the file away, or name another with --state or ABR_STATE"
        return StateError(f"{self._path}: {exc}{hint}")


class _Copier(threading.Thread):
    """Copies the log of a database into its file, now and then."""

    def __init__(self, path: Path) -> None:
        super().__init__(name="abr-checkpoint", daemon=True)
        self._path, self._end = path, threading.Event()

    def __repr__(self) -> str:
        return f"<_Copier of {self._path}>"

    def run(self) -> None:
        while not self._end.wait(COPY_S):
            if _log_bytes(self._path) >= COPY_BYTES:
                try:
                    with closing(sqlite3.connect(self._path, timeout=0.0)) as connection:
                        connection.execute(_COPY)
                except sqlite3.Error as exc:  # it will be tried again, and the writer's are told
                    LOGGER.debug("%s: %s when its log was copied", self._path, exc)

    def stop(self) -> None:
        self._end.set()


def _log_bytes(path: Path) -> int:
    try:
        return path.with_name(f"{path.name}-wal").stat().st_size
    except OSError:
        return 0


def wall_s() -> float:
    """Unix time: what several processes have in common."""
    return time.time()  # noqa: TID251 -- the state is shared by processes that start at other times
