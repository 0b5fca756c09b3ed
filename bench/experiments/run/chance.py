"""Calls in an algorithm's functions whose answers differ from one play to the next.

Clocks, random numbers that nobody seeds, and what only this process or machine is. Only
functions that can be called while a session is played count: those that answer, special
methods, and any other whose name one of them uses.
"""

from __future__ import annotations

import contextlib
import dis
import importlib
import importlib.util
import sys
import types
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from player.batch.linking import names_in

CLOCK = "a clock that it reads"
CHANCE = "random numbers without a seed"
PLACE = "the process or machine that plays it"

_ANSWER = frozenset(["choose", "reconsider", "delivered", "waited", "start"])
_FOR_PEOPLE = frozenset(["__repr__", "__str__", "__format__"])
_NAMES: Mapping[str, tuple[tuple[str, str], ...]] = {
    CLOCK: (
        (
            "time",
            """time time_ns monotonic monotonic_ns perf_counter perf_counter_ns process_time
            process_time_ns thread_time thread_time_ns ctime asctime strftime clock_gettime
            clock_gettime_ns""",
        ),
        ("datetime.datetime", "now utcnow today"),
        ("datetime.date", "today"),
    ),
    CHANCE: (
        (
            "random",
            """random uniform randint choice choices sample shuffle randrange gauss normalvariate
            betavariate expovariate triangular getrandbits randbytes lognormvariate paretovariate
            weibullvariate gammavariate vonmisesvariate""",
        ),
        (
            "numpy.random",
            """rand randn randint random random_sample ranf sample choice uniform normal
            standard_normal exponential poisson binomial beta gamma lognormal pareto permutation
            shuffle integers bytes geometric laplace weibull""",
        ),
        ("os", "urandom getrandom"),
        ("secrets", "token_bytes token_hex token_urlsafe randbelow randbits choice SystemRandom"),
        ("random", "SystemRandom"),
        ("uuid", "uuid1 uuid4"),
    ),
    PLACE: (
        (
            "os",
            """getpid getppid getlogin getuid uname times getloadavg cpu_count sched_getaffinity
            statvfs""",
        ),
        ("platform", "node machine platform release processor uname"),
        ("socket", "gethostname getfqdn"),
        ("shutil", "disk_usage"),
        ("resource", "getrusage"),
    ),
}
"""Functions by what they tell, and where they are."""
_BARE: Mapping[str, tuple[tuple[str, str], ...]] = {
    CLOCK: (("time", "localtime gmtime"),),
    CHANCE: (
        ("random", "Random seed"),
        ("numpy.random", "default_rng RandomState SeedSequence PCG64 seed"),
    ),
}
"""The same, of those that count only where they are called without an argument."""
_SEEDS = (("random", "seed"), ("numpy.random", "seed"))


def unrepeatable(
    functions: Iterable[types.FunctionType], entries: Iterable[Any], own: Callable[[str], bool]
) -> list[str]:
    """What answers depend on that differs from one play to the next, in words.

    Args:
        functions: All functions of an algorithm.
        entries: Those of them that are called, besides the ones named as abrkit calls them.
        own: Whether a module is of the algorithm's own.
    """
    by_name: dict[str, list[types.FunctionType]] = {}
    for function in functions:
        by_name.setdefault(function.__name__, []).append(function)
    waiting = deque(each for each in entries if isinstance(each, types.FunctionType))
    for name in sorted(by_name):
        is_special = name.startswith("__") and name.endswith("__") and name not in _FOR_PEOPLE
        if name in _ANSWER or is_special:
            waiting += by_name[name]
    seen: set[types.FunctionType] = set()
    calls: dict[Any, set[bool]] = {}
    while waiting:
        function = waiting.popleft()
        if function in seen:
            continue
        seen.add(function)
        for name in names_in(function.__code__):
            waiting += by_name.get(name, ())
        for value, is_bare in _called(function, own):
            waiting += _functions_of(value, own)
            calls.setdefault(_key(value), set()).add(is_bare)
    return _told(calls)


def _functions_of(value: Any, own: Callable[[str], bool]) -> Iterator[types.FunctionType]:
    """Functions of the algorithm's own that are only imported where they are called."""
    if isinstance(value, types.FunctionType) and own(value.__module__):
        yield value
    elif isinstance(value, type) and own(value.__module__):
        yield from (each for each in vars(value).values() if isinstance(each, types.FunctionType))


def _told(calls: Mapping[Any, set[bool]]) -> list[str]:
    seeded = {
        where
        for where, name in _SEEDS
        if (seed := _find(where, name)) is not None and False in calls.get(_key(seed), ())
    }
    found = []
    for table, is_bare_only in ((_NAMES, False), (_BARE, True)):
        for what, places in table.items():
            for where, names in places:
                if where in seeded:
                    continue
                for value in (_find(where, name) for name in names.split()):
                    ways = calls.get(_key(value), set())
                    if value is not None and (True in ways if is_bare_only else ways):
                        found.append(what)
    return list(dict.fromkeys(found))


def _find(where: str, name: str) -> Any:
    """A function of a module, or of a class in one; None where nobody has loaded it."""
    module, _, inner = where.partition(".")
    owner: Any = sys.modules.get(where) or getattr(sys.modules.get(module), inner or "?", None)
    return getattr(owner, name, None)


def _key(value: Any) -> Any:
    """Equal for the same function; bound ones are made anew each time."""
    bound_to = getattr(value, "__self__", None)
    if bound_to is None or isinstance(bound_to, types.ModuleType):
        return id(value)
    return id(bound_to), getattr(value, "__name__", "")


def _called(function: types.FunctionType, own: Callable[[str], bool]) -> Iterator[tuple[Any, bool]]:
    """What dotted names in a function mean, and whether each is called without an argument."""
    cells = dict(zip(function.__code__.co_freevars, function.__closure__ or (), strict=False))
    names = {**function.__globals__}
    for name, cell in cells.items():
        try:
            names[name] = cell.cell_contents
        except ValueError:
            continue
    yield from _called_by(function.__code__, names, own)


_MISSING: Any = object()


def _called_by(
    code: types.CodeType, names: Mapping[str, Any], own: Callable[[str], bool]
) -> Iterator[tuple[Any, bool]]:
    local: dict[str, Any] = {}
    steps = [each for each in dis.get_instructions(code) if each.opname not in _NOTHING]
    value = module = _MISSING
    for place, step in enumerate(steps):
        name, argument = step.opname, step.argval
        if name in ("LOAD_GLOBAL", "LOAD_NAME", "LOAD_DEREF"):
            value = local.get(argument, names.get(argument, _MISSING))
        elif name.startswith("LOAD_FAST"):
            value = local.get(argument, _MISSING) if isinstance(argument, str) else _MISSING
        elif name in ("LOAD_ATTR", "LOAD_METHOD") and value is not _MISSING:
            value = _attribute(value, argument)
        elif name == "IMPORT_NAME":
            level, wanted = (each.argval for each in steps[place - 2 : place])
            value = module = _imported(argument, level, wanted, names, own)
        elif name == "IMPORT_FROM":
            value = _attribute(module, argument)
        elif name in ("STORE_FAST", "STORE_DEREF", "STORE_NAME"):
            local[argument] = value
            value = _MISSING
            continue
        else:
            value = _MISSING
            continue
        if value is not _MISSING:
            after = steps[place + 1] if place + 1 < len(steps) else None
            yield value, after is not None and after.opname == "CALL" and after.argval == 0
    for const in code.co_consts:
        if isinstance(const, types.CodeType):
            yield from _called_by(const, {**names, **local}, own)


_NOTHING = frozenset(["PRECALL", "PUSH_NULL", "CACHE", "NOP", "RESUME", "EXTENDED_ARG"])


def _attribute(value: Any, name: str) -> Any:
    """Of a module or class; of anything else it may be computed."""
    if isinstance(value, types.ModuleType | type):
        return getattr(value, name, _MISSING)
    return _MISSING


def _imported(
    name: str, level: int, wanted: Any, names: Mapping[str, Any], own: Callable[[str], bool]
) -> Any:
    """The module that an import statement in a function gives; own ones are loaded."""
    if level:
        name = importlib.util.resolve_name("." * level + name, str(names.get("__package__")))
    elif not wanted:
        name = name.partition(".")[0]
    if name not in sys.modules and own(name):
        # It may raise anything, and will where it is called.
        with contextlib.suppress(Exception):
            importlib.import_module(name)
    return sys.modules.get(name, _MISSING)
