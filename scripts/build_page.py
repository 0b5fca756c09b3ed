"""Build hook: put hls.js beside the watch page, from npm's package of one version.

The package must have the digest below. Without npm, or without a registry that npm can reach,
the build goes on and says so: the page then plays where the browser plays HLS by itself.
An editable install has the files in the source tree, where git does not see them.
"""

from __future__ import annotations

import base64
import hashlib
import json
import shutil
import subprocess
import tarfile
import tempfile
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

VERSION = "1.7.4"
SHA512 = "3GlxGdPvT2YHvQYOt+yOzT/DEior/qJVNIylHA77kgeoBTdQQqi70GwefNEUmHQeNGyjC8U62+bruqW/Tpm+tg=="
"""Of the package; npm's lock files write the same after ``sha512-``."""
TAKEN = {
    "package/dist/hls.min.mjs": "hls.min.mjs",
    "package/dist/hls.worker.js": "hls.worker.js",
    "package/LICENSE": "LICENSE.txt",
}
"""Files of the package, and their names here."""
FOLDER = "bench/stack/page/hls"
LIMIT_S = 120.0
MOST_BYTES = 16 << 20


class PageHook(BuildHookInterface[Any]):
    """Adds hls.js to the wheel."""

    PLUGIN_NAME = "custom"

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Have the files before anything is packed; they are artifacts, for git ignores them."""
        try:
            have_hls_js(Path(self.root) / FOLDER)
        except MissingError as exc:
            self.app.display_warning(
                f"the watch page is built without hls.js: {exc}; install npm, then install again"
            )
        build_data["artifacts"].append(f"{FOLDER}/*")


class MissingError(Exception):
    """hls.js cannot be had; the message says why."""


def have_hls_js(folder: Path) -> None:
    """Fetch hls.js into ``folder``, unless it is there in this version.

    Raises:
        MissingError: it cannot be had, or is not what it should be.
    """
    said = folder / "version.json"
    wanted = json.dumps({"hls.js": VERSION}) + "\n"
    if said.is_file() and said.read_text(encoding="utf-8") == wanted:
        return
    shutil.rmtree(folder, ignore_errors=True)  # a part, or another version
    with tempfile.TemporaryDirectory() as scratch:
        found = unpack(fetch(Path(scratch)))
        folder.mkdir(parents=True)
        for name, body in found.items():
            (folder / name).write_bytes(body)
    said.write_text(wanted, encoding="utf-8")  # the last, so that it vouches for the rest


def fetch(scratch: Path) -> Path:
    """npm's package of hls.js, its digest checked.

    Raises:
        MissingError: there is no npm, or it fails, or the package is another.
    """
    npm = shutil.which("npm")
    if npm is None:
        raise MissingError("npm is not installed")
    command = [npm, "pack", f"hls.js@{VERSION}", "--silent", "--ignore-scripts"]
    command.append("--fetch-retries=1")
    try:
        done = subprocess.run(
            command, cwd=scratch, capture_output=True, text=True, timeout=LIMIT_S, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as exc:
        raise MissingError(f"npm pack: {exc}") from exc
    package = scratch / f"hls.js-{VERSION}.tgz"
    if done.returncode != 0 or not package.is_file():
        said = (done.stderr or done.stdout).strip().splitlines()
        raise MissingError(f"npm pack failed: {said[-1] if said else f'exit {done.returncode}'}")
    digest = base64.b64encode(hashlib.sha512(package.read_bytes()).digest()).decode()
    if digest != SHA512:
        raise MissingError(f"the package has SHA-512 {digest}; expected {SHA512}")
    return package


def unpack(package: Path) -> dict[str, bytes]:
    """The files that are taken from ``package``, by their names here.

    Raises:
        MissingError: it lacks one of them.
    """
    found = {}
    with tarfile.open(package) as archive:
        for inside, name in TAKEN.items():
            try:
                member = archive.extractfile(inside)
            except KeyError:
                member = None
            if member is None:
                raise MissingError(f"the package has no {inside}")
            found[name] = member.read(MOST_BYTES)
    return found
