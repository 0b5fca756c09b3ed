"""Links a simulation loop with an algorithm: binds the loop's hooks to its functions.

Loops call module-level hooks such as ``choose``. A linked copy of a function differs from
the original only in its globals, where the hooks are the functions of an algorithm. It can
be called as it is or compiled.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from pathlib import Path
from types import CodeType, FunctionType
from typing import Any

Function = Callable[..., Any]
Hooks = Mapping[str, Any]

_OURS = ("abr", "player")


class Linker:
    """Makes linked copies of functions, one each.

    Args:
        hooks: Values of names in linked functions; not in the hooks themselves, where the
            same names mean something else.
        finish: Applied to every copy, such as the decorator of a compiler.
        instead: Replacements for classes and functions, wherever they are named.
        base: Links the hooks, and functions that use none of them; may be shared.
        maker: Makes replacements for our named tuples in our functions.
    """

    def __init__(
        self,
        hooks: Hooks,
        finish: Callable[[Function], Function],
        instead: Mapping[Any, Function] | None = None,
        base: Linker | None = None,
        maker: Callable[[type], Function] | None = None,
    ) -> None:
        self._hooks = hooks
        self._finish = finish
        self._instead = instead or {}
        self._made: dict[Function, Function] = {}
        self._maker = maker
        self._base = base or (Linker({}, finish, instead, maker=maker) if hooks else self)

    def __repr__(self) -> str:
        hooks = ", ".join(sorted(self._hooks)) or "no hooks"
        return f"<Linker with {hooks}: {len(self._made)} copies>"

    def linked(self, function: Function) -> Function:
        """A copy of ``function`` in which everything that it calls is linked."""
        assert isinstance(function, FunctionType)
        if function in self._instead:
            return self._instead[function]
        if function in self._made:
            return self._made[function]
        if self._base is not self and not self._needs_hooks(function):
            return self._base.linked(function)
        scope = dict(function.__globals__)
        copied = FunctionType(
            function.__code__,
            scope,
            function.__name__,
            function.__defaults__,
            function.__closure__,
        )
        copied.__kwdefaults__ = function.__kwdefaults__
        copied.__module__, copied.__qualname__ = function.__module__, function.__qualname__
        # Before what it calls is linked: functions may call themselves, or each other.
        self._made[function] = made = self._finish(copied)
        for name, value in called_by(function):
            if name not in self._hooks:
                scope[name] = self.linked(value)
        names = set(names_in(function.__code__))
        for name, value in [(name, scope[name]) for name in names & scope.keys()]:
            if isinstance(value, type | FunctionType) and value in self._instead:
                scope[name] = self._instead[value]
            elif self._maker and is_ours(function) and _is_our_tuple(value):
                scope[name] = self._maker(value)
        for name in names & self._hooks.keys():
            hook = self._hooks[name]
            scope[name] = self._base.linked(hook) if isinstance(hook, FunctionType) else hook
        return made

    def _needs_hooks(self, function: FunctionType) -> bool:
        return any(
            not self._hooks.keys().isdisjoint(names_in(f.__code__)) for f in reached(function)
        )


@cache
def maker_of(kind: type[Any]) -> Function:
    """A faster constructor for the named tuple ``kind``, with positional arguments."""
    count, new = len(kind._fields), tuple.__new__

    def made(*values: Any) -> Any:
        return new(kind, values) if len(values) == count else kind(*values)

    return made


def reached(*functions: Function) -> Iterator[FunctionType]:
    """``functions`` and all functions that they call directly or indirectly, each once."""
    seen: set[FunctionType] = set()
    waiting = [each for each in functions if isinstance(each, FunctionType)]
    while waiting:
        function = waiting.pop()
        if function not in seen:
            seen.add(function)
            yield function
            waiting.extend(value for _, value in called_by(function))


def called_by(function: Function) -> Iterator[tuple[str, FunctionType]]:
    """Functions of abrkit, or of the package of ``function``, that it names."""
    assert isinstance(function, FunctionType)
    roots = {*_OURS, root_of(function)}
    for name in names_in(function.__code__):
        value = function.__globals__.get(name)
        if isinstance(value, FunctionType) and root_of(value) in roots:
            yield name, value


def names_in(code: CodeType) -> Iterator[str]:
    """Names that ``code`` and functions nested in it look up."""
    yield from code.co_names
    for const in code.co_consts:
        if isinstance(const, CodeType):
            yield from names_in(const)


def is_importable(function: object) -> bool:
    """Whether another process can import ``function``."""
    if not isinstance(function, FunctionType) or function.__closure__:
        return False
    module = sys.modules.get(function.__module__)
    if module is None or function.__module__ == "__main__":
        return False
    if getattr(module, function.__qualname__, None) is not function:
        return False
    return Path(str(getattr(module, "__file__", None))).is_file()


def is_ours(made: object) -> bool:
    """Whether ``made`` is a function or class of abrkit."""
    return isinstance(made, FunctionType | type) and root_of(made) in _OURS


def _is_our_tuple(kind: object) -> bool:
    return isinstance(kind, type) and hasattr(kind, "_fields") and is_ours(kind)


def root_of(made: object) -> str:
    """Top-level module or package of a function or class; empty for what has none."""
    return str(getattr(made, "__module__", None) or "").partition(".")[0]
