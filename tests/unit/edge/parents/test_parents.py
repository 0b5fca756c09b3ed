"""The parents of an edge as one thing to ask."""

from __future__ import annotations

import pytest

from edge.parents.budget import RetryBudget
from edge.parents.health import Health, HealthRules
from edge.parents.limit import ConcurrencyLimit, LimitRules
from edge.parents.parents import Parent, ParentRules, Parents
from edge.parents.ring import preference
from origin.breaker import BreakerRules

A, B, C = "http://a", "http://b", "http://c"
RULES = ParentRules(breaker=BreakerRules(in_a_row=3), limit=LimitRules(initial=8, least=2, most=16))


def three() -> Parents:
    """Three equal parents."""
    return Parents([Parent(name=name) for name in (A, B, C)], RULES)


def fail(parents: Parents, name: str, count: int, now_s: float = 0.0) -> None:
    """So many failures at one parent."""
    for _ in range(count):
        attempt = parents.begin(name, now_s)
        assert attempt is not None
        attempt.failed(now_s)


def test_a_key_is_asked_at_its_own_parent_first() -> None:
    """With all well, the order is that of the hash, and the miss is one of content."""
    choice = three().choose("k", now_s=0.0)
    assert choice.names == preference("k", (A, B, C), {})
    assert choice.why == "content"


def test_an_open_breaker_leaves_its_parent_out() -> None:
    """The next in the key's order takes over, and the miss is one of health."""
    parents = three()
    home, second, third = parents.choose("k", now_s=0.0).names
    fail(parents, home, 3)
    choice = parents.choose("k", now_s=0.1)
    assert choice.names == (second, third)
    assert choice.why == "health"


def test_a_parent_without_room_is_passed_over() -> None:
    """Eight requests are its limit; the ninth goes to the next one, for another reason."""
    parents = three()
    home, second, _ = parents.choose("k", now_s=0.0).names
    attempts = [parents.begin(home, 0.0) for _ in range(8)]
    choice = parents.choose("k", now_s=0.0)
    assert choice.names[0] == second
    assert choice.why == "other"
    assert attempts[0] is not None
    attempts[0].answered(200, 0.1)
    assert parents.choose("k", now_s=0.1).names[0] == home


def test_prefetch_leaves_room_for_playback() -> None:
    """Half of the limit of eight is open to prefetch."""
    parents = Parents([Parent(name=A)], RULES)
    for _ in range(4):
        parents.begin(A, 0.0)
    shed = parents.choose("k", now_s=0.0, urgency="prefetch")
    assert (shed.names, shed.is_full) == ((), True)
    assert parents.choose("k", now_s=0.0, urgency="playback").names == (A,)


def test_with_every_breaker_open_nobody_is_asked_and_the_wait_is_stated() -> None:
    """Answering at once is better than adding to the load of parents that fail."""
    parents = three()
    for name in (A, B, C):
        fail(parents, name, 3)
    choice = parents.choose("k", now_s=0.25)
    assert choice.names == ()
    assert choice.retry_after_s == pytest.approx(0.75)


def test_a_backup_comes_after_all_others() -> None:
    """The origin behind a tier is asked only when the tier cannot be."""
    parents = Parents([Parent(name=A, backup=True), Parent(name=B), Parent(name=C)], RULES)
    for number in range(20):
        assert parents.choose(f"k{number}", now_s=0.0).names[-1] == A


def test_being_overtaken_counts_against_a_parent() -> None:
    """A frozen parent never fails in time; that its hedges win three times opens the breaker."""
    parents = three()
    for _ in range(3):
        attempt = parents.begin(A, 0.0)
        assert attempt is not None
        attempt.overtaken(0.2)
    assert parents.states(0.2)[A] == "open"


def test_parents_that_were_late_and_never_failed_are_asked_when_all_are_open() -> None:
    """A busy machine makes everybody late; a parent that failed stays out."""
    parents = three()
    for name in (A, B, C):
        for _ in range(3):
            attempt = parents.begin(name, 0.0)
            assert attempt is not None
            if name == C:
                attempt.failed(0.1)
            else:
                attempt.overtaken(0.2)
    assert set(parents.states(0.2).values()) == {"open"}
    assert set(parents.choose("k", now_s=0.2).names) == {A, B}
    again = parents.begin(A, 0.2)
    assert again is not None
    again.answered(200, 0.3)
    assert parents.begin(C, 0.2) is None


def test_a_parent_whose_probe_fails_is_asked_no_more_although_it_was_only_late_before() -> None:
    """It was late three times, and then it died."""
    parents = Parents([Parent(name=A)], RULES)
    for failed in (False, False, False, True):
        now_s = 2.0 if failed else 0.0  # the sleep window of 1 s is over: the probe
        attempt = parents.begin(A, now_s)
        assert attempt is not None
        if failed:
            attempt.failed(now_s)
        else:
            attempt.overtaken(now_s)
    assert parents.choose("k", now_s=2.1).names == ()
    assert parents.begin(A, 2.1) is None


def test_giving_up_says_nothing_about_a_parent_and_frees_its_room() -> None:
    """Clients that leave open no breaker."""
    parents = three()
    for _ in range(30):
        attempt = parents.begin(A, 0.0)
        assert attempt is not None
        attempt.give_up()
    assert parents.states(0.0)[A] == "closed"
    assert parents.one(A).limit.in_flight == 0


def test_a_missing_object_is_no_failure_of_its_parent() -> None:
    """404 and 403 speak of the object; 503 speaks of the parent."""
    parents = three()
    for status in (404, 403, 410, 416, 302):
        for _ in range(10):
            attempt = parents.begin(A, 0.0)
            assert attempt is not None
            attempt.answered(status, 0.1)
    assert parents.states(0.1)[A] == "closed"
    for _ in range(3):
        attempt = parents.begin(A, 0.0)
        assert attempt is not None
        attempt.answered(503, 0.1)
    assert parents.states(0.1)[A] == "open"


def test_a_single_parent_that_answers_is_alive_whatever_it_answers() -> None:
    """One page of a site that says 503 does not cut off the others."""
    parents = Parents([Parent(name=A)], RULES)
    for _ in range(50):
        attempt = parents.begin(A, 0.0)
        assert attempt is not None
        attempt.answered(503, 0.1)
    assert parents.states(0.1)[A] == "closed"


def test_an_object_that_fails_at_every_parent_does_not_close_the_way_to_all_others() -> None:
    """The last one left answers, so it is alive; until another could do better again."""
    parents = three()
    for now_s in (0.0, 0.2):
        for _ in range(10):
            for name in (A, B, C):
                attempt = parents.begin(name, now_s)
                if attempt is not None:
                    attempt.answered(503, now_s + 0.1)
    assert sorted(parents.states(0.3).values()) == ["closed", "open", "open"]
    assert parents.choose("k", now_s=0.3).names
    left = next(name for name, state in parents.states(0.3).items() if state == "closed")
    fail(parents, left, 3, now_s=0.3)  # no answer at all is another thing
    assert parents.states(0.3)[left] == "open"


def test_hedges_wait_for_the_usual_time() -> None:
    """Of waits of 10 to 400 ms the 95th percentile is 380 ms; without samples a fixed time."""
    parents = three()
    assert parents.hedge_after_s(A) == RULES.hedge_unknown_s
    for number in range(1, 41):
        attempt = parents.begin(A, 0.0)
        assert attempt is not None
        attempt.answered(200, number * 0.010)
    assert parents.hedge_after_s(A) == pytest.approx(0.380)


def test_retries_add_a_share_and_no_more() -> None:
    """After the reserve of 20, 80 first requests at a quarter allow 20 second ones."""
    budget = RetryBudget(share=0.25, least_per_s=1.0, reserve=20)
    assert sum(budget.withdraw(0.0) for _ in range(50)) == 20
    for _ in range(80):
        budget.deposit()
    assert sum(budget.withdraw(0.0) for _ in range(50)) == 20
    assert sum(budget.withdraw(3.0) for _ in range(50)) == 3  # one per second without any load


def test_a_new_list_keeps_what_is_known_of_those_that_stay() -> None:
    """Reloading the configuration does not close a breaker."""
    parents = three()
    fail(parents, A, 3)
    parents.set_parents([Parent(name=A), Parent(name="http://d")])
    assert parents.states(0.0) == {A: "open", "http://d": "closed"}
    with pytest.raises(ValueError, match="each once"):
        parents.set_parents([Parent(name=A), Parent(name=A)])


def test_probes_make_a_parent_down_and_up() -> None:
    """Two failed probes in a row, then two good ones."""
    health = Health((A, B), HealthRules(fall=2, rise=2))
    states = []
    for good in (False, True, False, False, True, False, True, True):
        health.note_probe(A, good=good)
        states.append(health.is_down(A))
    assert states == [False, False, False, True, True, True, True, False]


def test_an_outlier_is_ejected_but_never_most_of_them() -> None:
    """One of three fails half of its requests: out for 5 s. When all do, at most one is out."""
    health = Health((A, B, C), HealthRules(volume=10, excess=0.3, ejection_s=5))
    for number in range(20):
        for name in (A, B, C):
            health.note_request(name, failed=name == A and number % 2 == 0, now_s=0.0)
    assert [health.is_well(name, 1.0) for name in (A, B, C)] == [False, True, True]
    assert health.is_well(A, 5.0)
    for _ in range(40):
        for name in (B, C):
            health.note_request(name, failed=True, now_s=1.0)
    assert sum(health.is_well(name, 1.0) for name in (A, B, C)) == 2


def test_the_limit_shrinks_when_waits_grow_and_recovers() -> None:
    """Waits of ten times the base with the limit in use shrink it; short ones restore it."""
    limit = ConcurrencyLimit(LimitRules(initial=64, least=4, most=64))
    for _ in range(40):
        limit.enter()
    limit.learn(0.05, failed=False)
    for _ in range(60):
        limit.learn(0.5, failed=False)
    shrunk = limit.limit
    assert shrunk < 40
    for _ in range(200):
        limit.learn(0.05, failed=False)
    assert limit.limit > shrunk


def test_an_idle_limit_learns_nothing_from_slow_answers() -> None:
    """One slow answer of an idle parent is not the limit's doing."""
    limit = ConcurrencyLimit(LimitRules(initial=64))
    limit.enter()
    limit.learn(0.05, failed=False)
    for _ in range(100):
        limit.learn(5.0, failed=False)
    assert limit.limit == 64
