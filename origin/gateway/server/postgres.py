"""The state in PostgreSQL, shared by gateways and origins on any machines.

Transactions about the same account follow one another by advisory locks; those about different
accounts do not wait for each other. All commands have limits of the server's, and ``interrupt``
cuts the connection, for a server that is frozen keeps no limit.

Source: PostgreSQL 15 documentation, sections 13.3.5 (advisory locks), 20.11 (time limits) and 20.5
(``synchronous_commit``).
"""

from __future__ import annotations

import os
import socket
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from abr.errors import StateError, ToolMissingError
from origin.gateway.server.sqlstate import Row

if TYPE_CHECKING:
    import psycopg

CONNECT_S = 2
"""Limit for connecting; the library takes nothing shorter."""

_OPTIONS = (
    # Commits need not wait for the disk, as in SQLite's WAL; see ``transaction``.
    "-c synchronous_commit=off -c statement_timeout=2000 -c lock_timeout=800 "
    "-c idle_in_transaction_session_timeout=5000"
)
_LOCK_ACCOUNTS = """SELECT pg_advisory_xact_lock(key) FROM (
    SELECT DISTINCT hashtextextended(account, 0) AS key FROM unnest(%s::text[]) AS account
    ORDER BY key
) AS keys"""
_LOCK_MIGRATIONS = "SELECT pg_advisory_xact_lock(hashtextextended('abr_migrations', 1))"


class PostgresDatabase:
    """A ``Database`` in PostgreSQL."""

    def __init__(self, url: str, *, now: Callable[[], float]) -> None:
        """Connect.

        Raises:
            ToolMissingError: the library is not installed.
            StateError: nobody answers there, or lets us in.
        """
        try:
            import psycopg
        except ImportError as exc:
            raise ToolMissingError(
                "psycopg: not installed; run `pip install 'abrkit[postgres]'`, or keep the state "
                "in a file"
            ) from exc
        self._driver = psycopg
        self._name, self._now = shown(url), now
        try:
            self._connection = psycopg.connect(
                url,
                autocommit=True,
                connect_timeout=CONNECT_S,
                options=_OPTIONS,
                application_name="abrkit",
            )
        except psycopg.Error as exc:
            raise StateError(f"{self._name}: {_told(exc)}") from exc

    def __repr__(self) -> str:
        return f"<PostgresDatabase {self._name}>"

    @property
    def name(self) -> str:
        """Its URL without user and password."""
        return self._name

    @contextmanager
    def transaction(self, *, is_durable: bool = False) -> Iterator[None]:
        """As ``Database`` says."""
        with self._telling(), self._connection.transaction():
            if is_durable:
                self.rows("SET LOCAL synchronous_commit = on")
            yield

    @contextmanager
    def reading(self) -> Iterator[None]:
        """As ``Database`` says."""
        with self._telling(), self._connection.transaction():
            self.rows("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
            yield

    def lock(self, accounts: Sequence[str]) -> None:
        """As ``Database`` says."""
        if accounts:
            self._rows(_LOCK_ACCOUNTS, (list(accounts),))

    def lock_migrations(self) -> None:
        """As ``Database`` says."""
        self._rows(_LOCK_MIGRATIONS, ())

    def rows(self, sql: str, values: Sequence[Any] = ()) -> list[Row]:
        """As ``Database`` says."""
        return self._rows(sql.replace("?", "%s"), values)

    def run_many(self, sql: str, rows: Sequence[Row]) -> None:
        """As ``Database`` says; sent without waiting for each answer."""
        with self._telling(), self._connection.cursor() as cursor:
            cursor.executemany(sql.replace("?", "%s"), rows)

    def now_s(self) -> float:
        """As ``Database`` says."""
        return self._now()

    def interrupt(self) -> None:
        """As ``Database`` says; the connection is of no use afterwards."""
        with suppress(OSError, self._driver.Error):
            copy = socket.socket(fileno=os.dup(self._connection.fileno()))
            with copy:
                copy.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """As ``Database`` says."""
        self._connection.close()

    def _rows(self, sql: str, values: Sequence[Any]) -> list[Row]:
        with self._telling(), self._connection.cursor() as cursor:
            cursor.execute(sql, values)
            return cursor.fetchall() if cursor.description is not None else []

    @contextmanager
    def _telling(self) -> Iterator[None]:
        try:
            yield
        except self._driver.Error as exc:
            raise StateError(f"{self._name}: {_told(exc)}") from exc


def is_postgres(where: str) -> bool:
    """Whether a state is named by the URL of a PostgreSQL server."""
    return where.startswith(("postgresql://", "postgres://"))


def shown(url: str) -> str:
    """``url`` without what may be secret."""
    parts = urlsplit(url)
    return f"postgresql://{parts.netloc.rpartition('@')[2]}{parts.path}"


def _told(exc: psycopg.Error) -> str:
    """The first line of what the server or the library says."""
    return next(iter(str(exc).strip().splitlines()), type(exc).__name__)
