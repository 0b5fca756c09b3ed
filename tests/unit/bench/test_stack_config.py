"""Settings of a stack."""

from typing import Any

import pytest

from abr.errors import ConfigError
from bench.stack.config import ServeConfig


@pytest.mark.parametrize(
    "wrong",
    [{"edges": 0}, {"port": 65535}, {"cache_bytes": 0}, {"shutdown_s": -1.0}, {"token_ttl_s": 0.0}],
)
def test_settings_of_a_stack_are_checked_too(wrong: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match=f"serve.{next(iter(wrong))}"):
        ServeConfig(**wrong).check()
