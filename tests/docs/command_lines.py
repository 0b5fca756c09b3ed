"""Command lines found in help texts and pages, held against the commands there are."""

from __future__ import annotations

import shlex
from functools import cache

import click

from abr.cli import COMMANDS, ROOT

EVERYWHERE = frozenset({"--help", "-h", "--config"})
FLAGS = frozenset({"--debug", "-v", "--verbose"})
STOPS = ("|", ">", "&&", "&", ";", "2>", "--")


@cache
def load(name: str) -> click.Command:
    """A command by its name in the table."""
    command = ROOT.get_command(click.Context(ROOT, info_name="abr"), name)
    assert command is not None
    return command


def with_children(name: str) -> dict[str, click.Command]:
    """A command and its sub-commands, by the words that call them."""
    command = load(name)
    found = {f"abr {name}": command}
    if isinstance(command, click.Group):
        found |= {f"abr {name} {child}": each for child, each in command.commands.items()}
    return found


def examples_of(text: str) -> list[str]:
    """Command lines of an Examples block, continuation lines joined."""
    block = text.partition("Examples:")[2].partition("Options:")[0]
    lines = block.replace("\\\n", " ").splitlines()
    return [line.strip() for line in lines if "abr " in line]


def words_after_abr(line: str) -> list[str]:
    """Words of a command line from ``abr`` on, environment and comment left out."""
    words = shlex.split(line, comments=True)
    words = words[words.index("abr") :] if "abr" in words else []
    for stop in STOPS:
        if stop in words:
            words = words[: words.index(stop)]
    return words


def unknown_words(words: list[str]) -> list[str]:
    """What no command of ours would take: its name, or its long options."""
    rest = [word for word in words[1:] if word not in FLAGS]
    if rest[:1] == ["--config"]:
        rest = rest[2:]
    if not rest or rest[0] in {"--help", "--version", "COMMAND"}:
        return []
    if rest[0] not in COMMANDS:
        return rest[:1]
    command = load(rest[0])
    if isinstance(command, click.Group):
        child = command.commands.get(rest[1]) if len(rest) > 1 else None
        if child is None:
            return rest[1:2]
        command = child
    known = {option for param in command.params for option in (*param.opts, *param.secondary_opts)}
    known |= EVERYWHERE
    return [word for word in rest if word.startswith("--") and word.partition("=")[0] not in known]
