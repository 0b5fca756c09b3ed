"""The state in a database that speaks SQL; what differs between them is behind ``Database``."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from contextlib import AbstractContextManager
from typing import Any, Protocol, cast

from abr.errors import StateError
from origin.gateway.server.migrations import MIGRATIONS, NUMBERS_TABLE
from origin.gateway.sessions import Ask, Closing, LeaseRules, Result, Session, Take, settle
from origin.gateway.state import is_meant, revocation_of
from origin.tokens.revocation import Kind, Revocation, Revoked

_SESSION = "id, account, device, title, began_s, ends_s, lease_until_s"
_REVOCATION = (
    "kind, value, version, until_s, kept_until_s, changed_ms, issued_before_s, is_lifted, why"
)
_COLUMNS = {"session": "id", "account": "account", "title": "title"}
"""Where sessions say what a revocation of this kind names."""
_MOST_READ = 10_000
"""Most revocations read at once; who asks comes again for the rest."""

Row = tuple[Any, ...]


class Database(Protocol):
    """One connection. Its errors are ``StateError``; placeholders are question marks."""

    @property
    def name(self) -> str:
        """For messages; holds no secret."""
        ...

    def transaction(self, *, is_durable: bool = False) -> AbstractContextManager[None]:
        """Everything within happens at once or not at all.

        ``is_durable``: it has reached the disk when the context ends.
        """
        ...

    def reading(self) -> AbstractContextManager[None]:
        """Everything within sees the same; nothing is written."""
        ...

    def lock(self, accounts: Sequence[str]) -> None:
        """Until the transaction ends, no other one that locks one of these goes on."""
        ...

    def lock_migrations(self) -> None:
        """Until the transaction ends, no other process changes the tables."""
        ...

    def rows(self, sql: str, values: Sequence[Any] = ()) -> list[Row]:
        """Run one command, and give the rows that it returns."""
        ...

    def run_many(self, sql: str, rows: Sequence[Row]) -> None:
        """Run one command for each of ``rows``."""
        ...

    def now_s(self) -> float:
        """Unix time by the clock of this machine."""
        ...

    def interrupt(self) -> None:
        """Have a command that another thread waits for fail soon."""
        ...

    def close(self) -> None:
        """Close the connection."""
        ...


class SqlState:
    """A ``State`` in a database; used by one thread at a time, but for ``interrupt``."""

    def __init__(self, database: Database) -> None:
        """Bring the tables up to date.

        Raises:
            StateError: a newer version of this program made them, or the database fails.
        """
        self._database = database
        _migrate(database)

    def __repr__(self) -> str:
        return f"<SqlState {self._database.name}>"

    def settle(
        self, asks: Sequence[Ask], *, rules: LeaseRules, now_s: float, grace_s: float = 0.0
    ) -> tuple[Result, ...]:
        """As ``State`` says."""
        accounts = sorted({ask.account for ask in asks})
        with self._database.transaction():
            self._database.lock(accounts)
            settled = settle(
                self._sessions("account", accounts),
                asks,
                now_s=now_s,
                rules=rules,
                grace_s=grace_s,
                denied=self._denied([ask for ask in asks if isinstance(ask, Take)], now_s),
            )
            self._remove([*settled.over, *(each.session.id for each in settled.closed)])
            self._write(settled.written)
            self._note(
                [
                    (revocation_of(each, rules=rules, now_s=now_s), each.session.ends_s, each.why)
                    for each in settled.closed
                ]
            )
        return settled.results

    def running(self, account: str, *, now_s: float) -> tuple[Session, ...]:
        """As ``State`` says."""
        found = self._sessions("account", [account])
        running = (each for each in found if each.lease_until_s > now_s and each.ends_s > now_s)
        return tuple(sorted(running, key=lambda each: (each.began_s, each.id)))

    def why_closed(self, session: str, account: str) -> Closing | None:
        """As ``State`` says."""
        found = self._database.rows(
            "SELECT why FROM abr_revocations WHERE NOT is_lifted AND "
            "((kind = 'session' AND value = ?) OR (kind = 'account' AND value = ?)) "
            "ORDER BY kind DESC",
            (session, account),
        )
        return cast("Closing", found[0][0] or "session-revoked") if found else None

    def marked(self, title: str) -> tuple[str, ...]:
        """As ``State`` says."""
        found = self._database.rows(
            "SELECT id FROM abr_marked WHERE title = ? ORDER BY began_s, id", (title,)
        )
        return tuple(each for (each,) in found)

    def revoke(self, entries: Sequence[Revocation], *, now_s: float) -> None:
        """As ``State`` says."""
        with self._database.transaction(is_durable=True):
            self._database.lock([each.value for each in entries if each.kind == "account"])
            self._note([(each, each.until_s, None) for each in entries])
            for entry in entries:
                column = _COLUMNS.get(entry.kind)
                found = self._sessions(column, [entry.value]) if column else []
                meant = [each for each in found if is_meant(each, entry)]
                self._remove([each.id for each in meant])
                if entry.kind == "account":
                    self._deny(meant, entry)

    def _deny(self, sessions: Sequence[Session], entry: Revocation) -> None:
        """Deny what an account played for good: it has no place any more if ``entry`` is lifted."""
        self._note(
            [
                (
                    Revocation(
                        kind="session",
                        value=each.id,
                        until_s=each.ends_s,
                        changed_ms=entry.changed_ms,
                    ),
                    each.ends_s,
                    None,
                )
                for each in sessions
            ]
        )

    def revocations(self, after: int) -> Revoked:
        """As ``RevocationSource`` says."""
        with self._database.reading():
            (last,) = self._database.rows(
                "SELECT value FROM abr_counters WHERE name = 'revocations'"
            )
            found = self._database.rows(
                f"SELECT {_REVOCATION} FROM abr_revocations "  # noqa: S608  # names of columns
                "WHERE version > ? AND until_s > ? ORDER BY version LIMIT ?",
                (after, self._database.now_s(), _MOST_READ),
            )
        version = int(found[-1][2]) if len(found) == _MOST_READ else int(last[0])
        return Revoked(entries=tuple(map(_revocation, found)), version=version)

    def sweep(self, *, now_s: float) -> None:
        """As ``State`` says."""
        with self._database.transaction():
            self._database.rows("DELETE FROM abr_sessions WHERE ends_s <= ?", (now_s,))
            self._database.rows("DELETE FROM abr_revocations WHERE kept_until_s <= ?", (now_s,))
            self._database.rows("DELETE FROM abr_marked WHERE kept_until_s <= ?", (now_s,))

    def interrupt(self) -> None:
        """As ``State`` says."""
        self._database.interrupt()

    def close(self) -> None:
        """As ``State`` says."""
        self._database.close()

    def _sessions(self, column: str, values: Sequence[str]) -> list[Session]:
        found = self._database.rows(
            f"SELECT {_SESSION} FROM abr_sessions WHERE {column} IN ({_marks(values)})",  # noqa: S608  # names of columns and marks
            values,
        )
        names = _SESSION.split(", ")
        return [Session(**dict(zip(names, row, strict=True))) for row in found]

    def _denied(self, takes: Sequence[Take], now_s: float) -> set[tuple[str, str]]:
        """Which of their accounts and titles are revoked for sessions that begin now."""
        if not takes:
            return set()
        accounts = {take.account for take in takes}
        titles = {take.session.title for take in takes}
        found = self._database.rows(
            "SELECT kind, value FROM abr_revocations WHERE NOT is_lifted AND until_s > ? "  # noqa: S608  # marks
            "AND (issued_before_s IS NULL OR issued_before_s > ?) "
            f"AND ((kind = 'account' AND value IN ({_marks(accounts)})) "
            f"OR (kind = 'title' AND value IN ({_marks(titles)})))",
            (now_s, now_s, *accounts, *titles),
        )
        return {(kind, value) for kind, value in found}

    def _remove(self, ids: Sequence[str]) -> None:
        if ids:
            self._database.run_many(
                "DELETE FROM abr_sessions WHERE id = ?", [(each,) for each in ids]
            )

    def _write(self, sessions: Sequence[Session]) -> None:
        if sessions:
            self._database.run_many(
                f"INSERT INTO abr_sessions ({_SESSION}) VALUES (?, ?, ?, ?, ?, ?, ?) "  # noqa: S608  # names of columns
                "ON CONFLICT (id) DO UPDATE SET lease_until_s = excluded.lease_until_s",
                [
                    (
                        each.id,
                        each.account,
                        each.device,
                        each.title,
                        each.began_s,
                        each.ends_s,
                        each.lease_until_s,
                    )
                    for each in sessions
                ],
            )

        marked = [each for each in sessions if each.traced_until_s]
        if marked:
            self._database.run_many(
                "INSERT INTO abr_marked (id, account, title, began_s, kept_until_s) "
                "VALUES (?, ?, ?, ?, ?) ON CONFLICT (id) DO NOTHING",
                [
                    (each.id, each.account, each.title, each.began_s, each.traced_until_s)
                    for each in marked
                ],
            )

    def _note(self, entries: Sequence[tuple[Revocation, float, Closing | None]]) -> None:
        """Write entries of the deny list that supersede what is there, numbered in commit order."""
        if not entries:
            return
        # The row is locked until the transaction ends, so versions become visible in their order.
        ((last,),) = self._database.rows(
            "UPDATE abr_counters SET value = value + ? WHERE name = 'revocations' RETURNING value",
            (len(entries),),
        )
        held = self._held([entry for entry, _, _ in entries])
        rows = []
        for version, (entry, kept_s, why) in enumerate(entries, int(last) - len(entries) + 1):
            before = held.get(entry.subject)
            if before is None or entry.supersedes(before):
                held[entry.subject] = entry
                rows.append(
                    (
                        entry.kind,
                        entry.value,
                        version,
                        entry.until_s,
                        max(kept_s, entry.until_s),
                        entry.changed_ms,
                        entry.issued_before_s,
                        entry.is_lifted,
                        why,
                    )
                )
        if rows:
            names = [name for name in _REVOCATION.split(", ") if name not in {"kind", "value"}]
            self._database.run_many(
                f"INSERT INTO abr_revocations ({_REVOCATION}) "  # noqa: S608  # names of columns
                "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (kind, value) DO UPDATE SET "
                + ", ".join(f"{name} = excluded.{name}" for name in names),
                rows,
            )

    def _held(self, entries: Iterable[Revocation]) -> dict[tuple[Kind, str], Revocation]:
        wanted = sorted({entry.subject for entry in entries})
        found: list[Row] = []
        for kind in {each[0] for each in wanted}:
            values = [value for of, value in wanted if of == kind]
            found += self._database.rows(
                f"SELECT {_REVOCATION} FROM abr_revocations "  # noqa: S608  # names of columns
                f"WHERE kind = ? AND value IN ({_marks(values)})",
                (kind, *values),
            )
        return {entry.subject: entry for entry in map(_revocation, found)}


def _marks(values: Collection[Any]) -> str:
    return ", ".join("?" * len(values))


def _revocation(row: Row) -> Revocation:
    kind, value, _, until_s, _, changed_ms, before_s, is_lifted, _ = row
    return Revocation(
        kind=kind,
        value=value,
        until_s=until_s,
        changed_ms=changed_ms,
        issued_before_s=before_s,
        is_lifted=bool(is_lifted),
    )


def _migrate(database: Database) -> None:
    with database.transaction(is_durable=True):
        database.lock_migrations()
        database.rows(NUMBERS_TABLE)
        done = {int(row[0]) for row in database.rows("SELECT number FROM abr_migrations")}
        newest = max(done, default=0)
        if newest > len(MIGRATIONS):
            raise StateError(
                f"{database.name}: its tables have version {newest}, made by a newer abrkit; "
                f"this one knows versions up to {len(MIGRATIONS)}: install the newer one, or name "
                "another state with --state"
            )
        for number, commands in enumerate(MIGRATIONS, 1):
            if number not in done:
                for command in commands:
                    database.rows(command)
                database.rows("INSERT INTO abr_migrations (number) VALUES (?)", (number,))
