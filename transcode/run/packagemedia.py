"""The media of a watermarked package on disk: either variant of a segment, as stored or clear."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from abr.errors import ConfigError, MissingFileError
from abr.shell import reason_of
from transcode.encryption import decrypt, iv_for
from transcode.files.reader import read_index
from transcode.packaging.index import PresentationIndex, Track
from transcode.packaging.layout import INIT, segment_name, variant_b
from transcode.packaging.listing import init_iv, media_playlist_of
from transcode.packaging.sampledecryption import clear_init, clear_segment, read_protection


@dataclass(frozen=True, slots=True, kw_only=True)
class PackageMedia:
    """A package with two variants of each segment of video."""

    folder: Path
    index: PresentationIndex
    key_of: Callable[[str, str], bytes] = field(repr=False)
    """The content key of a title by its id."""

    @classmethod
    def open(cls, folder: Path, key_of: Callable[[str, str], bytes]) -> PackageMedia:
        """The package in ``folder``.

        Raises:
            MissingFileError, PackageError: it cannot be read.
            ConfigError: it is not watermarked.
        """
        index = read_index(folder)
        if not index.watermarked:
            raise ConfigError(
                f"{folder}: is not watermarked, so all copies of it are alike; expected a package "
                "of `abr transcode --watermark`"
            )
        return cls(folder=folder, index=index, key_of=key_of)

    def stored(self, track: Track, number: int, bit: int, *, most_bytes: int = -1) -> bytes:
        """A segment as it is served, or its beginning.

        Raises:
            MissingFileError: it cannot be read.
        """
        name = segment_name(number, self.index.container)
        path = self.folder / track.folder / (variant_b(name) if bit else name)
        try:
            with path.open("rb") as file:
                return file.read(most_bytes)
        except OSError as exc:
            raise MissingFileError(f"{path}: {reason_of(exc)}; expected a segment") from exc

    def init(self, track: Track) -> bytes:
        """An initialisation section as it is served.

        Raises:
            MissingFileError: it cannot be read.
        """
        path = self.folder / track.folder / INIT
        try:
            return path.read_bytes()
        except OSError as exc:
            raise MissingFileError(f"{path}: {reason_of(exc)}; expected a section") from exc

    def clear(self, track: Track, numbers: Iterable[int], bit: int) -> Iterator[bytes]:
        """The initialisation section and some segments in one variant, decrypted.

        Raises:
            MissingFileError: a file cannot be read.
            KeyStoreError: a key is not there.
            MediaError: a file is damaged.
        """
        encryption = self.index.encryption
        init = self.init(track)
        if encryption is None:
            yield init
            for number in numbers:
                yield self.stored(track, number, bit)
            return
        if encryption.is_whole:
            if encryption.seals_init:
                init = decrypt(init, self._key(track, 0), init_iv(track.folder))
            listed = media_playlist_of(self.index, track).segments
            yield init
            for number in numbers:
                data = self.stored(track, number, bit)
                yield decrypt(data, self._key(track, number), iv_for(listed[number]))
            return
        protection = read_protection(init)
        assert protection is not None, "what has encrypted samples says so"
        yield clear_init(init)
        for number in numbers:
            kid = encryption.kid_of(track.folder, number)
            keys = {kid: self._key(track, number)}
            yield clear_segment(self.stored(track, number, bit), protection, keys)

    def _key(self, track: Track, number: int) -> bytes:
        assert self.index.encryption is not None
        return self.key_of(self.index.title, self.index.encryption.kid_of(track.folder, number))
