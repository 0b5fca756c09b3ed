"""The topology file, and whom a server asks."""

from __future__ import annotations

from dataclasses import replace

import pytest

from abr.errors import ConfigError
from edge.tiers.topology import Server, Topology, parents_of, parse_topology

TEXT = """
[[tier]]
name = "isp"
[[tier]]
name = "regional"
cost_per_gb = 0.01
[[tier]]
name = "origin"
cost_per_gb = 0.05

[[server]]
name = "isp-1"
tier = "isp"
region = "eu"
zone = "berlin"
url = "http://127.0.0.1:8101/"
[[server]]
name = "eu-1"
tier = "regional"
region = "eu"
url = "http://127.0.0.1:8201"
weight = 2
[[server]]
name = "eu-2"
tier = "regional"
region = "eu"
url = "http://127.0.0.1:8202"
[[server]]
name = "us-1"
tier = "regional"
region = "us"
url = "http://127.0.0.1:8203"
[[server]]
name = "origin"
tier = "origin"
url = "https://[::1]:8443"
"""


def parsed() -> Topology:
    """The topology above."""
    return parse_topology(TEXT, where="tree.toml")


def named(topology: Topology, name: str) -> Server:
    """One of its servers."""
    return next(each for each in topology.servers if each.name == name)


def test_a_file_is_read_with_its_defaults() -> None:
    """Addresses lose a slash at the end, prices default to 0 and weights to 1."""
    topology = parsed()
    assert [tier.name for tier in topology.tiers] == ["isp", "regional", "origin"]
    assert named(topology, "isp-1").address == "http://127.0.0.1:8101"
    assert named(topology, "origin").address == "https://[::1]:8443"
    assert named(topology, "eu-1").weight == 2.0
    assert topology.cost_per_gb("isp") == 0.0


def test_parents_are_those_of_the_region_and_the_rest_are_backups() -> None:
    """The regional caches of eu share the keys; us and the origin are asked in need only."""
    topology = parsed()
    parents = parents_of(named(topology, "isp-1"), topology, topology.servers)
    assert [(each.name, each.weight, each.backup) for each in parents] == [
        ("http://127.0.0.1:8201", 2.0, False),
        ("http://127.0.0.1:8202", 1.0, False),
        ("http://127.0.0.1:8203", 1.0, True),
        ("https://[::1]:8443", 1.0, True),
    ]


def test_a_region_without_caches_asks_those_of_others() -> None:
    """Nothing stands in asia: all regional caches are its parents."""
    topology = parsed()
    lone = replace(named(topology, "isp-1"), region="asia")
    parents = parents_of(lone, topology, topology.servers)
    assert [each.backup for each in parents] == [False, False, False, True]


def test_a_lost_tier_is_skipped() -> None:
    """With no regional cache alive, the origin is asked."""
    topology = parsed()
    alive = [each for each in topology.servers if each.tier != "regional"]
    parents = parents_of(named(topology, "isp-1"), topology, alive)
    assert [(each.name, each.backup) for each in parents] == [("https://[::1]:8443", False)]


def test_the_last_tier_asks_nobody() -> None:
    """An origin has no parent."""
    topology = parsed()
    assert parents_of(named(topology, "origin"), topology, topology.servers) == ()


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('name = "isp"\n', 'name = "i sp"\n', "tier 1: name is 'i sp'; expected 1 to 64 letters"),
        ("weight = 2", "weight = 0", "server 2: weight is 0; expected a number, more than 0"),
        ("weight = 2", "weight = inf", "server 2: weight is inf; expected a number"),
        ("weight = 2", "wieght = 2", "server 2: unknown key 'wieght'; expected one of name,"),
        ("cost_per_gb = 0.05", "cost_per_gb = -1", "tier 3: cost_per_gb is -1"),
        (":8202", ":8201", "address 'http://127.0.0.1:8201' is listed twice"),
        ('"eu-2"', '"eu-1"', "server 'eu-1' is listed twice"),
        ('tier = "origin"', 'tier = "orign"', "server 5: tier 'orign' is not in the topology"),
        ("http://127.0.0.1:8203", "127.0.0.1:8203", "server 4: url is '127.0.0.1:8203'"),
        (":8203", ":8203/base", "expected no path, query or fragment"),
        (":8203", ":99999", "server 4: url is"),
        ("[[tier]]\nname", "[tier]\nname", "not TOML"),
        ('[[server]]\nname = "isp-1"', '[[servers]]\nname = "isp-1"', "unknown table 'servers'"),
    ],
)
def test_a_wrong_file_is_refused_with_the_place_and_what_was_expected(
    old: str, new: str, message: str
) -> None:
    """Every message begins with the file's name."""
    with pytest.raises(ConfigError) as caught:
        parse_topology(TEXT.replace(old, new, 1), where="tree.toml")
    assert str(caught.value).startswith("tree.toml: ")
    assert message in str(caught.value)


@pytest.mark.parametrize("text", ["", "server = 3", "[tier]\nname = 'a'", "[[tier]]\nname = 3"])
def test_a_file_without_tiers_is_refused(text: str) -> None:
    """Also when a table has the wrong shape."""
    with pytest.raises(ConfigError, match=r"^t\.toml"):
        parse_topology(text, where="t.toml")
