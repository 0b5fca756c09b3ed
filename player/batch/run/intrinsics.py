"""What ``abr.compilable`` means to the compiler, in LLVM's words where Python has none."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from functools import cache
from typing import Any

from abr.compilable import capped, cells, lifted, likely, natural, numbers, uncounted

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


def _intrinsic(function: Function) -> Function:
    extending: Any = importlib.import_module("numba.extending")
    made: Function = extending.intrinsic(function)
    return made
