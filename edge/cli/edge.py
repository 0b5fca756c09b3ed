"""``abr edge``: one caching tier in front of a parent, until interrupted."""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click

from abr.cli import configuration
from abr.shell import note, run_async
from abr.userfolders import cache_home
from edge import policies
from edge.config import EdgeConfig

if TYPE_CHECKING:
    from edge.server.workers import Start

OWN_PREFIX = "/.abr"
"""Where an open edge answers about itself: ``/.abr/healthz``, ``/.abr/metrics``."""

_UNITS = {"": 1, "k": 10**3, "m": 10**6, "g": 10**9, "t": 10**12}
_UNITS |= {f"{unit}i": 1024**power for power, unit in enumerate("kmgt", start=1)}


def parse_size(text: str) -> int:
    """Bytes in ``10GB``, ``512MiB`` or ``1000000``."""
    match = re.fullmatch(r"([0-9]+(?:\.[0-9]+)?) ?([kmgt]?i?)b?", text.strip().lower())
    if match is None or match[2] not in _UNITS:
        raise click.BadParameter(f"found {text!r}; expected a size such as 10GB or 512MiB")
    return int(float(match[1]) * _UNITS[match[2]])


def parse_listen(text: str) -> tuple[str, int]:
    """Address and port in ``127.0.0.1:8000``, ``[::1]:8000`` or ``:8000`` (all addresses)."""
    host, colon, port = text.rpartition(":")
    if not colon or not (port.isascii() and port.isdigit()) or int(port) > 65535:
        raise click.BadParameter(f"found {text!r}; expected HOST:PORT, such as 127.0.0.1:8000")
    return host.removeprefix("[").removesuffix("]") or "0.0.0.0", int(port)  # noqa: S104  # asked for


@click.command()
@click.option(
    "--parent",
    "parents",
    metavar="URL",
    multiple=True,
    help="The origin or the tier above; of several, each gets its share of the keys, and others "
    "stand in for it when it fails. [127.0.0.1:8080]",
)
@click.option("--director", metavar="URL", help="Register there and be told whom to ask.")
@click.option("--region", metavar="NAME", help="Where this cache stands, for the director.")
@click.option("--zone", metavar="NAME", help="Where in the region.")
@click.option("--public-url", metavar="URL", help="How others reach this cache.")
@click.option(
    "--listen",
    callback=lambda _ctx, _param, text: None if text is None else parse_listen(text),
    metavar="HOST:PORT",
    help="Address and port in one, instead of --host and --port.",
)
@click.option("--host", metavar="ADDRESS", help="Address to listen on. [127.0.0.1]")
@click.option("--tls-cert", metavar="FILE", help="Serve HTTPS with this certificate (PEM).")
@click.option("--tls-key", metavar="FILE", help="Private key of the certificate (PEM).")
@click.option("--port", type=int, metavar="N", help="Port to listen on; 0: a free one. [8081]")
@click.option(
    "--reuse-port",
    flag_value=True,
    default=None,
    help="Share the port with other edges of yours that say so as well.",
)
@click.option(
    "--cache-dir",
    metavar="DIR",
    help="Folder for stored bodies. [abrkit/NAME below the user's cache folder]",
)
@click.option("--cache-bytes", type=int, metavar="N", help="Most bytes stored. [4294967296]")
@click.option(
    "--cache-size",
    "cache_size",
    callback=lambda _ctx, _param, text: None if text is None else parse_size(text),
    metavar="SIZE",
    help="The same with a unit, such as 10GB or 512MiB.",
)
@click.option(
    "--policy",
    metavar="NAME",
    help=f"What is stored and evicted: {', '.join(policies.names())}. [{policies.DEFAULT}]",
)
@click.option("--workers", type=int, metavar="N", help="Processes that share port and cache. [1]")
@click.option("--name", metavar="NAME", help="Name in Cache-Status and metrics. [edge]")
@click.option("--tier", metavar="NAME", help="Level of the cache tree, for metrics. [edge]")
@click.option(
    "--trust",
    metavar="FILE",
    help="Accept tokens of the issuers in FILE too: signed URIs, Common Access Tokens, short ones.",
)
@click.option(
    "--open",
    "--no-token",
    "require_token",
    flag_value=False,
    default=None,
    help="Check no tokens: a plain reverse-proxy cache of any site.",
)
@click.option(
    "--heuristic",
    "heuristic_ratio",
    type=float,
    metavar="RATIO",
    help="Freshness of responses that state none, per second since they were modified. [0]",
)
@click.option(
    "--forward-host",
    is_flag=True,
    default=None,
    help="With --open: send the client's Host to the parent, not the parent's own.",
)
@click.option(
    "--replace",
    is_flag=True,
    help="Take the place of the edge that runs on this cache folder; no request is lost.",
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON line when ready.")
@click.pass_context
def edge(
    ctx: click.Context,
    parents: tuple[str, ...],
    director: str | None,
    region: str | None,
    zone: str | None,
    public_url: str | None,
    listen: tuple[str, int] | None,
    host: str | None,
    port: int | None,
    tls_cert: str | None,
    tls_key: str | None,
    reuse_port: bool | None,
    cache_dir: str | None,
    cache_bytes: int | None,
    cache_size: int | None,
    policy: str | None,
    workers: int | None,
    name: str | None,
    tier: str | None,
    trust: str | None,
    require_token: bool | None,
    replace: bool,
    heuristic_ratio: float | None,
    forward_host: bool | None,
    as_json: bool,
) -> None:
    """Cache what PARENT serves, near the viewer.

    Tokens are checked here with the parent's public keys. Each object is fetched once and
    streamed to every client that is waiting for it; the cache survives a restart. Runs
    until interrupted. SIGHUP reads the settings again, SIGTERM lets responses under way end.

    \b
    Examples:
      abr edge --parent http://127.0.0.1:8080
      abr edge --parent http://127.0.0.1:8081 --port 8082 --name isp-1 --tier isp
      abr edge --parent http://127.0.0.1:9001 --parent http://127.0.0.1:9002
      abr edge --director http://127.0.0.1:8090 --name isp-1 --tier isp --region eu
      abr edge --parent http://127.0.0.1:9000 --open --listen 127.0.0.1:8000 --cache-size 10GB
    """
    if listen is not None:
        host, port = listen
    if cache_size is not None:
        cache_bytes = cache_size
    # A site may have paths of these names itself, so the edge's own go elsewhere.
    own_prefix = None if require_token is None else OWN_PREFIX

    def read() -> EdgeConfig:
        return configuration(
            ctx,
            "edge",
            EdgeConfig,
            parent=parents[0] if len(parents) == 1 else None,
            parents=parents if len(parents) > 1 else None,
            director=director,
            region=region,
            zone=zone,
            public_url=public_url,
            host=host,
            port=port,
            tls_cert=tls_cert,
            tls_key=tls_key,
            reuse_port=reuse_port,
            cache_dir=cache_dir,
            cache_bytes=cache_bytes,
            policy=policy,
            workers=workers,
            name=name,
            tier=tier,
            trust=trust,
            require_token=require_token,
            heuristic_ratio=heuristic_ratio,
            forward_host=forward_host,
            own_prefix=own_prefix,
        ).check()

    config = read()
    folder = Path(config.cache_dir) if config.cache_dir else default_cache_dir(config.name)
    if config.workers == 1:
        say = partial(_say, config, folder, as_json=as_json)
        run_async(_serve(read, folder, say, replaces=replace))
    elif replace:
        raise click.UsageError("--replace is for an edge with one worker")
    else:
        _serve_with_workers(read, folder, as_json=as_json)


async def _serve(
    read: Callable[[], EdgeConfig],
    folder: Path,
    on_ready: Callable[[str], object],
    start: Start | None = None,
    *,
    replaces: bool = False,
) -> None:
    from edge.server.app import EDGE, make_app
    from edge.server.handover import Handover, take_over
    from edge.server.process import EdgeProcess
    from edge.server.workers import BEAT_S
    from origin.server.httpserver import listening
    from origin.server.tls import tls_context

    config = read()
    worker = None if start is None else start.worker
    app = make_app(config, cache_dir=folder, worker=worker)
    tls = tls_context(config.tls_cert, config.tls_key)
    sock = take_over(folder) if replaces else None
    if sock is not None and config.port not in (0, sock.getsockname()[1]):
        sock.close()
        sock = None
    if start is not None:
        sock = start.listener
    async with listening(
        app,
        sock=sock,
        host=config.host,
        port=config.port,
        limits=config.server_limits,
        reuse_port=config.reuse_port,
        tls=tls,
        unix="" if worker is None else worker.requests(worker.number),
    ) as where:
        running = app[EDGE]
        process = EdgeProcess(running, where.door, read=read, tls=tls)
        if running.trouble and (worker is None or worker.number == 0):
            note(f"no keys from the parent yet, requests are refused: {running.trouble}")
        on_ready(where.url)
        with contextlib.ExitStack() as stack:
            stack.enter_context(process)
            if start is None:
                stack.enter_context(Handover(folder, process.hand_over))
            else:
                process.follow(start.alive, start.beat, every_s=BEAT_S)
            await process.wait()


def _serve_with_workers(read: Callable[[], EdgeConfig], folder: Path, *, as_json: bool) -> None:
    from edge.server.body import lock_folder, remove_unfinished
    from edge.server.workers import Supervisor
    from origin.server.httpserver import Listening, bind_all

    config = read()
    listeners = run_async(
        bind_all(config.host, config.port, config.workers, reuse_port=config.reuse_port)
    )

    def run(start: Start) -> int:
        run_async(_serve(read, folder, lambda _url: start.beat(), start))
        return 0

    with lock_folder(folder):
        supervisor = Supervisor(
            run,
            listeners,
            on_death=lambda pid: remove_unfinished(folder, pid),
            drain_s=lambda: config.drain_s,
        )
        host, port = listeners[0].getsockname()[:2]
        url = Listening(host, port, "https" if config.tls_cert else "http").url
        ended_by = supervisor.serve(lambda: _say(config, folder, url, as_json=as_json))
    if ended_by == signal.SIGINT:
        raise KeyboardInterrupt


def _say(config: EdgeConfig, folder: Path, url: str, *, as_json: bool) -> None:
    """Say where the edge listens."""
    if as_json:
        listener = {"role": "edge", "tier": config.tier, "url": url}
        facts = {"parent": config.parent_urls[0], "cache_dir": str(folder)}
        click.echo(json.dumps({"listeners": [listener], **facts}))
        return
    click.echo(f"edge    {url}  ({config.name}, tier {config.tier})")
    if config.director:
        click.echo(f"parent  as {config.director} says; until it does, {config.parent_urls[0]}")
    else:
        for parent in config.parent_urls:
            click.echo(f"parent  {parent}")
    workers = f", {config.workers} workers" if config.workers > 1 else ""
    click.echo(f"cache   {folder}  (at most {config.cache_bytes / 1e6:.0f} MB{workers})")
    click.echo("Ctrl-C ends it.")


def default_cache_dir(name: str) -> Path:
    """``abrkit/<name>`` under the XDG cache home; odd characters of ``name`` become ``_``."""
    safe = "".join(c if c.isalnum() or c in "-_" else "_" for c in name)
    return cache_home(os.environ) / "abrkit" / safe
