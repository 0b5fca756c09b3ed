"""Plans as TOML: what is right is read, what is wrong is named with its line."""

from __future__ import annotations

import pytest

from abr.errors import ConfigError
from bench.experiments.planexamples import EXAMPLE, QUICK
from bench.experiments.planfile import read_plan

LEAST = """\
[[algorithm]]
name = "bola-sabre"
[[traces]]
generate = "3g-commute"
[[presentation]]
builtin = "vbr-6"
"""


@pytest.mark.parametrize("text", [EXAMPLE, QUICK, LEAST])
def test_plans_that_come_along_are_read(text: str) -> None:
    plan = read_plan(text, name="plan.toml")
    assert plan.algorithms
    assert plan.traces
    assert plan.presentations


def test_what_is_left_out_has_a_default() -> None:
    plan = read_plan(LEAST, name="some/where/phones.toml")
    assert (plan.name, plan.preset, plan.seeds) == ("phones", "abrkit", (0,))
    assert plan.traces[0].count == 20
    assert plan.player == {}


def test_one_algorithm_twice_is_told_apart_by_its_parameters() -> None:
    more = '[[algorithm]]\nname = "bola-sabre"\nparams = { gp = 10 }\n'
    assert [each.label for each in read_plan(more + LEAST, name="p").algorithms] == [
        "bola-sabre (gp=10)",
        "bola-sabre",
    ]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[plan\n", "p.toml: not TOML"),
        ("", r"p.toml: no \[\[algorithm\]\]; expected at least one"),
        ("[algorithm]\nname = 'x'\n", r"p.toml:1: \[algorithm\]; expected \[\[algorithm\]\]"),
        (LEAST + "[[trace]]\n", r"p.toml:7: no table 'trace' in a plan; did you mean 'traces'"),
        (
            LEAST + "[plan]\nseed = 1\n",
            r"p.toml:8: no key 'seed' in \[plan\]; did you mean 'seeds'",
        ),
        (LEAST + "[plan]\nseeds = [1, 1]\n", r"p.toml:8: seeds = \[1, 1\]; expected a list of dif"),
        (LEAST + "[plan]\npreset = 'x'\n", r"p.toml:8: preset = 'x'; expected one of abrkit"),
        (LEAST + "[plan]\nblock = 0\n", "p.toml:8: block = 0; expected a whole number of 1"),
        (LEAST + "[plan]\nblock = true\n", "p.toml:8: block = True; expected a whole number"),
        ("plan = 3\n" + LEAST, r"plan = 3; expected a table \[plan\]"),
        ("player = 3\n" + LEAST, "player = 3; expected a table"),
        (
            LEAST + "[[traces]]\ngenerate = 'x'\ncount = 0\n",
            "p.toml:9: count = 0; expected a whole number of 1 or more",
        ),
        (LEAST + "[[traces]]\n", r"p.toml:7: \[\[traces\]\] with files and generate"),
        (
            LEAST + "[[traces]]\nfiles = ['a']\ncount = 2\n",
            "p.toml:9: count goes with generate, not with files",
        ),
        (LEAST + "[[traces]]\nfiles = 'a'\n", "p.toml:8: files = 'a'; expected a list"),
        (LEAST + "[[algorithm]]\nlabel = 'x'\n", r"p.toml:7: \[\[algorithm\]\] without name"),
        (
            LEAST + "[[algorithm]]\nname = 'bola-sabre'\n",
            "p.toml:7: a second algorithm called 'bola-sabre'; give each its own label",
        ),
        (LEAST + "[[presentation]]\n", r"p.toml:7: \[\[presentation\]\] with builtin and path"),
        (
            LEAST + "[[presentation]]\npath = 'x'\nseed = 1\n",
            "p.toml:9: seed goes with builtin",
        ),
    ],
)
def test_what_is_wrong_is_named_with_its_place(text: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        read_plan(text, name="p.toml")


@pytest.mark.parametrize(
    "value", ['"time=1:ms, rate=2:kbit"', '{ time = "1:ms", rate = "2:kbit" }']
)
def test_columns_of_a_plan_are_those_of_the_command_line(value: str) -> None:
    text = LEAST.replace('generate = "3g-commute"', f'files = ["a"]\ncolumns = {value}')
    assert read_plan(text, name="p").traces[0].columns == "time=1:ms,rate=2:kbit"


def test_wrong_columns_of_a_plan_are_told_with_their_line() -> None:
    text = LEAST.replace('generate = "3g-commute"', 'files = ["a"]\ncolumns = "time=1"')
    with pytest.raises(ConfigError, match=r"p:5: columns: expected one of rate, bytes and"):
        read_plan(text, name="p")
    with pytest.raises(ConfigError, match="columns goes with files, not with generate"):
        read_plan(LEAST.replace("3g-commute", '3g-commute"\ncolumns = "time=1,rate=2'), name="p")
