"""Run by the environment beside this file: traces and downloads in, the simulator's steps out."""

from __future__ import annotations

import json
import sys
from typing import Any


def main() -> None:
    """Read a folder of traces as the package does, and play the same downloads over each."""
    from pensieve_ppo.core.trace.loader import (  # type: ignore[import-not-found]  # only there
        load_trace,
    )
    from pensieve_ppo.core.trace.simulator import TraceSimulator  # type: ignore[import-not-found]

    asked: dict[str, Any] = json.load(sys.stdin)
    simulator = TraceSimulator(load_trace(asked["folder"]))
    told = {}
    for name in sorted(asked["sizes_bytes"]):
        assert simulator.get_trace_progress().all_trace_names[simulator.trace_idx] == name
        steps = [simulator.step(n, asked["segment_ms"]) for n in asked["sizes_bytes"][name]]
        told[name] = [[s.delay, s.sleep_time, s.buffer_size / 1000, s.rebuf / 1000] for s in steps]
        simulator.on_video_finished()
    print("\n" + json.dumps(told))


if __name__ == "__main__":
    main()
