"""Every command explains itself: help, examples that parse, options with a sentence each."""

from __future__ import annotations

import click
import pytest

from abr.cli import COMMANDS
from tests.docs.command_lines import examples_of, unknown_words, with_children, words_after_abr


@pytest.mark.parametrize("name", COMMANDS)
def test_help_has_examples_whose_options_exist(name: str) -> None:
    for words, command in with_children(name).items():
        text = command.get_help(click.Context(command, info_name=words))
        examples = examples_of(text)
        assert examples, f"{words} --help has no Examples"
        assert "\\b" not in text, f"{words} --help shows a raw mark"
        for example in examples:
            assert unknown_words(words_after_abr(example)) == [], example


@pytest.mark.parametrize("name", COMMANDS)
def test_every_option_says_what_it_does(name: str) -> None:
    for words, command in with_children(name).items():
        silent = [
            param.opts[0]
            for param in command.params
            if isinstance(param, click.Option) and not param.hidden and not param.help
        ]
        assert silent == [], words


def test_an_option_that_does_not_exist_is_found() -> None:
    assert unknown_words(words_after_abr("X=1 abr config show --nope  # why")) == ["--nope"]
    assert unknown_words(words_after_abr("abr config nope")) == ["nope"]
    assert unknown_words(words_after_abr("abr nope")) == ["nope"]
    assert unknown_words(words_after_abr("abr --config x.toml config show --json > y")) == []
