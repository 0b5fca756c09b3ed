"""Request logs in files, compressed or not, block by block."""

from __future__ import annotations

import gzip
import importlib
import math
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext, suppress
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO, cast

from abr.errors import LogFormatError, MissingFileError, ToolMissingError
from edge.simulation.formats import Troubles, guess_format, reader_of
from edge.simulation.requests import Request

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


class Logs:
    """Access logs of several edges, each perhaps in several files; each file is read once."""

    def __init__(self, paths: Mapping[str, tuple[Path, ...]]) -> None:
        self._paths = paths
        self.troubles = [Troubles(str(path)) for each in paths.values() for path in each]
        self.ends_s = -math.inf
        """When the last request came that was read so far."""

    def __repr__(self) -> str:
        return f"<Logs: {len(self.troubles)} files of {len(self._paths)} edges>"

    def open(self, told: Callable[[float], None]) -> dict[str, Iterator[Request]]:
        """The requests by edge; ``told`` the share of all files that was read."""
        done = [0.0] * len(self.troubles)

        def note_share(number: int, share: float) -> None:
            done[number] = share
            told(sum(done) / len(done))

        numbers = iter(range(len(done)))
        return {
            name: self._read([(next(numbers), path) for path in paths], note_share)
            for name, paths in self._paths.items()
        }

    def _read(
        self, files: Sequence[tuple[int, Path]], note_share: Callable[[int, float], None]
    ) -> Iterator[Request]:
        for number, path in files:
            reader = reader_of(guess_format(path.name) or "access")
            pieces = blocks(path, partial(note_share, number))
            for request in reader(pieces, self.troubles[number]):
                self.ends_s = max(self.ends_s, request.t_s)
                yield request
