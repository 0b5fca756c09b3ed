"""A digest of all that functions and values depend on, as they are in this process.

A function is told by its code, its defaults, what it closes over, and the globals and
attributes of modules that it names; each of those likewise, however far. A constant that
was imported from another module therefore counts by its value. Modules that only come with
Python or with an installed distribution are told by name.

What follows only from text, such as a name given to ``getattr``, is not seen here;
``bench.experiments.run.sources`` takes whole files for that.
"""

from __future__ import annotations

import _thread
import collections
import dataclasses
import functools
import hashlib
import importlib.util
import pickle
import site
import sys
import sysconfig
import types
from collections.abc import Collection, Iterable
from enum import Enum
from pathlib import Path
from typing import Any

import numpy as np

from player.batch.linking import names_in, root_of

_PLAIN = (type(None), bool, int, float, complex, str, bytes, bytearray, type(...), range, slice)
_LARGE_SIZE = 2**16
"""Numbers of an array that are not compared each time."""
_COMPILERS = frozenset(["numba", "numpy"])
_STATELESS = (_thread.LockType, _thread.RLock, np.ufunc, np.dtype)
_NAMED = (
    types.BuiltinFunctionType,
    types.GetSetDescriptorType,
    types.MemberDescriptorType,
    types.MethodDescriptorType,
    types.WrapperDescriptorType,
    types.ClassMethodDescriptorType,
    types.MethodWrapperType,
)
_OF_EVERY_CLASS = frozenset(
    [
        "__dict__",
        "__weakref__",
        "__doc__",
        "__module__",
        "__annotations__",
        "__annotate__",
        "__annotate_func__",
        "__annotations_cache__",
        "__firstlineno__",
        "__static_attributes__",
        "_abc_impl",
    ]
)

_OF_A_FIELD = ("default", "default_factory", "init", "repr", "hash", "compare", "kw_only")


def is_jitted(value: object) -> bool:
    """Whether ``value`` is a function under numba's decorator."""
    return hasattr(value, "py_func") and type(value).__module__.startswith("numba.")


def is_installed(module: str) -> bool:
    """Whether ``module`` comes with Python, or lies where distributions are installed."""
    top = module.partition(".")[0]
    if top == "__main__":
        return False
    if top in sys.stdlib_module_names:
        return True
    found = sys.modules.get(module) or sys.modules.get(top)
    file = _file_of(top) if found is None else getattr(found, "__file__", None)
    return file is not None and _is_in_site(file)


def _file_of(top: str) -> str | None:
    """Of a package or module that is not loaded; None where there is none."""
    try:
        spec = importlib.util.find_spec(top)
    except (ImportError, ValueError):
        return None
    return None if spec is None else spec.origin


def is_installed_path(path: Path) -> bool:
    """Whether ``path`` is of Python, or lies where distributions are installed."""
    return _is_in_site(str(path)) or any(map(path.is_relative_to, _python_folders()))


@functools.cache
def _is_in_site(file: str) -> bool:
    return any(map(Path(file).is_relative_to, _site_folders()))


@functools.cache
def _site_folders() -> tuple[Path, ...]:
    paths = sysconfig.get_paths()
    names = [
        paths["purelib"],
        paths["platlib"],
        *site.getsitepackages(),
        site.getusersitepackages(),
    ]
    return tuple(dict.fromkeys(map(Path, names)))


@functools.cache
def _python_folders() -> tuple[Path, ...]:
    paths = sysconfig.get_paths()
    return tuple(Path(paths[name]) for name in ("stdlib", "platstdlib"))


class Fingerprint:
    """Takes in functions and values; the digest depends on their order.

    Args:
        own: Top-level modules and packages that are looked into although they are installed.
    """

    def __init__(self, own: Collection[str]) -> None:
        self._own = frozenset(own)
        self._hasher = hashlib.sha256()
        self._places: dict[int, int] = {}
        self._kept: list[Any] = []
        self.unseen: list[str] = []
        """What could not be looked into, in words."""
        self.jitted: list[Any] = []
        """Functions under numba's decorator that were met."""
        self.functions: list[types.FunctionType] = []
        """Functions that were looked into."""
        self.looked_up: list[tuple[dict[str, Any], str, Any]] = []
        """Names that were looked up: where, and what they meant."""
        self.contents: list[tuple[Any, Any]] = []
        """Lists, dicts and arrays that were met, and copies of them."""
        self.is_fixed = True
        """Whether it can be seen from names and contents that nothing has changed."""

    def __repr__(self) -> str:
        return f"Fingerprint({self.hexdigest()[:12]}, {len(self._kept)} values)"

    def hexdigest(self) -> str:
        """SHA-256 of what was taken in so far."""
        return self._hasher.hexdigest()

    def add(self, value: Any) -> None:
        """Take in ``value`` and all that it depends on."""
        kind = type(value)
        if kind in _PLAIN:
            self._tell(kind.__name__, repr(value))
        elif kind in (tuple, types.CodeType):
            # Equal constants are one object or several as Python loaded them: not remembered.
            self._look_into(value)
        elif id(value) in self._places:
            self._tell("again", str(self._places[id(value)]))
        else:
            self._places[id(value)] = len(self._kept)
            self._kept.append(value)  # so that no other value gets its id
            self._look_into(value)

    def still_holds(self) -> bool:
        """Whether the digest would be the same now; False where that takes as long to see."""
        return (
            self.is_fixed
            and all(names.get(name) is meant for names, name, meant in self.looked_up)
            and all(_is_as_before(*pair) for pair in self.contents)
        )

    def _tell(self, *words: str) -> None:
        for word in words:
            data = word.encode("utf-8", "surrogatepass")
            self._hasher.update(b"%d:" % len(data) + data)

    def _look_into(self, value: Any) -> None:
        if isinstance(value, np.ndarray):
            self._array(value)
        elif isinstance(value, types.FunctionType):
            self._function(value)
        elif isinstance(value, type):
            self._class(value)
        elif isinstance(value, types.ModuleType):
            self._tell("module", value.__name__)
        elif isinstance(value, types.CodeType):
            self._code(value)
        elif is_jitted(value):
            self.jitted.append(value)
            self._tell("jit", repr(sorted(value.targetoptions.items())))
            # It becomes part of machine code, wherever it comes from.
            self._own |= {root_of(value.py_func)} - _COMPILERS
            self.add(value.py_func)
        elif isinstance(value, _STATELESS):
            self._tell(repr(type(value)), str(getattr(value, "__name__", "")))
        elif isinstance(value, _NAMED):
            self._tell("named", str(getattr(value, "__qualname__", "")))
            if isinstance(value, types.BuiltinFunctionType) and not isinstance(
                value.__self__, types.ModuleType
            ):
                self.add(value.__self__)
        elif parts := _parts(value) or _parts_in_library(value):
            if type(value) in (list, dict):
                self.contents.append((value, value.copy()))
            self.is_fixed &= type(value) is not types.MappingProxyType
            self._tell(*parts[0])
            for part in parts[1]:
                self.add(part)
        elif isinstance(value, set | frozenset):
            self._tell(type(value).__name__, *sorted(self._apart(item) for item in value))
        else:
            self._instance(value)

    def _apart(self, value: Any) -> str:
        inner = Fingerprint(self._own)
        inner.add(value)
        self.unseen += inner.unseen
        self.jitted += inner.jitted
        self.functions += inner.functions
        self.looked_up += inner.looked_up
        self.contents += inner.contents
        self.is_fixed &= inner.is_fixed
        return inner.hexdigest()

    def _array(self, array: np.ndarray[Any, Any]) -> None:
        if array.size and array.flags.writeable:
            self.contents.append((array, array.copy()))
            self.is_fixed &= array.size <= _LARGE_SIZE and not array.dtype.hasobject
        self._tell("array", str(array.dtype.descr), str(array.shape))
        if array.dtype.hasobject:
            self.add(array.tolist())
        else:
            self._hasher.update(np.ascontiguousarray(array).tobytes())

    def _is_told_by_name(self, module: str | None) -> bool:
        name = module or ""
        return name.partition(".")[0] not in self._own and is_installed(name)

    def _function(self, function: types.FunctionType) -> None:
        self._tell("function", str(function.__module__), function.__qualname__)
        if self._is_told_by_name(function.__module__):
            return
        self.functions.append(function)
        self._code(function.__code__)
        self.add(function.__defaults__)
        for more in (function.__kwdefaults__, vars(function)):
            if more:
                self.add(more)
        for cell in function.__closure__ or ():
            try:
                self.add(cell.cell_contents)
            except ValueError:
                self._tell("empty")
        names = frozenset(names_in(function.__code__))
        for name in sorted(names & function.__globals__.keys()):
            self._name(function.__globals__, name)
            self._named(function.__globals__[name], names, set())

    def _named(self, value: Any, names: frozenset[str], above: set[str]) -> None:
        """A global; of a module, the attributes that a function with ``names`` may look up."""
        if not isinstance(value, types.ModuleType):
            self.add(value)
            return
        self._tell("module", value.__name__)
        if value.__name__ in above or self._is_told_by_name(value.__name__):
            return
        for name in sorted(names & vars(value).keys()):
            self._name(vars(value), name)
            self._named(vars(value)[name], names, {*above, value.__name__})

    def _name(self, names: dict[str, Any], name: str) -> None:
        self._tell(name)
        self.looked_up.append((names, name, names[name]))

    def _code(self, code: types.CodeType) -> None:
        self._tell("code", code.co_name)
        self._hasher.update(code.co_code + code.co_exceptiontable)
        for names in (code.co_names, code.co_varnames, code.co_freevars, code.co_cellvars):
            self._tell(*names)
        self._tell(str((code.co_argcount, code.co_posonlyargcount, code.co_kwonlyargcount)))
        self._tell(str(code.co_flags))
        for const in code.co_consts:
            self.add(const)

    def _class(self, kind: type) -> None:
        self._tell("class", kind.__module__, kind.__qualname__)
        if self._is_told_by_name(kind.__module__):
            return
        for base in kind.__bases__:
            self.add(base)
        fields = getattr(kind, "_fields", None)
        if issubclass(kind, tuple) and fields is not None:
            self.add(fields)
            defaults: dict[str, Any] = kind._field_defaults  # type: ignore[attr-defined]
            self.add(tuple(defaults.items()))
            made = {
                "__new__",
                "_fields",
                "_field_defaults",
                "_make",
                "_replace",
                "_asdict",
                *fields,
            }
        else:
            made = set()
        for name, value in vars(kind).items():
            if name not in _OF_EVERY_CLASS and name not in made:
                self._tell(name)
                self.add(value)

    def _instance(self, value: Any) -> None:
        kind = type(value)
        self.is_fixed = False
        self.add(kind)
        if not self._is_told_by_name(kind.__module__):
            if isinstance(value, Enum):
                self._tell(value.name)
                return
            self._attributes(value)
            bases: tuple[Any, ...] = (tuple, list, dict, str, int, float, bytes)
            for base in bases:
                if isinstance(value, base):
                    self.add(base(value))
                    return
            plain: Any = object
            if (kind.__reduce__, kind.__reduce_ex__) == (plain.__reduce__, plain.__reduce_ex__):
                return  # nothing but attributes
        try:
            self._hasher.update(pickle.dumps(value, protocol=4))
        # Objects refuse in ways of their own.
        except Exception:  # noqa: BLE001
            self.unseen.append(f"the state of a {kind.__module__}.{kind.__qualname__}")

    def _attributes(self, value: Any) -> None:
        self.add(getattr(value, "__dict__", None))
        for kind in type(value).__mro__:
            slots = kind.__dict__.get("__slots__", ())
            for name in (slots,) if isinstance(slots, str) else slots:
                if name not in ("__dict__", "__weakref__") and hasattr(value, name):
                    self._tell(name)
                    self.add(getattr(value, name))


def _is_as_before(value: Any, copy: Any) -> bool:
    """Whether a list, dict or array holds what it held; what its items hold is another matter."""
    if isinstance(value, np.ndarray):
        is_alike = (value.dtype, value.shape) == (copy.dtype, copy.shape)
        return is_alike and value.tobytes() == copy.tobytes()
    if len(value) != len(copy):
        return False
    if isinstance(value, dict):
        return all(
            mine is key and item is held
            for (mine, item), (key, held) in zip(value.items(), copy.items(), strict=True)
        )
    return all(item is held for item, held in zip(value, copy, strict=True))


def _parts(value: Any) -> tuple[tuple[str, ...], Iterable[Any]] | None:
    """What a value of Python's own kinds is made of, and what to call it."""
    kind = type(value)
    if kind in (tuple, list, collections.deque):
        return (kind.__name__, str(len(value))), value
    if kind in (dict, collections.OrderedDict, types.MappingProxyType):
        pairs = [part for pair in value.items() for part in pair]
        return ("dict", str(len(value))), pairs
    if isinstance(value, functools.partial):
        return ("partial",), (value.func, value.args, value.keywords)
    if isinstance(value, types.MethodType):
        return ("method",), (value.__func__, value.__self__)
    if isinstance(value, staticmethod | classmethod):
        return (kind.__name__,), (value.__func__,)
    if isinstance(value, property):
        return ("property",), (value.fget, value.fset)
    if isinstance(value, functools.cached_property):
        return ("cached",), (value.func,)
    if isinstance(value, type(functools.cache(len))):
        return ("lru_cache",), (value.__wrapped__,)
    if isinstance(value, tuple) and hasattr(value, "_fields"):
        return ("named tuple",), (kind, tuple(value))
    return None


def _parts_in_library(value: Any) -> tuple[tuple[str, ...], Iterable[Any]] | None:
    """The same of containers and fields of dataclasses, which pickle may refuse."""
    kind = type(value)
    if kind is types.SimpleNamespace:
        return ("namespace",), (vars(value),)
    if kind is collections.defaultdict:
        pairs = [part for pair in value.items() for part in pair]
        return ("defaultdict", str(len(value))), (value.default_factory, *pairs)
    if isinstance(value, dataclasses.Field):
        told = [getattr(value, name) for name in _OF_A_FIELD]
        return ("field",), (value.name, value.type, dict(value.metadata), *told)
    return None
