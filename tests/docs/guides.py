"""Consoles in pages: what is typed, what it prints, and the same typed again.

A ``console`` block holds commands after ``$ ``, each followed by what it prints. All blocks
of a page run in order in one folder, as a reader would type them:

* no output shown: only the exit code counts; a last line ``…``: more came after it
* figures may be others, but those that ``abr bench report`` and ``compare`` work out from results
* an output with ``abr: error:`` must come with an exit code other than 0, all others with 0
* ``COMMAND &`` starts a server, which runs until ``kill %1`` or the end of the page
* ``URL`` stands for the playback URL that the last server printed, ``TOKEN`` for a token
* ports 8080 to 8099 are moved to free ones
* a ``py`` block is Python that needs what the consoles before it have made

``python -m tests.docs.guides`` runs the guides and writes what they print into the pages.
"""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from tests.fakes.ports import free_ports

ROOT = Path(__file__).parents[2]
GUIDES = tuple(
    ROOT / "docs" / name
    for name in (
        "transcoding.md",
        "serving.md",
        "player.md",
        "benchmarks.md",
        "playback-service.md",
    )
)
PACKAGE = "abr transcode --demo packages/demo --demo-s 12"
"""Typed in the first guide, and needed by the others."""
MORE = "…"
LIMIT_S = 100.0
_BLOCK = re.compile(r"^```(console|py)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_PORT = re.compile(r"\b80([89]\d)\b")
_TOKEN = re.compile(r"eyJ[\w.-]+")
_URL = re.compile(r"http://\S+/t/\S+\.m3u8")
_NUMBER = re.compile(r"\d+(?:\.\d+)?")
_WORKED_OUT = ("abr bench report", "abr bench compare")
_TIMED = "decision us"
_PROGRESS = re.compile(r"abr: note: \d+ of \d+ sessions, about .* left")


@dataclass(frozen=True, slots=True)
class Typed:
    """One command of a page, or a block of Python."""

    text: str
    shown: tuple[str, ...]
    """Lines of output that the page shows."""
    is_python: bool = False


@dataclass(frozen=True, slots=True)
class Printed:
    """What came of it."""

    lines: tuple[str, ...]
    code: int


def typed(page: str) -> Iterator[Typed]:
    """Everything that a page types, in order."""
    for language, block in _BLOCK.findall(page):
        if language == "py":
            yield Typed(block, (), is_python=True)
            continue
        for entry in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
            joined = entry.replace("\\\n", "\0")
            command, _, output = joined.partition("\n")
            yield Typed(command.replace("\0", "\\\n"), tuple(output.splitlines()))


def words(lines: tuple[str, ...]) -> list[str]:
    """Lines without what differs from machine to machine: figures, bars, tokens, columns."""
    bare = (_NUMBER.sub("#", _TOKEN.sub("TOKEN", line)).replace("█", "") for line in lines)
    return [" ".join(line.split()) for line in bare if line.strip()]


def figures(lines: tuple[str, ...]) -> list[str]:
    """Lines of a report without the tables of times, which each run measures anew."""
    tables = "\n".join(line.rstrip() for line in lines).split("\n\n")
    return "\n\n".join(each for each in tables if _TIMED not in each).splitlines()


def differences(step: Typed, printed: Printed) -> list[str]:
    """What the page shows and did not come, or the reverse; empty when all is well."""
    fails = any("abr: error:" in line for line in step.shown)
    found = [] if (printed.code != 0) == fails else [f"exit code {printed.code}"]
    if not step.shown:
        return found
    shown, came = step.shown, printed.lines
    if shown[-1] == MORE:
        shown = shown[:-1]
        came = came[: len(shown)]
    expected, found_words = words(shown), words(came)
    if expected != found_words:
        found += ["--- shown", *expected, "--- came", *found_words]
    elif step.text.startswith(_WORKED_OUT) and figures(shown) != figures(came):
        found += ["--- shown", *figures(shown), "--- came", *figures(came)]
    return found


@dataclass
class Console:
    """A shell in one folder, and the servers that it left running."""

    folder: Path
    first_port: int = field(default_factory=lambda: free_ports(20))
    url: str = "no-server-printed-a-url"
    _servers: list[subprocess.Popen[str]] = field(default_factory=list)
    _known: dict[str, Printed] = field(default_factory=dict)

    def run(self, step: Typed) -> Printed:
        """Type it. The package that all guides use is made once."""
        if step.text in self._known:
            return self._known[step.text]
        text = _PORT.sub(lambda found: str(self.first_port + int(found[1]) - 80), step.text)
        text = re.sub(r"(?<= )URL\b", self.url, text)
        if step.text.startswith("kill %"):
            return self._end_server()
        if step.text.endswith(" &"):
            return self._serve(text.removesuffix(" &"))
        command = [sys.executable, "-c", text] if step.is_python else ["sh", "-c", text]
        done = subprocess.run(
            command,
            cwd=self.folder,
            env=self._environment(),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=LIMIT_S,
            check=False,
        )
        printed = Printed(self._as_in_a_page(done.stdout), done.returncode)
        if step.text == PACKAGE:
            self._known[step.text] = printed
        return printed

    def close(self) -> None:
        """End the servers that are left."""
        while self._servers:
            self._end_server()

    def _environment(self) -> dict[str, str]:
        return os.environ | {
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
            "PYTHONPATH": str(ROOT),
            "ABR_KEYS": str(self.folder / ".keys"),
            "XDG_CACHE_HOME": str(self.folder / ".cache"),
            "COLUMNS": "200",
        }

    def _serve(self, command: str) -> Printed:
        output = self.folder / f".server-{len(self._servers)}"
        with output.open("w") as file:
            server = subprocess.Popen(
                ["sh", "-c", f"exec {command}"],
                cwd=self.folder,
                env=self._environment(),
                stdout=file,
                stderr=subprocess.STDOUT,
                text=True,
            )
        self._servers.append(server)
        end_s = time.monotonic() + 30.0
        while time.monotonic() < end_s and server.poll() is None:
            text = output.read_text()
            if "Ctrl-C ends it." in text or text.startswith("{"):
                if found := _URL.findall(text):
                    self.url = found[0]
                return Printed(self._as_in_a_page(text), 0)
            time.sleep(0.05)
        return Printed(self._as_in_a_page(output.read_text()), server.poll() or 1)

    def _end_server(self) -> Printed:
        server = self._servers.pop()
        server.send_signal(signal.SIGTERM)
        try:
            server.wait(timeout=20.0)
        except subprocess.TimeoutExpired:
            server.kill()
            raise
        return Printed((), 0)

    def _as_in_a_page(self, text: str) -> tuple[str, ...]:
        text = _TOKEN.sub("TOKEN", text).replace(f"{self.folder}/", "/videos/")
        for number in range(20):
            text = re.sub(rf"\b{self.first_port + number}\b", str(8080 + number), text)
        lines = (line.rstrip() for line in text.splitlines())
        return tuple(line for line in lines if not _PROGRESS.fullmatch(line))  # if it takes long


def rewritten(page: str, console: Console) -> str:
    """The page with what its commands print now."""
    for step in typed(page):
        printed = console.run(step)
        assert printed.code == 0 or not step.is_python, "\n".join(printed.lines)
        if not step.shown:
            continue
        lines = printed.lines
        if step.shown[-1] == MORE:
            lines = (*lines[: len(step.shown) - 1], MORE)
        old = "\n".join([f"$ {step.text}", *step.shown])
        assert old in page, old
        page = page.replace(old, "\n".join([f"$ {step.text}", *lines]), 1)
    return page


def main() -> None:
    """Write what the guides print into them."""
    with tempfile.TemporaryDirectory() as folder:
        console = Console(Path(folder).resolve())
        for path in GUIDES:
            try:
                text = rewritten(path.read_text(encoding="utf-8"), console)
            finally:
                console.close()
            path.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
