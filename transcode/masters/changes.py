"""Changes inside a master: its pictures get another size, shape or colour on the way.

Key frames tell, for a change cannot come anywhere else.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from abr.errors import MediaError
from transcode.masters.colour import HDR_TRANSFERS, ColourFacts
from transcode.masters.notes import Note, time_code
from transcode.masters.packets import FloatArray

_COLOURS = ("color_range", "color_space", "color_primaries", "color_transfer")
ENTRIES = (
    f"frame=best_effort_timestamp_time,width,height,sample_aspect_ratio,pix_fmt,{','.join(_COLOURS)}"
    ":frame_side_data=rotation"
)
"""What ffprobe is to show of each key frame, with ``-of compact=p=0``."""
_MOST_NOTES = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """What a key frame says of itself."""

    width: int
    height: int
    aspect: str
    pixels: str
    colours: tuple[str, ...]
    rotation: str

    @property
    def shape(self) -> float:
        """Width over height as displayed, not turned."""
        up, _, down = self.aspect.partition(":")
        square = up.isdigit() and down.isdigit() and int(up) > 0 < int(down)
        return self.width / max(1, self.height) * (int(up) / int(down) if square else 1.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """A key frame unlike the one before."""

    key: int
    """Number among key frames."""
    before: Look
    after: Look

    @property
    def is_of_shape(self) -> bool:
        """Whether a picture of the old shape would be stretched by the new one."""
        return abs(self.after.shape / self.before.shape - 1) > 0.01


class ChangeReader:
    """Takes ffprobe's list of key frames, in pieces of any size."""

    def __init__(self) -> None:
        self._rest = b""
        self._last: Look | None = None
        self.changes: list[Change] = []
        """Found so far."""
        self.times_s: list[float] = []
        """Times of key frames in the file; nan for none."""

    def __repr__(self) -> str:
        return f"<ChangeReader {len(self.changes)} changes>"

    def feed(self, data: bytes) -> None:
        """Read the lines that ``data`` completes."""
        *lines, self._rest = (self._rest + data).split(b"\n")
        for line in lines:
            pairs = (each.partition("=") for each in line.decode(errors="replace").split("|"))
            # ffprobe 8 puts the kind of side data in front, as in "side_datum/...:rotation".
            self._take({name.rpartition(":")[2]: value for name, _, value in pairs if value})

    def _take(self, said: Mapping[str, str]) -> None:
        if not said.get("width", "").isdigit() or not said.get("height", "").isdigit():
            return
        look = Look(
            width=int(said["width"]),
            height=int(said["height"]),
            aspect=said.get("sample_aspect_ratio", "1:1"),
            pixels=said.get("pix_fmt", ""),
            colours=tuple(said.get(name, "unknown") for name in _COLOURS),
            # Some encoders say it once, at the start.
            rotation=said.get("rotation", self._last.rotation if self._last else ""),
        )
        if self._last is not None and look != self._last:
            self.changes.append(Change(key=len(self.times_s), before=self._last, after=look))
        self._last = look
        self.times_s.append(_number(said.get("best_effort_timestamp_time", "")))


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:  # N/A
        return math.nan


def change_notes(changes: Sequence[Change], times_s: FloatArray) -> Iterator[Note]:
    """What a user should know of them.

    Args:
        changes: In order.
        times_s: Of key frames, in the film's time.
    """
    for each in changes[:_MOST_NOTES]:
        at_s = float(times_s[each.key])
        yield Note(text=_words(each), at_s=None if math.isnan(at_s) else max(0.0, at_s))
    if len(changes) > _MOST_NOTES:
        yield Note(text=f"pictures change {len(changes) - _MOST_NOTES:,} times more")


def _words(change: Change) -> str:
    before, after = change.before, change.after
    said = []
    if (before.width, before.height) != (after.width, after.height):
        said.append(f"size {before.width}x{before.height} to {after.width}x{after.height}")
    if before.aspect != after.aspect:
        said.append(f"shape of a pixel {before.aspect} to {after.aspect}")
    if before.pixels != after.pixels:
        said.append(f"format {before.pixels} to {after.pixels}")
    if before.colours != after.colours:
        said.append(f"colour {'/'.join(before.colours)} to {'/'.join(after.colours)}")
    if before.rotation != after.rotation:
        said.append(f"rotation {before.rotation or 0} to {after.rotation or 0}")
    fits = "; the picture is fitted into the first shape" if change.is_of_shape else ""
    return f"pictures change from {', '.join(said)}{fits}"


def followed(
    colour: ColourFacts, changes: Sequence[Change], times_s: FloatArray, *, where: str
) -> ColourFacts:
    """``colour``, marked where pictures have to be converted one by one as they say themselves.

    Args:
        colour: Of the first pictures, complete.
        changes: In order.
        times_s: Of key frames, in the film's time.
        where: What messages call the master.

    Raises:
        MediaError: no filter can follow a change: of the rotation, between standard and high
            dynamic range, or to pictures that say nothing of colours that others say.
    """
    for each in changes:
        if float(each.before.rotation or 0) % 360 != float(each.after.rotation or 0) % 360:
            raise _not_followed(where, times_s, each, "rotation")
    looks = [each.before for each in changes[:1]] + [each.after for each in changes]
    if len({look.colours for look in looks}) < 2:
        return colour
    known = colour.colour
    assumed = ("", known.matrix, known.primaries, known.transfer)
    forced = set(colour.unstated)
    for at, name in enumerate(("range", "matrix", "primaries", "transfer")):
        said = {look.colours[at] for look in looks}
        if name == "range" or not said & _UNSTATED:
            continue
        if said <= _UNSTATED | {assumed[at]}:
            forced.add(name)
            continue
        change = next(each for each in changes if each.before.colours[at] != each.after.colours[at])
        raise _not_followed(where, times_s, change, "colour, stated in one part only")
    if not known.full_range:
        forced.discard("range")  # which is what filters take it for
    for each in changes:
        one, other = each.before.colours[3], each.after.colours[3]
        if one != other and HDR_TRANSFERS.keys() & {one, other}:
            raise _not_followed(where, times_s, each, "dynamic range")
    differs = len({tuple(_UNSTATED_AS.get(value, value) for value in x.colours) for x in looks}) > 1
    shapes = [each for each in changes if each.is_of_shape]
    if differs and shapes:
        raise _not_followed(where, times_s, shapes[0], "shape where colours change too")
    return replace(
        colour,
        unstated=tuple(name for name in _NAMES if name in forced),
        changes=differs and not colour.is_rgb,
    )


_UNSTATED = frozenset({"unknown", "unspecified", "reserved", "N/A", ""})
_UNSTATED_AS = dict.fromkeys(_UNSTATED, "unknown")
_NAMES = ("matrix", "primaries", "transfer", "range")


def _not_followed(where: str, times_s: FloatArray, change: Change, what: str) -> MediaError:
    at_s = float(times_s[change.key])
    place = "on the way" if math.isnan(at_s) else f"at {time_code(max(0.0, at_s))}"
    return MediaError(
        f"{where}: {_words(change)} {place}; expected one {what} throughout; cut it there "
        "(`ffmpeg -i IN -t SECONDS -c copy A.mkv`, `ffmpeg -ss SECONDS -i IN -c copy B.mkv`), and "
        "transcode or convert the parts"
    )
