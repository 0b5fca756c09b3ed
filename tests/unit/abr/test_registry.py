"""Finding algorithms by name, also those of others and broken ones."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from importlib.metadata import entry_points
from pathlib import Path

import pytest
from click.testing import CliRunner

from abr import registry
from abr.cli.algorithms import algorithms
from abr.decision import Rule
from abr.errors import AlgorithmError
from abr.media import constant_presentation
from abr.trace import Trace
from player import replay, simulate

BUILT_IN = {"bba-0", "bola-pensieve", "bola-sabre", "fixed", "throughput"}

MINE = '''"""Mine: as low as asked."""
from abr.decision import Decision


class Low:
    """Always low."""

    def __init__(self, rung: int = 0, label="x", *, must=1.5):
        self.rung = rung

    def choose(self, seen):
        return self.rung


def needs(level):
    return Low(level)


def fails():
    raise KeyError("boom")


def nothing():
    return 5


number = 3
'''


Install = Callable[..., None]


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Install:
    """Put a distribution with entry points on the path."""
    (tmp_path / "abr_test_mine.py").write_text(MINE)
    (tmp_path / "abr_test_broken.py").write_text("import not_there_at_all\n")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "abr_test_mine", raising=False)

    def put(distribution: str, **entries: str) -> None:
        info = tmp_path / f"{distribution}-1.2.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(
            f"Metadata-Version: 2.1\nName: {distribution}\nVersion: 1.2\n"
        )
        lines = [f"{name.replace('_', '-')} = {value}" for name, value in entries.items()]
        (info / "entry_points.txt").write_text("[abr.algorithms]\n" + "\n".join(lines) + "\n")

    return put


def test_listing_names_imports_nothing(install: Install) -> None:
    install("strange", broken="abr_test_broken:make", low="abr_test_mine:Low")
    assert {*registry.names()} >= BUILT_IN | {"broken", "low"}
    assert "abr_test_mine" not in sys.modules


def test_every_built_in_loads_as_a_rule() -> None:
    for name in BUILT_IN:
        rule = registry.load(name)
        assert isinstance(rule, Rule)
        assert rule.name == name


def test_the_bare_name_bola_is_resolved_with_a_note() -> None:
    name, note = registry.resolve("bola")
    assert name == "bola-sabre"
    assert note is not None
    assert "bola-pensieve" in note
    assert registry.resolve("fixed") == ("fixed", None)


def test_an_unknown_name_lists_near_matches() -> None:
    with pytest.raises(AlgorithmError) as caught:
        registry.load("bolla")
    message = str(caught.value)
    assert message.startswith("unknown algorithm 'bolla'; did you mean 'bola'")
    assert "'bola-sabre'" in message
    assert "`abr algorithms` lists all" in message
    with pytest.raises(AlgorithmError, match="unknown algorithm 'zzz'; `abr algorithms` lists"):
        registry.load("zzz")


def test_parameters_come_as_text_or_values() -> None:
    params = registry.params_from(["gp=7", "oscillation=on", "half-life-fast-s=2.5"])
    rule = registry.load("bola", **params)
    assert isinstance(rule, Rule)
    assert (rule.params.gp, rule.params.oscillation, rule.params.half_life_fast_s) == (7, True, 2.5)
    assert isinstance(rule.params.gp, float)
    rule = registry.load("throughput", window="3", buffer_rule=False, safety=1)
    assert isinstance(rule, Rule)
    assert (rule.params.window, rule.params.buffer_rule, rule.params.safety) == (3, False, 1.0)


@pytest.mark.parametrize(
    ("name", "params", "says"),
    [
        ("fixed", {"rnug": "1"}, "has no parameter 'rnug'; did you mean 'rung'. it takes rung"),
        ("bola", {"x": 1}, "it takes abandon, finite, gp"),
        ("fixed", {"rung": "top"}, "rung is 'top'; expected a whole number"),
        ("fixed", {"rung": 1.5}, "rung is 1.5; expected a whole number"),
        ("fixed", {"rung": "inf"}, "expected a whole number"),
        ("bba-0", {"reservoir_s": "nan"}, "reservoir_s is 'nan'; expected a finite number"),
        ("bba-0", {"reservoir_s": None}, "expected a finite number"),
        ("bola", {"oscillation": "perhaps"}, "expected true or false"),
        ("bola", {"gp": -1}, "algorithm 'bola-sabre': gp and the half-lives must be"),
    ],
)
def test_wrong_parameters_are_told(name: str, params: dict[str, object], says: str) -> None:
    with pytest.raises(AlgorithmError, match=says):
        registry.load(name, **params)


@pytest.mark.parametrize("pairs", [["gp"], ["=5"], ["gp=1", "gp=2"]])
def test_pairs_must_be_name_and_value(pairs: list[str]) -> None:
    with pytest.raises(AlgorithmError, match="expected name=value"):
        registry.params_from(pairs)


def test_an_algorithm_of_ones_own_is_made_fresh_for_each_playback(install: Install) -> None:
    install("strange", low="abr_test_mine:Low", needs="abr_test_mine:needs")
    factory = registry.load("low", rung="2", label="a")
    assert not isinstance(factory, Rule)
    one, two = factory(), factory()
    assert one is not two
    assert one.rung == 2  # type: ignore[attr-defined]  # of the class above
    registry.load("needs", level=4)
    with pytest.raises(AlgorithmError, match=r"algorithm 'needs': .*level"):
        registry.load("needs")


def test_a_broken_entry_fails_only_when_it_is_loaded(install: Install) -> None:
    install("strange", broken="abr_test_broken:make", absent="abr_test_mine:none",
            number="abr_test_mine:number", nothing="abr_test_mine:nothing")  # fmt: skip
    registry.load("fixed")
    with pytest.raises(AlgorithmError, match=r"'broken' of strange 1.2 .*not_there_at_all"):
        registry.load("broken")
    with pytest.raises(AlgorithmError, match=r"'absent' of strange 1.2 does not load"):
        registry.load("absent")
    with pytest.raises(AlgorithmError, match="cannot be called"):
        registry.load("number")
    with pytest.raises(AlgorithmError, match="makes int; expected a Rule or an object"):
        registry.load("nothing")


def test_a_name_declared_twice_is_refused_with_both_owners(install: Install) -> None:
    install("strange", fixed="abr_test_mine:Low")
    with pytest.raises(AlgorithmError, match=r"'fixed' is declared by abrkit .* and strange 1.2"):
        registry.load("fixed")


def test_a_maker_that_fails_concerns_its_own_name_only(install: Install) -> None:
    install("strange", fails="abr_test_mine:fails", low="abr_test_mine:Low")
    with pytest.raises(AlgorithmError, match="algorithm 'fails': KeyError: 'boom'"):
        registry.load("fails")
    errors = {row.name: row.error for row in registry.describe()}
    assert errors["fails"] is not None
    assert errors["low"] is None


def test_a_log_of_ones_own_algorithm_replays_by_its_name_and_parameters(install: Install) -> None:
    install("strange", quite_low="abr_test_mine:Low")
    presentation = constant_presentation([1e5, 2e5], segments=4, segment_s=1.0)
    log = simulate(
        presentation, trace=Trace.constant(1e6), algorithm="quite-low", params={"rung": "1"}
    )
    assert log.provenance["algorithm"] == "quite-low"
    assert log.provenance["params"] == {"rung": 1, "label": "x", "must": 1.5}
    assert replay(log).records == log.records


def test_describe_tells_all_there_is_to_know(install: Install) -> None:
    install("strange", low="abr_test_mine:Low", broken="abr_test_broken:make")
    rows = {row.name: row for row in registry.describe()}
    assert rows["bola-sabre"].distribution.startswith("abrkit ")
    assert rows["bola-sabre"].params["gp"] == 5.0
    assert rows["bola-sabre"].form == "rule"
    assert rows["bola-sabre"].summary.startswith("BOLA as in Sabre")
    assert rows["low"].form == "object"
    assert rows["low"].summary == "Always low."
    assert rows["low"].params == {"rung": 0, "label": "x", "must": 1.5}
    assert rows["broken"].error is not None


def test_the_command_prints_a_table_or_one_object() -> None:
    table = CliRunner().invoke(algorithms, [])
    assert table.exit_code == 0
    assert "bola-sabre  (rule, abrkit" in table.output
    assert "gp=5.0" in table.output
    held = json.loads(CliRunner().invoke(algorithms, ["--json"]).output)
    assert {row["name"] for row in held["algorithms"]} >= BUILT_IN
    assert "Examples:" in CliRunner().invoke(algorithms, ["--help"]).output


def test_entry_points_are_read_again_when_something_was_installed(
    install: Install, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Once for many look-ups, and again after an installation."""
    reads = []

    def counted(**selection: str) -> object:
        reads.append(selection)
        return entry_points(**selection)

    monkeypatch.setattr(registry, "entry_points", counted)
    registry._entries_in.cache_clear()
    assert "low" not in registry.names()
    registry.load("fixed", rung=1)
    assert len(reads) == 1
    install("strange", low="abr_test_mine:Low")
    assert "low" in registry.names()
    assert registry.origin("low").module == "abr_test_mine"
    assert len(reads) == 2


OWN = """
from abr.decision import Decision, Rule
from abr_test_beside import K
class Mine:
    def __init__(self, top=3, *, bias=0.5):
        self.top = top
    def choose(self, seen):
        import abr_test_late
        return min(self.top, K + abr_test_late.K)
THING = Mine(1)
NUMBER = 3
RULE = Rule(name="mine", params=None, start=None, choose=None)
"""


@pytest.fixture(name="own")
def own_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(sys, "path", [*sys.path])
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    for name in ("abr_test_beside", "abr_test_late"):
        monkeypatch.delitem(sys.modules, name, raising=False)
        (tmp_path / f"{name}.py").write_text("K = 1\n")
    (tmp_path / "own.py").write_text(OWN)
    return tmp_path / "own.py"


def test_a_file_of_ones_own_is_named_as_it_is(own: Path) -> None:
    """Also what it imports from beside it when it is asked."""
    for name, params, rung in (("Mine", {"top": "1"}, 1), ("Mine", {}, 2), ("THING", {}, 1)):
        log = simulate(
            constant_presentation([1e5, 2e5, 3e5, 4e5], segments=3, segment_s=2.0),
            trace=Trace.constant(1e6),
            algorithm=f"{own}:{name}",
            params=params,
        )
        assert {record["rung"] for record in log.of("decision")} == {rung}
        assert log.provenance["algorithm"] == f"{own}:{name}"
    rule = registry.load(f"{own}:RULE")
    assert isinstance(rule, Rule)


def test_parameters_of_ones_own_class_are_all_in_the_log(own: Path) -> None:
    log = simulate(
        constant_presentation([1e5, 2e5, 3e5], segments=3, segment_s=2.0),
        trace=Trace.constant(1e6),
        algorithm=f"{own}:Mine",
        params={"top": 1},
    )
    assert log.provenance["params"] == {"top": 1, "bias": 0.5}
    assert replay(log).records == log.records


def test_an_edited_file_is_loaded_anew_and_else_once(own: Path) -> None:
    first = registry.load(f"{own}:RULE")
    assert registry.load(f"{own}:RULE") == first
    own.write_text(
        OWN.replace("NUMBER = 3", "NUMBER = 4").replace('"mine"', '"mine", heavy=(len,)')
    )
    again = registry.load(f"{own}:RULE")
    assert isinstance(again, Rule)
    assert again.heavy == (len,)


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("own.py:Mime", r"own.py has no 'Mime'; did you mean 'Mine'\?"),
        ("none.py:Mine", r"none.py: no such file"),
        ("own.py:NUMBER", r"is a int; expected a class with choose\(seen\)"),
    ],
)
def test_what_a_file_does_not_hold_is_said(
    own: Path, name: str, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(own.parent)
    with pytest.raises(AlgorithmError, match=said):
        registry.load(name)


def test_a_name_of_a_file_is_found_from_the_folder_that_it_is_given_in(tmp_path: Path) -> None:
    assert registry.located("a/own.py:Mine", tmp_path) == f"{tmp_path.resolve()}/a/own.py:Mine"
    for name in ("bola-sabre", "policy:a.json", "package.module:Mine"):
        assert registry.located(name, tmp_path) == name
