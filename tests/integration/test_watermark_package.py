"""`--watermark`: two variants of each segment, in one layout, any mix of which plays."""

from __future__ import annotations

import asyncio
import subprocess
from pathlib import Path

import numpy as np
import pytest

from abr.errors import ConfigError
from transcode.config import TranscodeConfig
from transcode.encryption import ContentKey, decrypt, sequence_iv
from transcode.files.keystore import KeyStore
from transcode.files.reader import check_package
from transcode.inspection.judge import judge
from transcode.packaging.index import PresentationIndex, files_of
from transcode.packaging.layout import segment_name, variant_b
from transcode.packaging.sampledecryption import clear_init, clear_segment, read_protection
from transcode.run.ffmpegtools import find
from transcode.run.generate import write_master
from transcode.run.inspecting import load_package
from transcode.run.package import transcode
from transcode.scenes import SceneSpec
from transcode.watermark.marks import mark_of, seed_of
from transcode.watermark.pattern import watermark_secret

WIDTH, HEIGHT = 160, 90
Pictures = np.ndarray[tuple[int, ...], np.dtype[np.float64]]
FRAMES, SEGMENTS = 100, 5
"""Of the generated master: segments of 24 frames, and a last one of 4."""


@pytest.fixture(scope="module")
def master(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("master") / "film.mkv"
    spec = SceneSpec(width=WIDTH, height=HEIGHT, duration_s=4.0)
    return asyncio.run(write_master(path, spec))


def made(master: Path, out: Path, **settings: object) -> PresentationIndex:
    config = TranscodeConfig(
        segment_s=1.0, gop_s=0.5, preset="ultrafast", ladder=f"{HEIGHT}:200", watermark=True,
        keys_dir=str(out.parent / "keys"), **settings,  # type: ignore[arg-type]  # a table
    )  # fmt: skip
    return asyncio.run(transcode(master, out, config))


def decrypted(data: bytes, init: bytes, key: ContentKey) -> bytes:
    protection = read_protection(init)
    assert protection is not None
    return clear_segment(data, protection, {key.kid: key.key})


def luma(data: bytes) -> Pictures:
    """Brightness of the frames of a film in fragments, shape (N, H, W)."""
    command = [find("ffmpeg").path, "-v", "error", "-xerror", "-i", "pipe:0"]
    command += ["-fps_mode", "passthrough", "-pix_fmt", "gray", "-f", "rawvideo", "-"]
    done = subprocess.run(command, input=data, capture_output=True, check=True, timeout=60)
    assert done.stderr == b""
    return np.frombuffer(done.stdout, np.uint8).reshape(-1, HEIGHT, WIDTH).astype(float)


def film(folder: Path, pattern: str, keys: KeyStore | None = None) -> bytes:
    """The film of one rung, in the variants of ``pattern``, in the clear."""
    init = (folder / "v0" / "init.mp4").read_bytes()
    pieces = []
    kid = check_package(folder).encryption
    key = ContentKey(kid.kids[0], keys.key(folder.name, kid.kids[0])) if keys and kid else None
    for number, letter in enumerate(pattern):
        name = segment_name(number)
        path = folder / "v0" / (variant_b(name) if letter == "b" else name)
        data = path.read_bytes()
        if key and kid and kid.is_whole:
            data = decrypt(data, key.key, sequence_iv(number))
        elif key:
            data = decrypted(data, init, key)
        pieces.append(data)
    return (clear_init(init) if key and kid and not kid.is_whole else init) + b"".join(pieces)


def test_variants_are_listed_even_in_size_and_differ_by_their_marks(
    master: Path, tmp_path: Path
) -> None:
    index = made(master, tmp_path / "film")
    assert index.watermarked
    assert check_package(tmp_path / "film") == index
    names = [f"v0/{variant_b(segment_name(n))}" for n in range(SEGMENTS)]
    assert [files_of(index)[name] for name in names] == [
        segment.size_bytes for segment in index.video[0].segments
    ]
    one, other = luma(film(tmp_path / "film", "aaaaa")), luma(film(tmp_path / "film", "bbbbb"))
    assert len(one) == len(other) == FRAMES
    seed = seed_of(watermark_secret(KeyStore.open(tmp_path / "keys")), "film")
    own, others = [], []
    for number in range(4):
        part = slice(number * 24, (number + 1) * 24)
        difference = (one[part] - other[part]).mean(axis=0)
        own.append(likeness(difference, mark_of(seed, number)))
        others.append(likeness(difference, mark_of(seed, number + 9)))
        assert abs(difference.mean()) < 1  # as bright as before
        assert difference.std() < 8.0  # two levels apart, and what a fast encoder makes of it
    assert sum(own) / 4 > 0.2
    assert sum(own) > 3 * abs(sum(others))


def likeness(difference: Pictures, mark: np.ndarray[tuple[int, ...], np.dtype[np.int8]]) -> float:
    drawn = np.kron(mark, np.ones((HEIGHT // 10, WIDTH // 16)))
    return float(np.corrcoef(difference.ravel(), drawn.ravel())[0, 1])


def test_any_mix_of_variants_decodes_to_the_frames_of_its_parts(
    master: Path, tmp_path: Path
) -> None:
    made(master, tmp_path / "film")
    parts = {letter: luma(film(tmp_path / "film", letter * SEGMENTS)) for letter in "ab"}
    mixed = luma(film(tmp_path / "film", "abbab"))
    assert len(mixed) == FRAMES
    for number, letter in enumerate("abbab"):
        part = slice(number * 24, (number + 1) * 24)
        assert (mixed[part] == parts[letter][part]).all()


@pytest.mark.parametrize("encrypt", ["aes-128", "cbcs", "cenc"])
def test_both_variants_are_encrypted_and_key_frames_lie_at_the_same_bytes(
    master: Path, tmp_path: Path, encrypt: str
) -> None:
    index = made(master, tmp_path / "film", encrypt=encrypt)
    keys = KeyStore.open(tmp_path / "keys")
    clear = luma(film(tmp_path / "film", "ababb", keys))
    made(master, tmp_path / "clear" / "film")
    other_keys = luma(film(tmp_path / "clear" / "film", "ababb"))
    assert clear.shape == other_keys.shape
    sizes = [
        (tmp_path / "film" / path).stat().st_size
        for path in sorted(files_of(index))
        if ".b." in path
    ]
    assert sizes == [segment.size_bytes for segment in index.video[0].segments]
    if encrypt != "aes-128":
        init = (tmp_path / "film/v0/init.mp4").read_bytes()
        for number, segment in enumerate(index.video[0].segments):
            assert len(segment.key_frames) == (2 if number < 4 else 1)
            for name in (segment_name(number), variant_b(segment_name(number))):
                data = (tmp_path / "film/v0" / name).read_bytes()
                kid = index.encryption.kids[0] if index.encryption else ""
                for frame in segment.key_frames:
                    part = data[frame.offset_bytes : frame.offset_bytes + frame.size_bytes]
                    plain = decrypted(part, init, ContentKey(kid, keys.key("film", kid)))
                    assert len(luma(clear_init(init) + plain)) == 1


def test_the_inspector_finds_no_fault_with_either_variant(master: Path, tmp_path: Path) -> None:
    made(master, tmp_path / "film")
    for number in range(SEGMENTS):  # all B, as whoever has such a pattern gets it
        name = tmp_path / "film/v0" / segment_name(number)
        name.unlink()
        (tmp_path / "film/v0" / variant_b(name.name)).rename(name)
    facts = asyncio.run(load_package(str(tmp_path / "film")))
    assert [f for f in judge(facts, "media").findings if f.severity == "violation"] == []


def test_transport_streams_and_keys_without_secrets_are_refused(
    master: Path, tmp_path: Path
) -> None:
    with pytest.raises(ConfigError, match="ts with watermark"):
        made(master, tmp_path / "film", container="ts")

    class Keys:
        def key_for(self, title: str, period: int, group: str = "all") -> ContentKey:
            raise AssertionError

    with pytest.raises(ConfigError, match="expected a key store"):
        asyncio.run(transcode(master, tmp_path / "x", TranscodeConfig(watermark=True), keys=Keys()))
