"""Who gets a compressed playlist."""

from __future__ import annotations

import pytest

from origin.encoding import accepts_gzip, gzip_tag


@pytest.mark.parametrize(
    ("field", "accepted"),
    [
        (None, False),
        ("", False),
        ("gzip", True),
        ("GZIP", True),
        ("x-gzip", True),
        ("br, gzip;q=0.5, deflate", True),
        ("gzip ; q=1.000", True),
        ("gzip;q=0", False),
        ("gzip;q=0.000, *", False),
        ("*", True),
        ("*;q=0", False),
        ("identity", False),
        ("identity;q=0, *;q=0.1", True),
        ("gzip;q=2", False),
        ("gzip;q=0.1234", False),
        ("gzipped", False),
        ("br", False),
        (",,gzip,,", True),
        ("gzip;level=9", False),
    ],
)
def test_gzip_is_sent_to_those_who_take_it(field: str | None, accepted: bool) -> None:
    assert accepts_gzip(field) is accepted


def test_the_compressed_form_has_a_weak_tag_of_its_own() -> None:
    assert gzip_tag('"17a-5"') == 'W/"17a-5-gzip"'
