"""Record a playback, replay its log, and see where another algorithm would differ.

Run it: python examples/replay_a_session.py
"""

from abr.media import constant_presentation
from abr.trace import Trace
from player import replay, simulate

presentation = constant_presentation([400e3, 1e6, 2.5e6], segments=30, segment_s=4)
train = Trace.from_periods([(30, 3e6), (15, 200e3), (30, 1.5e6)], name="train")

recorded = simulate(presentation, trace=train, algorithm="bba-0")
again = replay(recorded)
print("identical:", again.records == recorded.records)

for old, new in zip(
    recorded.of("decision"), replay(recorded, algorithm="throughput").of("decision"), strict=False
):
    if old["rung"] != new["rung"]:
        print(
            f"first difference: segment {old['segment']} at {old['t']:.2f} s with "
            f"{old['buffer_s']:.1f} s buffered: bba-0 took rung {old['rung']}, "
            "throughput would have taken",
            new["rung"],
        )
        break
