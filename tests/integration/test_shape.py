"""``abr shape`` around a client that is not ours, in user space and in the kernel."""

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import pytest

from abr.errors import ConfigError, PortInUseError, UpstreamError
from abr.trace import Trace
from player.shaping.alarms import Alarms
from player.shaping.kernel import KernelConfig, find_obstacle, run_behind
from player.shaping.ledger import ShaperReport
from player.shaping.run import Address, config_for, shape

WHY_NO_KERNEL = find_obstacle()
needs_namespaces = pytest.mark.skipif(
    bool(WHY_NO_KERNEL), reason=f"no network namespaces here: {WHY_NO_KERNEL}"
)

CLIENT = (
    "import socket,sys,time; h,p=sys.argv[1].rsplit(':',1); t=time.monotonic(); "
    "s=socket.create_connection((h,int(p)),timeout=10); s.sendall(b'125000\\n'); n=0\n"
    "while n<125000: n+=len(s.recv(65536))\n"
    "print(time.monotonic()-t)"
)


async def sized(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Answers a line ``N`` with N bytes."""
    try:
        while line := await reader.readline():
            writer.write(bytes(int(line)))
            await writer.drain()
    except ConnectionError:
        pass
    finally:
        writer.close()


async def took_s(address: Address, size_bytes: int) -> float:
    """Time of one download over a new connection."""
    begun_s = time.monotonic()
    reader, writer = await asyncio.open_connection(*address)
    writer.write(b"%d\n" % size_bytes)
    await reader.readexactly(size_bytes)
    writer.close()
    return time.monotonic() - begun_s


async def test_every_client_has_a_link_of_its_own() -> None:
    """Nine clients, on a grid: 50 kB at 1 Mbit/s take 0.4 s for each of them."""
    addresses: list[Address] = []
    reports: list[ShaperReport] = []
    async with await asyncio.start_server(sized, "127.0.0.1", 0) as server:
        upstream = Address(*server.sockets[0].getsockname())
        ready = asyncio.Event()

        def told(given: Sequence[Address]) -> None:
            addresses.extend(given)
            ready.set()

        run = asyncio.create_task(
            shape(
                Trace.constant(1e6),
                upstream,
                Address("127.0.0.1", 0),
                clients=9,
                rtt_s=0.02,
                config=config_for(9),
                duration_s=20.0,
                on_listening=told,
                on_reports=reports.extend,
            )
        )
        await ready.wait()
        times_s = await asyncio.gather(*(took_s(each, 50_000) for each in addresses))
        run.cancel()
        with pytest.raises(asyncio.CancelledError):
            await run
    assert len({each.port for each in addresses}) == 9
    assert min(times_s) >= 0.43
    assert max(times_s) == pytest.approx(0.44, abs=0.15)
    assert [sum(report.delivered_bytes) for report in reports] == [50_000] * 9


def test_the_grid_widens_with_the_number_of_clients() -> None:
    """Unless a step is given."""
    steps_s = [config_for(clients).tick_s for clients in (1, 7, 8, 50, 51, 200)]
    assert steps_s == [0.001, 0.001, 0.01, 0.01, 0.02, 0.02]
    assert config_for(200, tick_s=0.005).tick_s == 0.005


async def test_cross_traffic_and_a_full_buffer_slow_a_client_down() -> None:
    """Half of 2 Mbit/s after 25 kB of others: 0.1 s twice and 0.2 s, and two round trips."""
    addresses: list[Address] = []
    reports: list[ShaperReport] = []
    async with await asyncio.start_server(sized, "127.0.0.1", 0) as server:
        ready = asyncio.Event()

        def told(given: Sequence[Address]) -> None:
            addresses.extend(given)
            ready.set()

        run = asyncio.create_task(
            shape(
                Trace.constant(2e6),
                Address(*server.sockets[0].getsockname()),
                Address("127.0.0.1", 0),
                clients=1,
                rtt_s=0.02,
                config=config_for(1, cross_flows=1, buffer_bytes=25_000),
                duration_s=20.0,
                on_listening=told,
                on_reports=reports.extend,
            )
        )
        await ready.wait()
        time_s = await took_s(addresses[0], 25_000)
        run.cancel()
        await asyncio.gather(run, return_exceptions=True)
    assert time_s == pytest.approx(0.44, abs=0.08)
    assert sum(reports[0].cross_bytes) > 40_000


async def test_what_cannot_be_listened_on_or_reached_is_said() -> None:
    async def attempt(upstream: Address, listen: Address, clients: int = 1) -> None:
        await shape(
            Trace.constant(1e6),
            upstream,
            listen,
            clients=clients,
            rtt_s=0.0,
            config=config_for(clients),
            duration_s=0.01,
            on_listening=lambda _: None,
            on_reports=lambda _: None,
        )

    async with await asyncio.start_server(sized, "127.0.0.1", 0) as server:
        there = Address(*server.sockets[0].getsockname())
        with pytest.raises(PortInUseError, match=str(there)):
            await attempt(there, there)
        with pytest.raises(ConfigError, match="no room for 3 ports"):
            await attempt(there, Address("127.0.0.1", 65534), 3)
    with pytest.raises(UpstreamError, match="nothing to shape"):
        await attempt(there, Address("127.0.0.1", 0))


async def test_alarms_ring_in_order_and_on_time() -> None:
    loop = asyncio.get_running_loop()
    alarms = Alarms(loop)
    rung: list[tuple[str, float]] = []
    begun_s = loop.time()

    def note(name: str) -> None:
        rung.append((name, loop.time() - begun_s))

    alarms.call_at(begun_s + 0.02, lambda: note("second"))
    alarms.call_at(begun_s + 0.0105, lambda: note("first"))
    alarms.call_at(begun_s + 0.015, lambda: note("never")).cancel()
    await asyncio.sleep(0.06)
    alarms.close()
    alarms.close()
    assert [name for name, _ in rung] == ["first", "second"]
    assert rung[0][1] >= 0.0105 - alarms.lead_s - 1e-4
    assert rung[1][1] < 0.05


@needs_namespaces
@pytest.mark.parametrize("use_veth", [True, False], ids=["veth", "lo"])
async def test_the_kernel_keeps_to_the_trace(tmp_path: Path, use_veth: bool) -> None:
    """125 kB at 1 Mbit/s and then 4: 0.5 s, 0.125 s, and two round trips; on lo as well."""
    out = tmp_path / "took"
    script = f'exec {sys.executable} -c "$0" "$1" > \'{out}\''
    trace = Trace.from_periods([(0.5, 1e6), (60, 4e6)])
    async with await asyncio.start_server(sized, "127.0.0.1", 0) as server:
        report = await run_behind(
            trace,
            Address(*server.sockets[0].getsockname()),
            ["sh", "-c", script, CLIENT, "{listen}"],
            rtt_s=0.02,
            config=KernelConfig(use_veth=use_veth),
        )
    took_s = float(out.read_text())
    print(f"took {took_s:.3f} s, expected 0.665; {report.in_kernel}")
    assert report.exit_code == 0
    assert took_s == pytest.approx(0.665, abs=0.1)
    assert sum(report.delivered_bytes) == pytest.approx(125_000, rel=0.05)
    assert report.drops == 0
    assert "tbf" in report.in_kernel
    assert ("on lo" in report.in_kernel) == (not use_veth)


@needs_namespaces
async def test_a_command_that_is_not_there_is_said() -> None:
    async with await asyncio.start_server(sized, "127.0.0.1", 0) as server:
        there = Address(*server.sockets[0].getsockname())
        with pytest.raises(ConfigError, match="no-such-command"):
            await run_behind(Trace.constant(1e6), there, ["no-such-command"])


@needs_namespaces
def test_nothing_is_left_after_the_parent_is_killed(tmp_path: Path) -> None:
    """The command and the keeper end with it, and namespaces without a name with them."""
    noted = tmp_path / "pid"
    (tmp_path / "t.csv").write_text("t_s,kbps\n0,1000\n10,1000\n")
    words = ["--trace", str(tmp_path / "t.csv"), "--upstream", "127.0.0.1:9"]
    command = ["sh", "-c", f"echo $$ > {noted}; exec sleep 30"]
    parent = subprocess.Popen(
        [sys.executable, "-m", "abr", "shape", *words, "--backend", "kernel", "--", *command]
    )
    try:
        _await(lambda: noted.exists() and noted.read_text().strip() != "")
        child = int(noted.read_text())
    finally:
        parent.send_signal(signal.SIGKILL)
        parent.wait()
    _await(lambda: not _runs(child))


def test_the_report_is_one_object(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("t_s,kbps\n0,1000\n10,1000\n")
    script = (
        "import asyncio,sys\n"
        "async def main():\n"
        "    server = await asyncio.start_server(lambda r, w: w.close(), '127.0.0.1', 0)\n"
        "    port = server.sockets[0].getsockname()[1]\n"
        "    words = [*sys.argv[1:], '--upstream', f'127.0.0.1:{port}']\n"
        "    p = await asyncio.create_subprocess_exec(sys.executable, '-m', 'abr', *words)\n"
        "    raise SystemExit(await p.wait())\n"
        "asyncio.run(main())\n"
    )
    words = ["shape", "--trace", str(tmp_path / "t.csv"), "--json", "--duration", "0.2"]
    done = subprocess.run(
        [sys.executable, "-c", script, *words, "--clients", "2"],
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert len(json.loads(done.stdout)["clients"]) == 2
    assert "connect to 127.0.0.1:" in done.stderr


def _runs(pid: int) -> bool:
    try:
        os.kill(pid, 0)
        return "Z" not in Path(f"/proc/{pid}/stat").read_text().split(")")[1][:3]
    except (OSError, IndexError):
        return False


def _await(holds: object) -> None:
    assert callable(holds)
    until_s = time.monotonic() + 10
    while not holds():
        assert time.monotonic() < until_s, "it never came true"
        time.sleep(0.05)
