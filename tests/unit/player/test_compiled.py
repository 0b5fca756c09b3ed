"""Linking, laying out, compiling and keeping: on a loop of a few lines."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any, NamedTuple

import numba
import numpy as np
import pytest

from abr.capacity import CapacityTable, table_of
from abr.errors import AlgorithmError
from player.batch import flatstate
from player.batch.linking import is_importable
from player.batch.run import compiled
from tests.fakes import tinyloop as tiny


class Params(NamedTuple):
    factor: float = 3.0


def run(make: Any, hook: Any, extra: bool = False) -> tuple[list[float], np.ndarray[Any, Any]]:
    state = tiny.memory()
    flat = flatstate.flatten(state)
    hooks = {"choose": hook, "HAS_EXTRA": extra, "Memory": tiny.Memory}
    row, out = flat.values.copy(), np.zeros(2)
    make(hooks, state)(Params(), row, flat.fields, np.array([1.0, 2.0]), out)
    return out.tolist(), row


def plain(hooks: Any, state: Any) -> Any:
    def state_of(row: Any, fields: Any) -> Any:
        return flatstate.unflatten(state, row, fields)

    parts = {"session": tiny.session, "state_of": state_of}
    return compiled.linked(tiny.loop, hooks, parts=parts)


def machine(hooks: Any, state: Any) -> Any:
    body = flatstate.source(state, lambda kind: kind.__name__)
    return compiled.compiled(
        tiny.loop,
        hooks,
        parts={"session": tiny.session},
        texts={"state_of": f"def state_of(row, fields):\n    return {body}"},
    )


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv(compiled.CACHE_VARIABLE, str(tmp_path / "kernels"))
    return tmp_path / "kernels"


@pytest.mark.parametrize("make", [plain, machine])
def test_the_hook_replaces_the_loops_own_and_keeps_its_state(make: Any) -> None:
    out, row = run(make, tiny.add_and_count)
    # 2 (3x + 1 + 3)
    assert out == [14.0, 20.0]
    assert row.tolist() == [1.0, 2.0, 1.0, 2.0, 3.0, 4.0]


@pytest.mark.parametrize("make", [plain, machine])
def test_a_name_within_a_hook_means_what_its_own_module_says(make: Any) -> None:
    assert run(make, tiny.choose_like_the_hook)[0] == [200.0, 200.0]


@pytest.mark.parametrize("make", [plain, machine])
def test_numbers_are_hooks_too(make: Any) -> None:
    assert run(make, tiny.add_and_count, extra=True)[0] == [15.0, 21.0]


@pytest.mark.parametrize("make", [compiled.linked, compiled.compiled])
def test_what_is_foreseen_may_come_otherwise(make: Any) -> None:
    values, bounds = np.array([1.0, 3.0, 2.0, -np.inf]), np.array([2.0, 2.0, 2.0, np.inf])
    out = np.zeros((3, 4))
    make(tiny.foresee, {})(values, bounds, out)
    assert out.tolist() == [[1.0, 2.0, 2.0, -np.inf], [2.0, 3.0, 2.0, np.inf], [1.0, 2.0, 2.0, 1.0]]


def test_wherever_a_search_begins_the_last_bit_comes_at_the_same_time() -> None:
    """Over outages and periods of all lengths, exactly on their bounds and between."""
    rng = np.random.default_rng(7)
    lengths_s, capacity_bps = rng.uniform(0.2, 3.0, 12), rng.uniform(1e5, 1e7, 12)
    capacity_bps[[0, 3, 4, 8, 11]] = 0.0
    times_s = np.concatenate([[0.0], np.cumsum(lengths_s)])
    table = table_of(times_s, capacity_bps, np.zeros(12), "loop")
    offered_bits = np.asarray(table.offered_bits)
    total = offered_bits[-1]
    bits = np.concatenate([offered_bits[2:], rng.uniform(1.0, total, 50), [total * 1.5]])
    hooks = {"CapacityTable": CapacityTable}
    expected, got = np.zeros((2, 12, len(bits))), np.zeros((2, 12, len(bits)))
    compiled.linked(tiny.reach, hooks)(table, bits, expected)
    compiled.compiled(tiny.reach, hooks)(table, bits, got)
    assert (got == expected).all()
    assert (got == got[:, :1]).all()


def test_columns_that_are_no_arrays_of_floats_are_refused_by_the_compiler() -> None:
    whole: Any = np.arange(6)
    table = CapacityTable(whole, whole, whole[1:], np.zeros(1))
    with pytest.raises(compiled.CompilerError):
        compiled.compiled(tiny.reach, {})(table, np.ones(1), np.zeros((2, 5, 1)))


def test_linking_leaves_the_module_as_it_was() -> None:
    run(plain, tiny.add_and_count)
    assert tiny.session(Params(), None, 5.0) == 0.0


def test_what_was_compiled_is_loaded_by_the_next_process(cache: Path) -> None:
    code = (
        "import numba.core.event as e\n"
        "from tests.unit.player import test_compiled as t\n"
        "with e.install_recorder('numba:compile') as seen:\n"
        "    out = t.run(t.machine, t.tiny.add_and_count)[0]\n"
        "print(out, len(seen.buffer))\n"
    )

    def told() -> str:
        done = subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, timeout=100, check=True
        )
        return done.stdout.strip()

    first, second = told(), told()
    assert first.startswith("[14.0, 20.0]")
    assert first != "[14.0, 20.0] 0"
    assert second == "[14.0, 20.0] 0"


def test_another_hook_never_gets_what_was_kept_for_this_one() -> None:
    assert run(machine, tiny.add_and_count)[0] != run(machine, tiny.choose_like_the_hook)[0]


def test_a_folder_that_cannot_be_written_costs_time_only(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv(compiled.CACHE_VARIABLE, str(tmp_path / "file" / "below"))
    assert run(machine, tiny.add_and_count)[0] == [14.0, 20.0]


def test_what_no_other_process_could_import_is_refused() -> None:
    def local(params: Any, state: Any, x: float) -> float:
        return x

    assert not is_importable(local)
    with pytest.raises(AlgorithmError, match="top level"):
        run(machine, local)


MINE = {
    "consts.py": "K = 10.0\nTABLE = (20.0, 0.0)\n",
    "helper.py": (
        "import numba\nfrom mine_test import consts\n"
        "FACTOR = 100.0\n"
        "def times(x):\n    return FACTOR\n"
        "@numba.njit(cache=True)\ndef jitted(x):\n    return consts.K * FACTOR\n"
    ),
    "rule.py": (
        "import mine_test.consts as c\n"
        "from mine_test.consts import K\n"
        "from mine_test.helper import jitted, times\n"
        "def by_name(params, state, x):\n    return K\n"
        "def by_module(params, state, x):\n    return c.K\n"
        "def by_table(params, state, x):\n    return c.TABLE[0]\n"
        "def by_call(params, state, x):\n    return times(x)\n"
        "def by_jitted(params, state, x):\n    return jitted(x)\n"
    ),
}


@pytest.mark.timeout(300)
@pytest.mark.parametrize("make", ["plain", "machine"])
def test_a_constant_of_another_module_is_never_what_it_was(make: str, tmp_path: Path) -> None:
    """In a process of its own each time, as numba keeps what it compiled between them.

    Twice the answer for x = 1: K, K, TABLE[0], FACTOR and K times FACTOR.
    """
    folder = tmp_path / "mine_test"
    folder.mkdir()
    (folder / "__init__.py").write_text("")
    for name, text in MINE.items():
        (folder / name).write_text(text)
    code = (
        "from mine_test import rule\n"
        "from tests.unit.player import test_compiled as t\n"
        "for name in ('by_name', 'by_module', 'by_table', 'by_call', 'by_jitted'):\n"
        f"    print(t.run(t.{make}, getattr(rule, name))[0][0])\n"
    )

    def told() -> list[float]:
        done = subprocess.run(
            [sys.executable, "-c", code],
            env=os.environ | {"PYTHONPATH": f"{tmp_path}:."},
            capture_output=True,
            text=True,
            timeout=200,
            check=True,
        )
        return [float(line) for line in done.stdout.split()]

    assert told() == [20.0, 20.0, 40.0, 200.0, 2000.0]
    assert told() == [20.0, 20.0, 40.0, 200.0, 2000.0]
    (folder / "consts.py").write_text("K = 11.25\nTABLE = (30.0, 0.0)\n")
    assert told() == [22.5, 22.5, 60.0, 200.0, 2250.0]
    (folder / "helper.py").write_text(MINE["helper.py"].replace("100.0", "1000.0"))
    assert told() == [22.5, 22.5, 60.0, 2000.0, 22500.0]


@pytest.mark.parametrize(
    ("state", "found"),
    [(tiny.Memory(np.zeros(1), np.zeros(1, dtype=np.float32)), "float32"), ((1.0,), "float")],
)
def test_a_state_that_cannot_be_laid_flat_is_named(state: Any, found: str) -> None:
    kept = state if hasattr(state, "_fields") else tiny.Memory(state[0], state[0])
    with pytest.raises(flatstate.NotFlatError, match=found):
        flatstate.flatten(kept)


def _with_keyword(*, wanted: int = 3) -> int:
    return wanted


def _raising(number: float) -> float:
    if number > 0:
        raise ValueError("of its own")
    return number


def test_where_the_compiler_itself_fails_a_function_cannot_be_compiled() -> None:
    inner: Any = numba.njit(_with_keyword)

    def outer() -> int:
        return int(inner())

    with pytest.raises(compiled.CompilerError, match="numba fails with IndexError"):
        compiled.kept(outer)()
    with pytest.raises(ValueError, match="of its own"):
        compiled.kept(_raising)(1.0)
