"""The state in one SQLite file, shared by processes on this machine.

Readers and one writer do not wait for each other (WAL). A commit is on the disk soon, and at once
where ``is_durable`` asks for it: after a power cut, leases may be some heartbeats old, but no
revocation that was acknowledged is lost.

Source: SQLite's documentation, "Write-Ahead Logging" and ``PRAGMA synchronous``.
"""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from abr.errors import StateError
from origin.gateway.server.sqlstate import Row

BUSY_S = 0.4
"""How long a command waits for another process that writes."""

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
        except StateError:
            self._connection.close()
            raise

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
        self._connection.close()

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


def wall_s() -> float:
    """Unix time: what several processes have in common."""
    return time.time()  # noqa: TID251 -- the state is shared by processes that start at other times
