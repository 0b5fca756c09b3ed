"""Players of npm: in a folder that is given, or fetched once by npm in fixed versions.

npm checks each package against the digest that the registry states for it, and no script of a
package is run.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterable, Mapping
from pathlib import Path

from abr.errors import MissingFileError, ResourceError
from abr.userfolders import cache_home

PACKAGES = {"hls.js": ("hls.js", "1.7.4"), "shaka": ("shaka-player", "5.2.12"), "native": None}
"""Players, and the package and version that holds each; none for the browser's own."""
SCRIPTS = {
    "hls.js": ("hls.js", "hls.js/dist/hls.js"),
    "shaka": ("shaka.js", "shaka-player/dist/shaka-player.compiled.js"),
}
"""Name under which the page asks for a player's script, and where npm puts it."""
LIMIT_S = 180.0


def scripts_of(players: Iterable[str], folder: Path | None) -> Mapping[str, Path]:
    """Scripts of ``players`` by the names under which the page asks for them.

    Args:
        players: Names, of ``PACKAGES``.
        folder: Holds packages as ``node_modules`` does, or such a folder; None: npm fetches
            them into the user's cache.

    Raises:
        MissingFileError: the folder lacks one.
        ResourceError: npm is missing or fails.
    """
    wanted = [name for name in players if name in SCRIPTS]
    if not wanted:
        return {}
    modules = _installed(wanted) if folder is None else _modules_in(folder)
    found = {SCRIPTS[name][0]: modules / SCRIPTS[name][1] for name in wanted}
    for path in found.values():
        if not path.is_file():
            raise MissingFileError(
                f"{path}: no such file; expected the folder of `npm install --prefix DIR "
                f"{' '.join(_named(wanted))}`"
            )
    return found


def _modules_in(folder: Path) -> Path:
    inner = folder / "node_modules"
    return inner if inner.is_dir() else folder


def _installed(players: list[str]) -> Path:
    """Folder of packages that npm fetched, now or before."""
    folder = cache_home(os.environ) / "abrkit" / "players" / "+".join(_named(players))
    modules = folder / "node_modules"
    if all((modules / SCRIPTS[name][1]).is_file() for name in players):
        return modules
    npm = shutil.which("npm")
    if npm is None:
        raise ResourceError(
            "no npm to fetch players with; install it, or give `--players DIR` with the folder of "
            f"`npm install --prefix DIR {' '.join(_named(players))}`"
        )
    folder.mkdir(parents=True, exist_ok=True)
    command = [npm, "install", "--prefix", str(folder), "--ignore-scripts", "--no-audit"]
    try:
        done = subprocess.run(
            [*command, "--no-fund", *_named(players)],
            capture_output=True,
            text=True,
            timeout=LIMIT_S,
            check=False,
        )
    except subprocess.TimeoutExpired as exc:
        raise ResourceError(f"npm: no players after {LIMIT_S:g} s; is there a network?") from exc
    if done.returncode:
        said = (done.stderr.strip().splitlines() or ["it says nothing"])[0]
        raise ResourceError(f"npm install {' '.join(_named(players))}: {said}")
    return modules


def _named(players: Iterable[str]) -> list[str]:
    return ["@".join(package) for name in players if (package := PACKAGES[name])]
