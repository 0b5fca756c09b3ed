"""Play random live streams, and see that every playback ends, adds up and replays.

    .venv/bin/python -m tests.perf.live_scripts                        # 1,000 of them
    .venv/bin/python -m tests.perf.live_scripts --first 4711 --count 1  # one

Exit code 1 when something does not hold, with the number of the stream and what was found.
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from collections.abc import Sequence

from abr.qoe import summary
from tests.fakes.randomlive import problems, random_live


def main(arguments: Sequence[str] | None = None) -> int:
    """Play as many as asked for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--count", type=int, default=1000)
    given = parser.parse_args(arguments)
    ended: Counter[str] = Counter()
    wrong = 0
    for number in range(given.first, given.first + given.count):
        script = random_live(number)
        log = script.play()
        ended[summary(log).ended[:60]] += 1
        for problem in problems(script, log):
            wrong += 1
            print(f"{number}: {problem}", flush=True)
    for why, count in ended.most_common():
        print(f"{count:6} {why}")
    print(f"{given.count} live streams, {wrong} problems")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
