"""Hits of an edge beside those of nginx: requests per CPU-second of the server, in one run.

    python -m tests.perf.edge_hits [--sizes 16,256,1024,4096] [--rounds 5] [--seconds 1.5]
                                   [--tls] [--rival static|cache] [--range A-B]
                                   [--workers N] [--stalled N] [--json]

Both servers hold the same objects and check permission on every request: the edge a token
signed with Ed25519, nginx a ``secure_link``. Rounds take turns, the load is ``wrk``, and the
time is that of all processes of a server, user and system. A ratio above 1 means that the
edge needs less than nginx for the same bytes. Wall-clock rates are not compared.

``--stalled N`` measures something else instead: how much the edge grows while N clients that
never read ask for the largest object.
"""

from __future__ import annotations

import argparse
import asyncio
import base64
import hashlib
import json
import os
import re
import shutil
import socket
import ssl
import statistics
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from edge.server.clock import wall_clock_s
from tests.fakes.parent import FakeParent, fake_parent
from tests.fakes.ports import free_ports
from tests.fakes.selfsigned import write_certificate

KIB = 1 << 10
SECRET = "not much of one"
BARS = {16: 0.25, 256: 0.9, 1024: 0.9, 4096: 0.6}
TLS_BARS = {256: 0.6, 1024: 0.6}

NGINX = """
{user} worker_processes {workers}; daemon off; pid {folder}/pid; error_log {folder}/error.log;
events {{ worker_connections 1024; }}
http {{
    access_log off; sendfile on; tcp_nopush on; tcp_nodelay on; keepalive_requests 100000000;
    open_file_cache max=1000 inactive=600s; open_file_cache_valid 600s;
    client_body_temp_path {folder}/t1; proxy_temp_path {folder}/t2; fastcgi_temp_path {folder}/t3;
    uwsgi_temp_path {folder}/t4; scgi_temp_path {folder}/t5;
    proxy_cache_path {folder}/cache keys_zone=c:10m max_size=1g;
    server {{
        listen 127.0.0.1:{port} {tls} reuseport backlog=1024;
        location ~ ^/s/(?<mac>[^/]+)/(?<expires>[0-9]+)(?<object>/.*)$ {{
            secure_link $mac,$expires;
            secure_link_md5 "$secure_link_expires$object {secret}";
            if ($secure_link = "") {{ return 403; }}
            if ($secure_link = "0") {{ return 410; }}
            {serve}
        }}
    }}
}}
"""
SERVE = {
    "static": "rewrite ^ $object break; root {folder}/files;",
    "cache": "rewrite ^ $object break; proxy_pass {parent}; proxy_cache c; proxy_cache_key $uri;",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    """One of the two that are compared."""

    name: str
    pid: int
    url: Callable[[int], str]
    """Of the object of so many KiB."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Round:
    """What one server did in one round."""

    requests: int
    cpu_s: float
    wall_s: float

    @property
    def per_cpu_s(self) -> float:
        """Requests per CPU-second."""
        return self.requests / self.cpu_s


def tree(pid: int) -> list[int]:
    """``pid`` and its descendants."""
    parents = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            fields = _stat(int(entry.name))
            if fields:
                parents[int(entry.name)] = int(fields[1])
    found = [pid]
    for each in found:
        found += [child for child, parent in parents.items() if parent == each]
    return found


def _stat(pid: int) -> list[str]:
    """Fields of /proc/PID/stat after the name: state, parent, ..."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return []


def cpu_s(pid: int) -> float:
    """User and system time of a process and its descendants."""
    fields = [found for each in tree(pid) if (found := _stat(each))]
    return sum(int(each[11]) + int(each[12]) for each in fields) / os.sysconf("SC_CLK_TCK")


def resident_mib(pid: int) -> float:
    """Resident memory of a process and its descendants."""
    pages = sum(int(fields[21]) for each in tree(pid) if (fields := _stat(each)))
    return pages * os.sysconf("SC_PAGE_SIZE") / (1 << 20)


async def load(server: Server, kib: int, args: argparse.Namespace) -> Round:
    """One round of wrk."""
    before, began = cpu_s(server.pid), time.perf_counter()
    process = await asyncio.create_subprocess_exec(
        "wrk", *args.header, "-t1", f"-c{args.clients}", f"-d{args.seconds}", "--timeout", "10",
        server.url(kib), stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip
    output, _ = await process.communicate()
    wall_s, used_s = time.perf_counter() - began, cpu_s(server.pid) - before
    found = re.search(rb"(\d+) requests in", output)
    if process.returncode or found is None or re.search(rb"Non-2xx|Socket errors", output):
        raise SystemExit(f"{server.name}, {kib} KiB: wrk says\n{output.decode()}")
    return Round(requests=int(found[1]), cpu_s=used_s, wall_s=wall_s)


def name_of(kib: int) -> str:
    """Path of the object of so many KiB."""
    return f"/film/v0/{kib}.m4s"


@asynccontextmanager
async def running(*command: str, cwd: Path) -> AsyncIterator[asyncio.subprocess.Process]:
    """A server as a child process."""
    process = await asyncio.create_subprocess_exec(
        *command, cwd=cwd, stdout=asyncio.subprocess.PIPE
    )
    try:
        yield process
    finally:
        process.terminate()
        await process.communicate()


@asynccontextmanager
async def nginx(folder: Path, parent: str, args: argparse.Namespace) -> AsyncIterator[Server]:
    """nginx with permission by ``secure_link``."""
    port = free_ports(1)
    scheme = "https" if args.tls else "http"
    tls = f"ssl; ssl_certificate {folder}/cert.pem; ssl_certificate_key {folder}/key.pem"
    text = NGINX.format(
        user="user root;" if os.geteuid() == 0 else "",
        folder=folder,
        workers=args.workers,
        port=port,
        tls="ssl" if args.tls else "",
        secret=SECRET,
        serve=SERVE[args.rival].format(folder=folder, parent=parent),
    )
    if args.tls:
        text = text.replace("access_log off;", f"access_log off; {tls.removeprefix('ssl; ')};", 1)
    (folder / "nginx.conf").write_text(text)
    expires = int(wall_clock_s()) + 86400

    def url(kib: int) -> str:
        digest = hashlib.md5(f"{expires}{name_of(kib)} {SECRET}".encode()).digest()
        mac = base64.urlsafe_b64encode(digest).decode().rstrip("=")
        return f"{scheme}://127.0.0.1:{port}/s/{mac}/{expires}{name_of(kib)}"

    command = ("nginx", "-p", f"{folder}", "-c", f"{folder}/nginx.conf")
    async with running(*command, cwd=folder) as process:
        yield Server(name=f"nginx {args.rival}", pid=process.pid, url=url)


@asynccontextmanager
async def edge(folder: Path, parent: FakeParent, args: argparse.Namespace) -> AsyncIterator[Server]:
    """Our edge, as its users start it."""
    token = parent.issuer.issue("film", now_s=wall_clock_s(), session_id="bench", ttl_s=86400)
    more = (
        ["--tls-cert", f"{folder}/cert.pem", "--tls-key", f"{folder}/key.pem"] if args.tls else []
    )
    more += ["--workers", str(args.workers)] if args.workers > 1 else []
    command = [sys.executable, "-m", "abr", "edge", "--parent", parent.url, "--port", "0"]
    command += ["--cache-dir", f"{folder}/edge", "--json", *more]
    async with running(*command, cwd=Path.cwd()) as process:
        assert process.stdout is not None
        line = await asyncio.wait_for(process.stdout.readline(), 30)
        base = json.loads(line)["listeners"][0]["url"]
        yield Server(
            name="edge", pid=process.pid, url=lambda kib: f"{base}/t/{token}{name_of(kib)}"
        )


async def warm(servers: list[Server], sizes: list[int]) -> None:
    """Ask for every object until both hold it."""
    import aiohttp

    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(ssl=False)) as client:
        for server in servers:
            for kib in sizes * 3:
                await _until_there(client.get, server.url(kib), kib)


async def _until_there(get: Callable[[str], Awaitable[object]], url: str, kib: int) -> None:
    import aiohttp

    for _ in range(100):
        try:
            answer = await get(url)
            assert isinstance(answer, aiohttp.ClientResponse)
            found = len(await answer.read()) if answer.status == 200 else answer.status
            assert found == kib * KIB, f"{url}: {found}"
            return
        except aiohttp.ClientConnectorError:
            await asyncio.sleep(0.05)
    raise SystemExit(f"{url}: nobody listens")


async def compare(servers: list[Server], args: argparse.Namespace) -> list[dict[str, object]]:
    """Rounds in turn, size by size: one row for each size."""
    rows = []
    for kib in args.sizes:
        rounds: dict[str, list[Round]] = {server.name: [] for server in servers}
        for _ in range(args.rounds):
            for server in servers:
                rounds[server.name].append(await load(server, kib, args))
        ours, theirs = rounds["edge"], rounds[servers[0].name]
        ratios = sorted(a.per_cpu_s / b.per_cpu_s for a, b in zip(ours, theirs, strict=True))
        bar = (TLS_BARS if args.tls else BARS).get(kib)
        row = {
            "kib": kib,
            "ratio": round(statistics.median(ratios), 3),
            "lowest": round(ratios[0], 3),
            "highest": round(ratios[-1], 3),
            "bar": bar,
            "edge_us": round(1e6 / statistics.median(each.per_cpu_s for each in ours), 1),
            "nginx_us": round(1e6 / statistics.median(each.per_cpu_s for each in theirs), 1),
            "edge_per_s": round(statistics.median(e.requests / e.wall_s for e in ours)),
        }
        rows.append(row)
        if not args.json:
            verdict = "" if bar is None else "ok" if float(row["ratio"]) >= bar else "MISSED"
            print(
                f"{kib:>6} KiB  {row['ratio']:>6}  {row['lowest']:>6} - {row['highest']:<6}"
                f" {row['edge_us']:>8} us {row['nginx_us']:>8} us   {bar or ''} {verdict}",
                flush=True,
            )
    return rows


async def stall(server: Server, args: argparse.Namespace) -> dict[str, object]:
    """Growth while many clients ask for the largest object and read nothing."""
    kib = max(args.sizes)
    host, _, rest = server.url(kib).partition("://")[2].partition("/")
    request = f"GET /{rest} HTTP/1.1\r\nHost: {host}\r\n\r\n".encode()
    context = ssl._create_unverified_context() if args.tls else None
    before = resident_mib(server.pid)
    sockets = []
    try:
        for _ in range(args.stalled):
            plain = socket.create_connection(("127.0.0.1", int(host.rpartition(":")[2])), 5)
            sockets.append(context.wrap_socket(plain) if context else plain)
            sockets[-1].sendall(request)
        await asyncio.sleep(2)
        grown = resident_mib(server.pid) - before
    finally:
        for each in sockets:
            each.close()
    row = {"stalled": args.stalled, "kib": kib, "grown_mib": round(grown, 1)}
    if not args.json:
        print(f"{args.stalled} clients that never read {kib} KiB: {grown:.1f} MiB more (bar 20)")
    return row


async def bench(args: argparse.Namespace) -> None:
    """Start everything, measure, print."""
    async with AsyncExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="edge-hits-")))
        folder.chmod(0o755)
        write_certificate(folder / "cert.pem", folder / "key.pem")
        parent = await stack.enter_async_context(fake_parent())
        for kib in args.sizes:
            body = os.urandom(kib * KIB)
            thing = parent.add(name_of(kib), body)
            thing.headers |= {"ETag": f'"{kib}"', "Content-Type": "video/iso.segment"}
            path = folder / "files" / name_of(kib)[1:]
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(body)
        ours = await stack.enter_async_context(edge(folder, parent, args))
        if args.stalled:
            await warm([ours], args.sizes)
            rows = [await stall(ours, args)]
        else:
            theirs = await stack.enter_async_context(nginx(folder, parent.url, args))
            if not args.json:
                print(f"python -m tests.perf.edge_hits {' '.join(sys.argv[1:])}")
                print("   size       ratio  lowest - highest     edge CPU   nginx CPU   bar")
            await warm([theirs, ours], args.sizes)
            rows = await compare([theirs, ours], args)
    if args.json:
        print(json.dumps({"command": sys.argv[1:], "rows": rows}))


def main() -> None:
    """Run it."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    sizes = [16, 256, 1024, 4096]
    parser.add_argument(
        "--sizes", type=lambda text: [int(each) for each in text.split(",")], default=sizes
    )
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=int, default=1, help="of each round")
    parser.add_argument("--clients", type=int, default=16, help="connections")
    parser.add_argument("--tls", action="store_true")
    parser.add_argument("--range", metavar="FIRST-LAST", help="ask for these bytes only")
    parser.add_argument("--rival", choices=sorted(SERVE), default="static")
    parser.add_argument("--workers", type=int, default=1, help="of both servers")
    parser.add_argument("--stalled", type=int, default=0, metavar="N")
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()
    args.header = ["-H", f"Range: bytes={args.range}"] if args.range else []
    for program in ("wrk", "nginx"):
        if shutil.which(program, path=f"{os.environ.get('PATH', '')}:/usr/sbin") is None:
            raise SystemExit(f"{program}: not found; install it (Debian: apt install {program})")
    os.environ["PATH"] += ":/usr/sbin"
    asyncio.run(bench(args))


if __name__ == "__main__":
    main()
