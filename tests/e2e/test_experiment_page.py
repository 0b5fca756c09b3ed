"""The page of an experiment in a real browser: nothing is cut, tables sort, names are found."""

from __future__ import annotations

import itertools
from collections.abc import AsyncIterator
from pathlib import Path

import numpy as np
import pytest
import pytest_asyncio

from bench.analysis.standings import bench_report
from bench.reports.experiment_page import render_page
from tests.fakes.browser import chromium, obstacle
from tests.fakes.results import results, row

pytest.importorskip("playwright.async_api")
from playwright.async_api import Browser

pytestmark = [
    pytest.mark.skipif(bool(obstacle()), reason=obstacle()),
    pytest.mark.asyncio(loop_scope="module"),
]

CUT = "[...document.querySelectorAll('SELECTED')].filter(e => e.scrollWidth > e.clientWidth).length"
OVERLAPS = """
() => {
  const shown = [...document.querySelectorAll("svg .named")].filter(e => e.getClientRects().length);
  const boxes = shown.map(e => e.getBoundingClientRect());
  let both = 0;
  boxes.forEach((a, k) => boxes.slice(k + 1).forEach(b => {
    both += a.left < b.right - 1 && b.left < a.right - 1
      && a.top < b.bottom - 3 && b.top < a.bottom - 3;
  }));
  return [shown.length, both];
}
"""


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def browser() -> AsyncIterator[Browser]:
    async with chromium() as running:
        yield running


def write_pages(folder: Path) -> dict[int, str]:
    """Pages with 5 and 25 algorithms; where each begins."""
    rng = np.random.default_rng(3)
    pages = {}
    for count in (5, 25):
        rows = [
            row(
                f"algorithm-{'abcdefghij'[: k % 10]}{k}",
                trace,
                mean_bitrate_bps=2e6 + 3e4 * k + 5e5 * rng.standard_normal(),
                stall_s=float(rng.exponential(0.4 + 0.02 * k)),
                stall_events=1,
                qoe_lin=float(rng.standard_normal()),
            )
            for k, trace in itertools.product(range(count), range(12))
        ]
        report = bench_report(results(rows), rng=rng, seed=3, resamples=200)
        (folder / f"{count}.html").write_text(render_page(report))
        pages[count] = (folder / f"{count}.html").as_uri()
    return pages


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_nothing_is_cut_and_no_names_overlap(
    browser: Browser, tmp_path: Path, scheme: str
) -> None:
    for (count, address), width in itertools.product(write_pages(tmp_path).items(), (1280, 390)):
        page = await browser.new_page(
            viewport={"width": width, "height": 844},
            color_scheme="dark" if scheme == "dark" else "light",
        )
        faults: list[str] = []
        page.on("console", lambda message: faults.append(message.text))  # noqa: B023
        page.on("pageerror", lambda error: faults.append(str(error)))  # noqa: B023
        await page.goto(address)
        assert await page.evaluate(CUT.replace("SELECTED", "html")) == 0
        if width == 1280:
            assert await page.evaluate(CUT.replace("SELECTED", ".scroll")) == 0
        assert (await page.locator(".lead").inner_text()).count("12 ") >= 1
        (box, *_) = [await each.bounding_box() for each in await page.locator(".caution").all()]
        assert box is not None
        assert box["y"] + box["height"] < 844
        named, overlapping = await page.evaluate(OVERLAPS)
        assert named >= 0.9 * count
        assert overlapping == 0
        assert not faults
        await page.close()


async def test_tables_sort_by_each_column_and_rows_are_found_by_name(
    browser: Browser, tmp_path: Path
) -> None:
    page = await browser.new_page()
    await page.goto(write_pages(tmp_path)[25])
    table = page.locator("table").first
    shown = "e => [...e.tBodies[0].rows].map(r => Number(r.cells[1].dataset.v))"
    planned = await table.evaluate(shown)
    head = table.locator("thead th").nth(1)
    await head.locator("button").click()
    assert await table.evaluate(shown) == sorted(planned) != planned
    assert await head.get_attribute("aria-sort") == "ascending"
    await head.locator("button").click()
    assert await table.evaluate(shown) == sorted(planned, reverse=True)
    await head.locator("button").click()
    assert await table.evaluate(shown) == planned
    await page.locator("input[type=search]").fill("abcd4 abcdefgh8")
    rows = table.locator("tbody tr:visible")
    assert await rows.locator(".name").all_inner_texts() == [
        "algorithm-abcd4",
        "algorithm-abcdefgh8",
    ]
    await page.close()
