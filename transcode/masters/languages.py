"""Languages of tracks: what files write, as the tags that playlists need.

Containers use the three-letter codes of ISO 639-2, bibliographic (``ger``) or terminological
(``deu``), or tags of RFC 5646; people type any of them. Playlists need the shortest tag of
RFC 5646, which is ``de`` for all of these.

Source: RFC 5646, sections 2.2.1 and 4.5; ISO 639-2, "special codes".
"""

from __future__ import annotations

_NO_LANGUAGE = frozenset({"und", "mis", "mul", "zxx"})
"""Undetermined, uncoded, several, none: nothing that a listener could choose by."""


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
