"""Settings: precedence, conversion, and errors that name place, value and expectation."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from abr.errors import ConfigError
from abr.settings import config_hash, load, plain


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """One field of each kind."""

    name: str = "edge"
    port: int = 8081
    limit_s: float = 2.5
    fsync: bool = False
    folder: Path = Path("cache")
    policy: Literal["lru", "fifo"] = "lru"
    rates_bps: tuple[float, ...] = ()
    size: tuple[int, int] = (16, 9)
    owner: str | None = None
    retries: int | None = 3
    secret: str = field(default="", repr=False)

    def __post_init__(self) -> None:
        if not 0 <= self.port <= 65535:
            raise ValueError(f"port: found {self.port}; expected 0 to 65535")
        if self.owner == "lacking":
            raise ValueError("edge.retries: missing; expected a number")


def read(
    text: str | None = None,
    environ: Mapping[str, str] | None = None,
    overrides: Mapping[str, object] | None = None,
) -> tuple[Sample, dict[str, str]]:
    return load(
        "edge",
        Sample,
        text=text,
        source="abr.toml",
        environ=environ or {},
        overrides=overrides or {},
        tables=("edge", "origin"),
    )


def test_without_anything_the_defaults_stand() -> None:
    config, origins = read()
    assert config == Sample()
    assert set(origins.values()) == {"default"}


def test_command_line_beats_environment_beats_file_beats_default() -> None:
    text = "[edge]\nport = 1\nname = 'file'\nlimit_s = 1\nfsync = true"
    environ = {"ABR_EDGE_PORT": "2", "ABR_EDGE_NAME": "env", "ABR_EDGE_LIMIT_S": "2"}
    config, origins = read(text, environ, {"port": 3, "name": "line"})
    assert (config.port, config.name, config.limit_s, config.fsync) == (3, "line", 2.0, True)
    assert origins["port"] == origins["name"] == "command line"
    assert origins["limit_s"] == "ABR_EDGE_LIMIT_S"
    assert origins["fsync"] == "abr.toml"
    assert origins["policy"] == "default"


FROM_FILE: list[tuple[str, str, object]] = [
    ("name", "'x y'", "x y"),
    ("port", "80", 80),
    ("limit_s", "3", 3.0),
    ("limit_s", "inf", float("inf")),
    ("fsync", "true", True),
    ("folder", "'/tmp/a'", Path("/tmp/a")),
    ("policy", "'fifo'", "fifo"),
    ("rates_bps", "[1, 2.5]", (1.0, 2.5)),
    ("rates_bps", "[]", ()),
    ("size", "[4, 3]", (4, 3)),
    ("owner", "'me'", "me"),
    ("retries", "0", 0),
]


@pytest.mark.parametrize(("name", "written", "expected"), FROM_FILE)
def test_the_file_gives_typed_values(name: str, written: str, expected: object) -> None:
    value = getattr(read(f"[edge]\n{name} = {written}")[0], name)
    assert value == expected
    assert type(value) is type(expected)


FROM_ENVIRONMENT: list[tuple[str, str, object]] = [
    ("NAME", "x y", "x y"),
    ("PORT", " 80 ", 80),
    ("LIMIT_S", "1e3", 1000.0),
    ("FSYNC", "Yes", True),
    ("FSYNC", "0", False),
    ("FOLDER", "/tmp/a", Path("/tmp/a")),
    ("POLICY", "fifo", "fifo"),
    ("RATES_BPS", "1, 2.5", (1.0, 2.5)),
    ("RATES_BPS", "", ()),
    ("SIZE", "4,3", (4, 3)),
    ("OWNER", "none", None),
    ("OWNER", "me", "me"),
    ("RETRIES", "", None),
    ("RETRIES", "7", 7),
]


@pytest.mark.parametrize(("name", "written", "expected"), FROM_ENVIRONMENT)
def test_variables_give_typed_values(name: str, written: str, expected: object) -> None:
    config, origins = read(environ={f"ABR_EDGE_{name}": written, "OTHER": "1"})
    value = getattr(config, name.lower())
    assert value == expected
    assert type(value) is type(expected)
    assert origins[name.lower()] == f"ABR_EDGE_{name}"


WRONG: list[tuple[dict[str, Any], str]] = [
    (
        {"text": "\n[edge]\n# a port\nport = 'x'"},
        "abr.toml:4: [edge] port: found 'x'; expected a whole number",
    ),
    (
        {"text": "[edge]\nport = true"},
        "abr.toml:2: [edge] port: found True; expected a whole number",
    ),
    (
        {"text": "[edge]\nport = 1.0"},
        "abr.toml:2: [edge] port: found 1.0; expected a whole number",
    ),
    ({"text": "[edge]\nlimit_s = nan"}, "abr.toml:2: [edge] limit_s: found nan; expected a number"),
    (
        {"text": "[edge]\nfsync = 1"},
        "abr.toml:2: [edge] fsync: found 1; expected true or false",
    ),
    (
        {"text": "[edge]\npolicy = 'lfu'"},
        "abr.toml:2: [edge] policy: found 'lfu'; expected one of 'lru', 'fifo'",
    ),
    ({"text": "[edge]\nsize = [1]"}, "abr.toml:2: [edge] size: found [1]; expected 2 values"),
    ({"text": "[edge]\nsize = 1"}, "abr.toml:2: [edge] size: found 1; expected a list"),
    (
        {"text": "[edge]\nretries = 'x'"},
        "abr.toml:2: [edge] retries: found 'x'; expected a whole number or nothing",
    ),
    ({"text": "[edge]\nprot = 1"}, "abr.toml:2: [edge]: no setting 'prot'; did you mean 'port'?"),
    (
        {"text": "[edge]\nzzz = 1"},
        "abr.toml:2: [edge]: no setting 'zzz'; 'abr config show' lists all",
    ),
    ({"text": "[egde]\nport = 1"}, "abr.toml:1: unknown table or key 'egde'; did you mean 'edge'?"),
    ({"text": "edge = 1"}, "abr.toml: edge = 1; expected a table [edge]"),
    (
        {"text": "[edge]\nport = 70000"},
        "abr.toml:2: [edge] port: port: found 70000; expected 0 to 65535",
    ),
    ({"environ": {"ABR_EDGE_PORT": "x"}}, "ABR_EDGE_PORT: found 'x'; expected a whole number"),
    (
        {"environ": {"ABR_EDGE_PROT": "1"}},
        "ABR_EDGE_PROT: no setting 'ABR_EDGE_PROT'; did you mean 'ABR_EDGE_PORT'?",
    ),
    (
        {"environ": {"ABR_EDGE_PORT": "70000"}},
        "ABR_EDGE_PORT: port: found 70000; expected 0 to 65535",
    ),
    ({"environ": {"ABR_EDGE_FSYNC": "maybe"}}, "ABR_EDGE_FSYNC: found 'maybe'; expected true or"),
    ({"overrides": {"owner": "lacking"}}, "[edge] retries: missing"),
    ({"overrides": {"port": "x"}}, "command line: port: found 'x'; expected a whole number"),
]


@pytest.mark.parametrize(("given_", "message"), WRONG)
def test_a_wrong_value_names_place_value_and_expectation(
    given_: dict[str, Any], message: str
) -> None:
    with pytest.raises(ConfigError) as caught:
        read(**given_)
    assert str(caught.value).startswith(message)
    assert "\n" not in str(caught.value)


def test_text_that_is_not_toml_is_a_config_error_with_its_line() -> None:
    with pytest.raises(ConfigError, match=r"abr\.toml: not TOML: .*line 2"):
        read("[edge]\nport = = 1")


def test_a_secret_appears_in_no_message_listing_or_hash() -> None:
    with pytest.raises(ConfigError) as caught:
        read("[edge]\nsecret = 12345")
    assert "12345" not in str(caught.value)
    config, _ = read("[edge]\nsecret = 'hush'")
    assert config.secret == "hush"
    assert "secret" not in plain(config)
    assert config_hash(config) == config_hash(Sample())


def test_an_unknown_override_is_the_programmers_mistake() -> None:
    with pytest.raises(TypeError, match="no field 'prot'"):
        read(overrides={"prot": 1})


def test_a_method_check_is_called_and_its_complaint_gets_its_place() -> None:
    @dataclass(frozen=True)
    class Checked:
        port: int = 1

        def check(self) -> None:
            if self.port == 0:
                raise ConfigError("edge.port: found 0; expected more")

    with pytest.raises(ConfigError, match=r"^ABR_EDGE_PORT: found 0; expected more$"):
        load(
            "edge",
            Checked,
            text=None,
            source="",
            environ={"ABR_EDGE_PORT": "0"},
            overrides={},
        )


def test_the_hash_follows_the_values_and_nothing_else() -> None:
    assert config_hash(Sample(port=1)) == config_hash(Sample(port=1))
    assert config_hash(Sample(port=1)) != config_hash(Sample(port=2))


@given(
    port=st.integers(0, 65535),
    limit_s=st.floats(allow_nan=False),
    fsync=st.booleans(),
    rates=st.lists(st.floats(allow_nan=False, allow_infinity=False), max_size=4),
)
def test_what_is_written_to_variables_is_read_back(
    port: int, limit_s: float, fsync: bool, rates: list[float]
) -> None:
    environ = {
        "ABR_EDGE_PORT": str(port),
        "ABR_EDGE_LIMIT_S": repr(limit_s),
        "ABR_EDGE_FSYNC": str(fsync),
        "ABR_EDGE_RATES_BPS": ",".join(map(repr, rates)),
    }
    config, _ = read(environ=environ)
    assert (config.port, config.limit_s, config.fsync) == (port, limit_s, fsync)
    assert config.rates_bps == tuple(rates)


@given(st.text(), st.dictionaries(st.sampled_from(list(Sample.__slots__)), st.text(), max_size=4))
def test_garbage_is_a_config_error_and_nothing_else(text: str, variables: dict[str, str]) -> None:
    environ = {f"ABR_EDGE_{name.upper()}": value for name, value in variables.items()}
    for file in (text, f"[edge]\n{text}", None):
        try:
            read(file, environ)
        except ConfigError as exc:
            assert str(exc)
