"""Decisions and the words they need: media, traces, algorithms, logs and QoE.

Numpy and the standard library only; nothing here performs I/O except ``abr.cli``.
"""

from importlib.metadata import PackageNotFoundError, version

try:
    __version__ = version("abrkit")
except PackageNotFoundError:  # a source tree that was never installed
    __version__ = "0+unknown"
