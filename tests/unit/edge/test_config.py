"""Settings of an edge."""

from typing import Any

import pytest

from abr.errors import ConfigError
from edge.config import EdgeConfig


@pytest.mark.parametrize(
    ("wrong", "expected"),
    [
        ({"parent": "example"}, "edge.parent: found 'example'; expected a URL"),
        ({"parent": "file:///etc/passwd"}, "edge.parent: found"),
        ({"parent": "http://x/?a=b"}, "expected scheme, host and port"),
        ({"port": 70000}, "edge.port: found 70000; expected 0 to 65535"),
        ({"cache_bytes": 0}, "edge.cache_bytes: found 0; expected more than 0"),
        ({"fill_limit_s": float("nan")}, "edge.fill_limit_s: found nan"),
        ({"keys_refresh_s": -1.0}, "edge.keys_refresh_s: found -1.0; expected 0 or more"),
        ({"name": "a\r\nb"}, "edge.name"),
        ({"policy": "lru2"}, "edge.policy: found 'lru2'; expected one of gdsf, lru"),
    ],
)
def test_settings_that_cannot_be_used_are_named(wrong: dict[str, Any], expected: str) -> None:
    with pytest.raises(ConfigError) as caught:
        EdgeConfig(**wrong).check()
    assert expected in str(caught.value)
