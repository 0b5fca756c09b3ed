"""Property: redaction keeps apart what differs, and redacting again changes nothing."""

from __future__ import annotations

from urllib.parse import urljoin

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from abr.redaction import Redactor
from transcode.playlist.redaction import redact_playlist

values = st.sampled_from(
    [
        "",
        "1",
        "abc",
        "(1)",
        "(2)",
        "-",
        "a=b",
        "kQ3vZ8sWm1Xc9RtB7yLp2A",
        "eyJhbGciOi.eyJzdWIiOi.c2ln",
    ]
) | st.text("ab12()-_.~%=;", max_size=6)
segments = st.sampled_from(["t", "film", "v0", "seg-00012.m4s", "hdnts=exp=1~hmac=2"]) | values
paths = st.lists(segments, min_size=1, max_size=4).map("/".join)
queries = st.lists(st.tuples(st.sampled_from(["a", "tok", ""]), values), max_size=3).map(
    lambda pairs: "&".join(f"{name}={value}" for name, value in pairs)
)
heads = st.sampled_from(["", "https://h.test/", "https://u:p@h.test/", "https://u:q@h.test:1/"])


@st.composite
def urls(draw: st.DrawFn) -> str:
    """Absolute or relative, with or without a query or fragment."""
    query, fragment = draw(queries), draw(st.sampled_from(["", "#", "#x", "#(1)"]))
    return draw(heads) + draw(paths) + (f"?{query}" if query else "") + fragment


@settings(max_examples=60, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(urls(), min_size=1, max_size=8))
def test_what_differs_still_differs_and_a_second_time_nothing_changes(found: list[str]) -> None:
    names = Redactor()
    shown = [names.url(each) for each in found]
    assert len(set(shown)) == len(set(found))
    again = Redactor()
    assert [again.url(each) for each in shown] == shown


@settings(max_examples=50, suppress_health_check=[HealthCheck.too_slow])
@given(urls().filter(lambda url: "://" in url), st.lists(urls(), max_size=5))
def test_a_redacted_playlist_leads_to_redacted_urls(source: str, listed: list[str]) -> None:
    """Resolving and redacting may change places: why a log replays."""
    listed = [each for each in listed if each and not each.startswith(("#", "{", "/"))]
    names = Redactor()
    shown_source = names.url(source)
    text = "#EXTM3U\n" + "".join(f"#EXTINF:1,\n{each}\n" for each in listed)
    shown_text = redact_playlist(text, names)
    shown = [line for line in shown_text.splitlines() if not line.startswith("#")]
    for each, other in zip(listed, shown, strict=True):
        assert urljoin(shown_source, other) == names.url(urljoin(source, each))
