"""The state in SQLite and in PostgreSQL: the same answers, whole or not at all, from many."""

from __future__ import annotations

import os
import sqlite3
import stat
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from abr.errors import StateError
from origin.gateway.server.opening import default_state, open_state
from origin.gateway.sessions import Beat, Denied, End, Full, Gone, Held, LeaseRules, Session, Take
from origin.gateway.state import State
from origin.tokens.revocation import Revocation
from tests.fakes.postgres import Postgres, binaries, postgres

RULES = LeaseRules(lease_s=30.0, token_s=600.0)
NOW_S = 1_000_000.0


@pytest.fixture(scope="module")
def server() -> Iterator[Postgres]:
    if binaries() is None:
        pytest.skip("initdb and postgres are not installed")
    pytest.importorskip("psycopg", reason="psycopg is not installed")
    with postgres() as running:
        yield running


@pytest.fixture(params=["sqlite", "postgres"])
def where(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "sqlite":
        return str(tmp_path / "folder" / "state.sqlite")
    running: Postgres = request.getfixturevalue("server")
    return running.make_database()


@pytest.fixture
def opened(where: str) -> Iterator[Callable[[], State]]:
    """Opens the state as another process would; all are closed at the end."""
    states: list[State] = []

    def open_one() -> State:
        states.append(open_state(where, now=lambda: NOW_S))
        return states[-1]

    yield open_one
    for each in states:
        each.close()


def take(name: str, *, account: str = "a", device: str = "", places: int = 2) -> Take:
    session = Session(
        id=name,
        account=account,
        device=device or name,
        title="film",
        began_s=NOW_S,
        ends_s=NOW_S + 5000.0,
        lease_until_s=NOW_S,
    )
    return Take(session=session, places=places)


def revocation(kind: str, value: str, *, changed_ms: int = 1, **facts: object) -> Revocation:
    made = Revocation(
        kind=kind,  # type: ignore[arg-type]  # one of the kinds
        value=value,
        until_s=NOW_S + 900.0,
        changed_ms=changed_ms,
    )
    return replace(made, **facts)  # type: ignore[arg-type]  # names of fields


def settle(state: State, *asks: Take | Beat | End, now_s: float = NOW_S) -> list[str]:
    return [type(each).__name__ for each in state.settle(asks, rules=RULES, now_s=now_s)]


def test_sessions_outlive_the_connection(opened: Callable[[], State]) -> None:
    assert settle(opened(), take("one"), take("two"), take("three")) == ["Held", "Held", "Full"]
    other = opened()
    assert settle(other, take("three")) == ["Full"]
    assert [each.id for each in other.running("a", now_s=NOW_S)] == ["one", "two"]
    assert settle(other, Beat(id="one", account="a"), now_s=NOW_S + 25.0) == ["Held"]
    assert [each.id for each in opened().running("a", now_s=NOW_S + 40.0)] == ["one"]
    assert settle(other, End(id="one", account="a"), Beat(id="one", account="a")) == [
        "Held",
        "Gone",
    ]
    assert opened().why_closed("one", "a") == "session-ended"
    assert opened().why_closed("two", "a") is None


def test_who_asks_at_the_same_time_gets_no_more_places_than_there_are(
    opened: Callable[[], State],
) -> None:
    opened()  # makes the tables
    start = threading.Barrier(4)

    def ask(worker: int) -> list[str]:
        state = opened()
        start.wait(10.0)
        results = []
        for number in range(8):
            asks = [
                take(f"{worker}-{number}-{account}", account=account, places=5)
                for account in (("a", "b") if worker % 2 else ("b", "a"))
            ]
            results += _patient(state, asks)
        return results

    with ThreadPoolExecutor(4) as pool:
        results = [each for found in pool.map(ask, range(4)) for each in found]
    assert results.count("Held") == 10  # five of each account
    assert results.count("Full") == 64 - 10
    assert len(opened().running("a", now_s=NOW_S)) == 5


def _patient(state: State, asks: list[Take]) -> list[str]:
    """Settle; SQLite may be busy for longer than it waits on a loaded machine."""
    for _ in range(20):
        try:
            return settle(state, *asks)
        except StateError:
            time.sleep(0.02)
    return settle(state, *asks)


def test_sessions_that_are_closed_are_on_the_deny_list_until_their_tokens_end(
    opened: Callable[[], State],
) -> None:
    state = opened()
    settle(state, take("one", device="tv"))
    assert state.revocations(0).entries == ()
    settle(state, take("two", device="tv"))
    found = state.revocations(0)
    assert [(each.kind, each.value, each.until_s) for each in found.entries] == [
        ("session", "one", NOW_S + 600.0)
    ]
    assert state.revocations(found.version).entries == ()
    assert opened().why_closed("one", "a") == "session-replaced"


def test_revocations_are_told_in_order_and_once(opened: Callable[[], State]) -> None:
    state, other = opened(), opened()
    state.revoke([revocation("title", "film"), revocation("token", "t")], now_s=NOW_S)
    first = other.revocations(0)
    assert {each.value for each in first.entries} == {"film", "t"}
    other.revoke([revocation("title", "film", changed_ms=2, is_lifted=True)], now_s=NOW_S)
    second = state.revocations(first.version)
    assert [(each.value, each.is_lifted) for each in second.entries] == [("film", True)]
    assert second.version > first.version
    state.revoke([revocation("title", "film", changed_ms=1)], now_s=NOW_S)  # older: means nothing
    assert state.revocations(second.version).entries == ()
    assert len(state.revocations(0).entries) == 2


def test_revocations_close_the_sessions_that_they_mean(opened: Callable[[], State]) -> None:
    state = opened()
    settle(state, take("one"), take("two", account="b"), take("three", account="c"))
    state.revoke([revocation("account", "a"), revocation("session", "two")], now_s=NOW_S)
    beats = [Beat(id=name, account=of) for name, of in (("one", "a"), ("two", "b"), ("three", "c"))]
    assert settle(state, *beats) == ["Gone", "Gone", "Held"]
    assert state.why_closed("one", "a") == "session-revoked"
    assert state.why_closed("two", "b") == "session-revoked"
    (denied,) = state.settle([take("four")], rules=RULES, now_s=NOW_S)
    assert denied == Denied("account")
    assert settle(state, take("four"), now_s=NOW_S + 901.0) == ["Held"]


def test_what_an_account_played_stays_closed_when_its_revocation_is_lifted(
    opened: Callable[[], State],
) -> None:
    """Its tokens would play on beside new sessions, and count for no place."""
    state = opened()
    settle(state, take("one"))
    state.revoke([revocation("account", "a")], now_s=NOW_S)
    state.revoke([revocation("account", "a", changed_ms=2, is_lifted=True)], now_s=NOW_S)
    told = {each.subject: each.is_lifted for each in state.revocations(0).entries}
    assert told == {("account", "a"): True, ("session", "one"): False}
    assert state.why_closed("one", "a") == "session-revoked"
    assert settle(state, take("two")) == ["Held"]


def test_who_asks_anew_is_let_in_after_what_was_revoked_until_then(
    opened: Callable[[], State],
) -> None:
    state = opened()
    settle(state, take("one"))
    state.revoke([revocation("account", "a", issued_before_s=NOW_S + 5.0)], now_s=NOW_S)
    assert settle(state, take("two"), now_s=NOW_S + 4.0) == ["Denied"]
    assert settle(state, take("two"), now_s=NOW_S + 5.0) == ["Held"]
    assert settle(state, Beat(id="one", account="a")) == ["Gone"]


def test_what_has_ended_is_forgotten(opened: Callable[[], State]) -> None:
    state = opened()
    settle(state, take("one", device="tv"), take("two", device="tv"))
    state.revoke([revocation("title", "other")], now_s=NOW_S)
    state.sweep(now_s=NOW_S + 4999.0)
    assert state.why_closed("one", "a") == "session-replaced"  # its tokens could be renewed
    assert [each.value for each in state.revocations(0).entries] == ["one"]
    state.sweep(now_s=NOW_S + 5000.0)
    assert state.revocations(0).entries == ()
    assert settle(state, Beat(id="two", account="a")) == ["Gone"]


def test_tables_of_a_newer_version_are_left_alone(where: str, opened: Callable[[], State]) -> None:
    state = opened()
    state._database.rows("INSERT INTO abr_migrations (number) VALUES (999)")  # type: ignore[attr-defined]  # behind the protocol
    with pytest.raises(StateError, match=r"version 999.*newer"):
        opened()
    assert "secret-word" not in repr(state)
    del where


def test_results_are_those_of_the_core(opened: Callable[[], State]) -> None:
    state = opened()
    asks = [take("one", places=1), take("two", places=1)]
    held, full = state.settle(asks, rules=RULES, now_s=NOW_S)
    assert isinstance(held, Held)
    assert held.session.lease_until_s == NOW_S + 30.0
    assert isinstance(full, Full)
    assert full.holders == (held.session,)
    assert state.settle([Beat(id="x", account="a")], rules=RULES, now_s=NOW_S) == (Gone(),)


def test_the_file_is_for_its_user_only_and_other_files_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "made" / "state.sqlite"
    open_state(str(path)).close()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    other = tmp_path / "notes.txt"
    other.write_text("this is no database, whatever it is called\n" * 40)
    with pytest.raises(StateError, match=r"notes\.txt.*--state"):
        open_state(str(other))
    with pytest.raises(StateError, match="--state"):
        open_state(str(tmp_path))


def test_a_file_that_another_process_holds_fails_in_time_and_then_works(tmp_path: Path) -> None:
    path = str(tmp_path / "state.sqlite")
    state = open_state(path)
    holder = sqlite3.connect(path, isolation_level=None)
    holder.execute("BEGIN EXCLUSIVE")
    with pytest.raises(StateError, match="another process"):
        settle(state, take("one"))
    holder.execute("ROLLBACK")
    holder.close()
    assert settle(state, take("one")) == ["Held"]
    state.close()


def test_the_place_of_the_state_comes_from_the_environment() -> None:
    assert default_state({"ABR_STATE": "/x/y.sqlite", "HOME": "/h"}) == "/x/y.sqlite"
    assert default_state({"HOME": "/h"}) == "/h/.local/share/abrkit/state.sqlite"
    assert os.environ.get("ABR_STATE") is None


def test_no_error_names_the_password() -> None:
    if binaries() is None:
        pytest.skip("initdb and postgres are not installed")
    pytest.importorskip("psycopg", reason="psycopg is not installed")
    with pytest.raises(StateError) as caught:
        open_state("postgresql://someone:secret-word@127.0.0.1:1/abr")
    assert "secret-word" not in str(caught.value)
    assert "127.0.0.1:1/abr" in str(caught.value)
