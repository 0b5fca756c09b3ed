"""Transcodes that are killed at random moments: do they resume, and is anything left or wrong?

Three kinds of victim, each killed with SIGKILL: the parent (``abr transcode`` itself), one
ffmpeg, and a Dask worker with all its children. After each kill the same command is run again
until it succeeds. Then the package must be byte for byte that of an undisturbed run, finished
chunks must not have been encoded again, no process may be left, and neither may files beside
the package or in the cache.

    python -m tests.perf.transcode_kills MASTER [--kills 20] [--kind parent,ffmpeg,worker]
"""

from __future__ import annotations

import argparse
import contextlib
import filecmp
import os
import random  # noqa: TID251  # a seed is printed; nothing else depends on it
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

OPTIONS = ["--ladder", "90:100,180:300", "--preset", "slow", "--segment", "1"]


@dataclass(slots=True)
class Scene:
    """Folders of one trial."""

    root: Path
    master: Path
    dask: str = ""
    found: list[str] = field(default_factory=list)
    """What was wrong."""

    @property
    def out(self) -> Path:
        """The package."""
        return self.root / "film"

    @property
    def cache(self) -> Path:
        """The cache."""
        return self.root / "cache"

    def command(self) -> list[str]:
        """The transcode."""
        where = ["--executor", self.dask] if self.dask else []
        return [
            sys.executable, "-m", "abr", "transcode", str(self.master), str(self.out),
            "--cache", str(self.cache), *OPTIONS, *where,
        ]  # fmt: skip

    def start(self) -> subprocess.Popen[bytes]:
        """Start it in a session of its own."""
        environment = {**os.environ, "ABR_TRANSCODE_CHUNK_S": "2"}
        return subprocess.Popen(
            self.command(), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
            start_new_session=True, env=environment,
        )  # fmt: skip

    def wait_for_work(self, process: subprocess.Popen[bytes]) -> None:
        """Until the first encode has begun, or the process has ended."""
        while process.poll() is None and not list(self.cache.glob("tmp/*")):
            time.sleep(0.01)

    def products(self) -> dict[str, tuple[int, int]]:
        """Finished products by name, with what tells whether they were made again."""
        found = {}
        for path in self.cache.glob("products/*/*.mp4"):
            with contextlib.suppress(FileNotFoundError):
                stat = path.stat()
                found[path.name] = (stat.st_ino, stat.st_size)
        return found

    def leftovers(self) -> list[Path]:
        """What must not be there after a run."""
        beside = [each for each in self.root.iterdir() if each.name not in ("film", "cache")]
        return [*beside, *(self.cache / "tmp").iterdir(), *(self.cache / "runs").iterdir()]


def children_of(pid: int) -> list[int]:
    """Processes below ``pid``, at any depth."""
    below: dict[int, list[int]] = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            fields = stat.read_text().rpartition(")")[2].split()
            below.setdefault(int(fields[1]), []).append(int(stat.parent.name))
    found, todo = [], [pid]
    while todo:
        own = below.get(todo.pop(), [])
        found += own
        todo += own
    return found


def words_of(pid: int) -> bytes:
    """The command line of a process; empty when it is gone."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return b""


def is_ffmpeg(pid: int) -> bool:
    """Whether a process is an encode."""
    return b"ffmpeg" in words_of(pid).split(b"\0")[0]


def kill(pid: int) -> None:
    """Kill one process."""
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)


def gone(pids: list[int], limit_s: float = 10.0) -> list[int]:
    """Those that are still there after a while."""
    until_s = time.monotonic() + limit_s
    while time.monotonic() < until_s:
        pids = [pid for pid in pids if is_ffmpeg(pid)]
        if not pids:
            return []
        time.sleep(0.05)
    return pids


def disturb(scene: Scene, kind: str, delay_s: float, worker: int | None) -> str:
    """Start a transcode, kill something after ``delay_s``, and say what came of it."""
    process = scene.start()
    scene.wait_for_work(process)
    time.sleep(delay_s)
    encodes = [pid for pid in children_of(worker or process.pid) if is_ffmpeg(pid)]
    if kind == "parent":
        kill(process.pid)
    elif kind == "ffmpeg" and encodes:
        kill(random.choice(encodes))
    elif kind == "worker" and worker:
        for pid in children_of(worker):
            if b"spawn_main" in words_of(pid):  # not what multiprocessing tracks resources with
                kill(pid)
    before = scene.products() if kind == "parent" else {}
    _, said = process.communicate(timeout=300)
    if kind != "ffmpeg" and (alive := gone(encodes)):
        scene.found.append(f"{len(alive)} ffmpeg live on")
    if process.returncode != 0 and kind == "parent":
        again = scene.start()
        _, said = again.communicate(timeout=300)
        if again.returncode != 0 and b"exists already" not in said:  # killed once published
            scene.found.append(f"the second run failed: {said.decode()[-300:]}")
        after = scene.products()
        redone = [name for name, what in before.items() if after.get(name) != what]
        if redone:
            scene.found.append(f"{len(redone)} finished products were made again")
        return f"killed with {len(before)} of {len(after)} products done"
    if process.returncode != 0:
        scene.found.append(f"failed: {said.decode()[-300:]}")
    return f"went on with {len(encodes)} encodes under way"


@contextlib.contextmanager
def dask(folder: Path) -> Iterator[tuple[str, list[subprocess.Popen[bytes]]]]:
    """A scheduler and two nannies, each of which starts its worker again when that dies."""
    file = folder / "scheduler.json"
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    base = [sys.executable, "-m"]
    with contextlib.ExitStack() as stack:

        def start(*command: str) -> subprocess.Popen[bytes]:
            process = subprocess.Popen([*base, *command], **quiet)  # type: ignore[call-overload]
            stack.callback(process.wait)
            stack.callback(process.terminate)
            return process  # type: ignore[no-any-return]

        start("distributed.cli.dask_scheduler", "--host", "127.0.0.1", "--port", "0",
              "--no-dashboard", "--scheduler-file", str(file))  # fmt: skip
        while not file.exists() or not file.read_text().strip():
            time.sleep(0.1)
        import json

        address = json.loads(file.read_text())["address"]
        workers = [
            start(
                "distributed.cli.dask_worker",
                address,
                "--nthreads",
                "1",
                "--no-dashboard",
                "--local-directory",
                str(folder / f"dask-{number}"),
            )
            for number in range(2)
        ]
        time.sleep(3)
        yield address.replace("tcp://", "dask://"), workers


def main() -> None:
    """Kill, and print what came of it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("master", type=Path)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--kind", default="parent,ffmpeg,worker")
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    random.seed(given.seed)
    bad = 0
    with tempfile.TemporaryDirectory(prefix="abr-kills-") as name:
        folder = Path(name)
        (folder / "calm").mkdir()
        calm = Scene(root=folder / "calm", master=given.master.absolute())
        process = calm.start()
        calm.wait_for_work(process)
        began_s = time.monotonic()
        process.communicate(timeout=300)
        assert process.returncode == 0
        length_s = time.monotonic() - began_s
        for kind in given.kind.split(","):
            with contextlib.ExitStack() as stack:
                address = ""
                workers: list[subprocess.Popen[bytes]] = []
                if kind == "worker":
                    address, workers = stack.enter_context(dask(folder))
                for number in range(given.kills):
                    root = folder / f"{kind}-{number}"
                    root.mkdir()
                    scene = Scene(root=root, master=calm.master, dask=address)
                    delay_s = random.uniform(0.05, 0.95) * length_s
                    victim = workers[number % 2].pid if workers else None
                    words = disturb(scene, kind, delay_s, victim)
                    check(scene, calm)
                    bad += bool(scene.found)
                    faults = "; ".join(scene.found)
                    print(f"{kind} {number} after {delay_s:.2f} s: {words} {faults}", flush=True)
                    shutil.rmtree(root)
    print(f"{bad} runs with a fault; seed {given.seed}; the encode takes {length_s:.1f} s")
    sys.exit(1 if bad else 0)


def check(scene: Scene, calm: Scene) -> None:
    """Compare with the undisturbed run, and look for what was left."""
    if left := scene.leftovers():
        scene.found.append(f"left: {', '.join(map(str, left[:3]))}")
    different = [
        str(path.relative_to(calm.out))
        for path in calm.out.rglob("*")
        if path.is_file()
        and not (
            (scene.out / path.relative_to(calm.out)).is_file()
            and filecmp.cmp(path, scene.out / path.relative_to(calm.out), shallow=False)
        )
    ]
    if different:
        scene.found.append(f"{len(different)} files differ, {different[0]} first")


if __name__ == "__main__":
    main()
