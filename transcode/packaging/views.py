"""Views of a package's playlists: the same media, listed for another family of players or plan.

A view has a path of its own, made of the path of what it shows, so caches need to know nothing::

    multivariant.identity.m3u8   v0/playlist.identity.m3u8   keys as shaka-player wants them
    multivariant.sd.m3u8         manifest.hd.mpd             without what the plan does not open
    multivariant.sd.identity.m3u8                            both

Stored playlists of encrypted samples name a licence (``KEYFORMAT="org.w3.clearkey"``), as hls.js
takes it; the view ``identity`` names the address of the 16 bytes of a key. Text to text: tags that
this module does not know pass as they are.

Source: RFC 8216bis, 4.4.4.4 (EXT-X-KEY), 4.4.6; ISO/IEC 23009-1:2022, 5.3.3 and 5.3.5.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import Literal

from abr.errors import PlaylistError
from transcode.packaging.keygroups import CEILINGS, lines_of
from transcode.packaging.layout import IFRAMES, MANIFEST, MULTIVARIANT, PLAYLIST
from transcode.packaging.sampleencryption import SCHEME_OF, constant_iv
from transcode.playlist.model import CLEAR_KEY, IDENTITY

Family = Literal["", "identity"]
FAMILY_OF_PLAYER: Mapping[str, Family] = {"shaka": "identity", "hlsjs": ""}
"""Views by the value of the query flag ``player``."""
PLANS = tuple(CEILINGS)
"""Plans that have views; a plan that opens everything needs none."""

_NAME = re.compile(
    r"(?P<stem>[a-z]+)(?:\.(?P<plan>sd|hd))?(?P<family>\.identity)?\.(?P<kind>m3u8|mpd)"
)
_ENTRIES = frozenset({MULTIVARIANT, MANIFEST})
_ATTRIBUTE = re.compile(r'([A-Z0-9-]+)=("[^"]*"|[^,"]*)')
_PLAYLIST = re.compile(r"\.m3u8(?=$|[?#])")
_SETS = re.compile(r"[ \t]*<AdaptationSet\b.*?</AdaptationSet>\n?", re.DOTALL)
_REPRESENTATION = re.compile(
    r"[ \t]*<Representation\b(?:[^>]*/>|.*?</Representation>)\n?", re.DOTALL
)
_SET_ID = re.compile(r'<AdaptationSet\b[^>]*\bid="([^"]*)"')
_SWITCHING = re.compile(
    r'(?P<before>[ \t]*<SupplementalProperty [^>]*adaptation-set-switching:2016" )'
    r'value="(?P<ids>[^"]*)"(?P<after>[^>]*>\n?)'
)
_MAXIMA = {"maxWidth": "width", "maxHeight": "height"}


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """How a playlist is shown."""

    family: Family = ""
    plan: str = ""
    """``sd`` or ``hd``; empty: everything is listed."""


def split_view(path: str) -> tuple[str, View | None]:
    """The path of what is stored, and how it is to be shown; None: as it is.

    Args:
        path: Below a title, with the name of a version or without.
    """
    folder, slash, name = path.rpartition("/")
    found = _NAME.fullmatch(name)
    if found is None or not (found["plan"] or found["family"]):
        return path, None
    stored = f"{found['stem']}.{found['kind']}"
    is_entry = stored in _ENTRIES
    if not is_entry and (found["plan"] or stored not in (PLAYLIST, IFRAMES)):
        return path, None
    if found["kind"] == "mpd" and found["family"]:
        return path, None
    view = View(family="identity" if found["family"] else "", plan=found["plan"] or "")
    return f"{folder}{slash}{stored}", view


def view_path(path: str, view: View) -> str:
    """The path of ``path`` shown as ``view``; the same path where there is no such view."""
    stored, shown = split_view(path)
    base, dot, kind = stored.rpartition(".")
    before = shown or View()
    plan = view.plan or before.plan
    family = view.family or before.family
    made = base + (f".{plan}" if plan else "") + (f".{family}" if family else "") + dot + kind
    return made if split_view(made)[0] == stored else path


def show(text: str, view: View) -> str:
    """``text``, a stored playlist or manifest, as ``view`` has it.

    Raises:
        PlaylistError: the plan opens no variant.
    """
    if text.lstrip().startswith("<"):
        return _manifest(text, CEILINGS[view.plan]) if view.plan else text
    lines = text.split("\n")
    if view.plan:
        lines = _within(lines, CEILINGS[view.plan])
    if view.family:
        lines = [_identity(line) for line in lines]
    return "\n".join(lines)


def _identity(line: str) -> str:
    if line.startswith("#EXT-X-KEY:"):
        return _identity_key(line)
    if line.startswith("#EXT"):
        return re.sub(r'(?<=[:,]URI=)"([^"]*)"', lambda found: f'"{_named(found[1])}"', line)
    return _named(line) if line.strip() and not line.startswith("#") else line


def _named(uri: str) -> str:
    """The view's name in place of a playlist's; other files have one name."""
    base, query, rest = uri.partition("?")
    return view_path(base, View(family="identity")) + query + rest


def _identity_key(line: str) -> str:
    fields = dict(_ATTRIBUTE.findall(line.partition(":")[2]))
    kid = fields.get("KEYID", "")[2:].lower()
    kind = fields.get("KEYFORMAT") == f'"{CLEAR_KEY}"'
    if not kind or not kid or not fields.keys() >= {"METHOD", "URI"}:
        return line
    licence = fields["URI"].strip('"').partition("?")[0]
    folder = licence.rpartition("/")[0]
    shown = [f"METHOD={fields['METHOD']}", f'URI="{folder}/key/{kid}"']
    if SCHEME_OF.get(fields["METHOD"]) == "cbcs":
        shown.append(f"IV=0x{constant_iv(kid).hex()}")
    shown += [f'KEYFORMAT="{IDENTITY}"', 'KEYFORMATVERSIONS="1"']
    return "#EXT-X-KEY:" + ",".join(shown)


def _within(lines: list[str], ceiling: int) -> list[str]:
    """A multivariant playlist without variants of more than ``ceiling`` lines."""
    kept: list[str] = []
    skips = False
    variants = 0
    for line in lines:
        if line.startswith(("#EXT-X-STREAM-INF:", "#EXT-X-I-FRAME-STREAM-INF:")):
            is_within = _lines_in(line) <= ceiling
            has_uri_line = line.startswith("#EXT-X-STREAM-INF:")
            variants += is_within and has_uri_line
            skips = has_uri_line and not is_within
            if not is_within:
                continue
        elif skips and line.strip() and not line.startswith("#"):
            skips = False
            continue
        kept.append(line)
    if not variants:
        raise PlaylistError(f"no variant of {ceiling} lines or less; expected one for this plan")
    return kept


def _lines_in(line: str) -> int:
    size = dict(_ATTRIBUTE.findall(line.partition(":")[2])).get("RESOLUTION", "0x0")
    width, _, height = size.partition("x")
    return lines_of(int(width), int(height)) if width.isdigit() and height.isdigit() else 0


def _manifest(text: str, ceiling: int) -> str:
    """A manifest without pictures of more than ``ceiling`` lines; empty sets are left out."""
    shown = _SETS.sub(lambda found: _adaptation(found[0], ceiling), text)
    if 'contentType="video"' not in shown:
        raise PlaylistError(f"no picture of {ceiling} lines or less; expected one for this plan")
    left = set(_SET_ID.findall(shown))
    return _SWITCHING.sub(lambda found: _switching(found, left), shown)


def _switching(found: re.Match[str], left: AbstractSet[str]) -> str:
    """Which sets are one ladder, without those that are gone."""
    ids = [each for each in found["ids"].split(",") if each in left]
    return f'{found["before"]}value="{",".join(ids)}"{found["after"]}' if ids else ""


def _adaptation(text: str, ceiling: int) -> str:
    if 'contentType="video"' not in text.partition(">")[0]:
        return text
    shown = _REPRESENTATION.sub(
        lambda found: found[0] if _lines_of_tag(found[0]) <= ceiling else "", text
    )
    kept = _REPRESENTATION.findall(shown)
    if not kept:
        return ""
    for name, own in _MAXIMA.items():
        most = max(_number(each, own) for each in kept)
        shown = re.sub(rf'\b{name}="\d+"', f'{name}="{most}"', shown, count=1)
    return shown


def _lines_of_tag(tag: str) -> int:
    return lines_of(_number(tag, "width"), _number(tag, "height"))


def _number(tag: str, name: str) -> int:
    found = re.search(rf'\b{name}="(\d+)"', tag)
    return int(found[1]) if found else 0
