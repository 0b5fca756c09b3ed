"""Packages read for inspection, from disk or over HTTP: playlists, then each of their files.

Sizes and counts are limited, and a playlist that lists itself is not read again; see
``sources`` for what is not followed.
"""

from __future__ import annotations

import asyncio
import contextlib
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

from abr.errors import (
    AbrError,
    MediaError,
    MissingFileError,
    PlaylistError,
    UpstreamError,
    UpstreamTimeoutError,
)
from abr.shell import reason_of
from transcode.encryption import decrypt
from transcode.files.reader import is_package, read_index
from transcode.inspection.facts import (
    InitFacts,
    MediaFacts,
    PackageFacts,
    RenditionFacts,
    SegmentFacts,
    Unusable,
    VariantFacts,
    init_key,
)
from transcode.inspection.isomedia import read_init
from transcode.inspection.listed import (
    Listed,
    ListedKey,
    ListedMap,
    ListedMedia,
    ListedMultivariant,
    ListedSegment,
    ListedVariant,
    read_listed,
)
from transcode.inspection.media import container_of, read_segment
from transcode.layout import PLAYLIST
from transcode.playlist.model import ByteRange
from transcode.quality import QualityFacts
from transcode.run.decoding import decode_alone
from transcode.run.sources import FolderSource, Source, UnreadableError

Depth = Literal["playlists", "sizes", "media", "decode"]
OnProgress = Callable[[str, int, int], None]
"""Told the playlist in work, files done and files in all."""
KeyOf = Callable[[str, str], bytes | None]
"""The key of a title by its id; None when there is none."""

MOST_TEXT_BYTES = 16 * 2**20
MOST_SEGMENT_BYTES = 256 * 2**20
MOST_PLAYLISTS = 500
_AT_ONCE = 4
_MOST_TABLES_BYTES = 2**20
_KID = re.compile(r"[0-9a-f]{32}")
_KEY_BYTES = 16
_EXPECTED = "expected a folder with a multivariant playlist, an .m3u8 file or an http(s) URL"


async def load_package(
    where: str,
    *,
    depth: Depth = "media",
    key_of: KeyOf | None = None,
    on_progress: OnProgress | None = None,
    limit_s: float = 3600.0,
) -> PackageFacts:
    """Read a package and measure what ``depth`` asks for.

    Args:
        where: A folder, an ``.m3u8`` file, or an http(s) URL.
        depth: ``playlists`` and ``sizes`` read no media; ``decode`` decodes every segment.
        key_of: Finds keys of this project's encrypted packages, which are served apart.
        on_progress: Told how far it is.
        limit_s: For everything, over HTTP.

    Raises:
        MissingFileError, UpstreamError: it is not there.
        PlaylistError: what is there is no playlist.
        UpstreamTimeoutError: reading took over ``limit_s``.
        ToolMissingError: ``decode``, and no ffmpeg.
    """
    if urlsplit(where).scheme.lower() in ("http", "https"):
        from transcode.run.httpsource import HttpSource  # its client takes a while to import

        async with HttpSource(where) as source:
            try:
                async with asyncio.timeout(limit_s):
                    return await _Loader(source, depth, key_of, "", on_progress).load()
            except TimeoutError as exc:
                raise UpstreamTimeoutError(
                    f"{source.name(where)}: not read within {limit_s:g} s; "
                    "inspect with --quick, or raise --time-limit"
                ) from exc
    start = await asyncio.to_thread(_find, Path(where))
    folder = FolderSource(root=start.parent, start=str(start))
    return await _Loader(folder, depth, key_of, start.parent.name, on_progress).load()


def _find(path: Path) -> Path:
    """The playlist to begin with."""
    try:
        path = path.resolve()
        if path.is_file():
            return path
        if not path.is_dir():
            raise MissingFileError(f"{path}: no such file or folder; {_EXPECTED}")
        found = sorted(path.glob("*.m3u8"))
        every = [each for each in found if "#EXT-X-STREAM-INF" in _head(each)]
    except OSError as exc:
        raise MissingFileError(f"{path}: {reason_of(exc)}; {_EXPECTED}") from exc
    choice = every or found
    if len(choice) == 1:
        return choice[0]
    if not choice:
        raise MissingFileError(f"{path}: no playlist (.m3u8) in this folder; {_EXPECTED}")
    names = ", ".join(each.name for each in choice[:5])
    raise MissingFileError(f"{path}: several playlists ({names}); name the one to inspect")


def _head(path: Path) -> str:
    with path.open("rb") as file:
        return file.read(MOST_TEXT_BYTES).decode("utf-8", errors="replace")


@dataclass(slots=True)
class _Loader:
    """One package under way."""

    source: Source
    depth: Depth
    key_of: KeyOf | None
    title: str
    on_progress: OnProgress | None
    _media: dict[tuple[str, str], MediaFacts | None] = field(default_factory=dict, repr=False)
    _unusable: list[Unusable] = field(default_factory=list, repr=False)
    _keys: dict[str, bytes | None] = field(default_factory=dict, repr=False)
    _done: int = 0
    _total: int = 0

    async def load(self) -> PackageFacts:
        source = self.source
        name = source.name(source.start)
        try:
            text, address = await source.read(source.start, None, MOST_TEXT_BYTES)
        except UnreadableError as exc:
            kind = MissingFileError if source.is_stored else UpstreamError
            raise kind(f"{name}: {exc.why}; {_EXPECTED}") from exc
        source.start = address
        listed = read_listed(_decoded(text), where=name)
        if isinstance(listed, ListedMedia):
            media = await self._measure(listed, address, _role_of_lone(listed))
            return PackageFacts(
                name=name, multivariant=None, lone=media, is_stored=source.is_stored
            )
        return await self._package(listed, address, name)

    async def _package(self, listed: ListedMultivariant, address: str, name: str) -> PackageFacts:
        wanted = [(v.uri, _role(v), v.line) for v in listed.variants]
        roles = {"AUDIO": "audio", "SUBTITLES": "subtitles", "VIDEO": "video"}
        wanted += [
            (r.uri, roles[r.kind], r.line) for r in listed.renditions if r.uri and r.kind in roles
        ]
        wanted += [(v.uri, "iframes", v.line) for v in listed.iframe_variants]
        texts = await self._playlists(wanted, address, name)
        self._total = sum(len(each.segments) for each, _, _ in texts.values())
        for key, (media, where, role) in texts.items():
            self._media[key] = await self._measure(media, where, role)
        quality = await asyncio.to_thread(_quality, self.source)
        get = self._media.get
        renditions = tuple(
            RenditionFacts(
                listed=each, media=get((each.uri, roles.get(each.kind, ""))) if each.uri else None
            )
            for each in listed.renditions
        )
        return PackageFacts(
            name=name,
            multivariant=listed,
            variants=tuple(
                VariantFacts(
                    listed=each,
                    media=get((each.uri, _role(each))),
                    audio=_group(renditions, "AUDIO", each.attributes.get("AUDIO")),
                )
                for each in listed.variants
            ),
            renditions=renditions,
            iframes=tuple(
                VariantFacts(listed=each, media=get((each.uri, "iframes")))
                for each in listed.iframe_variants
            ),
            unusable=tuple(self._unusable),
            is_stored=self.source.is_stored,
            quality={} if quality is None else _by_playlist(quality),
            metric="" if quality is None else quality.metric,
        )

    async def _playlists(
        self, wanted: Sequence[tuple[str, str, int]], base: str, listed_in: str
    ) -> dict[tuple[str, str], tuple[ListedMedia, str, str]]:
        """Media playlists by URI and role; what cannot be used is noted."""
        if len(wanted) > MOST_PLAYLISTS:
            raise PlaylistError(
                f"{listed_in}: {len(wanted)} playlists; expected at most {MOST_PLAYLISTS}"
            )
        found: dict[tuple[str, str], tuple[ListedMedia, str, str]] = {}
        seen: set[tuple[str, str]] = set()
        for uri, role, line in wanted:
            if (uri, role) in seen:
                continue
            seen.add((uri, role))
            name = _plain(uri)
            try:
                address = self.source.resolve(base, uri)
                name = self.source.name(address)
                if address == base:
                    raise UnreadableError("the multivariant playlist lists itself")
                text, address = await self.source.read(address, None, MOST_TEXT_BYTES)
                media = self._as_media(read_listed(_decoded(text), where=name))
            except (UnreadableError, PlaylistError) as exc:
                why = exc.why if isinstance(exc, UnreadableError) else str(exc)
                why = why.removeprefix(f"{name}: ").removeprefix(f"{name}:")
                self._unusable.append(Unusable(name=name, why=why, listed_in=listed_in, line=line))
                continue
            found[uri, role] = (media, address, role)
        return found

    def _as_media(self, listed: Listed) -> ListedMedia:
        if isinstance(listed, ListedMedia):
            return listed
        raise UnreadableError("a multivariant playlist; expected a media playlist")

    async def _measure(self, listed: ListedMedia, address: str, role: str) -> MediaFacts:
        """Look at every file of a media playlist, in order, a few at once."""
        name = self.source.name(address)
        inits: dict[str, tuple[InitFacts, bytes]] = {}
        if self.depth in ("media", "decode"):
            for section in {init_key(s.map): s.map for s in listed.segments if s.map}.values():
                inits[init_key(section)] = await self._init(section, address)
        heads: dict[str, int] = {}
        for each in listed.segments:
            if each.byte_range is not None:
                heads[each.uri] = min(
                    heads.get(each.uri, each.byte_range.offset), each.byte_range.offset
                )
        facts: list[SegmentFacts] = []
        for first in range(0, len(listed.segments), _AT_ONCE):
            group = listed.segments[first : first + _AT_ONCE]
            facts += await asyncio.gather(
                *(self._segment(each, address, role, inits, heads) for each in group)
            )
            self._done += len(group)
            if self.on_progress is not None:
                self.on_progress(name, self._done, max(self._total, self._done))
        return MediaFacts(
            name=name,
            listed=listed,
            role=role,
            segments=tuple(facts),
            inits={key: init for key, (init, _) in inits.items()},
            names=tuple(self._name(address, each.uri) for each in listed.segments),
        )

    def _name(self, base: str, uri: str) -> str:
        try:
            return self.source.name(self.source.resolve(base, uri))
        except UnreadableError:
            return _plain(uri)

    async def _init(self, section: ListedMap, base: str) -> tuple[InitFacts, bytes]:
        name = self._name(base, section.uri)
        try:
            address = self.source.resolve(base, section.uri)
            data, _ = await self.source.read(address, section.byte_range, MOST_TEXT_BYTES)
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
            data, _ = await self.source.read(address, part, MOST_SEGMENT_BYTES)
        except UnreadableError as exc:
            return SegmentFacts(problem=exc.why, is_missing=True)
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
            return await decode_alone(facts, init_bytes + opened, is_part=role == "iframes")
        return facts

    async def _tables(self, address: str, end: int) -> bytes:
        """What stands before the first I-frame of a transport stream.

        RFC 8216bis, 4.4.3.6: without EXT-X-MAP, programme tables are looked for there.
        """
        if not 0 < end <= _MOST_TABLES_BYTES:
            return b""
        try:
            data, _ = await self.source.read(address, ByteRange(0, end), MOST_TEXT_BYTES)
        except UnreadableError:
            return b""
        return data

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
            data, _ = await self.source.read(address, None, MOST_TEXT_BYTES)
            if len(data) == _KEY_BYTES:
                return data
        kid = urlsplit(uri).path.rpartition("/")[2]
        if self.key_of is None or not _KID.fullmatch(kid) or not self.title:
            return None
        return self.key_of(self.title, kid)


def _quality(source: Source) -> QualityFacts | None:
    """What the package's own index says of quality, where there is one."""
    if not isinstance(source, FolderSource) or not is_package(source.root):
        return None
    with contextlib.suppress(AbrError):
        return read_index(source.root).quality
    return None


def _by_playlist(quality: QualityFacts) -> dict[str, tuple[float, ...]]:
    return {f"{track.folder}/{PLAYLIST}": track.segments for track in quality.tracks}


def _can_decode(facts: SegmentFacts, init: InitFacts | None) -> bool:
    """Whether a decoder could make something of it: media, and in the clear."""
    if facts.container == "fmp4":
        return init is not None and not any(t.scheme for t in init.tracks)
    return facts.container in ("ts", "aac") and not any(t.entry == "" for t in facts.tracks)


def _group(
    renditions: Sequence[RenditionFacts], kind: str, name: str | None
) -> tuple[MediaFacts, ...]:
    return tuple(
        each.media
        for each in renditions
        if each.media is not None and each.listed.kind == kind and each.listed.group == name
    )


def _role(variant: ListedVariant) -> str:
    """A variant of sound alone counts as sound: its boundaries need not be those of rungs."""
    return "video" if variant.has_picture else "audio"


def _role_of_lone(listed: ListedMedia) -> str:
    if listed.iframes_only:
        return "iframes"
    names = [segment.uri.partition("?")[0].lower() for segment in listed.segments[:1]]
    return "subtitles" if names and names[0].endswith((".vtt", ".webvtt")) else "video"


def _decoded(data: bytes) -> str:
    return data.decode("utf-8", errors="replace")


def _plain(uri: str) -> str:
    """The last part of a URI's path: what may be shown of one that was not followed."""
    try:
        path = urlsplit(uri).path
    except ValueError:
        path = ""
    return path.rpartition("/")[2][:60] or "an address"
