"""Languages as files write them become the shortest tags of RFC 5646."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from transcode.masters.languages import is_same_language, language_name, language_tag


@pytest.mark.parametrize(
    ("written", "tag"),
    [
        ("ger", "de"), ("deu", "de"), ("de", "de"), ("DE", "de"),  # both codes of ISO 639-2
        ("fre", "fr"), ("fra", "fr"), ("chi", "zh"), ("zho", "zh"), ("cze", "cs"), ("ces", "cs"),
        ("en-US", "en-US"), ("pt_br", "pt-BR"), ("zh-Hant-TW", "zh-Hant-TW"), ("es-419", "es-419"),
        ("gsw", "gsw"),  # no code of two letters
        ("iw", "he"), ("scr", "hr"),  # withdrawn codes
        ("qaa", "qaa"),  # original sound, by broadcasters' agreement
        ("und", None), ("mul", None), ("zxx", None), ("mis", None), ("", None), ("   ", None),
        ("xyz", None), ("English", None), ("e" * 500, None), ("a;b", None), ("\n", None),
    ],
)  # fmt: skip
def test_every_way_to_write_a_language_gives_one_tag(written: str, tag: str | None) -> None:
    assert language_tag(written) == tag


@given(st.text(max_size=40))
def test_any_text_gives_a_tag_that_reads_as_itself_or_none(text: str) -> None:
    tag = language_tag(text)
    assert tag is None or language_tag(tag) == tag


def test_a_language_is_the_same_in_every_country() -> None:
    assert is_same_language("pt-BR", "pt")
    assert not is_same_language("pt", "es")
    assert not is_same_language(None, None)


@pytest.mark.parametrize(
    ("tag", "name"),
    [
        ("de", "Deutsch"), ("pt-BR", "Português (Brasil)"), ("gsw", "Schwiizertüütsch"),
        ("ja", "日本語"), ("es-419", "Español (Latinoamérica)"),
        ("qaa", "qaa"), (None, ""),  # nobody knows a name of it
    ],
)  # fmt: skip
def test_a_language_is_called_what_its_speakers_call_it(tag: str | None, name: str) -> None:
    assert language_name(tag) == name


@given(st.text(max_size=40))
def test_every_tag_has_a_name_of_one_line(text: str) -> None:
    tag = language_tag(text)
    assert language_name(tag).isprintable()
    assert bool(language_name(tag)) == (tag is not None)
