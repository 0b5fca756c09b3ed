"""What a reload of the settings means."""

from __future__ import annotations

import re
from dataclasses import fields
from pathlib import Path

from edge.config import EdgeConfig
from edge.operations.reloading import FIXED, plan_reload


def test_what_can_change_is_taken_and_what_cannot_is_named() -> None:
    held = EdgeConfig(port=1, send_limit_s=5.0)
    plan = plan_reload(held, EdgeConfig(port=2, send_limit_s=6.0, stale_if_error_s=1.0))
    assert plan.config == EdgeConfig(port=1, send_limit_s=6.0, stale_if_error_s=1.0)
    assert (plan.changed, plan.waiting) == (("send_limit_s", "stale_if_error_s"), ("port",))
    assert plan.describe() == (
        "settings reloaded: changed send_limit_s, stale_if_error_s; needs a restart: port"
    )


def test_equal_settings_change_nothing() -> None:
    plan = plan_reload(EdgeConfig(), EdgeConfig())
    assert plan.config == EdgeConfig()
    assert plan.describe() == "settings reloaded: nothing changed"


def test_every_fixed_setting_is_a_setting() -> None:
    assert {field.name for field in fields(EdgeConfig)} >= FIXED


def test_the_page_lists_every_setting_where_it_belongs() -> None:
    page = (Path(__file__).parents[4] / "docs/operations.md").read_text(encoding="utf-8")
    live, _, rest = page.partition("| needs a restart |")
    fixed = rest.partition("\n## ")[0]
    rows = re.compile(r"^\| (`[^|]+) \|", re.MULTILINE)

    def named(text: str) -> set[str]:
        return set(re.findall(r"`(\w+)`", " ".join(rows.findall(text))))

    assert named(fixed) == FIXED
    assert named(live) == {field.name for field in fields(EdgeConfig)} - FIXED
