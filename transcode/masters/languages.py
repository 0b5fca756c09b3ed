"""Languages of tracks: what files write, as the tags that playlists need.

Containers use the three-letter codes of ISO 639-2, bibliographic (``ger``) or terminological
(``deu``), or tags of RFC 5646; people type any of them. Playlists need the shortest tag of
RFC 5646, which is ``de`` for all of these.

Names are those of Unicode's CLDR, which ``langcodes`` reads from ``language_data``.

Source: RFC 5646, sections 2.2.1 and 4.5; ISO 639-2, "special codes".
"""

from __future__ import annotations

from collections.abc import Collection, Iterable

_NO_LANGUAGE = frozenset({"und", "mis", "mul", "zxx"})
"""Undetermined, uncoded, several, none: nothing that a listener could choose by."""
_MOST_TITLE_CHARS = 60


def language_tag(text: object) -> str | None:
    """The shortest RFC 5646 tag for what a file or a person calls a language.

    None where it names none: ``und``, an empty text, or a code that the registry of
    language subtags does not hold.
    """
    if not text or text in _NO_LANGUAGE:
        return None
    from langcodes import Language  # takes 0.1 s
    from langcodes.tag_parser import LanguageTagError

    try:
        language = Language.get(str(text).strip())
    except LanguageTagError:
        return None
    tag = language.to_tag()
    return tag if language.is_valid() and language.language not in {None, *_NO_LANGUAGE} else None


def is_same_language(tag: str | None, other: str | None) -> bool:
    """Whether two tags name one language, wherever it is spoken: ``pt`` and ``pt-BR`` do."""
    return tag is not None and other is not None and tag.split("-")[0] == other.split("-")[0]


def language_name(tag: str | None) -> str:
    """The language's name in that language, for a menu: ``Deutsch``, ``Português (Brasil)``.

    The tag itself where no name is known of it, and nothing where there is no tag.
    """
    if tag is None:
        return ""
    from langcodes import Language  # takes 0.1 s

    language = Language.get(tag)
    subtag = language.language or ""
    if Language.get(subtag).display_name() in (subtag, f"Unknown language [{subtag}]"):
        return tag
    name = language.autonym()
    return name[:1].upper() + name[1:]


def name_for_menu(
    *, title: str, language: str | None, other: str, marks: Iterable[str], taken: Collection[str]
) -> str:
    """The name of a rendition, unlike those that are ``taken``.

    Args:
        title: Its title in the master, which goes first; empty for none.
        language: Its tag.
        other: What it is called without title and language.
        marks: What else it is, in words; said where there is no title.
        taken: Names in the same menu.
    """
    plain = "".join(each if each.isprintable() else " " for each in title).replace('"', "'")
    name = plain[:_MOST_TITLE_CHARS].strip()
    spoken = language_name(language)
    if not name:
        name = " ".join([spoken or other, *marks])
    elif name in taken and spoken:
        name = f"{name} ({spoken})"
    number, first = 2, name
    while name in taken:
        name, number = f"{first} {number}", number + 1
    return name
