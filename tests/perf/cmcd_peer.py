"""What the player says (CMCD) before another reader: the SVTA's library, from npm.

    npm install --prefix NODE @svta/cml-cmcd@2.7.0
    .venv/bin/python -m tests.perf.cmcd_peer --node NODE

Plays titles on a virtual clock, over a calm link and over one with an outage, and has the library
check every request as a server would get it: syntax, keys of the version, types, rounding, words,
lengths, and which keys belong to which object. Prints a line per case; exits 1 when it objects.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, get_args

from abr.trace import Trace
from edge.operations.cmcd import print_headers, print_query
from player.playback.cmcd import Carriage, CmcdConfig, with_argument
from tests.fakes.titles import FakeTitle
from tests.unit.player.test_cmcd import CALM, OUTAGE, OneFile, listen

LIMIT_S = 60.0
CHECK = """
import {validateCmcdRequest} from '@svta/cml-cmcd';
import {readFileSync} from 'node:fs';
const found = JSON.parse(readFileSync(0, 'utf8')).map(request => {
  const {issues, data} = validateCmcdRequest(request);
  return {issues, keys: Object.keys(data).length};
});
console.log(JSON.stringify(found));
"""


def requests_of(config: CmcdConfig, title: FakeTitle, trace: Trace) -> list[dict[str, Any]]:
    """Every request of one playback as it goes out."""
    rung = 0 if isinstance(title, OneFile) else 2
    said, _ = listen(config, trace, title, rung)
    found: list[dict[str, Any]] = []
    for want, cmcd in said:
        if config.carriage == "headers":
            found.append({"url": want.url, "headers": dict(print_headers(cmcd))})
        else:
            found.append({"url": with_argument(want.url, print_query(cmcd))})
        found[-1]["said"] = len(cmcd.values)
    return found


TITLES: dict[str, Callable[[], FakeTitle]] = {
    "picture and sound apart": lambda: FakeTitle(segments=6, is_encrypted=True),
    "pictures alone": lambda: FakeTitle(segments=6, has_audio=False),
    "parts of one file": OneFile,
}


def cases() -> Iterator[tuple[str, list[dict[str, Any]]]]:
    """Names, and what goes out."""
    for version in (1, 2):
        for carriage in get_args(Carriage):
            config = CmcdConfig(carriage=carriage, version=version, content_id='film "7", a\\b')
            for name, make in TITLES.items():
                for link, trace in (("calm", CALM), ("outage", OUTAGE)):
                    what = f"version {version}, {carriage}, {name}, {link}"
                    yield what, requests_of(config, make(), trace)


def check(node: Path, requests: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """What the library finds, by request."""
    command = ["node", "--input-type=module", "-e", CHECK]
    done = subprocess.run(
        command,
        input=json.dumps(requests).encode(),
        cwd=node,
        capture_output=True,
        timeout=LIMIT_S,
        check=False,
    )
    if done.returncode:
        raise SystemExit(f"node: {done.stderr.decode()[-800:]}")
    return list(json.loads(done.stdout))


def main() -> int:
    """Print what the library says; 1 when it objects to anything, or reads fewer keys."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--node", type=Path, required=True, help="Folder with node_modules.")
    node = parser.parse_args().node
    objections = 0
    for name, requests in cases():
        found = check(node, requests)
        issues = [issue for each in found for issue in each["issues"]]
        # The library adds v=1 where version 1 leaves it out.
        lost = sum(
            each["keys"] < request["said"] for each, request in zip(found, requests, strict=True)
        )
        objections += len(issues) + lost
        print(f"{name:52} {len(requests):3} requests  {len(issues)} objections  {lost} lost keys")
        for issue in issues[:3]:
            print(f"    {issue}")
    return min(objections, 1)


if __name__ == "__main__":
    sys.exit(main())
