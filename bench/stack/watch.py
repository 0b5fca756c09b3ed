"""The watch page of ``abr serve``: its files, what it needs to know, and who may ask for it.

Endpoints::

    GET, HEAD  /                    the page, and its files by name
    GET, HEAD  /watch.json          what it needs to know: caches by tier, titles, hls.js
    GET, HEAD  /pictures/<title>    the first sheet of a title's thumbnails
    any        /v1/…                passed to the playback service

The page runs under a policy that lets it load nothing but these files and what the caches
serve. Nothing here answers a request for another name than this machine's, so that a page
elsewhere whose name was made to point here (DNS rebinding) reads nothing.

Sources: Content Security Policy Level 3; RFC 9110 §13.1.2 (If-None-Match), §15.5.20 (421).
"""

from __future__ import annotations

import asyncio
import hashlib
import ipaddress
import json
import os
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files
from importlib.resources.abc import Traversable
from typing import Any, Protocol

from aiohttp import hdrs, web

from origin.server.answers import error_response, json_response, method_response
from origin.server.httpserver import make_application
from origin.server.store import OpenObject
from transcode.packaging.index import PresentationIndex
from transcode.packaging.sidetracks import ImageTrack, image_name

SERVICE = "/v1/"
"""Paths of the playback service."""

HLS_JS = "hls"
"""Folder of hls.js below the page's; the build puts it there, when it can."""

_TYPES = {
    ".css": "text/css; charset=utf-8",
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".mjs": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
    ".txt": "text/plain; charset=utf-8",
}

Answer = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Titles(Protocol):
    """What the page shows of packages."""

    def titles(self) -> tuple[str, ...]:
        """Names."""
        ...

    def index(self, title: str) -> PresentationIndex | None:
        """What a title consists of."""
        ...

    def open(self, title: str, path: str) -> OpenObject | None:
        """A file of a title."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Reach:
    """Where the page's requests may go, and what they meet there."""

    tiers: Mapping[str, str]
    """Tier of each cache by the name that it has in ``Cache-Status``."""
    urls: Sequence[str]
    """Servers that the page may ask, beside its own."""
    takes_reports: bool = False
    """Whether the caches that viewers ask take reports of players (CMCD)."""


class WatchSite:
    """The page as answers to requests."""

    def __init__(self, titles: Titles, service: Answer, reach: Reach) -> None:
        page = files("bench.stack") / "page"
        self.version = _hls_js_version(page)
        """Of hls.js; empty when the build could not have it."""
        self._titles, self._service = titles, service
        self._policy = content_policy(reach.urls)
        self._files = {"/": _file(page / "index.html"), **_files(page, "/")}
        self._reach = reach

    def __repr__(self) -> str:
        return f"<WatchSite of {', '.join(self._titles.titles())}, hls.js {self.version or 'no'}>"

    async def answer(self, request: web.Request) -> web.StreamResponse:
        """Answer one request."""
        path = request.raw_path.partition("?")[0]
        if not is_own_name(request.headers.get(hdrs.HOST, "")):
            text = "this page is for its own machine; open it by 127.0.0.1 or localhost"
            response: web.StreamResponse = error_response(421, "misdirected", text)
        elif path.startswith(SERVICE):
            response = await self._service(request)
        elif request.method not in ("GET", "HEAD"):
            response = method_response(("GET", "HEAD"))
        elif path == "/watch.json":
            response = json_response(self.facts())
        elif path.startswith("/pictures/"):
            response = await self._picture(path.removeprefix("/pictures/"))
        else:
            response = self._page(request, path)
        if not response.prepared:
            response.headers.update(self._policy)
        return response

    def facts(self) -> dict[str, Any]:
        """What the page needs to know beside what the playback service says."""
        found = {name: self._titles.index(name) for name in self._titles.titles()}
        return {
            "hls_js": self.version or None,
            "tiers": dict(self._reach.tiers),
            "takes_reports": self._reach.takes_reports,
            "titles": {name: facts_of(index) for name, index in found.items() if index},
        }

    def _page(self, request: web.Request, path: str) -> web.Response:
        found = self._files.get(path)
        if found is None:
            return error_response(404, "not-found", "no such page; the titles are at /")
        fields = {"ETag": found.etag, "Cache-Control": "no-cache"}
        if found.etag in request.headers.get(hdrs.IF_NONE_MATCH, ""):
            return web.Response(status=304, headers=fields)
        return web.Response(body=found.body, headers={**fields, "Content-Type": found.media_type})

    async def _picture(self, title: str) -> web.Response:
        index = self._titles.index(title)
        sheet = None
        if index is not None and index.images:
            path = f"{index.images[0].folder}/{image_name(0)}"
            sheet = await asyncio.to_thread(self._read, title, path)
        if sheet is None:
            return error_response(404, "not-found", "no pictures of this title")
        fields = {"Content-Type": "image/jpeg", "Cache-Control": "private, max-age=60"}
        return web.Response(body=sheet, headers=fields)

    def _read(self, title: str, path: str) -> bytes | None:
        opened = self._titles.open(title, path)
        if opened is None:
            return None
        with opened:
            pieces = opened.body.pieces(0, opened.size_bytes)
            return b"".join(
                os.pread(each.file.fileno(), each.length, each.offset) for each in pieces
            )


def make_watch(site: WatchSite) -> web.Application:
    """The page as an application; serve it with ``httpserver.listening``."""
    return make_application(site.answer, adds_fields=False)


def content_policy(urls: Sequence[str]) -> dict[str, str]:
    """Fields that hold the page to its own files and to these servers."""
    where = " ".join(("'self'", *urls))
    policy = (
        "default-src 'none'",
        "script-src 'self'",
        "worker-src 'self'",
        "style-src 'self'",
        f"img-src {where}",
        f"media-src blob: data: {where}",  # hls.js 1.7 makes a text track of `data:,WEBVTT`
        f"connect-src {where}",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
    )
    return {
        "Content-Security-Policy": "; ".join(policy),
        "Cross-Origin-Opener-Policy": "same-origin",
        "Cross-Origin-Resource-Policy": "same-origin",
        "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
        "Referrer-Policy": "no-referrer",
        "X-Content-Type-Options": "nosniff",
    }


def is_own_name(host: str) -> bool:
    """Whether a ``Host`` field names a machine by its address, or is ``localhost``."""
    name = host.rpartition(":")[0] if host.rpartition(":")[2].isdigit() else host
    if name.lower() == "localhost":
        return True
    try:
        ipaddress.ip_address(name.strip("[]"))
    except ValueError:
        return False
    return True


def facts_of(index: PresentationIndex) -> dict[str, Any]:
    """What the page shows of a title before it is played."""
    top = index.video[-1]
    sealed = index.encryption
    return {
        "duration_s": round(sum(top.durations_s), 3),
        "width": top.width,
        "height": top.height,
        "rungs": len(index.video),
        "has_captions": bool(index.text),
        "protection": sealed.method if sealed is not None else None,
        "keys": len(sealed.kids) if sealed is not None else 0,
        "pictures": _sheet(index.images[0]) if index.images else None,
    }


def _sheet(images: ImageTrack) -> dict[str, int | str]:
    return {
        "folder": images.folder,
        "columns": images.columns,
        "rows": images.rows,
        "count": min(images.count, images.per_image),
        "width": images.width,
        "height": images.height,
    }


@dataclass(frozen=True, slots=True)
class _File:
    body: bytes
    media_type: str
    etag: str


def _file(source: Traversable) -> _File:
    body = source.read_bytes()
    kind = _TYPES.get(f".{source.name.rpartition('.')[2]}", "application/octet-stream")
    return _File(body, kind, f'"{hashlib.sha256(body).hexdigest()[:32]}"')


def _files(folder: Traversable, where: str) -> dict[str, _File]:
    found: dict[str, _File] = {}
    for each in folder.iterdir():
        if each.is_dir():
            found |= _files(each, f"{where}{each.name}/")
        else:
            found[f"{where}{each.name}"] = _file(each)
    return found


def _hls_js_version(page: Traversable) -> str:
    said = page / HLS_JS / "version.json"
    return str(json.loads(said.read_text())["hls.js"]) if said.is_file() else ""
