"""Where the state is, and how it and the whole service are opened."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from abr.errors import ConfigError
from abr.userfolders import data_home
from origin.gateway.config import GatewayConfig
from origin.gateway.server.authenticating import open_authenticator
from origin.gateway.server.postgres import PostgresDatabase, is_postgres
from origin.gateway.server.service import Service, TitleIndex
from origin.gateway.server.sqlite import SqliteDatabase, wall_s
from origin.gateway.server.sqlstate import Database, SqlState
from origin.gateway.server.stateclient import StateClient
from origin.gateway.state import State
from origin.signing import Secrets


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


def open_service(
    config: GatewayConfig, *, titles: TitleIndex, keys: Secrets, state: str
) -> Service:
    """A playback service by its settings; the state is opened when it is first asked.

    Raises:
        ConfigError, MissingFileError: accounts cannot be used.
        KeyStoreError: the key store is damaged.
    """
    client = StateClient(lambda: open_state(state), rules=config.leases, now=wall_s)
    return Service(
        config,
        titles=titles,
        keys=keys,
        authenticator=open_authenticator(config),
        state=client,
        now=wall_s,
    )
