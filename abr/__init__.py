"""Adaptive-bitrate decisions and their vocabulary: media, traces, algorithms, logs and QoE.

The modules need only numpy and the standard library. Those that perform I/O are
``abr.cli``, ``abr.files``, ``abr.algorithms.files`` and ``abr.shell``.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    __version__: str
else:

    def __getattr__(name: str) -> str:
        """Look up ``__version__`` on demand, which takes a third as long as ``abr --help``."""
        if name != "__version__":
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        from importlib.metadata import PackageNotFoundError, version

        try:
            return version("abrkit")
        except PackageNotFoundError:  # a source tree that was never installed
            return "0+unknown"
