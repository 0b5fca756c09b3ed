"""Which fields go on, and requests that come round."""

from edge.caching.forwarding import forwarded_headers, has_looped, passable_headers, via_of


def test_fields_of_one_hop_and_those_that_connection_names_stay() -> None:
    pairs = [("Connection", "close, X-Hop"), ("x-hop", "1"), ("Upgrade", "h2c"), ("X-Foo", "1")]
    assert passable_headers(pairs) == [("X-Foo", "1")]


def test_a_request_says_where_it_has_been_and_that_is_recognised() -> None:
    once = forwarded_headers(
        [("Host", "a"), ("X-Foo", "1")], dropped=frozenset({"host"}), via="1.1 e", loop_id="ab12"
    )
    assert once == [("X-Foo", "1"), ("Via", "1.1 e"), ("CDN-Loop", 'abrkit; id="ab12"')]
    assert has_looped(once, "ab12")
    assert not has_looped(once, "cd34")
    twice = forwarded_headers(once, dropped=frozenset(), via="1.1 f", loop_id="cd34")
    assert has_looped(twice, "ab12")
    assert has_looped(twice, "cd34")


def test_a_name_in_via_is_a_token() -> None:
    assert via_of("isp 1/eu") == "1.1 isp_1_eu"
