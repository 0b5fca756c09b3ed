"""Settings that the player, emulated links and planning algorithms share by default.

They stand here because algorithms, which know no player, plan with them too.
"""

from __future__ import annotations

MAX_BUFFER_S = 30.0
"""Media that the player keeps ahead of the playhead at most."""

RTT_S = 0.04
"""Round-trip time of a link whose trace gives none."""

RESPONSE_OVERHEAD_BYTES = 700
"""Bytes of response head per request; our edges send about this."""

SERVER_S = 0.004
"""Time per request that software takes beside the network: measured over loopback with our
edges, the shaping proxy and the live driver on an idle machine."""
