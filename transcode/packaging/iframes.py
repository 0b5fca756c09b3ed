"""Key frames that can be fetched alone: where they are in a segment.

A segment holds each key frame in a fragment of its own (``fragments.VideoCutter``), so the
bytes of that fragment, after the initialisation section, are a whole movie of one frame. A
range that stops inside a longer fragment, as other packagers write, is read with complaints
about a partial file by ffmpeg. In a transport stream it is a packet of pictures.

Source: RFC 8216bis, 4.4.3.6 (EXT-X-I-FRAMES-ONLY); Apple's HLS authoring specification,
items 6.1, 6.8 and 6.10.
"""

from __future__ import annotations

import struct

from transcode.media.boxes import Box, boxes, find
from transcode.media.fragments import read_fragment
from transcode.media.packets import CLOCK_HZ, read_spans
from transcode.media.transport import MEDIA_PID
from transcode.packaging.index import KeyFrame

_NO_DEFAULTS = (0, 0, 0)  # our fragments state size, duration and flags of every sample


def key_frames_of(segment: bytes, timescale: int) -> tuple[KeyFrame, ...]:
    """The key frames of one of our segments, in order.

    Args:
        segment: As served, with encrypted samples if they are; not encrypted as a whole.
        timescale: Units per second of the track.

    Returns:
        Each with the bytes of its fragment, and the seconds to the next key frame or to the end
        of the segment. Empty where key frames have no fragments of their own.

    Raises:
        MediaError: not a media segment.
    """
    places: list[tuple[int, int]] = []
    durations: list[int] = []
    moof: Box | None = None
    for each in boxes(segment):
        if each.kind == b"moof":
            moof = each
        elif each.kind == b"mdat" and moof is not None:
            fragment = segment[moof.start : moof.end], segment[each.start : each.end]
            samples = read_fragment(*fragment, _NO_DEFAULTS)
            if samples and samples[0].sync:
                if len(samples) > 1:
                    return ()
                places.append((moof.start, each.end - moof.start))
                durations.append(0)
            if durations:
                durations[-1] += sum(sample.duration for sample in samples)
            moof = None
        elif each.kind == b"free" and places and each.start == sum(places[-1]):
            # What evens the variants of a segment belongs to the fragment before it.
            places[-1] = places[-1][0], each.end - places[-1][0]
    return tuple(
        KeyFrame(*place, duration / timescale)
        for place, duration in zip(places, durations, strict=True)
    )


def key_frames_in_packets(segment: bytes, duration_s: float) -> tuple[KeyFrame, ...]:
    """The key frames of one of our segments of a transport stream, in order.

    Each is a PES packet, whose packets a player decodes after the programme tables, which it finds
    at the head of the segment (RFC 8216bis, 4.4.3.6: they are not in the range).

    Args:
        segment: Not encrypted.
        duration_s: Of the segment.

    Raises:
        MediaError: no transport stream.
    """
    keys = [each for each in read_spans(segment, MEDIA_PID) if each.is_random]
    if not keys:
        return ()
    # Segments begin with a key frame, which is shown first.
    starts_s = [((each.shown - keys[0].shown) % (1 << 33)) / CLOCK_HZ for each in keys]
    return tuple(
        KeyFrame(each.offset_bytes, each.size_bytes, round(end_s - start_s, 6))
        for each, start_s, end_s in zip(keys, starts_s, [*starts_s[1:], duration_s], strict=True)
    )


def moved_to(fragment: bytes, decode_time: int) -> bytes:
    """One of our fragments at another decoding time.

    Raises:
        MediaError: it has no decoding time.
    """
    tfdt = find(fragment, b"moof", b"traf", b"tfdt")
    patched = bytearray(fragment)
    # ISO/IEC 14496-12, 8.8.12.1: version 1 has a time of 64 bits.
    struct.pack_into(
        ">Q" if fragment[tfdt.body] == 1 else ">I", patched, tfdt.body + 4, decode_time
    )
    return bytes(patched)
