"""Every command explains itself: help, examples that parse, options with a sentence each."""

from __future__ import annotations

import shlex
from collections.abc import Iterator

import click
import pytest

from abr.cli import COMMANDS, ROOT


def commands() -> Iterator[tuple[str, click.Command]]:
    """Every command and sub-command, by the words that call it."""
    ctx = click.Context(ROOT, info_name="abr")
    for name in COMMANDS:
        command = ROOT.get_command(ctx, name)
        assert command is not None
        yield f"abr {name}", command
        if isinstance(command, click.Group):
            for child_name, child in command.commands.items():
                yield f"abr {name} {child_name}", child


ALL = dict(commands())


def examples_of(text: str) -> list[str]:
    """Command lines of an Examples block, continuation lines joined."""
    block = text.partition("Examples:")[2].partition("Options:")[0]
    lines = block.replace("\\\n", " ").splitlines()
    return [line.strip() for line in lines if "abr " in line]


def words_after_abr(line: str) -> list[str]:
    """Words of a command line from ``abr`` on, environment and comment left out."""
    words = shlex.split(line, comments=True)
    words = words[words.index("abr") :] if "abr" in words else []
    for stop in ("|", ">", "&&", "&", ";", "2>"):
        if stop in words:
            words = words[: words.index(stop)]
    return words


def unknown_words(words: list[str]) -> list[str]:
    """What no command of ours would take: its name, or its long options."""
    rest = [word for word in words[1:] if word not in {"--debug", "-v", "--verbose"}]
    if rest[:1] == ["--config"]:
        rest = rest[2:]
    names = [name for name in ALL if [*words[:1], *rest][: len(name.split())] == name.split()]
    if not names:
        return [] if rest[:1] in (["--help"], ["--version"], ["COMMAND"]) else rest[:1]
    command = ALL[max(names, key=len)]
    known = {option for param in command.params for option in [*param.opts, *param.secondary_opts]}
    known |= {"--help", "-h", "--config"}
    return [word for word in rest if word.startswith("--") and word.partition("=")[0] not in known]


@pytest.mark.parametrize("name", ALL)
def test_help_has_a_sentence_and_examples_whose_options_exist(name: str) -> None:
    text = ALL[name].get_help(click.Context(ALL[name], info_name=name))
    examples = examples_of(text)
    assert examples, f"{name} --help has no Examples"
    for example in examples:
        assert unknown_words(words_after_abr(example)) == [], example


@pytest.mark.parametrize("name", ALL)
def test_every_option_says_what_it_does(name: str) -> None:
    silent = [
        param.opts[0]
        for param in ALL[name].params
        if isinstance(param, click.Option) and not param.hidden and not param.help
    ]
    assert silent == []


def test_an_option_that_does_not_exist_is_found() -> None:
    assert unknown_words(words_after_abr("X=1 abr config show --nope  # why")) == ["--nope"]
    assert unknown_words(words_after_abr("abr nope")) == ["nope"]
