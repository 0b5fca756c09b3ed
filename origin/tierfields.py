"""Fields between our own tiers: how long a cache that checks tokens keeps what is protected.

What needs a token says ``Cache-Control: private``, so a cache that checks none keeps no copy that
it could give to others. A tier of ours checks every request itself, so it may: how long is said in
``Abr-Cache-Control``, a targeted field (RFC 9213) that no other cache acts on. It stands there, and
the tags by which objects are purged, only where another of our caches asks, and is taken off on
the last hop to a viewer. Nothing in these fields is secret.

Sources: RFC 9111 §3.5 and §5.2.2.7 (private), RFC 9213 §2.2 (targets), RFC 8586 (CDN-Loop).
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from origin.httprules import Field, join_fields

CONTROL = "Abr-Cache-Control"
"""Freshness in caches that check tokens."""

TAGS = "Surrogate-Key"
"""What an object belongs to: its title, and the version of its title."""

_OF_TIERS = frozenset({CONTROL.lower(), TAGS.lower(), "cache-tag"})
_OF_CACHES = frozenset(
    {"cache-control", "edge-control", "expires", "surrogate-control", "x-accel-expires"}
)

CDN = "abrkit"
"""Our name in ``CDN-Loop``, which each of our caches adds when it asks."""

_OURS = re.compile(rf"(?:^|,)[ \t]*{CDN}[ \t]*(?:;|,|$)")


def asked_by_tier(fields: Iterable[Field]) -> bool:
    """Whether the request with these fields comes from a cache of ours."""
    return any(name.lower() == "cdn-loop" and _OURS.search(value) for name, value in fields)


def tier_fields(control: str, tags: Iterable[str]) -> tuple[Field, ...]:
    """Fields for a cache of ours.

    Args:
        control: Directives for it.
        tags: What the object belongs to.
    """
    return ((CONTROL, control), (TAGS, " ".join(tags)))


def viewer_fields(fields: Iterable[Field]) -> list[Field]:
    """Fields of a response that needs a token, as a viewer gets them.

    Those between tiers are left out, and no cache on the way that checks no token may keep it,
    whatever the parent said.
    """
    fields = list(fields)
    said = join_fields(fields).get("cache-control", "")
    kept = [pair for pair in fields if not _is_for_caches(pair[0].lower())]
    return [*kept, ("Cache-Control", private_control(said))]


def _is_for_caches(name: str) -> bool:
    # RFC 9213 §2: the names of targeted fields end so.
    return name in _OF_TIERS or name in _OF_CACHES or name.endswith("-cache-control")


def next_tier_fields(fields: Iterable[Field]) -> list[Field]:
    """The same as another tier of ours gets them: with what the parent said, in our own field.

    Anybody can ask as if it were a tier, with a foreign cache between, so what that would act on is
    as for a viewer.
    """
    fields = list(fields)
    headers = join_fields(fields)
    names = (CONTROL.lower(), "cdn-cache-control", "cache-control")
    said = next((headers[name] for name in names if headers.get(name)), "max-age=0")
    tags = [pair for pair in fields if pair[0].lower() in _OF_TIERS - {CONTROL.lower()}]
    return [*viewer_fields(fields), (CONTROL, said), *tags]


def private_control(text: str) -> str:
    """A ``Cache-Control`` value with ``private`` instead of what permits shared caches to store."""
    words = [word.strip() for word in _DIRECTIVE.findall(text)]
    names = [word.partition("=")[0].strip().lower() for word in words]
    if "no-store" in names or "private" in (word.lower() for word in words):
        return text
    kept = (word for word, name in zip(words, names, strict=True) if name not in _OF_SHARED)
    return ", ".join(("private", *(word for word in kept if word)))


_DIRECTIVE = re.compile(r'(?:[^,"]|"(?:[^"\\]|\\.)*"|")+')
_OF_SHARED = frozenset({"private", "proxy-revalidate", "public", "s-maxage"})
