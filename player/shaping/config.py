"""Sizes and limits of the shaping proxy."""

from __future__ import annotations

from dataclasses import dataclass

from player.shaping.pacing import QUANTUM_BYTES


@dataclass(frozen=True, slots=True, kw_only=True)
class ShaperConfig:
    """Sizes and limits of the shaping proxy."""

    quantum_bytes: int = QUANTUM_BYTES
    """Bytes that leave the link at once."""
    gap_s: float = 0.005
    """Longest pause of the senders that does not count as silence, seconds."""
    queue_bytes: int = 16384
    """Bytes held per connection and direction before its sender is paused."""
    queue_s: float = 0.1
    """On a fast link, hold this many seconds of its capacity instead when that is more."""
    read_s: float = 0.01
    """Worth of the trace's highest capacity that one read of the server's leg may bring."""
    socket_buffer_bytes: int = 32768
    """Kernel buffer asked for in each direction of both legs."""
    max_connections: int = 64
    """Open connections of the client; further ones are reset at once."""
    connect_timeout_s: float = 5.0
    """Longest wait for the server to accept a connection, seconds."""
    interval_s: float = 0.5
    """Length of the report's intervals, seconds."""
    tick_s: float = 0.001
    """Shortest time between two departures; what is due meanwhile leaves together, seconds."""
    cross_flows: int = 0
    """Endless downloads of others that share the link."""
    buffer_bytes: int = 0
    """Buffer at the bottleneck that a new transfer may find filled; 0: none is modelled."""
    host: str = "127.0.0.1"
    """Address to listen on."""
    port: int = 0
    """Port to listen on; 0: the system chooses."""
