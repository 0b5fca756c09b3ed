"""How samples are encrypted, as the boxes of an initialisation section say.

``read_protection`` reads anyone's: all four schemes, vectors per sample and constant ones,
patterns, sample groups with keys of their own (``seig``), several sample descriptions (a clear
lead) and several tracks. ``clear_init`` leaves out all of it.

Source: ISO/IEC 23001-7:2016, 6 (sample groups) and 8 (boxes); ISO/IEC 14496-12:2022, 8.3.2, 8.8.3
and 8.9.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from abr.errors import MediaError
from transcode.media.boxes import CONTAINERS, Box, box, boxes, find
from transcode.packaging.samplecipher import CHAIN_MODES, COUNTER_MODES, Sealing

# ISO/IEC 14496-12, 8.5.2: bytes of an encrypted sample entry before its boxes.
_FIELDS = {b"encv": 78, b"enca": 28, b"enct": 8}
_GROUPING = frozenset({b"sgpd", b"sbgp"})
_SEIG = b"seig"


@dataclass(frozen=True, slots=True, kw_only=True)
class SampleGroups:
    """Descriptions of groups of samples (``sgpd``)."""

    sealings: tuple[Sealing, ...] = ()
    default: int = 0
    """Of samples that nothing puts in a group, from 1; 0: none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ProtectedTrack:
    """How the samples of one track are encrypted."""

    descriptions: tuple[Sealing | None, ...]
    """By sample description; None: in the clear."""
    description: int = 1
    """Number of the description where a fragment names none, from 1."""
    sample_bytes: int = 0
    """Size of samples where a fragment gives none."""
    groups: SampleGroups = field(default_factory=SampleGroups)

    @property
    def scheme(self) -> str:
        """Scheme of the first encrypted description; groups of samples have it too."""
        return next((each.scheme for each in self.descriptions if each), "")


@dataclass(frozen=True, slots=True, kw_only=True)
class Protection:
    """How the tracks of an initialisation section are encrypted."""

    tracks: Mapping[int, ProtectedTrack]
    """By track id; clear ones too."""

    @property
    def kids(self) -> tuple[str, ...]:
        """Key ids that it names; segments may name more, see ``kids_in``."""
        found = [
            each.kid
            for track in self.tracks.values()
            for each in (*track.descriptions, *track.groups.sealings)
            if each is not None and each.is_protected
        ]
        return tuple(dict.fromkeys(found))


def read_protection(init: bytes) -> Protection | None:
    """How the samples are encrypted that ``init`` describes; None: they are clear.

    Raises:
        MediaError: no such section, or a scheme that is not known.
    """
    try:
        moov = find(init, b"moov")
        defaults = _defaults(init, moov)
        tracks = {}
        for each in boxes(init, moov.body, moov.end):
            if each.kind == b"trak":
                number = _track_id(init, each)
                description, sample_bytes = defaults.get(number, (1, 0))
                tracks[number] = replace(
                    _track(init, each), description=description, sample_bytes=sample_bytes
                )
    except (struct.error, IndexError) as exc:
        raise MediaError("mp4: an initialisation section is cut off; expected a whole one") from exc
    protection = Protection(tracks=tracks)
    is_encrypted = any(any(track.descriptions) for track in tracks.values())
    return protection if is_encrypted else None


def clear_init(init: bytes) -> bytes:
    """The initialisation section without a word of encryption."""
    return b"".join(_clear(init, each) for each in boxes(init))


def _defaults(init: bytes, moov: Box) -> dict[int, tuple[int, int]]:
    """Description and size of samples by track, from ``trex``."""
    found = {}
    for mvex in boxes(init, moov.body, moov.end):
        if mvex.kind != b"mvex":
            continue
        for trex in boxes(init, mvex.body, mvex.end):
            if trex.kind == b"trex":
                track, description, _, size = struct.unpack_from(">IIII", init, trex.body + 4)
                found[track] = (description, size)
    return found


def _track_id(init: bytes, trak: Box) -> int:
    tkhd = find(init, b"tkhd", start=trak.body, end=trak.end)
    # 8.3.2: version 1 has two times of 64 bits before the id.
    (number,) = struct.unpack_from(">I", init, tkhd.body + (20 if init[tkhd.body] else 12))
    return int(number)


def _track(init: bytes, trak: Box) -> ProtectedTrack:
    stbl = find(init, b"mdia", b"minf", b"stbl", start=trak.body, end=trak.end)
    stsd = find(init, b"stsd", start=stbl.body, end=stbl.end)
    track = ProtectedTrack(
        descriptions=tuple(
            _sealing(init, entry) if entry.kind in _FIELDS else None
            for entry in boxes(init, stsd.body + 8, stsd.end)
        )
    )
    for each in boxes(init, stbl.body, stbl.end):
        if each.kind == b"sgpd" and (groups := read_groups(init, each, track.scheme)):
            track = replace(track, groups=groups)
    return track


def _sealing(init: bytes, entry: Box) -> Sealing:
    """What ``sinf`` says."""
    sinf = find(init, b"sinf", start=entry.body + _FIELDS[entry.kind], end=entry.end)
    schm = find(init, b"schm", start=sinf.body, end=sinf.end)
    tenc = find(init, b"schi", b"tenc", start=sinf.body, end=sinf.end)
    scheme = init[schm.body + 4 : schm.body + 8].decode("latin-1")
    if scheme not in COUNTER_MODES | CHAIN_MODES:
        raise MediaError(f"mp4: scheme {scheme!r}; expected cenc, cens, cbc1 or cbcs")
    version = init[tenc.body]
    body = init[tenc.body + 5 : tenc.end]
    return _read_sealing(body if version else b"\0" + body[1:], scheme)


def _read_sealing(data: bytes, scheme: str) -> Sealing:
    """The fields that ``tenc`` and entries of ``seig`` share, from the pattern on (8.2, 6)."""
    pattern, is_protected, iv_bytes = data[0], data[1], data[2]
    constant = b""
    if is_protected and not iv_bytes:
        constant = data[20 : 20 + data[19]]
    kid = data[3:19]
    if len(kid) != 16 or iv_bytes not in (0, 8, 16) or len(constant) not in (0, 8, 16):
        raise MediaError("mp4: tenc or seig is damaged; expected a key id, and vectors of 8 or 16")
    if is_protected and not (iv_bytes or constant):
        raise MediaError("mp4: encrypted samples without a vector; expected one")
    return Sealing(
        scheme=scheme,
        kid=kid.hex(),
        iv_bytes=iv_bytes,
        constant_iv=constant,
        pattern=(pattern >> 4, pattern & 0xF),
        is_protected=bool(is_protected),
    )


def read_groups(data: bytes, sgpd: Box, scheme: str) -> SampleGroups | None:
    """Descriptions of groups, where they are about encryption."""
    version, at = data[sgpd.body], sgpd.body + 4
    if data[at : at + 4] != _SEIG:
        return None
    length = default = 0
    at += 4
    if version >= 1:
        (length,) = struct.unpack_from(">I", data, at)
        at += 4
    if version >= 2:
        (default,) = struct.unpack_from(">I", data, at)
        at += 4
    (count,) = struct.unpack_from(">I", data, at)
    at += 4
    sealings: list[Sealing] = []
    for _ in range(count):
        size = length
        if version >= 1 and not length:
            (size,) = struct.unpack_from(">I", data, at)
            at += 4
        size = size or 20
        if at + size > sgpd.end:
            raise MediaError("mp4: sgpd is cut off; expected a whole one")
        sealings.append(_read_sealing(data[at + 1 : at + size], scheme))
        at += size
    return SampleGroups(sealings=tuple(sealings), default=default)


def read_runs(data: bytes, sbgp: Box) -> list[tuple[int, int]]:
    """How many samples in a row are in which group, where it is about encryption."""
    at = sbgp.body + 4
    if data[at : at + 4] != _SEIG:
        return []
    at += 4 + (4 if data[sbgp.body] else 0)
    (count,) = struct.unpack_from(">I", data, at)
    if at + 4 + 8 * count > sbgp.end:
        raise MediaError("mp4: sbgp is cut off; expected a whole one")
    return [struct.unpack_from(">II", data, at + 4 + 8 * number) for number in range(count)]


def _clear(data: bytes, each: Box) -> bytes:
    """A box of an initialisation section without what it says of encryption."""
    if each.kind == b"pssh" or is_seig(data, each):
        return b""
    if each.kind == b"stsd":
        entries = (_clear_entry(data, entry) for entry in boxes(data, each.body + 8, each.end))
        return box(each.kind, data[each.body : each.body + 8], *entries)
    if each.kind in CONTAINERS:
        inner = (_clear(data, child) for child in boxes(data, each.body, each.end))
        return box(each.kind, *inner)
    return data[each.start : each.end]


def _clear_entry(data: bytes, entry: Box) -> bytes:
    if entry.kind not in _FIELDS:
        return data[entry.start : entry.end]
    at = entry.body + _FIELDS[entry.kind]
    kept, kind = [data[entry.body : at]], entry.kind
    for child in boxes(data, at, entry.end):
        if child.kind == b"sinf":
            frma = find(data, b"frma", start=child.body, end=child.end)
            kind = data[frma.body : frma.body + 4]
        else:
            kept.append(data[child.start : child.end])
    return box(kind, *kept)


def is_seig(data: bytes, each: Box) -> bool:
    """Whether a box describes or forms groups of samples that differ in encryption."""
    return each.kind in _GROUPING and data[each.body + 4 : each.body + 8] == _SEIG
