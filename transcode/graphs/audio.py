"""The graph of one sound: from decoded streams to what an encoder takes.

In two steps, because ffmpeg makes a graph anew when a stream changes its rate or its
channels, and a new graph begins at time 0 again, with silence up to where the stream is:

1. Each stream becomes samples of one layout and rate, with their times, in a graph that has
   no notion of a beginning.
2. A loopback decoder hands them to a second graph, which thus never changes. There holes
   and a late start are filled with silence, mono streams are joined, and level and length set.

Source: ffmpeg's documentation, "Loopback decoders".
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from transcode.graphs.clock import sound_times
from transcode.masters.sound import AudioFacts
from transcode.masters.timing import Clock
from transcode.planning.mixing import LAYOUTS, SAMPLE_RATE, mix

# Where times and samples differ by more than this, silence is put in or samples are dropped
# at once. ffmpeg's default of 0.1 s lets sound be 60 ms off after a hole of 60 ms (measured).
_MOST_OFF_S = 0.03
_CEILING = 10 ** (-1.0 / 20)
"""Peak of what is added up or made louder: -1 dB below full scale."""


_PLACES = ("FL", "FR", "FC", "LFE", "BL", "BR")
"""Of joined streams, in their order."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SoundGraph:
    """Arguments of ffmpeg for one sound, to stand after its inputs."""

    arguments: tuple[str, ...]
    """Outputs that feed the second graph, and that graph."""
    label: str = "[sound]"
    """What to map."""


def sound_graph(
    sound: AudioFacts,
    *,
    channels: int,
    clocks: Sequence[Clock],
    tail: str,
    gain_db: float = 0.0,
    limits: bool = True,
) -> SoundGraph:
    """The graph of ``sound`` as a rendition of ``channels``.

    Args:
        sound: Which streams.
        channels: Of the rendition: 2 or 6.
        clocks: How the times of each stream become those of the film.
        tail: What comes last, such as padding or a measurement: filters of ffmpeg.
        gain_db: How much louder.
        limits: Whether peaks of what is added up or made louder are held below full scale. A
            measurement needs the sound before that, because the gain comes before it too.

    The caller limits the length of the output: joined streams have no end.
    """
    mixing = mix(sound, channels)
    before: list[str] = []
    parts: list[str] = []
    for number, (index, clock) in enumerate(zip(sound.indices, clocks, strict=True)):
        before += ["-map", f"0:{index}", "-af", mixing.filters]
        # This output is thrown away, but its muxer stops at times that go back; samples are
        # counted there instead. What the second graph gets keeps its times.
        before += ["-c:a", "pcm_f32le", "-bsf:a", "setts=ts=N", "-f", "null", "-"]
        filled = f"aresample=async=1000:min_hard_comp={_MOST_OFF_S}:first_pts=0"
        # Joining ends with the shortest, so each goes on for ever; the output has a length.
        endless = ",apad" if sound.joined else ""
        parts.append(f"[dec:{number}]{sound_times(clock)},{filled}{endless}[in{number}]")
    loops = [word for number in range(len(parts)) for word in ("-dec", f"{number}:0")]
    last = [tail]
    if limits and (mixing.may_clip or gain_db > 0):
        last.insert(0, f"alimiter=limit={_CEILING:.4f}:level=0:latency=1")
    if gain_db:
        last.insert(0, f"volume={gain_db:.2f}dB")
    if sound.joined:
        own = LAYOUTS[sound.channels]
        # Without a map, the first mono stream would become the centre: that is its name.
        places = zip(range(len(parts)), _PLACES, strict=False)
        mapped = "|".join(f"{number}.0-{place}" for number, place in places)
        last.insert(0, f"join=inputs={len(parts)}:channel_layout={own}:map={mapped}")
        last.insert(1, f"aformat=channel_layouts={LAYOUTS[channels]}")
    inputs = "".join(f"[in{number}]" for number in range(len(parts)))
    graph = ";".join([*parts, f"{inputs}{','.join(last)}[sound]"])
    return SoundGraph(arguments=(*before, *loops, "-filter_complex", graph))


def padded(duration_s: float, *, lead_samples: int = 0) -> str:
    """Silence in front, and behind until ``duration_s``: the tail of an encode."""
    lead = f"adelay=delays={lead_samples}S:all=1," if lead_samples else ""
    whole_s = duration_s + lead_samples / SAMPLE_RATE
    return f"{lead}apad=whole_dur={whole_s:.6f}"
