"""The form of the URLs that are served; no other module reads or writes it.

A request is for ``/t/<token>/<title>/<path>``, or ``/<title>/<path>`` with the token in one of
the other places that ``tokens.carriage`` names. Our own URLs have it as a path prefix, because
relative URIs in playlists inherit a prefix and not a query string. Under a title, ``renew``
exchanges the token, ``key/<kid>`` gives a content key, ``licence`` and ``licence/<system>``
give licences, and ``steering`` gives a content steering manifest, all but the first below
the folder of a published version as well; everything else is an object. Its key in caches,
``/<title>/<path>``, holds no token and has only one spelling.

A path is normalised before anything else reads it. A path that another server might read
differently (dot segments, ``//``, backslashes, encoded slashes, control characters) is
refused instead of repaired.

Sources: RFC 3986 §3.3 and §6.2.2, RFC 9112 §3.2, RFC 6750 §2.1.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Literal

from abr.errors import InputError
from origin.tokens.carriage import (
    NO_FIELDS,
    Carrier,
    Fields,
    find_in_fields,
    from_segment,
    take_arguments,
    take_parameters,
    to_segment,
)
from origin.tokens.redaction import redact
from transcode.encryption import is_key_id
from transcode.packaging.layout import is_title, is_variant
from transcode.packaging.views import FAMILY_OF_PLAYER, View, view_path
from transcode.storage.published import is_version

Kind = Literal[
    "object",
    "key",
    "licence",
    "renew",
    "steering",
    "playback",
    "jwks",
    "trust",
    "healthz",
    "metrics",
    "server",
    "unknown",
]

RESERVED = frozenset({"t", "playback", "healthz", "metrics"})
"""First path segments of endpoints; no title may have these names."""

METHODS: Mapping[Kind, tuple[str, ...]] = {
    "object": ("GET", "HEAD"),
    "key": ("GET", "HEAD"),
    "licence": ("POST",),
    "renew": ("GET", "POST"),
    "steering": ("GET", "HEAD"),
    "playback": ("GET", "POST"),
    "jwks": ("GET", "HEAD"),
    "trust": ("GET", "HEAD"),
    "healthz": ("GET", "HEAD"),
    "metrics": ("GET", "HEAD"),
}
"""Methods by what is asked for, at every tier; OPTIONS is answered everywhere."""

MAX_TARGET_CHARS = 8190
"""Longest request target that is read."""

MAX_SEGMENTS = 32
"""Most path segments of a request."""

PLAYLISTS = (".m3u8", ".mpd")
"""Names of what lists other objects end with one of these."""

# RFC 3986 §3.3: characters of a path; percent signs are checked by _normal_escape.
_PATH = re.compile(r"/[A-Za-z0-9._~!$&'()*+,;=:@%/-]*")
_ESCAPE = re.compile(r"%([0-9A-Fa-f]{2})?")
_ABSOLUTE = re.compile(r"https?://[^/?#]+", re.IGNORECASE)
_UNRESERVED = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~")
_FORBIDDEN_ESCAPES = frozenset(range(0x20)) | {0x7F, ord("/"), ord("\\"), ord("%")}
_TOKEN_URL = re.compile(
    r"(?P<before>(?:https?://[^/?#]+)?(?:/[^/?#]+)*?/t/)(?P<token>[^/?#]+)"
    r"(?P<title>/[^/?#]+)(?P<rest>/[^?#]*)?(?P<after>[?#].*)?",
    re.IGNORECASE | re.DOTALL,
)


class PathError(InputError, ValueError):
    """A request target that is refused before it is understood."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """What a request asks for."""

    kind: Kind
    title: str = ""
    path: str = ""
    """Inside the title, without a leading slash: ``v0/00001.m4s``, ``key/<kid>``."""
    token: str | None = field(default=None, repr=False)
    """As received, not verified; None when there was none."""
    carrier: Carrier = ""
    """Where the token was."""
    query: str = field(default="", repr=False)
    """Without a token; nothing that is served depends on it."""

    @property
    def cache_key(self) -> str:
        """``/<title>/<path>``: the same for every token."""
        return f"/{self.title}/{self.path}"

    @property
    def names_version(self) -> bool:
        """Whether the path begins with the name of a version."""
        return is_version(self.path.partition("/")[0])

    @property
    def is_fixed(self) -> bool:
        """Whether there is one path only for what it is."""
        return self.kind in _FIXED.values()

    @property
    def shown(self) -> str:
        """As a log may show it once it is allowed: the path with ``-`` for a token."""
        for names, kind in _FIXED.items():
            if kind == self.kind:
                return "/" + "/".join(names)
        if self.kind == "playback":
            return f"/playback/{self.title}"
        return f"/t/-{self.cache_key}" if self.carrier == "prefix" else self.cache_key

    @property
    def version(self) -> str:
        """The version that the path names; empty when it names none."""
        return self.path.partition("/")[0] if self.names_version else ""

    @property
    def system(self) -> str:
        """The key system that a licence is asked of; empty for the default one."""
        names = self.path.removeprefix(f"{self.version}/").split("/")
        return names[1] if self.kind == "licence" and len(names) > 1 else ""

    @property
    def kid(self) -> str | None:
        """Key id of a request for a key; None when it is not well formed."""
        names = self.path.split("/")
        folder, *rest = names[1:] if is_version(names[0]) and names[1:] else names
        return rest[0] if folder == "key" and len(rest) == 1 and is_key_id(rest[0]) else None


_FIXED: dict[tuple[str, ...], Kind] = {
    ("healthz",): "healthz",
    ("metrics",): "metrics",
    (".well-known", "jwks.json"): "jwks",
    (".well-known", "abr-trust"): "trust",
}


def parse_target(target: str, fields: Fields = NO_FIELDS) -> Target:
    """What a request target asks for.

    Args:
        target: As in the request line: path and query, or an absolute URL, whose scheme
            and authority are ignored. Of the query only a token counts, and ``player``, the family
            of players for which a playlist is shown. ``*`` is ``server``.
        fields: Header fields that may hold a token, used when the target holds none.

    Returns:
        The target; of kind ``unknown`` when it has the form of no endpoint (404).

    Raises:
        PathError: it is malformed or ambiguous (400).
    """
    if target == "*":
        return Target(kind="server")
    segments, parameter, query = _parts(target)
    fixed = _FIXED.get(tuple(segments))
    if fixed is not None:
        return Target(kind=fixed)
    first = segments[0]
    if first == "playback" and len(segments) == 2:
        return Target(kind="playback", title=segments[1])
    is_prefixed = first == "t" and len(segments) >= 4
    if not is_prefixed and not (len(segments) >= 2 and is_servable(first)):
        return Target(kind="unknown")
    query, argument = take_arguments(query)
    title, rest = (segments[2], segments[3:]) if is_prefixed else (first, segments[1:])
    found = _in_title(title, rest, _view(query))
    token: str | None
    carrier: Carrier
    if is_prefixed:
        token, carrier = from_segment(segments[1]), "prefix"
    elif parameter is not None:
        token, carrier = parameter, "parameter"
    elif argument is not None:
        token, carrier = argument, "query"
    else:
        token, carrier = find_in_fields(fields)
    return replace(found, token=token, carrier=carrier, query=query)


def is_servable(title: str) -> bool:
    """Whether URLs can name ``title``: it is a title, and not the name of an endpoint."""
    return is_title(title) and title not in RESERVED


def object_path(token: str, title: str, path: str) -> str:
    """``/t/<token>/<title>/<path>``."""
    return f"/t/{to_segment(token)}/{title}/{path}"


def path_form_of(target: Target) -> str | None:
    """Where to ask for a playlist whose token came with its URL, so that what it lists inherits it.

    Returns:
        None when that is not needed: it is no playlist, the token is a prefix, or the client adds
        it to each request.
    """
    is_playlist = target.kind == "object" and target.path.endswith(PLAYLISTS)
    if not is_playlist or target.carrier not in ("parameter", "query") or target.token is None:
        return None
    return with_prefix(target, target.token)


def with_prefix(target: Target, token: str) -> str:
    """Where to ask for the same thing with ``token`` as a path prefix."""
    query = f"?{target.query}" if target.query else ""
    return object_path(token, target.title, target.path) + query


def token_of(url: str) -> str | None:
    """The token in a URL or path; None when it holds none."""
    match = _TOKEN_URL.fullmatch(url)
    return match["token"] if match else None


def with_token(url: str, token: str) -> str:
    """``url`` with its token replaced by ``token``.

    Raises:
        PathError: the URL holds no token to replace.
    """
    match = _match(url)
    return f"{match['before']}{token}{match['title']}{match['rest'] or ''}{match['after'] or ''}"


def shown_url(url: str) -> str:
    """``url`` as a log may show it: with ``-`` for its token."""
    with suppress(PathError):
        url = with_token(url, "-")
    return redact(url)


def renew_url(url: str) -> str:
    """Where the token of ``url`` (any URL below its title) is exchanged for a fresh one.

    Raises:
        PathError: the URL holds no token.
    """
    match = _match(url)
    return f"{match['before']}{match['token']}{match['title']}/renew"


def _match(url: str) -> re.Match[str]:
    match = _TOKEN_URL.fullmatch(url)
    if match is None:
        raise PathError("URL: no /t/<token>/<title>/ in it; ask /playback/<title> for one")
    return match


def _view(query: str) -> View:
    """How playlists are to be shown, by the query: ``?player=shaka``; the first one counts."""
    for pair in query.split("&"):
        name, _, player = pair.partition("=")
        if name == "player":
            return View(family=FAMILY_OF_PLAYER.get(player.lower(), ""))
    return View()


def _in_title(title: str, rest: list[str], view: View) -> Target:
    below = rest[1:] if is_version(rest[0]) else rest
    kind: Kind = "object"
    if rest == ["renew"]:
        kind = "renew"
    elif below[:1] == ["key"]:
        kind = "key"
    elif below[:1] == ["licence"] and len(below) <= 2:
        kind = "licence"
    elif below == ["steering"]:
        kind = "steering"
    elif is_variant(rest[-1]):
        kind = "unknown"  # a token chooses between the variants of a segment, not whoever asks
    path = "/".join(rest)
    # A view has a path of its own, so that caches need not know of the flag.
    path = view_path(path, view) if kind == "object" and view.family else path
    return Target(kind=kind, title=title, path=path)


def _parts(target: str) -> tuple[list[str], str | None, str]:
    """Normalised path segments of a request target, a token among their parameters, the query."""
    if len(target) > MAX_TARGET_CHARS:
        raise PathError(f"request target: over {MAX_TARGET_CHARS} characters")
    absolute = _ABSOLUTE.match(target)
    path, _, query = (target[absolute.end() :] if absolute else target).partition("?")
    if not _PATH.fullmatch(path):
        raise PathError("request target: not an absolute path of plain characters")
    path, parameter = take_parameters(_ESCAPE.sub(_normal_escape, path))
    segments = path.split("/")[1:]
    if len(segments) > MAX_SEGMENTS:
        raise PathError(f"request target: over {MAX_SEGMENTS} path segments")
    # An empty last segment names a folder; there are none, so that will be 404.
    if any(segment in (".", "..") for segment in segments) or "" in segments[:-1]:
        raise PathError("request target: dot segments or empty segments in its path")
    return segments, parameter, query


def _normal_escape(match: re.Match[str]) -> str:
    """An escape in the normal form of RFC 3986 §6.2.2; refused when it hides a separator."""
    if match[1] is None:
        raise PathError("request target: a percent sign without two hexadecimal digits")
    byte = int(match[1], 16)
    if byte in _FORBIDDEN_ESCAPES:
        raise PathError("request target: an encoded slash, backslash, percent or control sign")
    return chr(byte) if chr(byte) in _UNRESERVED else f"%{match[1].upper()}"
