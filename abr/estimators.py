"""Estimates of throughput and latency from past downloads.

An estimator is either a named tuple of arrays, created by a ``*_start`` function and
updated in place by ``*_add``, or a function of the finished downloads. All of them are
plain scalar code, so an algorithm that uses them can be compiled.

Unless stated otherwise, throughput is body bits over the time from first to last byte;
the wait for the first byte is latency, estimated separately. Estimates are ``nan`` before
the first download: callers choose their own prior.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from abr.compilable import natural
from abr.decision import Downloads
from abr.media import FloatArray

_LN2 = math.log(2)


class Ewma(NamedTuple):
    """Two exponentially weighted means of throughput and latency, fast and slow.

    Throughput samples are weighted by their transfer time, latency samples by the media
    seconds of their segment; both means are corrected for starting at zero. The
    estimates are the cautious ones of the two: the lower throughput, the higher latency.

    Source: Spiteri, Sitaraman, Sparacio, From Theory to Practice, MMSys 2018, and the
    class ``Ewma`` of Sabre.
    """

    half_lives_s: FloatArray
    """Half-lives, shape (2,)."""
    throughput_bps: FloatArray
    """Uncorrected means, starting at 0, shape (2,)."""
    latency_s: FloatArray
    """Uncorrected means, starting at 0, shape (2,)."""
    unseen: FloatArray
    """Weight of the initial 0 in both throughputs, then in both latencies, shape (4,)."""
    media: FloatArray
    """Media seconds of the newest segment, then the factor by which they decay each mean of
    latency, shape (3,)."""
    estimate: FloatArray
    """Throughput in bits per second and latency in seconds, shape (2,)."""


def ewma_start(fast_s: float, slow_s: float) -> Ewma:
    """Create an estimator without samples."""
    return Ewma(
        np.array([fast_s, slow_s], dtype=np.float64),
        np.zeros(2),
        np.zeros(2),
        np.ones(4),
        np.zeros(3),
        np.full(2, np.nan),
    )


def ewma_add(
    ewma: Ewma, size_bytes: float, transfer_s: float, latency_s: float, media_s: float
) -> None:
    """Add one download; a transfer that took no time is ignored."""
    if not transfer_s > 0:
        return
    sample_bps = 8 * size_bytes / transfer_s
    if media_s != ewma.media[0]:
        ewma.media[0] = media_s
        for i in range(2):
            ewma.media[1 + i] = 0.5 ** (media_s / ewma.half_lives_s[i])
    lowest_bps, highest_s = math.inf, 0.0
    for i in range(2):
        # float(): plain Python computes twice as fast with floats as with numpy scalars.
        kept = math.exp(-_LN2 * transfer_s / float(ewma.half_lives_s[i]))
        mean = kept * float(ewma.throughput_bps[i]) + (1 - kept) * sample_bps
        ewma.throughput_bps[i] = mean
        unseen = kept * float(ewma.unseen[i])
        ewma.unseen[i] = unseen
        # The weight of a very short first transfer is lost in rounding; take the sample itself.
        lowest_bps = min(lowest_bps, mean / (1 - unseen) if unseen < 1 else sample_bps)
        kept = float(ewma.media[1 + i])
        mean = kept * float(ewma.latency_s[i]) + (1 - kept) * latency_s
        ewma.latency_s[i] = mean
        unseen = kept * float(ewma.unseen[2 + i])
        ewma.unseen[2 + i] = unseen
        highest_s = max(highest_s, mean / (1 - unseen) if unseen < 1 else latency_s)
    ewma.estimate[0] = lowest_bps
    ewma.estimate[1] = highest_s


def ewma_throughput_bps(ewma: Ewma) -> float:
    """The lower of the two means of throughput, bits per second; nan without a sample."""
    return float(ewma.estimate[0])


def ewma_latency_s(ewma: Ewma) -> float:
    """The higher of the two means of latency, seconds; nan without a sample."""
    return float(ewma.estimate[1])


def sliding_throughput_bps(downloads: Downloads, last: int) -> float:
    """Arithmetic mean of the last throughputs, bits per second; nan if there are none."""
    total, count = 0.0, 0
    for k in range(max(len(downloads.end_s) - last, 0), len(downloads.end_s)):
        i = natural(k)
        transfer_s = downloads.end_s[i] - downloads.first_byte_s[i]
        if transfer_s > 0:
            total += 8 * downloads.size_bytes[i] / transfer_s
            count += 1
    return float(total / count) if count > 0 else math.nan


def sliding_latency_s(downloads: Downloads, last: int) -> float:
    """Arithmetic mean of the last waits for a first byte, seconds; nan if there are none."""
    total, count = 0.0, 0
    for k in range(max(len(downloads.end_s) - last, 0), len(downloads.end_s)):
        i = natural(k)
        total += downloads.first_byte_s[i] - downloads.start_s[i]
        count += 1
    return float(total / count) if count > 0 else math.nan


def harmonic_throughput_bps(downloads: Downloads, last: int) -> float:
    """Harmonic mean of the last throughputs, first-byte wait *included*, bits per second.

    nan if there are none.

    Source: Yin, Jindal, Sekar, Sinopoli, A Control-Theoretic Approach for Dynamic
    Adaptive Video Streaming over HTTP, SIGCOMM 2015, where it is taken over five downloads.
    """
    inverse, known = 0.0, len(downloads.end_s)
    first = max(known - last, 0)
    for k in range(first, known):
        i = natural(k)
        inverse += (downloads.end_s[i] - downloads.start_s[i]) / (8 * downloads.size_bytes[i])
    return float((known - first) / inverse) if inverse > 0 else math.nan


def mean_throughput_bps(downloads: Downloads, last: int, mean: int) -> float:
    """Mean of the last throughputs, first-byte wait *included*, bits per second.

    nan if there are none.

    Args:
        downloads: The finished downloads, oldest first.
        last: How many of them count.
        mean: 0 the harmonic mean, 1 the arithmetic mean, 2 all bits over all the time.
    """
    if mean == 0:
        return harmonic_throughput_bps(downloads, last)
    rates, bits, total_s, count = 0.0, 0.0, 0.0, 0
    for k in range(max(len(downloads.end_s) - last, 0), len(downloads.end_s)):
        i = natural(k)
        taken_s = downloads.end_s[i] - downloads.start_s[i]
        if taken_s > 0:
            rates += 8 * downloads.size_bytes[i] / taken_s
            bits += 8 * downloads.size_bytes[i]
            total_s += taken_s
            count += 1
    if count == 0:
        return math.nan
    return float(rates / count) if mean == 1 else float(bits / total_s)
