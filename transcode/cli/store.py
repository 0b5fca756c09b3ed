"""The ``store`` commands: publish packages, list what is published, remove old versions."""

from __future__ import annotations

import contextlib
import json
import sys
from collections.abc import Callable, Iterator
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click


@click.group()
def store() -> None:
    """Publish packages in a folder or a bucket of S3, version by version.

    A new version of a title is announced only when all of its files are there; players
    that began with an older one go on with it until it is pruned. `abr origin STORE`
    serves what is published.

    S3 is reached as other tools reach it: AWS_ENDPOINT_URL, AWS_REGION, AWS_ACCESS_KEY_ID
    and AWS_SECRET_ACCESS_KEY. It needs pip install 'abrkit[s3]'.

    \b
    Examples:
      abr store publish packages/film s3://films/live
      abr store list s3://films/live
      abr store prune s3://films/live film --keep 2
    """


@store.command()
@click.argument("package", type=click.Path(path_type=Path))
@click.argument("where", metavar="STORE")
@click.option(
    "--keep",
    type=click.IntRange(0),
    metavar="N",
    help="Remove older versions of the title, all but N. [remove none]",
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def publish(package: Path, where: str, keep: int | None, as_json: bool) -> None:
    """Make PACKAGE the current version of its title in STORE.

    STORE is a folder, or s3://BUCKET/PREFIX. When it fails or is interrupted, the store
    announces what it announced before; the next try sends only what is missing.

    \b
    Examples:
      abr store publish packages/film /srv/films
      abr store publish packages/film s3://films/live --keep 2
    """
    from transcode.files.publish import publish as publish_package
    from transcode.files.stores import open_store

    with _bar() as on_progress:
        done = publish_package(
            package, open_store(where, create=True), keep=keep, on_progress=on_progress
        )
    if as_json:
        click.echo(json.dumps(asdict(done)))
        return
    sent = f"{done.sent_files} of {done.files} files sent, {done.sent_bytes / 1e6:.2f} MB"
    click.echo(f"{done.title}: version {done.version} is current in {done.where} ({sent})")
    if done.pruned:
        click.echo(f"removed: {', '.join(done.pruned)}")


@store.command(name="list")
@click.argument("where", metavar="STORE")
@click.option("--json", "as_json", is_flag=True, help="Print a JSON array.")
def list_versions(where: str, as_json: bool) -> None:
    """List the titles in STORE with their versions.

    \b
    Examples:
      abr store list /srv/films
      abr store list s3://films/live --json
    """
    from transcode.files.publish import published_versions
    from transcode.files.stores import open_store

    versions = published_versions(open_store(where))
    if as_json:
        click.echo(json.dumps([asdict(each) for each in versions]))
        return
    for each in versions:
        when = datetime.fromtimestamp(each.published_s, UTC).strftime("%Y-%m-%d %H:%M:%S")
        mark = "current" if each.is_current else "       "
        size = f"{each.size_bytes / 1e6:10.2f} MB"
        click.echo(f"{each.title}  {each.version}  {mark}  {when} UTC  {each.files} files {size}")
    if not versions:
        click.echo(f"{where}: nothing is published")


@store.command()
@click.argument("where", metavar="STORE")
@click.argument("title")
@click.option(
    "--keep",
    type=click.IntRange(0),
    metavar="N",
    default=1,
    help="Versions to keep beside the current one. [1]",
)
@click.option("--json", "as_json", is_flag=True, help="Print a JSON object.")
def prune(where: str, title: str, keep: int, as_json: bool) -> None:
    """Remove old versions of TITLE from STORE; the current one always stays.

    Sessions that still play a removed version end with missing files.

    \b
    Examples:
      abr store prune s3://films/live film
      abr store prune /srv/films film --keep 0
    """
    from abr.errors import PackageError
    from transcode.files.publish import prune as prune_title
    from transcode.files.publish import published_versions
    from transcode.files.stores import open_store

    opened = open_store(where)
    # Of a title whose first version was not finished, nothing is announced.
    if all(each.title != title for each in published_versions(opened)):
        raise PackageError(f"{where}: no title {title!r}; `abr store list {where}` shows them")
    removed = prune_title(opened, title, keep=keep)
    if as_json:
        click.echo(json.dumps({"title": title, "pruned": removed}))
    else:
        click.echo(f"{title}: removed {', '.join(removed) or 'nothing'}")


@contextlib.contextmanager
def _bar() -> Iterator[Callable[[float], None]]:
    """A progress bar on a terminal; nothing elsewhere."""
    if not sys.stderr.isatty():
        yield lambda _fraction: None
        return
    from rich.console import Console
    from rich.progress import Progress

    with Progress(console=Console(stderr=True), transient=True) as bar:
        task: Any = bar.add_task("publish", total=1.0)
        yield lambda fraction: bar.update(task, completed=fraction)
