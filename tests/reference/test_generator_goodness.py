"""Generated traces come as near to the stated figures as docs/traces.md says."""

from __future__ import annotations

import pytest

from abr.generators import KINDS, Kind
from abr.modelfiles import model, names
from tests.perf.generator_goodness import FALL_SHORT, KS_BAR, LAG_BAR, against_stated


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", names())
def test_the_bars_hold_but_where_said(name: str, kind: Kind) -> None:
    found = against_stated(model(name), kind)
    print(f"{name} {kind}: KS {found.ks:.3f}, lag 1 {found.acf[0]:.3f} / {found.acf_other[0]:.3f}")
    assert found.ks <= KS_BAR
    assert (found.lag_gap <= LAG_BAR) != ((name, kind) in FALL_SHORT)
