"""``abr gateway`` as a command: what it prints, what it refuses to start with, and its end."""

from __future__ import annotations

import json
import os
import signal
import ssl
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from origin.gateway.accounts import MIN_SECRET_CHARS, hash_text
from tests.fakes.packages import write_package
from tests.fakes.selfsigned import write_certificate


@pytest.fixture
def package(tmp_path: Path) -> Path:
    write_package(tmp_path / "film", segment_sizes=(1000,))
    return tmp_path / "film"


def command(*words: str, home: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "abr", "gateway", *words],
        env={"PATH": os.environ["PATH"], "HOME": str(home)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


@contextmanager
def running(*words: str, home: Path) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """The command, and the URL that it listens on."""
    with command(*words, "--port", "0", "--json", home=home) as process:
        try:
            assert process.stdout is not None
            line = process.stdout.readline()
            assert line, process.stderr and process.stderr.read()
            yield process, json.loads(line)["listeners"][0]["url"]
        finally:
            process.kill()


def play(url: str, *, context: ssl.SSLContext | None = None) -> dict[str, object]:
    request = urllib.request.Request(
        f"{url}/v1/playback", data=b'{"title": "film", "device": "tv"}', method="POST"
    )
    with urllib.request.urlopen(request, timeout=10, context=context) as answer:
        found: dict[str, object] = json.loads(answer.read())
        return found


def refused(*words: str, home: Path) -> str:
    """The one line with which it refuses to start."""
    with command(*words, home=home) as process:
        out, err = process.communicate(timeout=60)
    assert process.returncode == 1
    assert out == ""
    assert len(err.splitlines()) == 1
    return err


def test_it_serves_until_it_is_killed_and_goes_on_with_the_same_state(
    package: Path, tmp_path: Path
) -> None:
    words = (str(package), "--anyone")
    with running(*words, home=tmp_path) as (process, url):
        first = play(url)
        process.send_signal(signal.SIGKILL)
    state = tmp_path / ".local/share/abrkit/state.sqlite"
    assert state.exists()
    with running(*words, home=tmp_path) as (process, url):
        request = urllib.request.Request(
            url + str(first["heartbeat_url"]),
            method="POST",
            headers={"Authorization": f"Bearer {first['token']}"},
        )
        with urllib.request.urlopen(request, timeout=10) as answer:
            assert json.loads(answer.read())["is_noted"] is True
        process.send_signal(signal.SIGTERM)
        assert process.wait(20) == 130


def test_it_serves_https(package: Path, tmp_path: Path) -> None:
    cert, key = tmp_path / "cert.pem", tmp_path / "key.pem"
    write_certificate(cert, key)
    words = (str(package), "--anyone", "--tls-cert", str(cert), "--tls-key", str(key))
    with running(*words, home=tmp_path) as (_process, url):
        assert url.startswith("https://")
        context = ssl.create_default_context(cafile=str(cert))
        context.check_hostname = False
        assert play(url, context=context)["title"] == "film"


def test_what_it_cannot_start_with_is_named_in_one_line(package: Path, tmp_path: Path) -> None:
    film = str(package)
    assert "--accounts" in refused(film, home=tmp_path)
    assert "anyone may play" in refused(film, "--anyone", "--host", "0.0.0.0", home=tmp_path)
    absent = str(tmp_path / "absent.toml")
    assert "absent.toml: No such file" in refused(film, "--accounts", absent, home=tmp_path)
    text = tmp_path / "notes.txt"
    text.write_text("no database " * 200)
    said = refused(film, "--anyone", "--port", "0", "--state", str(text), home=tmp_path)
    assert "notes.txt: file is not a database" in said
    url = "postgresql://someone:secret-word@127.0.0.1:1/abr"
    said = refused(film, "--anyone", "--port", "0", "--state", url, home=tmp_path)
    assert "127.0.0.1:1/abr" in said
    assert "secret-word" not in said


def test_a_secret_is_made_with_its_hash(tmp_path: Path) -> None:
    made = []
    for _ in range(2):
        with command("--make-secret", home=tmp_path) as process:
            out, _ = process.communicate(timeout=60)
        words = dict(line.split() for line in out.splitlines())
        assert hash_text(words["secret"]) == words["hash"]
        assert len(words["secret"]) >= MIN_SECRET_CHARS
        made.append(words["secret"])
    assert made[0] != made[1]


def test_a_key_store_and_a_state_that_were_named_and_not_there_are_told_of(
    package: Path, tmp_path: Path
) -> None:
    """A typing error would otherwise be a service whose tokens no origin takes."""
    keys, state = tmp_path / "kyes", tmp_path / "sate.sqlite"
    words = (str(package), "--anyone", "--keys", str(keys), "--state", str(state))
    for expected in (
        [f"{keys}: no key store was there, so a new one was made; tokens signed with another",
         f"{state}: no state was there, so a new one is made, without sessions and revocations"],
        [],
    ):  # fmt: skip
        with running(*words, home=tmp_path) as (process, _):
            process.send_signal(signal.SIGTERM)
            _, errors = process.communicate(timeout=20)
        told = [line for line in errors.splitlines() if "there, so a new" in line]
        assert [line.removeprefix("abr: note: ")[: len(each)] for line, each in zip(
            told, expected, strict=True)] == expected  # fmt: skip
