"""Many shaped links in one process: one listening port, one link and one report each.

The links share one set of alarms. Where there are many, they also depart at the same
instants, so that a wake-up serves all of them.
"""

from __future__ import annotations

import asyncio
import contextlib
import math
import resource
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import NamedTuple

from abr.errors import ConfigError, UpstreamError
from abr.trace import Trace
from player.shaping.alarms import Alarms
from player.shaping.config import ShaperConfig
from player.shaping.grid import Ticker
from player.shaping.ledger import ShaperReport
from player.shaping.proxy import Shaper

MANY_CLIENTS = 8
"""From this many links on, departures are on a grid."""
GRIDS_S = ((51, 0.02), (MANY_CLIENTS, 0.01))
"""Step of that grid, seconds, by the least number of links."""
_OTHER_FILES = 64
_FILES_PER_CLIENT = 16


class Address(NamedTuple):
    """Where to listen, or whom to reach."""

    host: str
    port: int

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}"


def config_for(
    clients: int, *, tick_s: float | None = None, cross_flows: int = 0, buffer_bytes: int = 0
) -> ShaperConfig:
    """Settings of each of ``clients`` links; those of a grid when there are many."""
    config = ShaperConfig(cross_flows=cross_flows, buffer_bytes=buffer_bytes)
    if tick_s is None:
        tick_s = next((step_s for least, step_s in GRIDS_S if clients >= least), None)
    return config if tick_s is None else replace(config, tick_s=tick_s)


async def shape(
    trace: Trace,
    upstream: Address,
    listen: Address,
    *,
    clients: int,
    rtt_s: float,
    config: ShaperConfig,
    duration_s: float,
    on_listening: Callable[[Sequence[Address]], None],
    on_reports: Callable[[Sequence[ShaperReport]], None],
) -> None:
    """Run ``clients`` links for ``duration_s``, or until cancelled.

    Args:
        trace: What each link can carry; each begins with the first byte it carries.
        upstream: The server.
        listen: The first address; further clients take the ports that follow, or any
            free ones when its port is 0.
        clients: How many links.
        rtt_s: Round-trip time where the trace gives none.
        config: Settings of each link; its host and port are not used.
        duration_s: Seconds; infinite to run until cancelled.
        on_listening: Told the addresses once all listen.
        on_reports: Told the reports at the end, also when cancelled.

    Raises:
        PortInUseError: an address cannot be listened on.
        ConfigError: the ports do not fit below 65536.
        UpstreamError: nothing answers at ``upstream``.
    """
    if listen.port and listen.port + clients - 1 > 65535:
        raise ConfigError(f"--listen {listen}: no room for {clients} ports below 65536")
    _raise_file_limit(_OTHER_FILES + _FILES_PER_CLIENT * clients)
    await _check_upstream(upstream, config.connect_timeout_s)
    alarms = Alarms(asyncio.get_running_loop())
    ticker = Ticker(alarms, config.tick_s) if clients >= MANY_CLIENTS else None
    links: list[Shaper] = []
    try:
        async with contextlib.AsyncExitStack() as stack:
            for number in range(clients):
                port = listen.port + number if listen.port else 0
                link = Shaper(
                    trace,
                    upstream.host,
                    upstream.port,
                    rtt_s=rtt_s,
                    config=replace(config, host=listen.host, port=port),
                    alarms=alarms,
                    ticker=ticker,
                )
                links.append(await stack.enter_async_context(link))
            on_listening([Address(link.host, link.port) for link in links])
            try:
                await asyncio.sleep(duration_s if math.isfinite(duration_s) else 1e9)
            finally:
                on_reports([link.report for link in links])
    finally:
        alarms.close()


async def _check_upstream(upstream: Address, timeout_s: float) -> None:
    """Connect once, so that a wrong address is said at the start and not to every client."""
    try:
        async with asyncio.timeout(timeout_s):
            _, writer = await asyncio.open_connection(*upstream)
    except OSError as exc:
        why = exc.strerror or "no answer"
        raise UpstreamError(
            f"{upstream}: nothing to shape there ({why}); start the server first"
        ) from exc
    writer.close()
    with contextlib.suppress(OSError):
        await writer.wait_closed()


def _raise_file_limit(wanted: int) -> None:
    """Raise the soft limit on open files towards the hard one."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < wanted:
        most = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        with contextlib.suppress(OSError, ValueError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, most), hard))
