"""``abr origin`` as a user meets it: the ready line, one-line errors, a clean end."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from pathlib import Path

import pytest

from tests.fakes.packages import write_package
from transcode.files.keystore import KeyStore

ABR = [sys.executable, "-m", "abr", "origin"]


@pytest.fixture
def packages(tmp_path: Path) -> Path:
    write_package(tmp_path / "packages" / "film")
    return tmp_path / "packages"


def fails(*args: object) -> str:
    """The one line on stderr of a command that fails."""
    done = subprocess.run(
        [*ABR, *map(str, args)], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 1
    assert done.stdout == ""
    lines = done.stderr.splitlines()
    assert len(lines) == 1
    return lines[0]


def test_the_ready_line_holds_urls_that_play(packages: Path, tmp_path: Path) -> None:
    """One JSON object; ended by SIGTERM it leaves with 130 and says one word."""
    KeyStore.open(tmp_path / "keys")
    command = [*ABR, packages, "--port", "0", "--keys", tmp_path / "keys", "--json"]
    with subprocess.Popen(
        list(map(str, command)), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as running:
        assert running.stdout is not None
        ready = json.loads(running.stdout.readline())
        listener = ready["listeners"][0]
        assert (listener["role"], listener["tier"]) == ("origin", "origin")
        assert ready["playback_urls"]["film"].startswith(listener["url"] + "/t/")
        with urllib.request.urlopen(ready["playback_urls"]["film"], timeout=10) as response:
            assert response.headers["Content-Type"] == "application/vnd.apple.mpegurl"
        with pytest.raises(urllib.error.HTTPError, match="403"):
            urllib.request.urlopen(f"{listener['url']}/film/multivariant.m3u8", timeout=10)
        running.send_signal(signal.SIGTERM)
        rest, errors = running.communicate(timeout=20)
    assert (running.returncode, rest, errors.strip()) == (130, "", "abr: interrupted")


def test_the_audit_log_is_opened_anew_on_sighup(packages: Path, tmp_path: Path) -> None:
    """As rotation by other programs needs it; a request after the signal is in the new file."""
    log = tmp_path / "audit"
    command = [*ABR, packages, "--port", "0", "--keys", tmp_path / "keys", "--json"]
    with subprocess.Popen(
        list(map(str, [*command, "--audit-log", log])), stdout=subprocess.PIPE, text=True
    ) as running:
        assert running.stdout is not None
        ready = json.loads(running.stdout.readline())
        url = ready["playback_urls"]["film"].replace("multivariant.m3u8", f"key/{'0' * 32}")

        def ask() -> None:
            with pytest.raises(urllib.error.HTTPError, match="404"):
                urllib.request.urlopen(url, timeout=10)

        ask()
        log.rename(tmp_path / "audit.1")
        running.send_signal(signal.SIGHUP)
        while not log.exists():
            ask()
        ask()
        running.send_signal(signal.SIGTERM)
        running.communicate(timeout=20)
    assert json.loads((tmp_path / "audit.1").read_text().splitlines()[0])["outcome"] == (
        "unknown-kid"
    )
    assert log.read_text().endswith("}\n")


def test_a_busy_port_is_one_line(packages: Path, tmp_path: Path) -> None:
    """It says what to do, and exits with 1."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        line = fails(packages, "--port", port, "--keys", tmp_path / "keys")
    assert line.startswith(f"abr: error: 127.0.0.1:{port}: the port is taken; choose another")


def test_an_address_others_can_reach_needs_a_secret(packages: Path, tmp_path: Path) -> None:
    """Or --open; the message names all ways out."""
    line = fails(packages, "--host", "0.0.0.0", "--keys", tmp_path / "keys")
    for way_out in ("ABR_ORIGIN_PLAYBACK_SECRET", "127.0.0.1", "--open"):
        assert way_out in line
    assert not (tmp_path / "keys").exists()


@pytest.mark.parametrize("name", ["missing", "file", "empty"])
def test_nothing_to_serve_is_one_line(tmp_path: Path, name: str) -> None:
    """A missing folder, a file, a folder without packages; no key store is made for it."""
    (tmp_path / "file").write_text("x")
    (tmp_path / "empty").mkdir()
    line = fails(tmp_path / name, "--keys", tmp_path / "keys")
    assert str(tmp_path / name) in line
    assert not (tmp_path / "keys").exists()


def test_a_state_that_is_not_there_is_told_of(packages: Path, tmp_path: Path) -> None:
    """A typing error would otherwise be a state in which nothing is ever revoked."""
    state = tmp_path / "sate.sqlite"
    command = [*ABR, packages, "--port", "0", "--keys", tmp_path / "keys", "--state", state]
    with subprocess.Popen(
        list(map(str, [*command, "--json"])),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as running:
        assert running.stdout is not None
        running.stdout.readline()
        running.send_signal(signal.SIGTERM)
        _, errors = running.communicate(timeout=20)
    assert f"{state}: not there yet, so nothing is revoked" in errors
    assert f"{tmp_path / 'keys'}: no key store was there, so a new one was made; tokens" in errors
