"""``abr shape``: a traced network around any client, browsers included."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import click

from abr.cli.traces import columns_option, read_trace
from abr.shell import note, run_async

if TYPE_CHECKING:
    from abr.trace import Trace
    from player.shaping.ledger import ShaperReport
    from player.shaping.run import Address


def _address(_ctx: click.Context, param: click.Parameter, value: str) -> tuple[str, int]:
    """``HOST:PORT``, or only a port for this machine; IPv6 in brackets."""
    host, _, port = value.rpartition(":")
    host = host.removeprefix("[").removesuffix("]") or "127.0.0.1"
    if not (port.isdecimal() and int(port) <= 65535):
        raise click.BadParameter(f"{value!r}; expected HOST:PORT", param=param)
    return host, int(port)


@click.command()
@click.option(
    "--trace",
    "trace_text",
    required=True,
    metavar="TRACE",
    help="What each link can carry: a file in any known format, profile:NAME or "
    "generate:CLASS:SEED[:SECONDS].",
)
@columns_option
@click.option(
    "--upstream",
    required=True,
    metavar="HOST:PORT",
    callback=_address,
    help="The server that clients reach through here.",
)
@click.option(
    "--listen",
    default="127.0.0.1:0",
    show_default=True,
    metavar="HOST:PORT",
    callback=_address,
    help="Where the first client connects; port 0 takes a free one.",
)
@click.option(
    "--clients",
    type=click.IntRange(1, 1000),
    default=1,
    show_default=True,
    metavar="N",
    help="Number of links, each with its own port, counted up from --listen.",
)
@click.option(
    "--rtt-ms",
    type=click.FloatRange(0, 60_000),
    default=40.0,
    show_default=True,
    metavar="MS",
    help="Round-trip time where the trace gives none.",
)
@click.option(
    "--cross-traffic",
    type=click.IntRange(0, 1000),
    default=0,
    show_default=True,
    metavar="N",
    help="Endless downloads that share each link.",
)
@click.option(
    "--queue-bytes",
    type=click.IntRange(min=0),
    default=0,
    show_default=True,
    metavar="B",
    help="Buffer at the bottleneck; what starts under load queues behind it.",
)
@click.option(
    "--tick-ms",
    type=click.FloatRange(0.1, 100),
    metavar="MS",
    help="Shortest time between departures.  [default: 1; from 8 clients on 10, from 51 on 20]",
)
@click.option(
    "--duration",
    "duration_s",
    type=click.FloatRange(min=0, min_open=True),
    metavar="SECONDS",
    help="Stop after this long.  [default: until Ctrl-C]",
)
@click.option(
    "--backend",
    type=click.Choice(["shaper", "kernel"]),
    default="shaper",
    show_default=True,
    help="What follows the trace: a proxy in user space, or the kernel around COMMAND.",
)
@click.option(
    "--congestion",
    default="cubic",
    show_default=True,
    metavar="NAME",
    help="Kernel backend: congestion control of the sender.",
)
@click.option("--json", "as_json", is_flag=True, help="Print the report as one JSON object.")
@click.argument("command", nargs=-1, type=click.UNPROCESSED)
def shape(
    trace_text: str,
    columns: str | None,
    upstream: tuple[str, int],
    listen: tuple[str, int],
    clients: int,
    rtt_ms: float,
    cross_traffic: int,
    queue_bytes: int,
    tick_ms: float | None,
    duration_s: float | None,
    backend: str,
    congestion: str,
    as_json: bool,
    command: tuple[str, ...],
) -> None:
    """Make a server look as if it were behind a traced network.

    Clients connect to the addresses that are printed; all connections of one address
    share one link, whose trace begins with its first byte. A report follows at the end, or
    at Ctrl-C: what the link offered in each half second, how much of that was wanted, and
    how much was delivered.

    With --backend kernel, COMMAND runs in a separate network (namespaces and the kernel's token
    bucket filter; needs no root where user namespaces are allowed). {listen} in its
    arguments becomes the server's address there. The host's own network is not touched.

    \b
    Examples:
      abr shape --trace lte.csv --upstream 127.0.0.1:8080 --listen 127.0.0.1:9000
      abr shape --trace 3g.json --upstream 127.0.0.1:8080 --clients 200 --duration 60 --json
      abr shape --trace dsl.csv --upstream 127.0.0.1:8080 --cross-traffic 2 --queue-bytes 100000
      abr shape --trace lte.csv --upstream 127.0.0.1:8080 --backend kernel -- curl http://{listen}/
    """
    if backend == "kernel":
        if cross_traffic or clients > 1 or duration_s or tick_ms:
            raise click.UsageError("the kernel backend has one client, which ends by itself")
        trace = read_trace(trace_text, columns)
        _run_behind_kernel(
            trace, upstream, command, rtt_ms, queue_bytes, congestion, as_json=as_json
        )
        return
    if command:
        raise click.UsageError("a command to run needs --backend kernel")
    from player.shaping.report import as_dict, as_text, is_overloaded
    from player.shaping.run import Address, config_for
    from player.shaping.run import shape as run

    trace = read_trace(trace_text, columns)
    listens: list[Address] = []

    def on_listening(addresses: Sequence[Address]) -> None:
        listens.extend(addresses)
        last = f" to {addresses[-1]}" if clients > 1 else ""
        click.echo(
            f"shaping {Address(*upstream)} by {trace.name or trace_text}: "
            f"connect to {addresses[0]}{last}",
            err=as_json,
        )

    def on_reports(reports: Sequence[ShaperReport]) -> None:
        if not as_json:
            click.echo(as_text(reports))
            return
        given = {"trace": trace.name, "trace_digest": trace.digest(), "rtt_s": rtt_ms / 1000}
        click.echo(json.dumps({**given, **as_dict(list(map(str, listens)), reports)}))
        if is_overloaded(reports):
            note("this machine was too busy; do not believe the figures of this run")

    run_async(
        run(
            trace,
            Address(*upstream),
            Address(*listen),
            clients=clients,
            rtt_s=rtt_ms / 1000,
            config=config_for(
                clients,
                tick_s=None if tick_ms is None else tick_ms / 1000,
                cross_flows=cross_traffic,
                buffer_bytes=queue_bytes,
            ),
            duration_s=duration_s or math.inf,
            on_listening=on_listening,
            on_reports=on_reports,
        )
    )


def _run_behind_kernel(
    trace: Trace,
    upstream: tuple[str, int],
    command: tuple[str, ...],
    rtt_ms: float,
    queue_bytes: int,
    congestion: str,
    *,
    as_json: bool,
) -> None:
    """Run the command behind the kernel's filter; leave with its exit code."""
    from player.shaping.kernel import KernelConfig, run_behind
    from player.shaping.report import kernel_text
    from player.shaping.run import Address

    if not command:
        raise click.UsageError("--backend kernel needs a command: ... -- COMMAND ARGUMENTS")
    config = KernelConfig(congestion=congestion)
    if queue_bytes:
        config = replace(config, queue_bytes=queue_bytes)
    report = run_async(
        run_behind(trace, Address(*upstream), command, rtt_s=rtt_ms / 1000, config=config)
    )
    # The command's own output is on stdout; the object is the last line there.
    text = json.dumps(report.as_dict()) if as_json else kernel_text(report.as_dict())
    click.echo(text, err=not as_json)
    if report.exit_code:
        raise click.exceptions.Exit(report.exit_code if report.exit_code > 0 else 1)
