"""What ``abr.compilable`` means to the compiler, in LLVM's words where Python has none."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from functools import cache
from typing import Any

from abr.compilable import (
    AHEAD,
    capped,
    cells,
    lifted,
    likely,
    natural,
    numbers,
    reached_ahead,
    uncounted,
)

Function = Callable[..., Any]


@cache
def replacements() -> dict[Any, Function]:
    """Functions of ``abr.compilable``, and what stands for each in a compiled loop."""
    numba: Any = importlib.import_module("numba")  # it declares too few of its types
    inlined = numba.njit(forceinline=True, error_model="numpy")
    view, is_likely = _view(inlined), _likely()

    # ``is_likely`` stands in the condition itself: a compiled function that only returned what it
    # gives would have lost it before it was inlined.
    def value_at_most(value: Any, bound: Any) -> Any:
        return value if is_likely(value <= bound) else bound

    def value_at_least(value: Any, bound: Any) -> Any:
        return value if is_likely(value >= bound) else bound

    return {
        uncounted: view,
        numbers: view,
        cells: view,
        likely: is_likely,
        capped: inlined(value_at_most),
        lifted: inlined(value_at_least),
        natural: _natural(),
        reached_ahead: _reached_ahead(),
    }


def _view(inlined: Function) -> Function:
    """``uncounted``: the same memory, as an array that does not own it."""
    numba: Any = importlib.import_module("numba")

    def memory_of(_typing: Any, array: Any) -> Any:
        def generated(context: Any, builder: Any, signature: Any, values: Any) -> Any:
            return context.make_array(signature.args[0])(context, builder, values[0]).data

        return numba.types.CPointer(array.dtype)(array), generated

    carray, memory = numba.carray, _intrinsic(memory_of)

    def view(array: Any) -> Any:
        return carray(memory(array), array.shape)

    made: Function = inlined(view)
    return made


def _likely() -> Function:
    """``likely``, by LLVM's ``expect``, which must stand in the condition of a branch itself."""
    numba: Any = importlib.import_module("numba")
    ir: Any = importlib.import_module("llvmlite.ir")

    def expected(_typing: Any, _is_so: Any) -> Any:
        def generated(_context: Any, builder: Any, _signature: Any, values: Any) -> Any:
            bit = ir.IntType(1)
            kind = ir.FunctionType(bit, [bit, bit])
            expect = builder.module.declare_intrinsic("llvm.expect", [bit], kind)
            return builder.call(expect, [values[0], bit(1)])

        return numba.types.boolean(numba.types.boolean), generated

    return _intrinsic(expected)


def _natural() -> Function:
    """``natural``, by LLVM's ``assume``."""
    ir: Any = importlib.import_module("llvmlite.ir")

    def assumed(_typing: Any, index: Any) -> Any:
        def generated(_context: Any, builder: Any, _signature: Any, values: Any) -> Any:
            kind = ir.FunctionType(ir.VoidType(), [ir.IntType(1)])
            assume = builder.module.declare_intrinsic("llvm.assume", (), kind)
            builder.call(assume, [builder.icmp_signed(">=", values[0], values[0].type(0))])
            return values[0]

        return index(index), generated

    return _intrinsic(assumed)


def _reached_ahead() -> Function:
    """``reached_ahead``, by a vector with a number for each period."""
    numba: Any = importlib.import_module("numba")
    float64, int64 = numba.types.float64, numba.types.int64

    def looked(
        _typing: Any, times: Any, amounts: Any, rates: Any, amount: Any, least: Any, near: Any
    ) -> Any:
        if any(each.layout != "C" or each.dtype != float64 for each in (times, amounts, rates)):
            return None  # the compiler says that nothing fits these arguments

        def generated(context: Any, builder: Any, signature: Any, given: Any) -> Any:
            columns = [
                context.make_array(kind)(context, builder, array).data
                for kind, array in zip(signature.args[:3], given[:3], strict=True)
            ]
            found, place = _look(builder, columns, given[3], given[4], given[5])
            return context.make_tuple(builder, signature.return_type, [found, place])

        place = numba.types.Tuple((float64, int64))
        return place(times, amounts, rates, float64, float64, int64), generated

    return _intrinsic(looked)


def _look(builder: Any, columns: list[Any], amount: Any, least: Any, near: Any) -> tuple[Any, Any]:
    """The instructions of ``reached_ahead``, over the addresses of its columns."""
    ir: Any = importlib.import_module("llvmlite.ir")
    several, place = ir.VectorType(ir.DoubleType(), AHEAD), ir.IntType(32)
    begin, before, rates = (
        builder.load(builder.bitcast(builder.gep(data, [near]), several.as_pointer()), align=8)
        for data in columns
    )
    wanted = ir.Constant(several, ir.Undefined)
    for k in range(AHEAD):
        wanted = builder.insert_element(wanted, amount, place(k))
    ends = builder.fadd(begin, builder.fdiv(builder.fsub(wanted, before), rates))
    found, chosen = builder.extract_element(ends, place(AHEAD - 1)), near
    for k in reversed(range(AHEAD - 1)):
        bound = builder.load(builder.gep(columns[1], [builder.add(near, near.type(k + 1))]))
        is_passed = builder.fcmp_ordered("<", bound, least)
        found = builder.select(is_passed, found, builder.extract_element(ends, place(k)))
        chosen = builder.add(chosen, builder.zext(is_passed, near.type))
    return found, chosen


def _intrinsic(function: Function) -> Function:
    extending: Any = importlib.import_module("numba.extending")
    made: Function = extending.intrinsic(function)
    return made
