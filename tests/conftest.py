"""What all tests share: steady property tests, and no settings from the outside."""

from __future__ import annotations

import itertools
import os

import pytest
from hypothesis import HealthCheck, settings

# No deadline: a shared machine pauses at will. Same examples in every run, so that a
# red build stays red; HYPOTHESIS_PROFILE=search looks for new ones.
settings.register_profile(
    "steady", deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow]
)
settings.register_profile("search", deadline=None, max_examples=1000)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "steady"))


_NUMBERS = itertools.count()


@pytest.fixture(autouse=True)
def _no_settings_from_outside(
    monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """A developer's own ABR_* variables must not decide tests; those naming tools may.

    Nor may products of an encode that another test, or the developer, has made.
    """
    for name in list(os.environ):
        if name.startswith("ABR_") and name not in {"ABR_FFMPEG", "ABR_FFPROBE"}:
            monkeypatch.delenv(name)
    folder = tmp_path_factory.getbasetemp() / f"products-{next(_NUMBERS)}"
    monkeypatch.setenv("ABR_CACHE", str(folder))
