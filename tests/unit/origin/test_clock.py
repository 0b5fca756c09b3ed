"""A server's clock while the wall clock is set."""

from __future__ import annotations

from origin.server.clock import Clock


def test_a_clock_passes_evenly_while_the_wall_clock_is_set() -> None:
    now = {"wall": 1000.0, "passed": 5.0}
    clock = Clock(lambda: now["wall"], lambda: now["passed"])
    assert clock() == 1000.0
    now |= {"wall": 1000.0 - 7200.0, "passed": 15.0}
    assert clock() == 1010.0
    assert clock.ahead_s == 7210.0
    assert "+7210.000 s of the wall clock" in repr(clock)


def test_a_clock_of_a_server_is_the_machines_at_first() -> None:
    assert abs(Clock().ahead_s) < 1.0
