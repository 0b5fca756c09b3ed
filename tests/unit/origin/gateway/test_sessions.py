"""Who holds which place of an account, decided without a clock or a store."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from origin.gateway.sessions import (
    Ask,
    Beat,
    Denied,
    End,
    Full,
    Gone,
    Held,
    LeaseRules,
    Outage,
    Session,
    Settled,
    Take,
    settle,
)

RULES = LeaseRules(lease_s=30.0, token_s=600.0)


def session(name: str, *, account: str = "a", device: str = "", began_s: float = 0.0) -> Session:
    return Session(
        id=name,
        account=account,
        device=device or f"device-{name}",
        title="film",
        began_s=began_s,
        ends_s=began_s + 1000.0,
        lease_until_s=began_s,
    )


class Book:
    """Sessions as a state would keep them."""

    def __init__(self, *, places: int = 2) -> None:
        self.places = places
        self.sessions: dict[str, Session] = {}
        self.closed: list[tuple[str, str]] = []

    def settle(self, *asks: Ask, now_s: float, grace_s: float = 0.0) -> Settled:
        settled = settle(self.sessions.values(), asks, now_s=now_s, rules=RULES, grace_s=grace_s)
        for each in settled.closed:
            self.sessions.pop(each.session.id, None)
            self.closed.append((each.session.id, each.why))
        for name in settled.over:
            del self.sessions[name]
        self.sessions |= {each.id: each for each in settled.written}
        return settled

    def take(self, name: str, *, now_s: float, device: str = "", grace_s: float = 0.0) -> object:
        wanted = session(name, device=device, began_s=now_s)
        ask = Take(session=wanted, places=self.places)
        return self.settle(ask, now_s=now_s, grace_s=grace_s).results[0]

    def beat(self, name: str, *, now_s: float, account: str = "a") -> object:
        return self.settle(Beat(id=name, account=account), now_s=now_s).results[0]

    def end(self, name: str, *, now_s: float, account: str = "a") -> object:
        return self.settle(End(id=name, account=account), now_s=now_s).results[0]


def test_a_place_is_given_until_all_are_taken_and_the_newest_is_refused() -> None:
    book = Book(places=2)
    assert isinstance(book.take("one", now_s=0.0), Held)
    assert isinstance(book.take("two", now_s=1.0), Held)
    refused = book.take("three", now_s=2.0)
    assert isinstance(refused, Full)
    assert [each.id for each in refused.holders] == ["one", "two"]
    assert sorted(book.sessions) == ["one", "two"]


def test_a_lease_lasts_from_the_heartbeat() -> None:
    book = Book()
    book.take("one", now_s=0.0)
    held = book.beat("one", now_s=20.0)
    assert isinstance(held, Held)
    assert held.session.lease_until_s == 50.0  # 20 + 30


def test_a_silent_session_loses_its_place_only_when_it_is_needed() -> None:
    book = Book(places=1)
    book.take("one", now_s=0.0)
    assert isinstance(book.beat("one", now_s=200.0), Held)  # silent for 200 s, and nobody came
    assert isinstance(book.take("two", now_s=229.0), Full)
    assert isinstance(book.take("two", now_s=231.0), Held)
    assert book.closed == [("one", "place-taken")]
    assert isinstance(book.beat("one", now_s=232.0), Gone)


def test_of_the_silent_the_one_silent_for_longest_goes_first() -> None:
    book = Book(places=2)
    book.take("one", now_s=0.0)
    book.take("two", now_s=1.0)
    book.beat("one", now_s=5.0)
    assert isinstance(book.take("three", now_s=100.0), Held)
    assert book.closed == [("two", "place-taken")]


def test_a_device_replaces_its_own_session_also_when_all_places_are_taken() -> None:
    book = Book(places=1)
    book.take("one", now_s=0.0, device="tv")
    assert isinstance(book.take("two", now_s=1.0, device="tv"), Held)
    assert book.closed == [("one", "session-replaced")]
    assert list(book.sessions) == ["two"]


def test_a_session_that_is_replaced_by_a_request_settled_with_it_is_closed_all_the_same() -> None:
    """Its player was told of a place, and holds a token."""
    asks = [
        Take(session=session("one", device="tv"), places=1),
        Take(session=session("two", device="tv"), places=1),
    ]
    settled = settle([], asks, now_s=0.0, rules=RULES)
    assert all(isinstance(each, Held) for each in settled.results)
    assert [each.session.id for each in settled.closed] == ["one"]
    assert [each.id for each in settled.written] == ["two"]


def test_a_request_that_is_made_again_because_its_answer_was_lost_changes_nothing() -> None:
    book = Book(places=1)
    ask = Take(session=session("one", device="tv"), places=1)
    first = book.settle(ask, now_s=0.0)
    again = book.settle(ask, now_s=1.0)
    assert again.results == first.results
    assert (again.written, again.closed) == ((), ())


def test_a_place_that_is_given_back_is_free_at_once() -> None:
    book = Book(places=1)
    book.take("one", now_s=0.0)
    assert isinstance(book.end("one", now_s=1.0), Held)
    assert isinstance(book.take("two", now_s=1.0), Held)
    assert isinstance(book.end("one", now_s=2.0), Gone)


def test_nobody_touches_the_session_of_another_account() -> None:
    book = Book()
    book.take("one", now_s=0.0)
    assert isinstance(book.end("one", now_s=1.0, account="b"), Gone)
    assert isinstance(book.beat("one", now_s=1.0, account="b"), Gone)
    assert list(book.sessions) == ["one"]


def test_accounts_do_not_share_places() -> None:
    asks = [
        Take(session=session("one", account="a"), places=1),
        Take(session=session("two", account="b"), places=1),
    ]
    settled = settle([], asks, now_s=0.0, rules=RULES)
    assert all(isinstance(each, Held) for each in settled.results)


def test_a_session_whose_time_has_passed_is_over() -> None:
    book = Book(places=1)
    book.take("one", now_s=0.0)
    book.beat("one", now_s=990.0)
    assert book.sessions["one"].lease_until_s == 1000.0  # no longer than its session
    assert isinstance(book.beat("one", now_s=1000.0), Gone)
    assert book.sessions == {}
    assert book.closed == []  # its tokens have ended by themselves


def test_what_is_revoked_gets_no_place() -> None:
    ask = Take(session=session("one"), places=1)
    for denied in (("account", "a"), ("title", "film")):
        settled = settle([], [ask], now_s=0.0, rules=RULES, denied={denied})
        assert settled.results == (Denied(denied[0]),)
        assert settled.written == ()


def test_a_plan_that_has_become_smaller_ends_no_playback() -> None:
    book = Book(places=3)
    for name in ("one", "two", "three"):
        book.take(name, now_s=0.0)
    book.places = 1
    assert isinstance(book.take("four", now_s=1.0), Full)
    assert isinstance(book.beat("three", now_s=1.0), Held)
    assert len(book.sessions) == 3


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["take", "beat", "end"]), st.integers(0, 5), st.floats(0.0, 40.0)
        ),
        max_size=60,
    ),
    st.integers(1, 3),
)
def test_no_more_playbacks_hold_a_token_than_the_plan_has_places(
    steps: list[tuple[str, int, float]], places: int
) -> None:
    """Of sessions that were never closed there are never more than places."""
    book, now_s = Book(places=places), 0.0
    for number, (what, device, pause_s) in enumerate(steps):
        now_s += pause_s
        running = sorted(book.sessions)
        if what == "take":
            book.take(f"{number:03}", now_s=now_s, device=f"d{device}")
        elif running:
            name = running[device % len(running)]
            book.beat(name, now_s=now_s) if what == "beat" else book.end(name, now_s=now_s)
        alive = [each for each in book.sessions.values() if each.ends_s > now_s]
        assert len(alive) <= places
        devices = [each.device for each in alive]
        assert len(set(devices)) == len(devices)


def test_leases_that_ran_out_while_nothing_could_be_noted_hold_for_one_more() -> None:
    outage = Outage(30.0)
    assert outage.grace_s(100.0) == 0.0
    outage.note_failure(100.0)
    outage.note_failure(150.0)
    outage.note_success(160.0)
    outage.note_success(170.0)
    assert outage.grace_s(170.0) == 70.0  # since 100
    assert outage.grace_s(189.0) == 89.0
    assert outage.grace_s(190.0) == 0.0  # 160 + 30
    outage.note_failure(200.0)
    assert outage.grace_s(201.0) == 1.0


def test_nobody_loses_a_place_for_an_outage() -> None:
    book = Book(places=1)
    book.take("one", now_s=0.0)
    assert isinstance(book.take("two", now_s=100.0, grace_s=90.0), Full)
    assert isinstance(book.beat("one", now_s=101.0), Held)
    book.sessions["one"] = replace(book.sessions["one"], lease_until_s=5.0)
    assert isinstance(book.take("two", now_s=100.0, grace_s=90.0), Held)  # silent before it
