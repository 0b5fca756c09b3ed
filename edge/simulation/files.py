"""Request logs in files, compressed or not, block by block."""

from __future__ import annotations

import gzip
import importlib
import zlib
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext, suppress
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO, cast

from abr.errors import LogFormatError, MissingFileError, ToolMissingError

BLOCK_BYTES = 1 << 20


def blocks(path: Path, told: Callable[[float], None] = lambda _share: None) -> Iterator[bytes]:
    """The content of a log, decompressed after its suffix (``.gz``, ``.zst``).

    Args:
        path: The file.
        told: Called with the share of the file that has been read.

    Raises:
        MissingFileError: it cannot be read.
        LogFormatError: it is not what its suffix says.
        ToolMissingError: it is ``.zst`` and no library reads it.
    """
    decompressed, damage = _way_in(path)
    try:
        with open(path, "rb", buffering=0) as raw, decompressed(raw) as opened:
            whole = path.stat().st_size or 1
            while block := opened.read(BLOCK_BYTES):
                told(min(1.0, raw.tell() / whole))
                yield block
    except damage as exc:
        raise LogFormatError(f"{path}: damaged or not {path.suffix} ({exc})") from exc
    except OSError as exc:
        raise MissingFileError(f"{path}: {exc.strerror or exc}; expected a request log") from exc


_Opener = Callable[[BinaryIO], AbstractContextManager[BinaryIO]]


def _way_in(path: Path) -> tuple[_Opener, tuple[type[Exception], ...]]:
    """What decompresses a file, and the errors that mean it is damaged."""
    if path.suffix == ".gz":
        opener = cast("_Opener", lambda raw: gzip.GzipFile(fileobj=raw))
        return opener, (gzip.BadGzipFile, EOFError, zlib.error)
    if path.suffix != ".zst":
        return nullcontext, ()
    with suppress(ImportError):  # Python 3.14 and later
        module: Any = importlib.import_module("compression.zstd")
        return module.open, (module.ZstdError, EOFError)
    with suppress(ImportError):
        module = importlib.import_module("zstandard")
        reader = module.ZstdDecompressor().stream_reader
        return partial(reader, read_across_frames=True), (module.ZstdError,)
    raise ToolMissingError(
        f"{path}: no library to read Zstandard; run `pip install zstandard`, or `zstd -d` the file"
    )
