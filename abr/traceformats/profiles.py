"""Named network profiles of browsers and test tools: a constant capacity and round-trip time.

The originals describe both directions; a trace is the downlink, so uplink rates are
dropped. Lighthouse has two forms of each profile: the intended network, and ``-applied``,
the settings for Chrome DevTools that approximate it: 0.9 of the rate, and a delay of 3.75
round trips per request, because DevTools delays requests. The players here charge one
round trip for each request and one for connecting, so the first form is the comparable one.

Sources: Lighthouse, core/config/constants.js (as in chrome-devtools-frontend, Constants.ts);
@sitespeed.io/throttle, README.
"""

from __future__ import annotations

import difflib

import numpy as np

from abr.errors import TraceFormatError
from abr.trace import Trace

_LIGHTHOUSE = {"slow-4g": (1.6 * 1024, 150.0), "regular-3g": (700.0, 300.0)}
_SITESPEED = {
    "2g": (280.0, 400.0),
    "3g": (1600.0, 150.0),
    "3gfast": (1600.0, 75.0),
    "3gslow": (400.0, 200.0),
    "4g": (9000.0, 85.0),
    "cable": (5000.0, 14.0),
    "dial": (49.0, 60.0),
    "dsl": (1500.0, 25.0),
    "edge": (240.0, 420.0),
    "fois": (20000.0, 2.0),
    "lte": (12000.0, 35.0),
}
_PROFILES = {
    **{f"lighthouse-{key}": value for key, value in _LIGHTHOUSE.items()},
    **{
        f"lighthouse-{key}-applied": (kbps * 0.9, rtt_ms * 3.75)
        for key, (kbps, rtt_ms) in _LIGHTHOUSE.items()
    },
    **{f"sitespeed-{key}": value for key, value in _SITESPEED.items()},
}


def names() -> tuple[str, ...]:
    """Names of the profiles."""
    return tuple(_PROFILES)


def profile(name: str) -> Trace:
    """The profile ``name`` as a trace that holds its constant values forever.

    Raises:
        TraceFormatError: there is no such profile.
    """
    if name not in _PROFILES:
        near = difflib.get_close_matches(name, names(), n=1)
        hint = f"; did you mean {near[0]!r}?" if near else ""
        raise TraceFormatError(
            f"unknown network profile {name[:40]!r}{hint}; expected one of {', '.join(names())}"
        )
    kbps, rtt_ms = _PROFILES[name]
    return Trace(
        times_s=np.array([0.0, 1.0]),
        capacity_bps=np.array([kbps * 1e3]),
        rtt_s=np.array([rtt_ms / 1e3]),
        end="hold",
        name=name,
    )
