"""The shaping proxy on loopback: rate, round trips, ends and breaks; a few seconds.

Everything holds for a link that sends when something is due and for one that sends on a
grid, together with others.
"""

import asyncio
import contextlib
import socket
import struct
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Protocol

import pytest

from abr.trace import Trace
from player.shaping.alarms import Alarms
from player.shaping.grid import Ticker
from player.shaping.proxy import Shaper, ShaperConfig

Handler = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
RTT_S = 0.04


class Shaping(Protocol):
    """Makes the link under test."""

    def __call__(
        self, trace: Trace, port: int, *, rtt_s: float = 0.04, config: ShaperConfig | None = None
    ) -> Shaper: ...


@pytest.fixture(params=["prompt", "grid"])
async def shaping(request: pytest.FixtureRequest) -> AsyncIterator[Shaping]:
    """One or the other kind of link to a server of this machine."""
    alarms = Alarms(asyncio.get_running_loop())
    ticker = Ticker(alarms, 0.01) if request.param == "grid" else None

    def make(
        trace: Trace, port: int, *, rtt_s: float = 0.04, config: ShaperConfig | None = None
    ) -> Shaper:
        return Shaper(
            trace, "127.0.0.1", port, rtt_s=rtt_s, config=config, alarms=alarms, ticker=ticker
        )

    yield make
    alarms.close()


@contextlib.asynccontextmanager
async def serving(handler: Handler) -> AsyncIterator[int]:
    """A TCP server on a free port."""

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError):
            await handler(reader, writer)
        writer.close()

    server = await asyncio.start_server(handle, "127.0.0.1", 0)
    async with server:
        yield server.sockets[0].getsockname()[1]


async def sized(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Answers every line ``N`` with N bytes."""
    while line := await reader.readline():
        writer.write(bytes(int(line)))
        await writer.drain()


async def test_a_download_takes_the_time_the_trace_says(shaping: Shaping) -> None:
    """Two round trips, then 100 kB: 0.5 s of 1 Mbit/s, 0.2 s of none, the rest at 2 Mbit/s."""
    # By 0.5 s 0.42 Mbit came through; 0.38 Mbit more take 0.19 s after the outage.
    trace = Trace.from_periods([(0.5, 1e6), (0.2, 0), (10, 2e6)])
    loop = asyncio.get_running_loop()
    async with serving(sized) as port, shaping(trace, port, rtt_s=RTT_S) as shaper:
        shaper.start_clock()
        begun_s = loop.time()
        reader, writer = await asyncio.open_connection(shaper.host, shaper.port)
        writer.write(b"100000\n")
        await reader.readexactly(100_000)
        took_s = loop.time() - begun_s
        begun_s = loop.time()
        writer.write(b"100\n")
        await reader.readexactly(100)
        again_s = loop.time() - begun_s
        writer.close()
        report = shaper.report
    print(f"took {took_s:.4f} s, expected 0.8900; a small answer {again_s:.4f} s")
    assert took_s == pytest.approx(0.89, abs=0.05)
    assert RTT_S - 0.001 <= again_s <= RTT_S + 0.05
    assert sum(report.delivered_bytes) == 100_100
    # What begins 50 ms late lacks 6,250 bytes of them.
    assert report.delivered_bytes[0] == pytest.approx(52_500, abs=10_250)


async def test_two_connections_share_one_link(shaping: Shaping) -> None:
    """50 kB each at 2 Mbit/s: 0.4 s and two round trips, not half of it."""
    loop = asyncio.get_running_loop()

    async def download(shaper: Shaper) -> float:
        reader, writer = await asyncio.open_connection(shaper.host, shaper.port)
        writer.write(b"50000\n")
        await reader.readexactly(50_000)
        writer.close()
        return loop.time()

    trace = Trace.constant(2e6)
    async with serving(sized) as port, shaping(trace, port, rtt_s=RTT_S) as shaper:
        begun_s = loop.time()
        ends_s = await asyncio.gather(download(shaper), download(shaper))
    assert max(ends_s) - begun_s == pytest.approx(0.48, abs=0.05)
    assert abs(ends_s[0] - ends_s[1]) < 0.05


async def test_a_clean_end_reaches_both_sides(shaping: Shaping) -> None:
    """The client's half-close reaches the server, and the server's last words the client."""

    async def count(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"%d" % len(await reader.read()))
        await writer.drain()

    trace = Trace.constant(10e6)
    async with serving(count) as port, shaping(trace, port) as shaper:
        reader, writer = await asyncio.open_connection(shaper.host, shaper.port)
        writer.write(bytes(200_000))
        writer.write_eof()
        assert await reader.read() == b"200000"
        writer.close()


async def test_a_break_of_the_server_arrives_after_what_it_sent(shaping: Shaping) -> None:
    """The client gets the bytes before the break, then a reset and not a clean end."""

    async def breaks(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readline()
        writer.write(bytes(5000))
        await writer.drain()
        await asyncio.sleep(0.02)
        linger = struct.pack("ii", 1, 0)
        writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        writer.transport.abort()

    trace = Trace.constant(1e6)
    async with serving(breaks) as port, shaping(trace, port) as shaper:
        reader, writer = await asyncio.open_connection(shaper.host, shaper.port)
        writer.write(b"go\n")
        assert len(await reader.readexactly(5000)) == 5000
        with pytest.raises(ConnectionResetError):
            await reader.readexactly(1)
        writer.close()


async def test_a_client_that_leaves_is_noticed_by_the_server(shaping: Shaping) -> None:
    """Abandoning a download breaks the server's connection while it still sends."""
    broken = asyncio.Event()

    async def endless(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readline()
        try:
            while True:
                writer.write(bytes(65536))
                await writer.drain()
        except ConnectionError:
            broken.set()

    trace = Trace.constant(4e6)
    async with serving(endless) as port, shaping(trace, port, rtt_s=0.01) as shaper:
        reader, writer = await asyncio.open_connection(shaper.host, shaper.port)
        writer.write(b"go\n")
        await reader.readexactly(20_000)
        writer.transport.abort()
        async with asyncio.timeout(2):
            await broken.wait()


async def test_a_server_that_is_not_there_resets_the_client(shaping: Shaping) -> None:
    """Nobody listens: the client's connection breaks instead of hanging."""
    async with serving(sized) as port:
        pass
    async with shaping(Trace.constant(1e6), port) as shaper:
        reader, writer = await asyncio.open_connection(shaper.host, shaper.port)
        with pytest.raises(ConnectionResetError):
            await reader.readexactly(1)
        writer.close()


async def test_the_server_may_be_given_by_name() -> None:
    """Looked up with the first connection, and not again."""
    async with (
        serving(sized) as port,
        Shaper(Trace.constant(10e6), "localhost", port, rtt_s=0.0) as shaper,
    ):
        for _ in range(2):
            reader, writer = await asyncio.open_connection(shaper.host, shaper.port)
            writer.write(b"10\n")
            await reader.readexactly(10)
            writer.close()


async def test_connections_above_the_limit_are_turned_away_and_counted(shaping: Shaping) -> None:
    """With one connection allowed the second is reset and the first goes on."""
    config = ShaperConfig(max_connections=1)
    async with (
        serving(sized) as port,
        shaping(Trace.constant(10e6), port, rtt_s=0.0, config=config) as shaper,
    ):
        reader, writer = await asyncio.open_connection(shaper.host, shaper.port)
        writer.write(b"10\n")
        await reader.readexactly(10)
        second, other = await asyncio.open_connection(shaper.host, shaper.port)
        with contextlib.suppress(ConnectionResetError):
            assert await second.read() == b""
        writer.write(b"10\n")
        await reader.readexactly(10)
        assert shaper.report.refused_connections == 1
        writer.close()
        other.close()


async def test_a_long_download_arrives_whole_beside_another(shaping: Shaping) -> None:
    """What the loop pushes and what ticks pull comes in order, alone and with a second flow."""
    sent = b"".join(b"%8d" % number for number in range(50_000))

    async def counted(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readline()
        writer.write(sent)
        await writer.drain()
        writer.close()

    async def download(shaper: Shaper, wait_s: float) -> bytes:
        await asyncio.sleep(wait_s)
        reader, writer = await asyncio.open_connection(shaper.host, shaper.port)
        writer.write(b"\n")
        got = await reader.read(-1)
        writer.close()
        return got

    trace = Trace.constant(16e6)
    async with serving(counted) as port, shaping(trace, port, rtt_s=0.01) as shaper:
        got = await asyncio.gather(download(shaper, 0), download(shaper, 0.1))
        assert sum(shaper.report.delivered_bytes) == 2 * len(sent)
    assert list(got) == [sent, sent]


async def test_leaving_with_downloads_under_way_closes_everything(shaping: Shaping) -> None:
    """The context ends at once, the client sees a break, and no task is left."""
    trace = Trace.constant(1e5)
    async with serving(sized) as port:
        async with shaping(trace, port) as shaper:
            reader, writer = await asyncio.open_connection(shaper.host, shaper.port)
            writer.write(b"1000000\n")
            await reader.readexactly(1000)
        with contextlib.suppress(ConnectionResetError):
            while await reader.read(4096):
                pass
        writer.close()
    left = [task for task in asyncio.all_tasks() if "_dial" in repr(task)]
    assert left == []
