"""A real S3 server on loopback: OpenStack Swift with its S3 interface, from the package index.

Swift runs as four small servers on one folder: account, container, object and proxy. It has
an environment of its own (``scripts/test-tools`` makes it), because its requirements are not
ours. It checks signatures, so a wrong secret is refused as by a real S3.
"""

from __future__ import annotations

import contextlib
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.fakes.ports import free_ports

BIN = Path(__file__).parents[1] / "swift" / ".venv" / "bin"
ACCESS_KEY, SECRET_KEY = "film:maker", "loopback-only"
READY_S = 30.0
_RINGS = ("account", "container", "object")


@dataclass(frozen=True, slots=True, kw_only=True)
class S3Server:
    """A server that runs; ``process`` handles are kept so that tests can stop it."""

    url: str
    folder: Path
    processes: dict[str, subprocess.Popen[bytes]]

    @property
    def settings(self) -> dict[str, str]:
        """Variables by which S3 clients find it."""
        return {
            "AWS_ENDPOINT_URL": self.url,
            "AWS_ACCESS_KEY_ID": ACCESS_KEY,
            "AWS_SECRET_ACCESS_KEY": SECRET_KEY,
            "AWS_REGION": "us-east-1",
        }


def why_not() -> str | None:
    """Why the server cannot run here; None when it can."""
    if not (BIN / "swift-proxy-server").is_file():
        return "OpenStack Swift is not installed in tests/swift/.venv (see scripts/test-tools)"
    return None


@contextlib.contextmanager
def s3_server(folder: Path) -> Iterator[S3Server]:
    """Run Swift in ``folder`` until the block ends."""
    port = free_ports(4)
    ports = dict(zip((*_RINGS, "proxy"), range(port, port + 4), strict=True))
    _write_rings(folder, ports)
    processes: dict[str, subprocess.Popen[bytes]] = {}
    with (folder / "log").open("wb") as log:
        try:
            for name, own in ports.items():
                config = folder / f"{name}.conf"
                config.write_text(_config(name, own, folder), encoding="utf-8")
                processes[name] = subprocess.Popen(
                    [BIN / f"swift-{name}-server", config, "-v"],
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                    cwd=folder,
                    start_new_session=True,
                )
            url = f"http://127.0.0.1:{ports['proxy']}"
            _wait_ready(url, processes, folder / "log")
            yield S3Server(url=url, folder=folder, processes=processes)
        finally:
            for process in processes.values():
                process.terminate()
            for process in processes.values():
                try:
                    process.wait(5)
                except subprocess.TimeoutExpired:
                    process.kill()
                    process.wait(5)


def _write_rings(folder: Path, ports: dict[str, int]) -> None:
    (folder / "devices" / "d1").mkdir(parents=True)
    (folder / "swift.conf").write_text(
        "[swift-hash]\nswift_hash_path_suffix = tests\n"
        "[storage-policy:0]\nname = one\ndefault = yes\n",
        encoding="utf-8",
    )
    for name in _RINGS:
        builder = folder / f"{name}.builder"
        for args in (
            ("create", "4", "1", "1"),
            ("add", f"r1z1-127.0.0.1:{ports[name]}/d1", "1"),
            ("rebalance",),
        ):
            subprocess.run(
                [BIN / "swift-ring-builder", builder, *args],
                check=True,
                capture_output=True,
                timeout=60,
            )


def _config(name: str, port: int, folder: Path) -> str:
    head = (
        f"[DEFAULT]\nbind_ip = 127.0.0.1\nbind_port = {port}\nworkers = 0\n"
        f"swift_dir = {folder}\ndevices = {folder / 'devices'}\nmount_check = false\n"
        f"log_level = WARNING\nlog_address = {folder / 'no-syslog'}\n"
    )
    if name != "proxy":
        return (
            f"{head}\n[pipeline:main]\npipeline = {name}-server\n"
            f"[app:{name}-server]\nuse = egg:swift#{name}\nallow_versions = yes\n"
        )
    return (
        f"{head}\n[pipeline:main]\n"
        "pipeline = catch_errors proxy-logging cache listing_formats bulk s3api tempauth slo "
        "proxy-logging proxy-server\n"
        "[app:proxy-server]\nuse = egg:swift#proxy\naccount_autocreate = true\n"
        "[filter:catch_errors]\nuse = egg:swift#catch_errors\n"
        "[filter:proxy-logging]\nuse = egg:swift#proxy_logging\n"
        "[filter:cache]\nuse = egg:swift#memcache\nmemcache_servers = 127.0.0.1:9\n"
        "[filter:listing_formats]\nuse = egg:swift#listing_formats\n"
        "[filter:bulk]\nuse = egg:swift#bulk\n[filter:slo]\nuse = egg:swift#slo\n"
        "[filter:s3api]\nuse = egg:swift#s3api\nlocation = us-east-1\n"
        "[filter:tempauth]\nuse = egg:swift#tempauth\n"
        f"user_{ACCESS_KEY.replace(':', '_')} = {SECRET_KEY} .admin\n"
    )


def _wait_ready(url: str, processes: dict[str, subprocess.Popen[bytes]], log: Path) -> None:
    end = time.monotonic() + READY_S
    while time.monotonic() < end:
        dead = [name for name, process in processes.items() if process.poll() is not None]
        if dead:
            break
        try:
            with urllib.request.urlopen(f"{url}/info", timeout=2):
                return
        except urllib.error.HTTPError:
            return  # it answers
        except OSError:
            time.sleep(0.1)
    raise AssertionError(f"Swift did not start: {log.read_text(errors='replace')[-2000:]}")
