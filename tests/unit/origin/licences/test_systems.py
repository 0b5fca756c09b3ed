"""Key systems as plug-ins."""

from __future__ import annotations

from importlib.metadata import EntryPoint

import pytest

from abr.errors import ConfigError
from origin.licences import systems
from origin.licences.clearkey import ClearKey


class Nameless:
    """Calls itself otherwise than its entry point does."""

    name = "other"
    media_type = "application/octet-stream"
    may_wait = False


def fail() -> object:
    """A vendor's library that is not there."""
    raise OSError("libvendor.so: not found")


def declare(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    """Have a system declared by an installed distribution."""
    found = [EntryPoint(name, value, systems.GROUP)]
    monkeypatch.setattr(systems, "entry_points", lambda *, group: found)


def test_clearkey_is_always_there() -> None:
    assert isinstance(systems.load_systems()["clearkey"], ClearKey)


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("clearkey", "origin.licences.clearkey:ClearKey", "built in"),
        ("broken", f"{__name__}:fail", "libvendor.so: not found"),
        ("mine", f"{__name__}:Nameless", "calls itself 'other'"),
        ("gone", "no.such.module:make", "cannot be loaded"),
    ],
)
def test_a_system_that_cannot_be_used_is_named_at_the_start(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str, said: str
) -> None:
    declare(monkeypatch, name, value)
    with pytest.raises(ConfigError) as caught:
        systems.load_systems()
    assert name in str(caught.value)
    assert said in str(caught.value)
