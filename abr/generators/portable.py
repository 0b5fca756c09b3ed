"""Elementary functions and random numbers that are bit-identical on every machine.

The ``exp`` of the C library and the vectorised one of numpy differ in the last place
between machines, but generated traces must not. The functions here use only IEEE 754
addition, subtraction, multiplication, division and square root, one operation at a time,
and exact scaling by powers of two. Random numbers are the raw output of PCG64, whose
stream numpy guarantees; the streams of ``Generator`` methods may change between releases.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from abr.media import FloatArray

_LOG2E = 1.4426950408889634
# Cody and Waite's split of ln 2: the high part times an integer exponent is exact.
_LN2_HIGH, _LN2_LOW = 0.693145751953125, 1.4286068203094172e-06
_EXP_TERMS = 14
_LOG_TERMS = 12
_SQRT_HALF = 0.7071067811865476
_LARGEST = 700.0

# P. J. Acklam's rational approximation of the normal quantile, relative error 1.2e-9.
_CENTRE = (
    (
        -39.69683028665376,
        220.9460984245205,
        -275.9285104469687,
        138.3577518672690,
        -30.66479806614716,
        2.506628277459239,
    ),
    (
        -54.47609879822406,
        161.5858368580409,
        -155.6989798598866,
        66.80131188771972,
        -13.28068155288572,
        1.0,
    ),
)
_TAIL = (
    (
        -0.007784894002430293,
        -0.3223964580411365,
        -2.400758277161838,
        -2.549732539343734,
        4.374664141464968,
        2.938163982698783,
    ),
    (0.007784695709041462, 0.3224671290700398, 2.445134137142996, 3.754408661907416, 1.0),
)
_TAIL_BELOW = 0.02425

# J. F. Hart's algorithm 5666 for the normal distribution, as given by G. West.
_HART = (
    (
        0.0352624965998911,
        0.700383064443688,
        6.37396220353165,
        33.912866078383,
        112.079291497871,
        221.213596169931,
        220.206867912376,
    ),
    (
        0.0883883476483184,
        1.75566716318264,
        16.064177579207,
        86.7807322029461,
        296.564248779674,
        637.333633378831,
        793.826512519948,
        440.413735824752,
    ),
)
_HART_UP_TO = 7.0


def uniforms(seed: int, attempt: int, count: int) -> FloatArray:
    """Draw ``count`` numbers strictly between 0 and 1, with 52 random bits each.

    For the same seed and attempt, fewer numbers are a prefix of more.
    """
    found: FloatArray = uniforms_of([seed], attempt, count)[0]
    return found


def uniforms_of(seeds: Sequence[int], attempt: int, count: int) -> FloatArray:
    """``uniforms`` for each of ``seeds``, a row each."""
    raw = np.empty((len(seeds), count), dtype=np.uint64)
    for row, seed in zip(raw, seeds, strict=True):
        row[:] = np.random.PCG64(np.random.SeedSequence([seed, attempt])).random_raw(count)
    raw >>= np.uint64(12)
    found: FloatArray = raw.astype(np.float64)
    found += 0.5
    found *= 2.0**-52
    return found


def exp(x: FloatArray) -> FloatArray:
    """e to the power ``x``, within 2 units in the last place; ``x`` is clipped to ±700."""
    x = np.clip(x, -_LARGEST, _LARGEST)
    power = np.rint(x * _LOG2E)
    rest = (x - power * _LN2_HIGH) - power * _LN2_LOW
    total = np.ones_like(rest)
    for n in range(_EXP_TERMS, 0, -1):
        total *= rest  # in place, here and below: large arrays cost more to make than to fill
        total /= n
        total += 1.0
    scaled: FloatArray = np.ldexp(total, power.astype(np.int32))
    return scaled


def log(x: FloatArray) -> FloatArray:
    """Natural logarithm of positive ``x``, within a few units in the last place."""
    mantissa, power = np.frexp(x)
    low = mantissa < _SQRT_HALF
    mantissa = np.where(low, mantissa * 2, mantissa)
    exponent = np.where(low, power - 1, power).astype(np.float64)
    s: FloatArray = (mantissa - 1) / (mantissa + 1)
    square = s * s
    total = np.zeros_like(s)
    for n in range(_LOG_TERMS, -1, -1):
        total *= square
        total += 1.0 / (2 * n + 1)
    found: FloatArray = exponent * _LN2_HIGH + (exponent * _LN2_LOW + 2 * s * total)
    return found


def normal_quantile(u: FloatArray) -> FloatArray:
    """Quantile of the standard normal distribution at ``u``, strictly between 0 and 1."""
    centred = u - 0.5
    found = _ratio(_CENTRE, centred * centred)
    found *= centred
    near = np.minimum(u, 1 - u)
    is_tail = near < _TAIL_BELOW
    tail = _ratio(_TAIL, np.sqrt(-2 * log(near[is_tail])))
    found[is_tail] = np.where(centred[is_tail] < 0, tail, -tail)
    return found


def normal_share(z: FloatArray) -> FloatArray:
    """Standard normal distribution function at ``z``, absolute error below 2e-12."""
    size = np.minimum(np.abs(z), _HART_UP_TO)
    above = exp(-size * size / 2) * _ratio(_HART, size)
    found: FloatArray = np.where(z > 0, 1 - above, above)
    return found


def _ratio(parts: tuple[tuple[float, ...], tuple[float, ...]], x: FloatArray) -> FloatArray:
    above = _polynomial(parts[0], x)
    above /= _polynomial(parts[1], x)
    return above


def _polynomial(coefficients: tuple[float, ...], x: FloatArray) -> FloatArray:
    total = np.full_like(x, coefficients[0])
    for coefficient in coefficients[1:]:
        total *= x
        total += coefficient
    return total
