"""Packages read for inspection, from disk or over HTTP: playlists, then each of their files.

Sizes and counts are limited, and a playlist that lists itself is not read again; see
``sources`` for what is not followed.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from abr.errors import (
    AbrError,
    MissingFileError,
    PlaylistError,
    UpstreamError,
    UpstreamTimeoutError,
)
from abr.shell import reason_of
from transcode.files.reader import is_package, read_index
from transcode.inspection.facts import (
    MediaFacts,
    PackageFacts,
    RenditionFacts,
    Unusable,
    VariantFacts,
)
from transcode.inspection.listed import read_listed
from transcode.inspection.playlists import Listed, ListedMedia, ListedMultivariant, ListedVariant
from transcode.packaging.layout import PLAYLIST
from transcode.playlist.variables import query_of
from transcode.quality import QualityFacts
from transcode.run.mediafacts import MOST_TEXT_BYTES, Depth, KeyOf, Measurer
from transcode.run.sources import Answer, FolderSource, Source, UnreadableError, plain_name

OnProgress = Callable[[str, int, int], None]
"""Told the playlist in work, files done and files in all."""

MOST_PLAYLISTS = 500
_EXPECTED = "expected a folder with a multivariant playlist, an .m3u8 file or an http(s) URL"


async def load_package(
    where: str,
    *,
    depth: Depth = "media",
    key_of: KeyOf | None = None,
    on_progress: OnProgress | None = None,
    limit_s: float = 3600.0,
    root: str | None = None,
) -> PackageFacts:
    """Read a package and measure what ``depth`` asks for.

    Args:
        where: A folder, an ``.m3u8`` file, or an http(s) URL.
        depth: ``playlists`` and ``sizes`` read no media; ``decode`` decodes every segment.
        key_of: Finds keys of this project's encrypted packages, which are served apart.
        on_progress: Told how far it is.
        limit_s: For everything, over HTTP.
        root: A folder that holds all files of a package on disk; by default that of its playlist.

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
                    return await _Loader(source, Measurer(source, depth), on_progress).load()
            except TimeoutError as exc:
                raise UpstreamTimeoutError(
                    f"{source.name(where)}: not read within {limit_s:g} s; "
                    "inspect with --quick, or raise --time-limit"
                ) from exc
    start = await asyncio.to_thread(_find, Path(where))
    folder = FolderSource(root=_root(start, root), start=str(start))
    return await _Loader(
        folder, Measurer(folder, depth, key_of, start.parent.name), on_progress
    ).load()


def _root(start: Path, given: str | None) -> Path:
    """The folder out of which nothing is read."""
    if given is None:
        return start.parent
    try:
        root = Path(given).resolve()
    except (OSError, RuntimeError, ValueError) as exc:
        raise MissingFileError(f"{given}: no usable folder; expected one for --root") from exc
    if not start.is_relative_to(root):
        raise MissingFileError(f"{start}: not below {root}; expected a --root that holds it")
    return root


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
    except MissingFileError:
        raise
    except (OSError, RuntimeError, ValueError) as exc:  # loops of links, zero bytes
        why = reason_of(exc) if isinstance(exc, OSError) else "cannot be resolved"
        raise MissingFileError(f"{path}: {why}; {_EXPECTED}") from exc
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
    measurer: Measurer
    on_progress: OnProgress | None
    _media: dict[tuple[str, str], MediaFacts | None] = field(default_factory=dict, repr=False)
    _unusable: list[Unusable] = field(default_factory=list, repr=False)
    _done: int = 0
    _total: int = 0

    async def load(self) -> PackageFacts:
        source = self.source
        name = source.name(source.start)
        try:
            answer = await source.read(source.start, None, MOST_TEXT_BYTES)
        except UnreadableError as exc:
            kind = MissingFileError if source.is_stored else UpstreamError
            raise kind(f"{name}: {exc.why}; {_EXPECTED}") from exc
        source.start = answer.address
        query = None if source.is_stored else query_of(answer.address)
        listed = read_listed(_decoded(answer.data), where=name, query=query)
        if isinstance(listed, ListedMedia):
            role = _role_of_lone(listed)
            media = await self.measurer.measure(listed, answer, role, self._tell)
            return PackageFacts(
                name=name, multivariant=None, lone=media, is_stored=source.is_stored
            )
        return await self._package(listed, answer, name)

    def _tell(self, name: str, files: int) -> None:
        self._done += files
        if self.on_progress is not None:
            self.on_progress(name, self._done, max(self._total, self._done))

    async def _package(self, listed: ListedMultivariant, answer: Answer, name: str) -> PackageFacts:
        wanted = [(v.uri, _role(v), v.line) for v in listed.variants]
        roles = {"AUDIO": "audio", "SUBTITLES": "subtitles", "VIDEO": "video"}
        wanted += [
            (r.uri, roles[r.kind], r.line) for r in listed.renditions if r.uri and r.kind in roles
        ]
        wanted += [(v.uri, "iframes", v.line) for v in listed.iframe_variants]
        texts = await self._playlists(wanted, answer.address, name, listed.variables)
        self._total = sum(len(each.segments) for each, _, _ in texts.values())
        for key, (media, found, role) in texts.items():
            self._media[key] = await self.measurer.measure(media, found, role, self._tell)
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
            delivery=answer.delivery,
            is_stored=self.source.is_stored,
            quality={} if quality is None else _by_playlist(quality),
            metric="" if quality is None else quality.metric,
        )

    async def _playlists(
        self,
        wanted: Sequence[tuple[str, str, int]],
        base: str,
        listed_in: str,
        variables: Mapping[str, str],
    ) -> dict[tuple[str, str], tuple[ListedMedia, Answer, str]]:
        """Media playlists by URI and role; what cannot be used is noted."""
        if len(wanted) > MOST_PLAYLISTS:
            raise PlaylistError(
                f"{listed_in}: {len(wanted)} playlists; expected at most {MOST_PLAYLISTS}"
            )
        found: dict[tuple[str, str], tuple[ListedMedia, Answer, str]] = {}
        seen: set[tuple[str, str]] = set()
        for uri, role, line in wanted:
            if (uri, role) in seen:
                continue
            seen.add((uri, role))
            name = plain_name(uri)
            try:
                address = self.source.resolve(base, uri)
                name = self.source.name(address)
                if address == base:
                    raise UnreadableError("the multivariant playlist lists itself")
                answer = await self.source.read(address, None, MOST_TEXT_BYTES)
                query = query_of(uri if self.source.is_stored else answer.address)
                media = self._as_media(
                    read_listed(_decoded(answer.data), where=name, query=query, imports=variables)
                )
            except (UnreadableError, PlaylistError) as exc:
                why = exc.why if isinstance(exc, UnreadableError) else str(exc)
                why = why.removeprefix(f"{name}: ").removeprefix(f"{name}:")
                self._unusable.append(Unusable(name=name, why=why, listed_in=listed_in, line=line))
                continue
            found[uri, role] = (media, answer, role)
        return found

    def _as_media(self, listed: Listed) -> ListedMedia:
        if isinstance(listed, ListedMedia):
            return listed
        raise UnreadableError("a multivariant playlist; expected a media playlist")


def _quality(source: Source) -> QualityFacts | None:
    """What the package's own index says of quality, where there is one."""
    if not isinstance(source, FolderSource) or not is_package(source.root):
        return None
    with contextlib.suppress(AbrError):
        return read_index(source.root).quality
    return None


def _by_playlist(quality: QualityFacts) -> dict[str, tuple[float, ...]]:
    return {f"{track.folder}/{PLAYLIST}": track.segments for track in quality.tracks}


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
