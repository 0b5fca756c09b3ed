"""The tables of the state, as numbered steps that are each done once and never changed.

The same text serves SQLite and PostgreSQL: both have these types and commands.
"""

from __future__ import annotations

MIGRATIONS: tuple[tuple[str, ...], ...] = (
    (
        """CREATE TABLE abr_sessions (
            id TEXT PRIMARY KEY,
            account TEXT NOT NULL,
            device TEXT NOT NULL,
            title TEXT NOT NULL,
            began_s DOUBLE PRECISION NOT NULL,
            ends_s DOUBLE PRECISION NOT NULL,
            lease_until_s DOUBLE PRECISION NOT NULL
        )""",
        "CREATE INDEX abr_sessions_account ON abr_sessions (account)",
        "CREATE INDEX abr_sessions_ends ON abr_sessions (ends_s)",
        """CREATE TABLE abr_revocations (
            kind TEXT NOT NULL,
            value TEXT NOT NULL,
            version BIGINT NOT NULL,
            until_s DOUBLE PRECISION NOT NULL,
            kept_until_s DOUBLE PRECISION NOT NULL,
            changed_ms BIGINT NOT NULL,
            issued_before_s DOUBLE PRECISION,
            is_lifted BOOLEAN NOT NULL,
            why TEXT,
            PRIMARY KEY (kind, value)
        )""",
        "CREATE INDEX abr_revocations_version ON abr_revocations (version)",
        "CREATE INDEX abr_revocations_kept ON abr_revocations (kept_until_s)",
        """CREATE TABLE abr_counters (
            name TEXT PRIMARY KEY,
            value BIGINT NOT NULL
        )""",
        "INSERT INTO abr_counters (name, value) VALUES ('revocations', 0)",
    ),
    (
        """CREATE TABLE abr_marked (
            id TEXT PRIMARY KEY,
            account TEXT NOT NULL,
            title TEXT NOT NULL,
            began_s DOUBLE PRECISION NOT NULL,
            kept_until_s DOUBLE PRECISION NOT NULL
        )""",
        "CREATE INDEX abr_marked_title ON abr_marked (title)",
        "CREATE INDEX abr_marked_kept ON abr_marked (kept_until_s)",
    ),
)
"""Each step is a list of commands; number 1 is the first."""

NUMBERS_TABLE = "CREATE TABLE IF NOT EXISTS abr_migrations (number INTEGER PRIMARY KEY)"
"""Which steps were done."""
