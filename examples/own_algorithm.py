"""Write an ABR algorithm in ten lines and compare it with three others.

Nothing to install or download beyond abrkit: the presentation and the network are made here.
Run it: python examples/own_algorithm.py
"""

from abr.decision import Observation
from abr.media import constant_presentation
from abr.qoe import summary
from abr.trace import Trace
from player import simulate


class Cautious:
    """The highest rung that three quarters of the slowest of the last three downloads carry."""

    def choose(self, seen: Observation) -> int:
        done = seen.downloads
        if len(done.size_bytes) == 0:
            return 0
        recent_bps = (8 * done.size_bytes / (done.end_s - done.start_s))[-3:]
        return max(0, int((seen.ladder_bps <= 0.75 * recent_bps.min()).sum()) - 1)


presentation = constant_presentation([300e3, 750e3, 1.5e6, 3e6, 6e6], segments=75, segment_s=4)
commute = Trace.from_periods([(20, 8e6), (25, 1.2e6), (4, 0), (30, 3e6)], name="commute")

print(f"{'algorithm':15} startup   stalled   mean bitrate   switches")
for algorithm in (Cautious, "throughput", "bba-0", "bola-sabre"):
    log = simulate(presentation, trace=commute, algorithm=algorithm)
    qoe = summary(log)
    print(
        f"{log.provenance['algorithm']:15} {qoe.startup_s:5.2f} s  {qoe.stall_s:6.2f} s  "
        f"{qoe.mean_bitrate_bps / 1e6:7.2f} Mbit/s  {qoe.switches:8}"
    )
