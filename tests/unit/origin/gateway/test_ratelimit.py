"""Rates by name in bounded memory, and whose address a request comes from."""

from __future__ import annotations

import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from origin.gateway.ratelimit import Rate, RateLimit, bucket_of, client_address


def test_a_burst_passes_and_then_as_many_as_the_rate() -> None:
    limit = RateLimit(Rate(per_s=2.0, burst=3.0))
    assert [limit.wait_s("a", now_s=0.0) for _ in range(3)] == [0.0, 0.0, 0.0]
    assert limit.wait_s("a", now_s=0.0) == 0.5  # one more each half second
    assert limit.wait_s("b", now_s=0.0) == 0.0
    assert limit.wait_s("a", now_s=0.5) == 0.0
    assert limit.wait_s("a", now_s=0.5) == 0.5


def test_cheap_requests_count_for_less() -> None:
    limit = RateLimit(Rate(per_s=1.0, burst=1.0))
    assert [limit.wait_s("a", now_s=0.0, cost=0.1) for _ in range(10)] == [0.0] * 10
    assert limit.wait_s("a", now_s=0.0, cost=0.1) == pytest.approx(0.1)


def test_a_rate_of_zero_is_no_limit() -> None:
    limit = RateLimit(Rate(per_s=0.0, burst=1.0))
    assert [limit.wait_s("a", now_s=0.0) for _ in range(100)] == [0.0] * 100
    assert len(limit) == 0


def test_memory_is_bounded_by_forgetting_who_asked_longest_ago() -> None:
    limit = RateLimit(Rate(per_s=0.001, burst=1.0), most=3)
    for name in "abcd":
        assert limit.wait_s(name, now_s=0.0) == 0.0
    assert len(limit) == 3
    assert limit.wait_s("d", now_s=0.0) > 0.0
    assert limit.wait_s("a", now_s=0.0) == 0.0


@given(st.lists(st.floats(0.0, 1.0), max_size=200))
def test_no_more_pass_than_the_burst_and_what_the_time_gives(pauses_s: list[float]) -> None:
    limit, now_s, passed = RateLimit(Rate(per_s=5.0, burst=4.0)), 0.0, 0
    for pause_s in pauses_s:
        now_s += pause_s
        passed += limit.wait_s("a", now_s=now_s) == 0.0
    assert passed <= 4.0 + 5.0 * now_s + 1e-6


PROXIES = (ipaddress.ip_network("10.0.0.0/8"), ipaddress.ip_network("fd00::/8"))


@pytest.mark.parametrize(
    ("peer", "forwarded", "client"),
    [
        ("192.0.2.1", "", "192.0.2.1"),
        ("192.0.2.1", "198.51.100.1", "192.0.2.1"),  # a stranger says so
        ("10.0.0.1", "198.51.100.1", "198.51.100.1"),
        ("10.0.0.1", "6.6.6.6, 198.51.100.1, 10.0.0.2", "198.51.100.1"),
        ("10.0.0.1", "", "10.0.0.1"),
        ("10.0.0.1", "10.0.0.9", "10.0.0.9"),
        ("fd00::1", "2001:db8::7", "2001:db8::7"),
        ("10.0.0.1", "not an address, 10.0.0.2", "not an address"),
        ("", "1.2.3.4", ""),
    ],
)
def test_only_our_own_proxies_are_believed(peer: str, forwarded: str, client: str) -> None:
    assert client_address(peer, forwarded, PROXIES) == client


@pytest.mark.parametrize(
    ("address", "bucket"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("x" * 100, "x" * 64),
    ],
)
def test_a_client_has_one_bucket_however_many_addresses(address: str, bucket: str) -> None:
    assert bucket_of(address) == bucket
