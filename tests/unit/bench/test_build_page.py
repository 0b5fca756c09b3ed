"""The build hook that puts hls.js beside the watch page."""

from __future__ import annotations

import base64
import hashlib
import importlib.util
import io
import json
import tarfile
from pathlib import Path
from types import ModuleType

import pytest

SCRIPT = Path(__file__).parents[3] / "scripts/build_page.py"


@pytest.fixture
def hook() -> ModuleType:
    spec = importlib.util.spec_from_file_location("build_page", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def package(files: dict[str, bytes]) -> bytes:
    """A package as npm makes it."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as archive:
        for name, body in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(body)
            archive.addfile(member, io.BytesIO(body))
    return packed.getvalue()


def npm(folder: Path, body: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    """The only program on the path: an npm that has this package."""
    folder.mkdir(exist_ok=True)
    (folder / "body").write_bytes(body)
    (folder / "npm").write_text(f'#!/bin/sh\n/bin/cp "{folder}/body" "${{2%@*}}-${{2#*@}}.tgz"\n')
    (folder / "npm").chmod(0o755)
    monkeypatch.setenv("PATH", str(folder))


def test_the_files_appear_with_their_licence_when_the_digest_is_right(
    hook: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    body = package({name: name.encode() for name in hook.TAKEN})
    digest = base64.b64encode(hashlib.sha512(body).digest()).decode()
    monkeypatch.setattr(hook, "SHA512", digest)
    npm(tmp_path / "bin", body, monkeypatch)
    hook.have_hls_js(tmp_path / "hls")
    names = {path.name for path in (tmp_path / "hls").iterdir()}
    assert names == {"hls.min.mjs", "hls.worker.js", "LICENSE.txt", "version.json"}
    assert (tmp_path / "hls/LICENSE.txt").read_bytes() == b"package/LICENSE"
    monkeypatch.setenv("PATH", "")
    hook.have_hls_js(tmp_path / "hls")  # they are there: nothing is fetched
    (tmp_path / "hls/version.json").write_text(json.dumps({"hls.js": "1.0.0"}))
    with pytest.raises(hook.MissingError, match="npm is not installed"):
        hook.have_hls_js(tmp_path / "hls")
    assert not (tmp_path / "hls").exists()  # an older version is not shipped under this one's name


def test_another_package_is_refused(
    hook: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    npm(tmp_path / "bin", package(dict.fromkeys(hook.TAKEN, b"altered")), monkeypatch)
    with pytest.raises(hook.MissingError, match="SHA-512"):
        hook.have_hls_js(tmp_path / "hls")
    assert not (tmp_path / "hls").exists()


def test_an_npm_that_fails_is_quoted(
    hook: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    npm(tmp_path / "bin", b"", monkeypatch)
    (tmp_path / "bin/npm").write_text("#!/bin/sh\necho no network >&2\nexit 1\n")
    with pytest.raises(hook.MissingError, match="npm pack failed: no network"):
        hook.have_hls_js(tmp_path / "hls")


def test_the_build_goes_on_without_and_says_so(
    hook: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    warnings: list[str] = []

    class App:
        display_warning = staticmethod(warnings.append)

    monkeypatch.setenv("PATH", "")
    made = hook.PageHook(str(tmp_path), {}, None, None, str(tmp_path), "wheel", App())
    data: dict[str, list[str]] = {"artifacts": []}
    made.initialize("standard", data)
    assert data == {"artifacts": ["bench/stack/page/hls/*"]}
    (warning,) = warnings
    assert "without hls.js: npm is not installed; install npm" in warning
