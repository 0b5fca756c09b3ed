"""A real PostgreSQL server in a temporary folder, on loopback, not as root."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.fakes.ports import free_ports

LIMIT_S = 30.0


@dataclass(frozen=True)
class Postgres:
    """Where it listens, and its process."""

    port: int
    pid: int
    _made: list[str]

    def make_database(self) -> str:
        """The URL of a new, empty database."""
        import psycopg

        name = f"abr{len(self._made)}"
        self._made.append(name)
        with psycopg.connect(self._url("postgres"), autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {name}")
        return self._url(name)

    def _url(self, database: str) -> str:
        return f"postgresql://postgres:secret-word@127.0.0.1:{self.port}/{database}"


def binaries() -> Path | None:
    """The folder of ``initdb`` and ``postgres``; None when they are not installed."""
    found = shutil.which("initdb")
    places = [Path(found).parent] if found else []
    places += sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    good = (each for each in places if (each / "initdb").exists() and (each / "postgres").exists())
    return next(good, None)


def _user() -> str | None:
    """Whom to run it as: PostgreSQL refuses root."""
    if os.geteuid() != 0:
        return None
    known = {each.pw_name for each in pwd.getpwall()}
    return "postgres" if "postgres" in known else "nobody"


@contextmanager
def postgres() -> Iterator[Postgres]:
    """A server that runs while the context is open."""
    found, user = binaries(), _user()
    assert found is not None
    with tempfile.TemporaryDirectory(prefix="abr-postgres-") as folder:
        data = Path(folder) / "data"
        if user is not None:
            shutil.chown(folder, user)
        password = Path(folder) / "password"
        password.write_text("secret-word\n")
        password.chmod(0o644)
        subprocess.run(
            [
                *(found / "initdb", "-D", data, "-U", "postgres", "-A", "scram-sha-256"),
                *("--no-sync", "--pwfile", password, "-E", "UTF8", "--locale", "C"),
            ],
            check=True,
            capture_output=True,
            user=user,
            cwd=folder,
            timeout=LIMIT_S,
        )
        port = free_ports(1)
        with (Path(folder) / "log").open("wb") as log:
            server = subprocess.Popen(
                [
                    *(found / "postgres", "-D", data, "-p", str(port), "-h", "127.0.0.1"),
                    *("-c", "unix_socket_directories=", "-c", "fsync=off"),
                ],
                stdout=log,
                stderr=log,
                user=user,
                cwd=folder,
            )
        try:
            made = Postgres(port, server.pid, [])
            _wait(made, server)
            yield made
        finally:
            server.send_signal(signal.SIGINT)  # "fast": clients are sent away
            try:
                server.wait(LIMIT_S)
            except subprocess.TimeoutExpired:
                server.kill()
                server.wait()


def _wait(made: Postgres, server: subprocess.Popen[bytes]) -> None:
    import psycopg

    end_s = time.monotonic() + LIMIT_S
    while True:
        try:
            psycopg.connect(made._url("postgres"), connect_timeout=2).close()
            return
        except psycopg.OperationalError:
            if time.monotonic() > end_s or server.poll() is not None:
                raise
            time.sleep(0.05)
