"""Encrypted samples of shaka-packager, another implementation, made clear by ours."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.reference.test_sample_encryption_peer import ENCODERS, packager
from transcode.packaging.sampledecryption import (
    clear_init,
    clear_segment,
    kids_in,
    read_protection,
)

pytestmark = [
    pytest.mark.skipif(packager() is None, reason="shaka-packager was not found"),
    pytest.mark.skipif(not ENCODERS, reason="no ffmpeg was found"),
]
TRACKS = ("video", "audio")
KEYS = {
    "00112233445566778899aabbccddeeff": "000102030405060708090a0b0c0d0e0f",
    "ffeeddccbbaa99887766554433221100": "0f0e0d0c0b0a09080706050403020100",
}
LABELS = ",".join(
    f"label={track}:key_id={kid}:key={key}"
    for track, (kid, key) in zip(TRACKS, KEYS.items(), strict=True)
)
WAYS = {
    "clear-lead": "--clear_lead 2",
    "rotation": "--clear_lead 0 --crypto_period_duration 1",
    "counter-wraps": "--clear_lead 0 --iv fffffffffffffffffffffffffffffff0",
    "pattern": "--clear_lead 0 --crypt_byte_block 5 --skip_byte_block 5",
}


def rotated() -> Mapping[str, bytes]:
    """The keys, and those that the packager makes of them: id and key turned by a byte a period."""
    return {
        kid[2 * turn :] + kid[: 2 * turn]: bytes.fromhex(key[2 * turn :] + key[: 2 * turn])
        for kid, key in KEYS.items()
        for turn in range(4)
    }


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three seconds of picture and sound."""
    path = tmp_path_factory.mktemp("source") / "source.mp4"
    picture = "testsrc2=s=192x108:r=12:d=3,noise=alls=20:allf=t"
    command = [
        *(ENCODERS[0].path, "-v", "error", "-f", "lavfi", "-i", picture),
        *("-f", "lavfi", "-i", "sine=d=3", "-c:v", "libx264", "-preset", "fast", "-g", "12"),
        *("-c:a", "aac", str(path)),
    ]
    subprocess.run(command, check=True, timeout=60)
    return path


def pack(source: Path, out: Path, *options: str) -> None:
    """Run the packager."""
    streams = [
        f"in={source},stream={track},init_segment={out}/{track}/init.mp4,"
        f"segment_template={out}/{track}/$Number$.m4s,drm_label={track}"
        for track in TRACKS
    ]
    command = [str(packager()), *streams, "--segment_duration", "1", *options]
    subprocess.run(command, check=True, capture_output=True, timeout=60)


def frames(media: bytes) -> list[str]:
    """A digest of every frame that decodes; none may fail to."""
    done = subprocess.run(
        [ENCODERS[0].path, "-v", "error", "-i", "-", "-f", "framemd5", "-"],
        input=media,
        capture_output=True,
        check=True,
        timeout=60,
    )
    assert done.stderr == b""
    return [line for line in done.stdout.decode().splitlines() if not line.startswith("#")]


def segments(folder: Path) -> list[bytes]:
    """In order."""
    return [path.read_bytes() for path in sorted(folder.glob("*.m4s"))]


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("scheme", ["cenc", "cens", "cbc1", "cbcs"])
def test_what_the_packager_encrypts_decodes_to_the_same_frames(
    tmp_path: Path, source: Path, scheme: str, way: str
) -> None:
    """All four schemes; a clear lead (two descriptions), keys in groups of samples (seig)."""
    pack(source, tmp_path / "clear")
    pack(
        source, tmp_path / "sealed", "--enable_raw_key_encryption", "--keys", LABELS,
        *("--protection_scheme", scheme, *WAYS[way].split()),
    )  # fmt: skip
    for track in TRACKS:
        clear, sealed = tmp_path / "clear" / track, tmp_path / "sealed" / track
        init = (sealed / "init.mp4").read_bytes()
        protection = read_protection(init)
        assert protection is not None
        media = segments(sealed)
        used = [kids_in(each, protection) for each in media]
        changes = way in ("rotation", "clear-lead")
        assert (len(set(used)) > 1) == changes
        ours = [clear_segment(each, protection, rotated()) for each in media]
        theirs = (clear / "init.mp4").read_bytes() + b"".join(segments(clear))
        assert frames(clear_init(init) + b"".join(ours)) == frames(theirs)
