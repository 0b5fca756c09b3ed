"""Generated traces come as near to the stated figures as docs/traces.md says."""

from __future__ import annotations

from pathlib import Path

import pytest

from abr.files.models import names
from abr.generators import KINDS, Kind
from tests.perf.generator_goodness import FALL_SHORT, KS_BAR, LAG_BAR, stated_row

PAGE = (Path(__file__).parents[2] / "docs/traces.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", names())
def test_the_bars_hold_but_where_said(name: str, kind: Kind) -> None:
    line, found = stated_row(name, kind)
    print(line)
    assert found.ks <= KS_BAR
    assert (found.lag_gap <= LAG_BAR) != ((name, kind) in FALL_SHORT)
    assert line in PAGE.splitlines()
