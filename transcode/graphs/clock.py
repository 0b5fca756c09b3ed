"""The film's time in a filter graph: frames get the times that were measured.

The graph never starts again: a change inside the file would otherwise rebuild it, and begin at
0 anew (see ``STEADY``). Times are the file's own (``-copyts``), so what was measured holds.
"""

from __future__ import annotations

from fractions import Fraction
from typing import Any

from transcode.masters.timing import Clock
from transcode.planning.chunks import Chunk

STEADY = {"reinit_filter": 0}
"""Input options for the picture: filters take changes of size, format and colour as they come."""


def place_pictures(stream: Any, clock: Clock, rate: Fraction, chunk: Chunk) -> Any:
    """The pictures of a chunk at a constant ``rate``, holes filled, the last one to its end.

    What is decoded before the chunk begins is dropped, except for the picture that still stands
    there then.
    """
    grid = f"{rate.numerator}/{rate.denominator}"
    begin = f"({chunk.first_frame}*{rate.denominator}/{rate.numerator})"
    time = f"N/({grid})" if clock.is_timeless else _film_time(clock)
    frame = f"({time}-{begin})*({grid})"
    if clock.packs:
        taken = f"round(PREV_OUTPTS*TB*({grid}))"
        # At most one place later: more would move the picture against the sound.
        frame = (
            f"st(1,{frame});if(isnan(PREV_OUTPTS),round(ld(1)),"
            f"min(max(round(ld(1)),{taken}+1),round(ld(1))+1))"
        )
        value = _last_of(frame, f"/({grid})/TB")
    else:
        value = f"({time}-{begin})/TB"
    stream = stream.filter("settb", "AVTB").filter("setpts", value)
    stream = stream.filter("fps", fps=grid, start_time=0)
    if chunk.frames is None:
        return stream
    if chunk.is_last:
        stream = stream.filter("tpad", stop=-1, stop_mode="clone")
    return stream.filter("trim", end_frame=chunk.frames)


def _last_of(steps: str, tail: str) -> str:
    """``steps`` of which the last one's value is used, with ``tail`` applied to it."""
    head, _, last = steps.rpartition(";")
    return f"{head};({last}){tail}"


def sound_times(clock: Clock) -> str:
    """Filters that give sound the film's times; holes are not filled yet."""
    if clock.is_timeless:
        return "asetpts=N/SR/TB"
    return f"asettb=AVTB,asetpts='({_film_time(clock)})/TB'"


def _film_time(clock: Clock) -> str:
    """The time of the film in seconds as an expression of a frame's time in the file.

    Which jumps are past is counted in a variable: after a reset the same times come again.
    """
    base = f"PTS*TB-({clock.start_s!r})"
    if not clock.jumps:
        return base
    terms = "".join(
        f"+gte(ld(0),{number})*({jump.add_s!r})" for number, jump in enumerate(clock.jumps, 1)
    )
    seen = "+".join(
        f"eq(ld(0),{number})*gt((PTS-PREV_INPTS)*TB/({jump.seen_s!r}),0.5)"
        for number, jump in enumerate(clock.jumps)
    )
    return f"(st(0,ld(0)+{seen});{base}{terms})"
