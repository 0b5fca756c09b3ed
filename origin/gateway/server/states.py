"""Where the state is, and how it is opened."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from abr.errors import ConfigError
from abr.userfolders import data_home
from origin.gateway.server.postgres import PostgresDatabase, is_postgres
from origin.gateway.server.sqlite import SqliteDatabase, wall_s
from origin.gateway.server.sqlstate import Database, SqlState
from origin.gateway.state import State


def default_state(environ: Mapping[str, str]) -> str:
    """``$ABR_STATE``, else ``abrkit/state.sqlite`` under the user's data folder.

    Raises:
        ConfigError: the environment names no home.
    """
    if given := environ.get("ABR_STATE"):
        return given
    home = data_home(environ)
    if home is None:
        raise ConfigError("state: neither ABR_STATE nor HOME is set; give --state FILE")
    return str(home / "abrkit" / "state.sqlite")


def is_there(where: str) -> bool:
    """Whether opening makes no new file: a typing error would be one."""
    return is_postgres(where) or Path(where).exists()


def open_state(where: str, *, now: Callable[[], float] = wall_s) -> State:
    """The state in a file, or behind a ``postgresql://`` URL.

    Raises:
        StateError: it cannot be opened.
        ToolMissingError: the library for PostgreSQL is not installed.
    """
    database: Database
    if is_postgres(where):
        database = PostgresDatabase(where, now=now)
    else:
        database = SqliteDatabase(Path(where), now=now)
    try:
        return SqlState(database)
    except BaseException:
        database.close()
        raise
