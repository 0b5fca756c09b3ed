"""Stores and publishing: a folder, and a real S3 server, pass the same tests."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import aiohttp
import numpy as np
import pytest
from obstore.exceptions import BaseError
from obstore.store import S3Store

from abr.cli import main
from abr.errors import InputError, MissingFileError, PackageError
from origin.config import OriginConfig
from origin.server.app import ORIGIN, make_app
from origin.server.httpserver import listening
from origin.server.published import PublishedStore
from origin.server.titles import open_titles
from tests.fakes.packages import MemoryKeys, write_playable
from tests.fakes.swift import S3Server, s3_server, why_not
from transcode.files.directory import DirectoryObjects
from transcode.files.publish import (
    current_version,
    prune,
    publish,
    published_titles,
    published_versions,
)
from transcode.files.s3 import S3Objects
from transcode.files.stores import open_store
from transcode.packaging.layout import MULTIVARIANT
from transcode.storage.objects import (
    NoObjectError,
    ObjectExistsError,
    ObjectStore,
    StoreError,
)

BUCKET = "films"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3Server]:
    reason = why_not()
    if reason is not None:
        pytest.skip(reason)
    with s3_server(tmp_path_factory.mktemp("swift")) as running:
        make_bucket(running, BUCKET)
        yield running


def make_bucket(server: S3Server, name: str) -> None:
    """PUT /NAME: obstore has no verb for buckets, but a bucket's own address can be given it."""
    with contextlib.suppress(BaseError):  # the answer has no ETag, as obstore expects of objects
        S3Store(
            name,
            endpoint=server.url,
            virtual_hosted_style_request=True,  # the address is then taken as that of a bucket
            access_key_id=server.settings["AWS_ACCESS_KEY_ID"],
            secret_access_key=server.settings["AWS_SECRET_ACCESS_KEY"],
            region="us-east-1",
            client_options={"allow_http": True},
        ).put(name, b"")
    assert list(S3Objects(f"s3://{name}", server.settings).list()) == []


@pytest.fixture(params=["directory", "s3"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> ObjectStore:
    """An empty store."""
    if request.param == "directory":
        return DirectoryObjects(tmp_path / "store", create=True)
    server: S3Server = request.getfixturevalue("server")
    name = "".join(c if c.isalnum() else "-" for c in request.node.name)
    return S3Objects(f"s3://{BUCKET}/{name}", server.settings)


def package(folder: Path, seed: int = 1) -> Path:
    write_playable(folder, np.random.default_rng(seed), rungs=2, segments=4)
    return folder


def test_what_is_put_is_got_whole_and_in_part(store: ObjectStore) -> None:
    store.put("film/a/0.m4s", b"0123456789")
    info, data = store.get("film/a/0.m4s")
    assert (info.key, info.size_bytes, data) == ("film/a/0.m4s", 10, b"0123456789")
    assert store.head("film/a/0.m4s") == info
    assert store.get_range("film/a/0.m4s", 2, 3) == b"234"
    assert store.get_range("film/a/0.m4s", 8, 30) == b"89"
    assert store.get_range("film/a/0.m4s", 10, 3) == b""


def test_a_key_that_is_taken_stays_as_it_is_unless_replaced(store: ObjectStore) -> None:
    store.put("k", b"one")
    with pytest.raises(ObjectExistsError, match="exists already"):
        store.put("k", b"two")
    before = store.head("k")
    assert store.get("k")[1] == b"one"
    store.put("k", b"three", replace=True)
    assert store.get("k")[1] == b"three"
    assert store.head("k").etag != before.etag


def test_missing_objects_are_told_by_every_verb_and_deleting_one_is_no_error(
    store: ObjectStore,
) -> None:
    for verb in (store.get, store.head, lambda key: store.get_range(key, 0, 1)):
        with pytest.raises(NoObjectError, match="no such object"):
            verb("film/none")
    store.delete("film/none")
    store.put("film/one", b"1")
    store.delete("film/one")
    with pytest.raises(NoObjectError):
        store.head("film/one")


def test_lists_are_in_order_and_by_beginning_of_the_key(store: ObjectStore) -> None:
    keys = ["seg1", "seg/b", "seg/a", "other", "seg/a2/x"]
    for key in keys:
        store.put(key, key.encode())
    assert [each.key for each in store.list()] == sorted(keys)
    assert [each.key for each in store.list("seg")] == ["seg/a", "seg/a2/x", "seg/b", "seg1"]
    assert [each.key for each in store.list("seg/a")] == ["seg/a", "seg/a2/x"]
    assert list(store.list("none/")) == []


def test_of_many_that_put_one_key_at_once_one_succeeds(store: ObjectStore) -> None:
    won: list[int] = []

    def put(number: int) -> None:
        with contextlib.suppress(ObjectExistsError):
            store.put("race", bytes([number]) * 1000)
            won.append(number)

    threads = [threading.Thread(target=put, args=(number,)) for number in range(8)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert store.get("race")[1] in {bytes([number]) * 1000 for number in won}
    if isinstance(store, DirectoryObjects):  # Swift looks first and writes then
        assert len(won) == 1


def test_a_package_is_published_whole_and_the_second_time_nothing_is_sent(
    store: ObjectStore, tmp_path: Path
) -> None:
    folder = package(tmp_path / "film")
    done = publish(folder, store)
    files = sorted(each.relative_to(folder).as_posix() for each in folder.rglob("*.*"))
    assert (done.title, done.files, done.sent_files) == ("film", len(files), len(files))
    for path in files:
        assert store.get(f"film/{done.version}/{path}")[1] == (folder / path).read_bytes()
    assert current_version(store, "film") == done.version
    assert published_titles(store) == ["film"]
    assert publish(folder, store).sent_files == 0


def test_old_versions_stay_until_they_are_pruned(store: ObjectStore, tmp_path: Path) -> None:
    names = [
        publish(package(tmp_path / str(seed) / "film", seed), store).version for seed in (1, 2)
    ]
    assert {each.version for each in published_versions(store)} == set(names)
    third = publish(package(tmp_path / "3" / "film", 3), store, keep=1)
    assert third.pruned == (names[0],)
    assert prune(store, "film", keep=0) == (names[1],)
    assert [each.version for each in published_versions(store, "film")] == [third.version]
    assert list(store.list(f"film/{names[0]}/")) == []


class Failing:
    """A store that fails at the n-th ``put``."""

    def __init__(self, store: ObjectStore, puts: int) -> None:
        self._store, self._left, self._lock = store, puts, threading.Lock()

    def __getattr__(self, name: str) -> object:
        return getattr(self._store, name)

    def put(self, key: str, data: bytes, *, replace: bool = False) -> None:
        with self._lock:
            self._left -= 1
        if self._left < 0:
            raise StoreError(f"{key}: the server is gone")
        self._store.put(key, data, replace=replace)


def test_wherever_publishing_breaks_off_the_old_version_is_announced_and_the_next_try_goes_on(
    tmp_path: Path,
) -> None:
    store = DirectoryObjects(tmp_path / "store", create=True)
    old = publish(package(tmp_path / "1" / "film", 1), store)
    folder = package(tmp_path / "2" / "film", 2)
    entry = store.get(f"film/{MULTIVARIANT}")[1]
    breaks = 0
    for puts in range(100):
        failing: ObjectStore = Failing(store, puts)  # type: ignore[assignment]  # it forwards
        try:
            done = publish(folder, failing)
            break
        except StoreError:
            breaks += 1
            assert current_version(store, "film") == old.version
            names = {each.version: each.files for each in published_versions(store, "film")}
            if store.get(f"film/{MULTIVARIANT}")[1] != entry:
                assert list(names.values()) == [old.files, old.files]
    else:
        pytest.fail("it never ended")
    assert breaks > 3
    assert current_version(store, "film") == done.version != old.version
    assert done.sent_files < done.files


def test_a_wrong_secret_is_named_and_appears_nowhere(server: S3Server) -> None:
    settings = {**server.settings, "AWS_SECRET_ACCESS_KEY": "not-the-secret-at-all"}
    store = S3Objects(f"s3://{BUCKET}/x", settings)
    with pytest.raises(StoreError, match="secret key is wrong") as found:
        store.put("k", b"")
    assert "not-the-secret" not in f"{found.value!r}{store!r}"


def test_a_missing_bucket_is_named(server: S3Server) -> None:
    store = S3Objects("s3://no-such-bucket/x", server.settings)
    with pytest.raises(StoreError, match="no such bucket"):
        store.put("k", b"")


def test_a_server_that_is_down_is_named_within_a_limit(server: S3Server) -> None:
    settings = {**server.settings, "AWS_ENDPOINT_URL": "http://127.0.0.1:9"}
    with pytest.raises(StoreError, match=r"no answer from http://127\.0\.0\.1:9"):
        S3Objects(f"s3://{BUCKET}/x", settings).put("k", b"")


def test_a_server_that_dies_while_publishing_leaves_what_was_announced(
    tmp_path: Path, server: S3Server
) -> None:
    store = S3Objects(f"s3://{BUCKET}/dies", server.settings)
    old = publish(package(tmp_path / "1" / "film", 1), store)
    objects = server.processes["object"]
    stopped = threading.Event()

    def stop(fraction: float) -> None:
        if fraction > 0.3 and not stopped.is_set():
            stopped.set()
            objects.send_signal(signal.SIGSTOP)
            resume.start()

    resume = threading.Timer(2.0, lambda: objects.send_signal(signal.SIGCONT))
    folder = package(tmp_path / "2" / "film", 2)
    # Swift answers 503 or waits while its object server sleeps; either is survived.
    with contextlib.suppress(StoreError):
        publish(folder, store, on_progress=stop)
        assert stopped.is_set()
    resume.join()
    assert current_version(store, "film") in {old.version, publish(folder, store).version}
    assert current_version(store, "film") != old.version


@pytest.mark.parametrize("url", ["s3://", "s3://UPPER/x", "s3://films/../x", "s3://films/a?b=c"])
def test_addresses_that_name_no_bucket_are_refused(url: str) -> None:
    with pytest.raises(InputError, match="expected"):
        S3Objects(url, {})


@pytest.mark.parametrize("address", ["ftp://films/x", "gs://films", "file:///srv/films"])
def test_addresses_of_other_stores_are_refused_and_make_no_folder(
    address: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError, match="expected a folder, or s3://BUCKET/PREFIX"):
        open_store(address, create=True)
    assert list(tmp_path.iterdir()) == []


def test_what_is_left_of_a_title_that_was_never_finished_can_be_pruned(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("transcode.files.publish._announce", _refuse)
    where = tmp_path / "store"
    with pytest.raises(StoreError):
        publish(package(tmp_path / "film"), DirectoryObjects(where, create=True))
    (left,) = published_versions(DirectoryObjects(where))
    assert main(["store", "prune", str(where), "film", "--keep", "0"]) == 0
    assert left.version in capsys.readouterr().out
    assert main(["store", "prune", str(where), "film"]) == 1
    assert "no title 'film'" in capsys.readouterr().err


def _refuse(*_args: object) -> None:
    raise StoreError("the disk has gone")


def test_links_out_of_a_folder_are_not_followed(tmp_path: Path) -> None:
    (tmp_path / "outside").write_bytes(b"private")
    store = DirectoryObjects(tmp_path / "store", create=True)
    (tmp_path / "store" / "link").symlink_to(tmp_path / "outside")
    with pytest.raises((NoObjectError, StoreError)):
        store.get("link")
    assert list(store.list()) == []
    with pytest.raises(MissingFileError, match="no such folder"):
        DirectoryObjects(tmp_path / "none")


async def test_origins_serve_what_is_published_and_sessions_keep_their_version(
    store: ObjectStore, tmp_path: Path
) -> None:
    folder = package(tmp_path / "1" / "film", 1)
    old = publish(folder, store)
    titles = PublishedStore(store)
    app = make_app(titles, MemoryKeys("film"), OriginConfig())
    async with listening(app, host="127.0.0.1", port=0) as at, aiohttp.ClientSession() as client:
        entry = app[ORIGIN].playback("film", base=at.url)["url"]
        base = entry.removesuffix(MULTIVARIANT)

        async def get(path: str, status: int = 200) -> bytes:
            async with client.get(base + path) as answer:
                assert answer.status == status, path
                return await answer.read()

        text = (await get(MULTIVARIANT)).decode()
        listed = [line for line in text.splitlines() if line and line[0] != "#"]
        assert sorted(listed) == [f"{old.version}/v{rung}/playlist.m3u8" for rung in (0, 1)]
        segment = f"{old.version}/v1/00002.m4s"
        assert await get(segment) == (folder / "v1/00002.m4s").read_bytes()
        async with client.get(base + segment, headers={"Range": "bytes=3-9"}) as answer:
            assert answer.status == 206
            assert await answer.read() == (folder / "v1/00002.m4s").read_bytes()[3:10]
        for path in ("v1/00002.m4s", f"{old.version}/none.m4s", "r0000000000000000/v0/init.mp4"):
            await get(path, 404)
        new = publish(package(tmp_path / "2" / "film", 2), store)
        titles._current.clear()  # as after LOOK_S
        assert new.version in (await get(MULTIVARIANT)).decode()
        assert await get(segment) == (folder / "v1/00002.m4s").read_bytes()


def test_an_origin_opens_packages_folders_of_packages_and_stores(tmp_path: Path) -> None:
    folder = package(tmp_path / "packages" / "film")
    publish(folder, DirectoryObjects(tmp_path / "store", create=True))
    for where in (folder, tmp_path / "packages", tmp_path / "store"):
        titles = open_titles(where)
        assert titles.titles() == ("film",)
        index = titles.index("film")
        assert index is not None
        assert len(index.video) == 2
    (tmp_path / "none").mkdir()
    with pytest.raises(PackageError, match="no published title"):
        PublishedStore(DirectoryObjects(tmp_path / "none"))


def test_the_commands_publish_list_and_prune(tmp_path: Path) -> None:
    def abr(*args: object) -> str:
        command = [sys.executable, "-m", "abr", "store", *map(str, args)]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout

    store = tmp_path / "store"
    for seed in (1, 2):
        folder = package(tmp_path / str(seed) / "film", seed)
        assert json.loads(abr("publish", folder, store, "--json"))["title"] == "film"
    listed = json.loads(abr("list", store, "--json"))
    assert [each["is_current"] for each in listed] == [True, False]
    assert "current" in abr("list", store)
    assert abr("prune", store, "film", "--keep", 0) == f"film: removed {listed[1]['version']}\n"


def test_what_is_transcoded_can_be_published_in_one_go(tmp_path: Path, server: S3Server) -> None:
    def transcode(*args: object, settings: dict[str, str]) -> subprocess.CompletedProcess[str]:
        command = [
            sys.executable, "-m", "abr", "transcode", "--demo", "--demo-s", "2",
            "--demo-size", "64x36",
            "--preset", "ultrafast", "--no-cache", "--json", *map(str, args),
        ]  # fmt: skip
        return subprocess.run(
            command, capture_output=True, text=True, check=False, env=os.environ | settings
        )

    where = f"s3://{BUCKET}/made"
    wrong = {**server.settings, "AWS_SECRET_ACCESS_KEY": "wrong"}
    refused = transcode(tmp_path / "film", "--publish", where, settings=wrong)
    assert refused.returncode == 1
    assert "secret key is wrong" in refused.stderr
    assert not (tmp_path / "film").exists()
    done = transcode(tmp_path / "film", "--publish", where, settings=server.settings)
    assert done.returncode == 0, done.stderr
    version = json.loads(done.stdout)["published"]["version"]
    assert current_version(S3Objects(where, server.settings), "film") == version
