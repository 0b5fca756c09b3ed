"""Cache-Status as RFC 9211 spells it."""

from edge.caching.cachestatus import CacheStatus, append_member


def test_a_hit_gives_the_freshness_left() -> None:
    assert str(CacheStatus(cache="edge-1", hit=True, ttl_s=29.7)) == '"edge-1"; hit; ttl=29'


def test_a_miss_says_why_the_parent_was_asked_and_what_came_of_it() -> None:
    status = CacheStatus(cache="e", fwd="uri-miss", stored=True, collapsed=True)
    assert str(status) == '"e"; fwd=uri-miss; stored; collapsed'


def test_a_validation_gives_the_parents_status() -> None:
    status = CacheStatus(cache="e", fwd="stale", fwd_status=304, ttl_s=5)
    assert str(status) == '"e"; fwd=stale; fwd-status=304; ttl=5'


def test_tiers_are_listed_from_the_origin_outwards() -> None:
    one = append_member(None, CacheStatus(cache="regional", hit=True))
    both = append_member(one, CacheStatus(cache="edge-1", fwd="uri-miss"))
    assert both == '"regional"; hit, "edge-1"; fwd=uri-miss'


def test_names_are_quoted_safely() -> None:
    status = CacheStatus(cache='a"b\\c\r\nd', detail="parent-failed")
    assert str(status) == '"a\\"b\\\\cd"; detail="parent-failed"'
