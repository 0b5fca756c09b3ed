"""The same transcode on a Dask scheduler with workers, all real processes on loopback."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from abr.errors import InputError, MissingFileError, PeerError
from tests.integration.test_bench_cluster import running
from tests.integration.test_transcode_chunks import FFMPEGS, SMALL, X264, make, same
from transcode.config import TranscodeConfig
from transcode.run.package import transcode

pytest.importorskip("distributed")
pytestmark = pytest.mark.skipif(not FFMPEGS, reason="no ffmpeg with libx264 was found")


def package(film: Path, out: Path, executor: str, **settings: Any) -> None:
    config = TranscodeConfig(**{**SMALL, **settings}, executor=executor)
    asyncio.run(transcode(film, out, config))


def forbid_work(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is encoded or measured in this process from now on."""

    async def refuse(task: Any, *_told: Any) -> None:
        raise AssertionError(f"{task.job} was done here")

    monkeypatch.setattr("transcode.run.encode.EncodeTask.do", refuse)
    monkeypatch.setattr("transcode.run.scoring.ScoreTask.do", refuse)


@contextlib.contextmanager
def cluster(folder: Path) -> Iterator[str]:
    """A scheduler with one worker; its address."""
    file = folder / "scheduler.json"
    options = ["--host", "127.0.0.1", "--port", "0", "--no-dashboard", "--no-show"]
    with running("dask_scheduler", *options, "--scheduler-file", str(file)):
        for _ in range(300):
            if file.exists() and file.read_text().strip():
                break
            time.sleep(0.1)
        address = json.loads(file.read_text())["address"]
        with running(
            "dask_worker", address, "--nthreads", "1", "--no-dashboard", "--no-nanny",
            "--local-directory", str(folder / "worker"),
        ):  # fmt: skip
            yield address.replace("tcp://", "dask://")


def test_a_cluster_makes_the_same_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Products come from its workers."""
    monkeypatch.setattr("transcode.planning.chunks.LEAST_S", 2.0)
    film = make(tmp_path / "film.mp4", *X264, "-g", "25", seconds=4.0)
    with cluster(tmp_path) as there, monkeypatch.context() as patched:
        forbid_work(patched)
        package(film, tmp_path / "a" / "film", there)
    monkeypatch.setenv("ABR_CACHE", f"{os.environ['ABR_CACHE']}-here")
    package(film, tmp_path / "b" / "film", "local")
    assert same(tmp_path / "a" / "film", tmp_path / "b" / "film")


def test_a_cluster_tries_and_measures_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The trials of a title, its ladder, and the quality of what came of it: the same figures."""
    film = make(tmp_path / "film.mp4", *X264, "-g", "25", seconds=1.0)
    wanted = {"ladder": "per-title", "quality": "ssim"}
    with cluster(tmp_path) as there, monkeypatch.context() as patched:
        forbid_work(patched)
        package(film, tmp_path / "a" / "film", there, **wanted)
    monkeypatch.setenv("ABR_CACHE", f"{os.environ['ABR_CACHE']}-here")
    package(film, tmp_path / "b" / "film", "local", **wanted)
    assert same(tmp_path / "a" / "film", tmp_path / "b" / "film")


def test_a_cluster_without_workers_is_not_waited_for_without_end(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Gone for longer than the limit; a worker that comes back in time begins it anew."""
    from transcode.run import executors

    class Cluster:
        address = "dask://there:1"
        workers = True

        def has_workers(self) -> bool:
            return self.workers

        def __repr__(self) -> str:
            return "Cluster()"

    clock = [0.0]
    monkeypatch.setattr("transcode.run.executors.time.monotonic", lambda: clock[0])
    cluster: Any = Cluster()
    crew = executors._ClusterCrew(cluster, cluster)
    for at_s, workers in ((0, True), (50, False), (100, True), (200, False), (255, False)):
        clock[0], cluster.workers = at_s, workers
        crew.check()
    clock[0] = 261
    with pytest.raises(PeerError, match="no worker for 60 s"):
        crew.check()


def test_an_executor_that_cannot_be_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("abr.run.cluster.CONNECT_S", 0.5)
    film = make(tmp_path / "film.mp4", *X264, seconds=1.0)
    with pytest.raises(InputError, match="expected local, or dask://HOST:PORT"):
        package(film, tmp_path / "film", "slurm")
    with pytest.raises(PeerError, match="no Dask scheduler answered"):
        package(film, tmp_path / "film", "dask://127.0.0.1:9")


def test_what_a_worker_does_not_see_is_named(tmp_path: Path) -> None:
    """The master, another file in its place, and the cache."""
    from dataclasses import replace

    from transcode.run.encode import Source
    from transcode.run.executors import look_around

    film = tmp_path / "film.mp4"
    film.write_bytes(b"film")
    stat = film.stat()
    source = Source(path=str(film), where="film.mp4", size_bytes=4, mtime_ns=stat.st_mtime_ns)
    (tmp_path / "tmp").mkdir()
    assert look_around(source, str(tmp_path / "tmp")) == ""
    assert "expected the cache" in look_around(source, str(tmp_path / "none" / "tmp" / "x"))
    assert "at the same path" in look_around(replace(source, path="/none"), str(tmp_path))
    assert "another file" in look_around(replace(source, size_bytes=5), str(tmp_path))
    with pytest.raises(MissingFileError):
        replace(source, path="/none").check()
