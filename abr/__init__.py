"""Decisions and the words they need: media, traces, algorithms, logs and QoE.

Numpy and the standard library only; nothing here performs I/O except the shells
``abr.cli``, ``abr.shell`` and the two small commands beside them.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    __version__: str
else:

    def __getattr__(name: str) -> str:
        """``__version__`` on demand: looking it up costs a third of ``abr --help``."""
        if name != "__version__":
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        from importlib.metadata import PackageNotFoundError, version

        try:
            return version("abrkit")
        except PackageNotFoundError:  # a source tree that was never installed
            return "0+unknown"
