"""Encryption of samples (Common Encryption), for players with protected decoders.

``cbcs``: AES-128 in CBC mode, one block in ten of pictures, all of sound, one constant vector.
``cenc``: AES-128 in CTR mode, all blocks, a vector of eight bytes for each sample.
Headers of NAL units and slices stay clear, see ``slices``; of AV1 all but the data of tiles, see
``av1tiles``. Lengths do not change, so a segment
grows only by the boxes that describe its encryption.

Bytes to bytes, given a key. One key for a title: another key per segment would need groups
of samples, which few players know.

Source: ISO/IEC 23001-7:2016, 8 (schemes' boxes), 9.4 to 9.6 (patterns), 10.1 (cenc) and 10.4
(cbcs); AV1 Codec ISO Media File Format Binding 1.3, "Common Encryption"; W3C, "cenc"
Initialization Data Format (common pssh).
"""

from __future__ import annotations

import hashlib
import hmac
import struct
from collections.abc import Callable, Iterator, Sequence
from typing import Literal

from abr.errors import MediaError
from transcode.encryption import ContentKey
from transcode.media.av1tiles import TileFinder
from transcode.media.boxes import box, boxes, find, full_box
from transcode.media.codecs import key_frame_test, sample_entry
from transcode.media.fragments import read_fragment
from transcode.media.hevcslices import hevc_leader
from transcode.media.slices import h264_leader
from transcode.packaging.samplecipher import BLOCK, Part, Sealing, apply, parts_of

Scheme = Literal["cbcs", "cenc"]
METHODS: dict[Scheme, str] = {"cbcs": "SAMPLE-AES", "cenc": "SAMPLE-AES-CTR"}
"""The METHOD attribute of EXT-X-KEY (RFC 8216bis, 4.4.4.4)."""
SCHEME_OF: dict[str, Scheme] = {method: scheme for scheme, method in METHODS.items()}
COMMON_SYSTEM = bytes.fromhex("1077efecc0b24d02ace33c1e52e2fb4b")
"""W3C's system id of a ``pssh`` that lists key ids and no more."""
_PATH = (b"moov", b"trak", b"mdia", b"minf", b"stbl", b"stsd")
_VIDEO = {b"avc1": 78, b"hvc1": 78, b"av01": 78}
_AUDIO = {b"mp4a": 28, b"Opus": 28}
_LEADERS = {b"avc1": (b"avcC", h264_leader), b"hvc1": (b"hvcC", hevc_leader)}
_PATTERN = (1, 9)  # of pictures under cbcs: one block encrypted, nine clear
_NO_DEFAULTS = (0, 0, 0)


def constant_iv(kid: str) -> bytes:
    """The vector of ``cbcs``: of a key, and so of a title."""
    return hashlib.sha256(b"cbcs" + bytes.fromhex(kid)).digest()[:16]


def pssh_of(kids: Sequence[str]) -> bytes:
    """The common ``pssh`` box: ids of keys, for any system of keys."""
    count = struct.pack(">I", len(kids))
    return full_box(b"pssh", 1, 0, COMMON_SYSTEM, count, bytes.fromhex("".join(kids)), bytes(4))


def sample_iv(sample: bytes, key: ContentKey) -> bytes:
    """The vector of a sample in ``cenc``: made of the sample itself, under its key.

    A counter would begin anew when a title is encoded again under its key, and two contents
    with one vector give each other away. The same sample has the same vector, so packages
    are the same bytes every time.
    """
    return hmac.digest(key.key, b"cenc" + sample, "sha256")[:8]


class SampleEncrypter:
    """Encrypts one track."""

    def __init__(
        self, scheme: Scheme, key: ContentKey, init: bytes, *, kids: Sequence[str] = ()
    ) -> None:
        """Prepare for the track that ``init`` describes, in the clear.

        Args:
            scheme: How samples are encrypted.
            key: Of this track.
            init: Its initialisation section.
            kids: Key ids that ``pssh`` lists: those of all tracks of the title, because hls.js
                asks for the licence of one track only. Empty: the one of ``key``.

        Raises:
            MediaError: the codec cannot be encrypted so.
        """
        self.scheme = scheme
        self._key = key
        self._kids = tuple(kids) or (key.kid,)
        kind = sample_entry(init).kind
        if kind not in {*_VIDEO, *_AUDIO}:
            raise MediaError(
                f"mp4: codec {kind!r} with {scheme}; expected avc1, hvc1, av01, mp4a or Opus; "
                "leave the codec out or encrypt with aes-128"
            )
        self._is_video = kind in _VIDEO
        self._leader: Callable[[bytes], int] | None = None
        self._tiles: TileFinder | None = None
        if kind == b"av01":
            self._tiles = TileFinder(_av1c(init))
        if kind in _LEADERS:
            name, leader_of = _LEADERS[kind]
            entry = sample_entry(init)
            found = find(init, name, start=entry.body + _VIDEO[kind], end=entry.end)
            self._leader = leader_of(init[found.body : found.end])
        self._length_bytes = key_frame_test(init).length_bytes if self._leader else 0
        is_cbcs = scheme == "cbcs"
        self._sealing = Sealing(
            scheme=scheme,
            kid=key.kid,
            iv_bytes=0 if is_cbcs else 8,
            constant_iv=constant_iv(key.kid) if is_cbcs else b"",
            pattern=_PATTERN if is_cbcs and self._is_video else (0, 0),
        )

    def __repr__(self) -> str:
        return f"<SampleEncrypter {self.scheme}>"

    def init(self, init: bytes) -> bytes:
        """The initialisation section of the encrypted track."""
        entry = sample_entry(init)
        fields = (_VIDEO | _AUDIO)[entry.kind]
        encrypted, clear = self._sealing.pattern
        pattern = encrypted << 4 | clear
        kid = bytes.fromhex(self._key.kid)
        if self.scheme == "cbcs":
            iv = self._sealing.constant_iv
            tenc = full_box(b"tenc", 1, 0, bytes([0, pattern, 1, 0]), kid, bytes([16]), iv)
        else:
            tenc = full_box(b"tenc", 0, 0, bytes([0, 0, 1, 8]), kid)
        sinf = box(
            b"sinf",
            box(b"frma", entry.kind),
            full_box(b"schm", 0, 0, self.scheme.encode(), struct.pack(">I", 0x00010000)),
            box(b"schi", tenc),
        )
        kind = b"encv" if self._is_video else b"enca"
        body = init[entry.body : entry.end]
        assert len(body) >= fields
        protected = _replaced(init, entry.start, entry.end, box(kind, body, sinf))
        pssh = pssh_of(self._kids)
        moov = find(protected, b"moov")
        return (
            protected[: moov.start]
            + box(b"moov", protected[moov.body : moov.end], pssh)
            + protected[moov.end :]
        )

    def segment(self, segment: bytes) -> bytes:
        """A segment with its samples encrypted."""
        pieces: list[bytes] = []
        moof = b""
        for each in boxes(segment):
            whole = segment[each.start : each.end]
            if each.kind == b"moof":
                moof = whole
            elif each.kind == b"mdat" and moof:
                pieces.append(self._fragment(moof, whole))
                moof = b""
            else:
                pieces.append(whole)
        return b"".join(pieces)

    def _fragment(self, moof: bytes, mdat: bytes) -> bytes:
        samples = [sample.data for sample in read_fragment(moof, mdat, _NO_DEFAULTS)]
        sizes: list[int] = []
        entries: list[bytes] = []
        written: list[bytes] = []
        for data in samples:
            iv = sample_iv(data, self._key) if self.scheme == "cenc" else self._sealing.constant_iv
            parts = list(self._parts(data))
            written.append(apply(data, parts, self._sealing, self._key.key, iv, encrypts=True))
            entry = iv if self.scheme == "cenc" else b""
            if self._is_video:
                entry += struct.pack(">H", len(parts))
                entry += b"".join(struct.pack(">HI", *part) for part in parts)
            if len(entry) > 255:
                raise MediaError(
                    "mp4: over 40 slices or tiles in a picture; expected fewer to encrypt them"
                )
            sizes.append(len(entry))
            entries.append(entry)
        return _described(moof, sizes, entries, with_parts=self._is_video) + box(b"mdat", *written)

    def _parts(self, data: bytes) -> Iterator[Part]:
        """What is encrypted of a sample."""
        if self._tiles is not None:
            yield from self._tile_parts(data, self._tiles)
            return
        if self._leader is None:
            yield Part(0, len(data))
            return
        at, clear = 0, 0
        while at < len(data):
            start = at + self._length_bytes
            size = int.from_bytes(data[at:start], "big")
            unit = data[start : start + size]
            if not unit or len(unit) != size:
                raise MediaError("mp4: NAL units do not fit their sample; expected whole ones")
            leader = self._leader(unit)
            protected = size - leader
            if self.scheme == "cenc":
                protected -= protected % BLOCK  # 10.1: whole blocks only
            elif protected < BLOCK:
                protected = 0
            clear += self._length_bytes + size - protected
            at = start + size
            if protected:
                yield from parts_of(clear, protected)
                clear = 0
        if clear:
            yield from parts_of(clear, 0)

    def _tile_parts(self, data: bytes, finder: TileFinder) -> Iterator[Part]:
        """A part for each tile: all of it, or with cenc the whole blocks at its end."""
        clear_from = 0
        for tile in finder.tiles(data):
            protected = tile.size - (tile.size % BLOCK if self.scheme == "cenc" else 0)
            if not protected:
                continue
            begin = tile.start + tile.size - protected
            yield from parts_of(begin - clear_from, protected)
            clear_from = tile.start + tile.size
        if clear_from < len(data):
            yield from parts_of(len(data) - clear_from, 0)


def _described(
    moof: bytes, sizes: Sequence[int], entries: Sequence[bytes], *, with_parts: bool
) -> bytes:
    """``moof`` with ``senc``, ``saiz`` and ``saio``; none where there is nothing to say."""
    mfhd, traf = find(moof, b"moof", b"mfhd"), find(moof, b"moof", b"traf")
    added = b""
    if any(sizes):
        senc = full_box(
            b"senc", 0, 2 if with_parts else 0, struct.pack(">I", len(entries)), *entries
        )
        same = len(set(sizes)) == 1
        table = b"" if same else bytes(sizes)
        head = struct.pack(">BI", sizes[0] if same else 0, len(sizes))
        # The new boxes begin where the old ``moof`` ended: 16 bytes on is the first entry.
        saio = full_box(b"saio", 0, 0, struct.pack(">II", 1, len(moof) + 16))
        added = senc + full_box(b"saiz", 0, 0, head, table) + saio
    children = bytearray(moof[traf.body : traf.end])
    for each in boxes(bytes(children)):
        if each.kind == b"trun":
            (offset,) = struct.unpack_from(">i", children, each.body + 8)
            struct.pack_into(">i", children, each.body + 8, offset + len(added))
    return box(b"moof", moof[mfhd.start : mfhd.end], box(b"traf", bytes(children), added))


def _av1c(init: bytes) -> bytes:
    entry = sample_entry(init)
    found = find(init, b"av1C", start=entry.body + _VIDEO[entry.kind], end=entry.end)
    return init[found.body : found.end]


def _replaced(init: bytes, start: int, end: int, entry: bytes) -> bytes:
    """``init`` with one sample entry for another, and the sizes of all boxes around it mended."""
    grown = bytearray(init[:start] + entry + init[end:])
    for depth in range(1, len(_PATH) + 1):
        parent = find(init, *_PATH[:depth])
        size = parent.end - parent.start + len(entry) - (end - start)
        struct.pack_into(">I", grown, parent.start, size)
    return bytes(grown)
