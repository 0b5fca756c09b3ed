"""Run by the environment beside this file: JSON in, miss ratios by request and byte out."""

from __future__ import annotations

import json
import sys
import time
from typing import Any


def main() -> None:
    import libcachesim  # type: ignore[import-not-found]  # only in the environment beside this file

    asked: dict[str, Any] = json.load(sys.stdin)
    found = []
    for policy, size_bytes in asked["caches"]:
        reader = libcachesim.TraceReader(
            trace=asked["trace"], trace_type=libcachesim.TraceType.ORACLE_GENERAL_TRACE
        )
        cache = getattr(libcachesim, policy)(cache_size=size_bytes)
        started_s = time.process_time()
        by_request, by_byte = cache.process_trace(reader)
        found.append([by_request, by_byte, time.process_time() - started_s])
    print("\n" + json.dumps(found))


if __name__ == "__main__":
    main()
