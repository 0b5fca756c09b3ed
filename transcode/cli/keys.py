"""The ``keys`` commands: make, list, retire, re-wrap and check the keys of a key store."""

from __future__ import annotations

import json
import os
import shlex
import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from transcode.files.keystore import KeyStore, Rewrapped
    from transcode.keyfiles import ExternalKek

_KEYS = click.option(
    "--keys", "keys_dir", metavar="DIR", help="Key store. [$ABR_KEYS, else a folder of yours]"
)
_JSON = click.option("--json", "as_json", is_flag=True, help="Print JSON.")


@click.group()
def keys() -> None:
    """Look after content keys: they are encrypted under a key-encryption key (KEK).

    No command prints a key. What these words mean, and how a KEK is held by a program
    or a hardware module: docs/encryption.md.

    \b
    Examples:
      abr keys list film
      abr keys rotate
      abr keys audit --packages packages --json
    """


@keys.command()
@click.argument("title")
@click.option(
    "--groups", default="all", metavar="NAME,…", help="all; or audio, sd, hd, uhd  [all]."
)
@click.option("--periods", type=click.IntRange(1, 100_000), default=1, help="Keys of a group  [1].")
@_KEYS
@_JSON
def create(title: str, groups: str, periods: int, keys_dir: str | None, as_json: bool) -> None:
    """Make the keys of TITLE before it is packaged, and print their ids.

    Packaging makes what is missing by itself; this is for who must know the ids before.
    A store is made where there is none.

    \b
    Examples:
      abr keys create film
      abr keys create film --groups audio,sd,hd --json
    """
    from transcode.packaging.keygroups import NAMES

    wanted = [name.strip() for name in groups.split(",")]
    if unknown := [name for name in wanted if name not in NAMES]:
        raise click.BadParameter(
            f"found {', '.join(unknown)}; expected some of {', '.join(NAMES)}",
            param_hint="--groups",
        )
    store = _store(keys_dir, create=True)
    made = [
        {
            "title": title,
            "group": group,
            "period": period,
            "kid": store.key_for(title, period, group).kid,
        }
        for group in wanted
        for period in range(periods)
    ]
    _print_rows(made, as_json=as_json)


@keys.command()
@click.argument("title", required=False)
@click.option(
    "--external",
    metavar="COMMAND",
    help="A program that holds the new KEK, and its arguments; no shell reads them.",
)
@click.option(
    "--limit",
    "limit_s",
    type=click.FloatRange(0.1, 15.0),
    default=10.0,
    help="Most seconds that the program may take  [10].",
)
@_KEYS
@_JSON
def rotate(
    title: str | None, external: str | None, limit_s: float, keys_dir: str | None, as_json: bool
) -> None:
    """Put everything under a new KEK; or, with TITLE, have its next package use new keys.

    Media are not touched, and every package goes on opening. It may be killed at any
    instant: `abr keys rewrap` goes on. With --external the new KEK is one that a program
    holds; without, a random one in ring.json.

    \b
    Examples:
      abr keys rotate
      abr keys rotate film
      abr keys rotate --external "/usr/local/bin/hsm-wrap --slot 2" --limit 5
    """
    store = _store(keys_dir)
    if title is not None:
        if external:
            raise click.UsageError("found TITLE with --external; expected one or the other")
        ended = store.retire(title)
        if as_json:
            click.echo(json.dumps({"title": title, "retired": ended}))
        else:
            click.echo(f"{title}: {len(ended)} keys retired; package it again to have new ones")
        return
    _print_rewrapped(store.rotate_kek(_external(external, limit_s)), as_json=as_json)


@keys.command(name="list")
@click.argument("title", required=False)
@_KEYS
@_JSON
def list_(title: str | None, keys_dir: str | None, as_json: bool) -> None:
    """List keys by id: of TITLE, or of all titles.

    \b
    Examples:
      abr keys list
      abr keys list film --json
    """
    from transcode.files.keylook import look

    facts = look(_folder(keys_dir))
    rows = [
        {
            "title": key.title,
            "group": key.group,
            "period": key.period,
            "version": key.version,
            "kid": key.kid,
            "kek": key.kek,
            "retired": key.is_retired,
        }
        for key in facts.keys
        if not key.title.startswith("#") and title in (None, key.title)
    ]
    _print_rows(rows, as_json=as_json)


@keys.command()
@_KEYS
@_JSON
def rewrap(keys_dir: str | None, as_json: bool) -> None:
    """Put under the current KEK what is still under another, and drop KEKs nobody needs.

    For a rotation that was killed, and to remove what it left behind. May be killed too.

    \b
    Examples:
      abr keys rewrap
      abr keys rewrap --keys /srv/keys --json
    """
    _print_rewrapped(_store(keys_dir).rewrap(), as_json=as_json)


@keys.command()
@click.option(
    "--packages",
    multiple=True,
    metavar="DIR",
    help="A package, a folder of packages, or a store of published ones; all that there are.",
)
@_KEYS
@_JSON
def audit(packages: tuple[str, ...], keys_dir: str | None, as_json: bool) -> None:
    """Check that every key opens, who may read the files, and what nobody needs.

    With --packages also that no package lacks a key, and which keys no package needs.
    Exit code 1 when something keeps a title from playing, or others may read a file.

    \b
    Examples:
      abr keys audit
      abr keys audit --packages packages --packages s3://films/live --json
    """
    from transcode.files.keylook import look, packages_in
    from transcode.keyaudit import audit as judge

    facts = look(_folder(keys_dir))
    findings = judge(facts, packages_in(packages) if packages else None)
    faults = sum(each.severity == "fault" for each in findings)
    good = sum(not key.problem for key in facts.keys)
    if as_json:
        said: dict[str, Any] = {
            "titles": len(facts.titles),
            "keys": len(facts.keys),
            "keys_that_open": good,
            "keks": [{"id": kek, "external": kek in facts.external} for kek in facts.keks],
            "current_kek": facts.current,
            "findings": [asdict(each) for each in findings],
        }
        click.echo(json.dumps(said))
    else:
        for each in findings:
            click.echo(f"{each.severity}: {each.text}")
        click.echo(
            f"{len(facts.titles)} titles, {good} of {len(facts.keys)} keys open, "
            f"{len(facts.keks)} KEKs; {faults} faults, {len(findings) - faults} notes"
        )
    if faults:
        sys.exit(1)


def _folder(given: str | None) -> Path:
    from transcode.files.keystore import default_keys_dir

    return Path(given) if given else default_keys_dir(os.environ)


def _store(given: str | None, *, create: bool = False) -> KeyStore:
    from transcode.files.keystore import KeyStore

    return KeyStore.open(_folder(given), create=create)


def _external(command: str | None, limit_s: float) -> ExternalKek | None:
    from transcode.keyfiles import ExternalKek

    if command is None:
        return None
    try:
        words = tuple(shlex.split(command))
    except ValueError as exc:
        raise click.BadParameter(
            f"{exc}; expected PROGRAM ARGUMENT…", param_hint="--external"
        ) from exc
    if not words:
        raise click.BadParameter(
            "found nothing; expected PROGRAM ARGUMENT…", param_hint="--external"
        )
    return ExternalKek(command=words, limit_s=limit_s)


def _print_rewrapped(done: Rewrapped, *, as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps(asdict(done)))
        return
    dropped = f"; dropped {', '.join(done.dropped)}" if done.dropped else ""
    click.echo(f"{done.keys} keys of {done.files} files encrypted under KEK {done.kek}{dropped}")


def _print_rows(rows: list[dict[str, Any]], *, as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps(rows))
        return
    if not rows:
        click.echo("no keys")
        return
    table = [list(rows[0]), *([str(value) for value in row.values()] for row in rows)]
    widths = [max(len(line[column]) for line in table) for column in range(len(table[0]))]
    for line in table:
        cells = (cell.ljust(width) for cell, width in zip(line, widths, strict=True))
        click.echo("  ".join(cells).rstrip())
