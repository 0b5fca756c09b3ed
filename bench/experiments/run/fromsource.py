"""Imports of modules that are not installed, from their source as it is now.

Python tells bytecode from an edited source by size and second of the last change only: an edit
within a second of the last import, or of a file whose time is kept, leaves the old one.
"""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator, Sequence
from importlib.machinery import ModuleSpec, SourceFileLoader
from pathlib import Path
from types import CodeType, ModuleType

from bench.experiments.run.dependencies import OURS
from player.batch.fingerprint import is_installed_path


@contextlib.contextmanager
def from_source() -> Iterator[None]:
    """Import what is neither installed nor abrkit's without its bytecode."""
    finder = _Finder()
    sys.meta_path.insert(0, finder)
    try:
        yield
    finally:
        sys.meta_path.remove(finder)


class _Finder:
    """Asks the other finders."""

    def __repr__(self) -> str:
        return "<_Finder of own modules>"

    def find_spec(
        self, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if name.partition(".")[0] in OURS | sys.stdlib_module_names:
            return None
        for finder in sys.meta_path:
            find = getattr(finder, "find_spec", None)
            found: ModuleSpec | None = (
                find(name, path, target) if find and finder is not self else None
            )
            if found is not None:
                if type(found.loader) is SourceFileLoader and _is_own(found):
                    found.loader = _FromSource(found.loader.name, str(found.loader.path))
                return found
        return None


def _is_own(found: ModuleSpec) -> bool:
    return found.origin is not None and not is_installed_path(Path(found.origin))


class _FromSource(SourceFileLoader):
    """Neither reads nor writes bytecode."""

    def __repr__(self) -> str:
        return f"<_FromSource of {self.name}>"

    def get_code(self, fullname: str) -> CodeType:
        path = self.get_filename(fullname)
        code: CodeType = self.source_to_code(self.get_data(path), path)
        return code
