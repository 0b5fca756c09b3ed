"""Content steering, the player's side: which pathways to take, and when to ask again.

A multivariant playlist may name a steering server. Its manifest ranks the pathways, may add copies
of them on other hosts (clones), and says when to ask again. What is wrong with a manifest, or with
the server, never ends a playback: what was known stays in force. The loader fetches what
``Steering`` asks for.

Sources: RFC 8216bis, 4.4.6.6 and 7 (content steering); Apple, "HLS Content Steering Specification"
1.2b1; draft-pantos-content-steering-01.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl, quote, urlsplit, urlunsplit

from abr.errors import PlaylistError
from player.playback.retry import Failure
from transcode.playlist import resolve
from transcode.playlist.model import Steering as SteeringTag

DEFAULT_TTL_S = 300.0
"""Until the next question when no manifest says so (8216bis, 7.1)."""

LEAST_TTL_S = 1.0
"""A server that says less, or nonsense, is not asked more often."""

GONE, TOO_MANY = 410, 429
"""Ask no more; ask later (8216bis, 7.1)."""

_OURS = ("_HLS_pathway", "_HLS_throughput")


@dataclass(frozen=True, slots=True, kw_only=True)
class Clone:
    """A pathway that is another one at other addresses (PATHWAY-CLONES)."""

    base: str
    """The pathway that it is a copy of."""
    pathway: str
    host: str = ""
    """Takes the place of the host in every URI; empty: it stays."""
    params: Mapping[str, str] = field(default_factory=dict, repr=False)
    """Set in the query of every URI."""
    variant_urls: Mapping[str, str] = field(default_factory=dict, repr=False)
    """Playlists of variants by their stable id; they are taken as they are."""
    rendition_urls: Mapping[str, str] = field(default_factory=dict, repr=False)

    def video_url(self, url: str, stable_id: str | None) -> str:
        """Where the variant at ``url`` is on this pathway."""
        own = self.variant_urls.get(stable_id or "")
        return resolve(url, own) if own else self._moved(url)

    def audio_url(self, url: str, stable_id: str | None) -> str:
        """Where the rendition at ``url`` is on this pathway."""
        own = self.rendition_urls.get(stable_id or "")
        return resolve(url, own) if own else self._moved(url)

    def _moved(self, url: str) -> str:
        parts = urlsplit(url)
        if self.host:
            # HOST is a host name. With a port it is taken at its word, else the port stays.
            user, at, place = parts.netloc.rpartition("@")
            port = "" if _has_port(self.host) else _port_of(place)
            parts = parts._replace(netloc=f"{user}{at}{self.host}{port}")
        if self.params:
            parts = parts._replace(query=_with_params(parts.query, self.params))
        return urlunsplit(parts)


@dataclass(frozen=True, slots=True, kw_only=True)
class SteeringManifest:
    """What a steering server answers."""

    ttl_s: float
    reload_uri: str = field(default="", repr=False)
    """Where to ask next, relative to the manifest; empty: the same again."""
    priority: tuple[str, ...]
    """Pathways, the best first."""
    clones: tuple[Clone, ...] = ()


def read_manifest(text: str) -> SteeringManifest:
    """A steering manifest; clones that lack something are left out.

    Raises:
        PlaylistError: it is none of version 1.
    """
    try:
        found = json.loads(text)
    except (ValueError, RecursionError) as exc:
        raise PlaylistError("no JSON; expected a steering manifest") from exc
    if not isinstance(found, dict):
        raise PlaylistError("no JSON object; expected a steering manifest")
    if found.get("VERSION") != 1:
        raise PlaylistError(f"VERSION is {str(found.get('VERSION'))[:20]}; expected 1")
    ranked = _list(found.get("PATHWAY-PRIORITY"))
    names = [each for each in ranked if isinstance(each, str) and each]
    if not names:
        raise PlaylistError("no PATHWAY-PRIORITY; expected the ids of pathways, best first")
    reload_uri = found.get("RELOAD-URI")
    clones = [_clone(each) for each in _list(found.get("PATHWAY-CLONES"))]
    return SteeringManifest(
        ttl_s=_ttl_s(found.get("TTL")),
        reload_uri=reload_uri if isinstance(reload_uri, str) else "",
        priority=tuple(dict.fromkeys(names)),
        clones=tuple(clone for clone in clones if clone is not None),
    )


class Steering:
    """What one playback knows of its steering server, and when it asks it again."""

    def __init__(self, tag: SteeringTag, *, url: str) -> None:
        """``tag`` is of the multivariant playlist at ``url``."""
        self.next_s = 0.0
        """When to ask; inf: not before an answer, or never again."""
        self.pathway = tag.pathway_id or ""
        """The pathway to begin with; empty: any."""
        self._url = resolve(url, tag.server_uri)
        self._ttl_s = DEFAULT_TTL_S

    def __repr__(self) -> str:
        return f"<Steering, next at {self.next_s:g} s>"

    def ask(self, pathway: str, throughput_bps: float) -> str:
        """The URL to ask now; there is no next time until ``take`` or ``fail``.

        Args:
            pathway: The one in use.
            throughput_bps: As measured; nan: not known.
        """
        self.next_s = math.inf
        if self._url.startswith("data:"):
            return self._url
        # 8216bis, 7.1: both are appended; the id is a quoted string.
        given = {"_HLS_pathway": f'"{pathway}"'}
        if math.isfinite(throughput_bps):
            given["_HLS_throughput"] = f"{throughput_bps:.0f}"
        parts = urlsplit(self._url)
        return urlunsplit(parts._replace(query=_with_params(parts.query, given)))

    def take(self, text: str, *, url: str, now_s: float) -> SteeringManifest:
        """The answer, which came from ``url`` in the end.

        Raises:
            PlaylistError: it is of no use; it will be asked for again, as after any failure.
        """
        self.next_s = now_s + self._ttl_s
        manifest = read_manifest(text)
        if manifest.reload_uri:
            self._url = resolve(_without_ours(url), manifest.reload_uri)
        self._ttl_s = manifest.ttl_s
        self.next_s = now_s + self._ttl_s
        if self._url.startswith("data:"):
            self.next_s = math.inf  # it would say the same again
        return manifest

    def fail(self, failure: Failure, now_s: float) -> None:
        """There was no answer: what is known stays in force."""
        if failure.status == GONE:
            self.next_s = math.inf
            return
        wait_s = self._ttl_s
        if failure.status == TOO_MANY and failure.after_s > 0:
            wait_s = max(failure.after_s, LEAST_TTL_S)
        self.next_s = now_s + wait_s


def _clone(found: object) -> Clone | None:
    if not isinstance(found, dict):
        return None
    base, pathway = found.get("BASE-ID"), found.get("ID")
    replaced = found.get("URI-REPLACEMENT")
    if not (isinstance(base, str) and isinstance(pathway, str) and pathway):
        return None
    if not isinstance(replaced, dict):
        return None
    host = replaced.get("HOST")
    return Clone(
        base=base,
        pathway=pathway,
        host=host if isinstance(host, str) and not set(host) & set("/?#@ \\") else "",
        params=_texts(replaced.get("PARAMS")),
        variant_urls=_texts(replaced.get("PER-VARIANT-URIS")),
        rendition_urls=_texts(replaced.get("PER-RENDITION-URIS")),
    )


def _texts(found: object) -> dict[str, str]:
    if not isinstance(found, dict):
        return {}
    return {name: value for name, value in found.items() if name and isinstance(value, str)}


def _ttl_s(found: Any) -> float:
    is_number = isinstance(found, (int, float)) and not isinstance(found, bool)
    if not is_number or not math.isfinite(found) or found <= 0:
        return DEFAULT_TTL_S
    return max(float(found), LEAST_TTL_S)


def _list(found: object) -> list[object]:
    return found if isinstance(found, list) else []


def _with_params(query: str, given: Mapping[str, str]) -> str:
    """A query in which the parameters ``given`` have their values; the rest stays as written."""
    kept = [pair for pair in query.split("&") if pair and _name(pair) not in given]
    # Brackets may stand as they are (RFC 3986, 3.4); logs put numbers in them for secrets.
    added = [f"{quote(name, safe='()')}={quote(value, safe='()')}" for name, value in given.items()]
    return "&".join([*kept, *added])


def _without_ours(url: str) -> str:
    parts = urlsplit(url)
    kept = [pair for pair in parts.query.split("&") if pair and _name(pair) not in _OURS]
    return urlunsplit(parts._replace(query="&".join(kept)))


def _name(pair: str) -> str:
    found = parse_qsl(pair, keep_blank_values=True)
    return found[0][0] if found else ""


def _port_of(place: str) -> str:
    host, colon, port = place.rpartition(":")
    return f":{port}" if colon and host and "]" not in port else ""


def _has_port(host: str) -> bool:
    return _port_of(host) != ""
