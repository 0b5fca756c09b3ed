"""What a run over shaped links prints."""

from abr.trace import Trace
from player.shaping.ledger import Ledger, ShaperReport
from player.shaping.report import as_dict, as_text, kernel_text


def report(delivered_bytes: int, intervals: int = 2) -> ShaperReport:
    """Half a second wanted at 8 Mbit/s, then nothing."""
    ledger = Ledger(Trace.constant(8e6))
    ledger.advance(0.5, backlogged=True)
    ledger.add_delivered(delivered_bytes, 0.4)
    ledger.advance(intervals * 0.5, backlogged=False)
    return ledger.report()


def test_columns_of_clients_are_added_interval_by_interval() -> None:
    both = as_dict(["a:1", "a:2"], [report(500_000), report(490_000, intervals=3)])
    assert both["delivered_bytes"] == [990_000, 0, 0]
    assert both["wanted_bytes"] == [1_000_000, 0, 0]
    assert [client["listen"] for client in both["clients"]] == ["a:1", "a:2"]
    assert not both["is_overloaded"]


def test_a_run_on_a_busy_machine_is_marked() -> None:
    busy = [report(500_000), report(400_000)]
    assert as_dict(["a:1", "a:2"], busy)["is_overloaded"]
    assert "OVERLOADED" in as_text(busy)
    assert "OVERLOADED" not in as_text([report(500_000)])


def test_long_runs_print_their_last_rows() -> None:
    lines = as_text([report(500_000, intervals=100)], most_rows=5).splitlines()
    assert "95 rows" in lines[2]
    assert len(lines) == 2 + 1 + 5 + 1


def test_the_kernel_says_which_part_is_whose() -> None:
    text = kernel_text(
        {
            "interval_s": 0.5,
            "offered_bytes": [125_000],
            "delivered_bytes": [124_000],
            "backlog_bytes": [3000],
            "in_kernel": "tbf",
            "in_user_space": "delay",
            "missing": ["netem"],
            "drops": 0,
            "late_p95_s": 0.001,
            "late_max_s": 0.03,
            "is_overloaded": False,
        }
    )
    assert "kernel: tbf" in text
    assert "user space: delay" in text
    assert "lacks: netem" in text
    assert "2.000      1.984       3000" in text
