"""Facts of the files of one media playlist: sizes, what is inside, what a decoder makes of it.

One segment after the other, a few at once: only facts are kept, no bytes but those of
initialisation sections.
"""

from __future__ import annotations

import asyncio
import contextlib
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal
from urllib.parse import urlsplit

from abr.errors import MediaError, PlaylistError
from transcode.encryption import decrypt
from transcode.inspection.facts import Delivery, InitFacts, MediaFacts, SegmentFacts, init_key
from transcode.inspection.isomedia import read_init
from transcode.inspection.media import container_of, read_segment
from transcode.inspection.playlists import ListedKey, ListedMap, ListedMedia, ListedSegment
from transcode.inspection.transport import without_tag
from transcode.playlist.model import ByteRange
from transcode.run.decoding import decode_alone
from transcode.run.sources import Answer, Source, UnreadableError, plain_name

Depth = Literal["playlists", "sizes", "media", "decode"]
KeyOf = Callable[[str, str], bytes | None]
"""The key of a title by its id; None when there is none."""

MOST_TEXT_BYTES = 16 * 2**20
MOST_INIT_BYTES = 2**20
MOST_INITS = 1000
MOST_SEGMENT_BYTES = 256 * 2**20
_AT_ONCE = 4
_MOST_TABLES_BYTES = 2**20
_KID = re.compile(r"[0-9a-f]{32}")
_KEY_BYTES = 16


@dataclass(slots=True)
class Measurer:
    """Measures playlists of one package; keys are fetched once."""

    source: Source
    depth: Depth
    key_of: KeyOf | None = None
    title: str = ""
    """Under which ``key_of`` knows the package."""
    _keys: dict[str, bytes | None] = field(default_factory=dict, repr=False)
    _deliveries: dict[str, Delivery] = field(default_factory=dict, repr=False)

    async def measure(
        self, listed: ListedMedia, answer: Answer, role: str, tell: Callable[[str, int], None]
    ) -> MediaFacts:
        """Look at every file of a media playlist, in order, a few at once.

        Args:
            listed: What the playlist says.
            answer: How it came.
            role: What it is for; see ``MediaFacts``.
            tell: Told its name and how many more files are done.

        Raises:
            PlaylistError: it has more initialisation sections than any title needs.
        """
        address = answer.address
        name = self.source.name(address)
        inits: dict[str, tuple[InitFacts, bytes]] = {}
        if self.depth in ("media", "decode"):
            sections = {init_key(s.map): s.map for s in listed.segments if s.map}
            if len(sections) > MOST_INITS:
                raise PlaylistError(
                    f"{name}: {len(sections)} initialisation sections; "
                    f"expected at most {MOST_INITS}"
                )
            for key, section in sections.items():
                inits[key] = await self._init(section, address)
        heads = _heads(listed.segments)
        facts: list[SegmentFacts] = []
        for first in range(0, len(listed.segments), _AT_ONCE):
            group = listed.segments[first : first + _AT_ONCE]
            facts += await asyncio.gather(
                *(self._segment(each, address, role, inits, heads) for each in group)
            )
            tell(name, len(group))
        return MediaFacts(
            name=name,
            listed=listed,
            role=role,
            segments=tuple(facts),
            inits={key: init for key, (init, _) in inits.items()},
            names=tuple(self._name(address, each.uri) for each in listed.segments),
            delivery=answer.delivery,
            segment_delivery=self._deliveries.get(address),
        )

    def _name(self, base: str, uri: str) -> str:
        try:
            return self.source.name(self.source.resolve(base, uri))
        except UnreadableError:
            return plain_name(uri)

    async def _init(self, section: ListedMap, base: str) -> tuple[InitFacts, bytes]:
        name = self._name(base, section.uri)
        try:
            address = self.source.resolve(base, section.uri)
            data = (await self.source.read(address, section.byte_range, MOST_INIT_BYTES)).data
            opened = await self._opened(data, section.keys, b"", base)
            if opened is None:
                return InitFacts(uri=name, is_sealed=True), b""
            if container_of(opened) == "ts":  # RFC 8216bis, 3.1.1: programme tables
                return InitFacts(uri=name), opened
            return read_init(opened, name), opened
        except UnreadableError as exc:
            return InitFacts(uri=name, problem=exc.why), b""
        except MediaError as exc:
            return InitFacts(uri=name, problem=str(exc)), b""

    async def _segment(
        self,
        listed: ListedSegment,
        base: str,
        role: str,
        inits: Mapping[str, tuple[InitFacts, bytes]],
        heads: Mapping[str, int],
    ) -> SegmentFacts:
        if listed.gap:
            return SegmentFacts()
        part = listed.byte_range
        try:
            address = self.source.resolve(base, listed.uri)
            if self.depth == "playlists":
                return SegmentFacts(size_bytes=part.length if part else None)
            if self.depth == "sizes":
                whole = self.source.size(address)
                if part and whole is not None and sum(part) > whole:
                    raise UnreadableError(
                        f"the range ends at byte {sum(part):,}; the file has {whole:,}"
                    )
                return SegmentFacts(size_bytes=part.length if part else whole)
            answer = await self.source.read(address, part, MOST_SEGMENT_BYTES)
        except UnreadableError as exc:
            return SegmentFacts(problem=exc.why, is_missing=True)
        data = answer.data
        if answer.delivery is not None:
            self._deliveries.setdefault(base, answer.delivery)
        sequence = listed.sequence.to_bytes(16, "big")
        try:
            opened = await self._opened(data, listed.keys, sequence, base)
        except MediaError as exc:
            return SegmentFacts(size_bytes=len(data), problem=str(exc))
        if opened is None:
            return SegmentFacts(size_bytes=len(data), is_sealed=True)
        init, init_bytes = inits[init_key(listed.map)] if listed.map else (None, b"")
        if container_of(opened) == "ts":
            if role == "iframes" and part is not None and not init_bytes:
                init_bytes = await self._tables(address, heads.get(listed.uri, 0))
            opened, init_bytes = init_bytes + opened, b""
        facts = read_segment(opened, init, role=role, size_bytes=len(data))
        if self.depth == "decode" and not facts.problem and _can_decode(facts, init):
            # ffmpeg takes the tag for a frame of AC-3.
            plain = without_tag(opened) if facts.container == "aac" else opened
            return await decode_alone(facts, init_bytes + plain, is_part=role == "iframes")
        return facts

    async def _tables(self, address: str, end: int) -> bytes:
        """What stands before the first I-frame of a transport stream.

        RFC 8216bis, 4.4.3.6: without EXT-X-MAP, programme tables are looked for there.
        """
        if not 0 < end <= _MOST_TABLES_BYTES:
            return b""
        try:
            return (await self.source.read(address, ByteRange(0, end), end)).data
        except UnreadableError:
            return b""

    async def _opened(
        self, data: bytes, keys: Sequence[ListedKey], sequence_iv: bytes, base: str
    ) -> bytes | None:
        """Data in the clear; None without the key. Sample encryption is left as it is."""
        key = next((each for each in keys if each.method == "AES-128"), None)
        if key is None:
            return data
        secret = await self._key(key, base) if key.is_plain else None
        iv = key.iv if key.iv is not None else sequence_iv
        if secret is None or len(iv) != _KEY_BYTES:
            return None
        return decrypt(data, secret, iv)

    async def _key(self, key: ListedKey, base: str) -> bytes | None:
        uri = key.uri or ""
        if uri not in self._keys:
            self._keys[uri] = await self._fetch_key(uri, base)
        return self._keys[uri]

    async def _fetch_key(self, uri: str, base: str) -> bytes | None:
        with contextlib.suppress(UnreadableError):
            address = self.source.resolve(base, uri)
            data = (await self.source.read(address, None, MOST_TEXT_BYTES)).data
            if len(data) == _KEY_BYTES:
                return data
        kid = urlsplit(uri).path.rpartition("/")[2]
        if self.key_of is None or not _KID.fullmatch(kid) or not self.title:
            return None
        return self.key_of(self.title, kid)


def _heads(segments: Iterable[ListedSegment]) -> dict[str, int]:
    """Where the first listed range of each resource begins."""
    heads: dict[str, int] = {}
    for each in segments:
        if each.byte_range is not None:
            offset = each.byte_range.offset
            heads[each.uri] = min(heads.get(each.uri, offset), offset)
    return heads


def _can_decode(facts: SegmentFacts, init: InitFacts | None) -> bool:
    """Whether a decoder could make something of it: media, and in the clear."""
    if facts.container == "fmp4":
        return init is not None and not any(t.scheme for t in init.tracks)
    return facts.container in ("ts", "aac") and not any(t.entry == "" for t in facts.tracks)
