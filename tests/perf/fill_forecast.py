"""What filling ahead of demand brings, with good forecasts and with wrong ones.

    .venv/bin/python -m tests.perf.fill_forecast [--seed 1] [--edges 20] [--requests 1000]

A region of edges with a catalogue (Zipf 0.9) of which each edge has a taste of its own, premieres
every day that fade, and most requests in the evening. Each night a plan is made from what was
asked for until then and carried out between 2 and 6 o'clock. Compared with S3-FIFO alone, on
the same requests: hits by request and byte, bytes from the parent in the evening, and bytes
copied at night. Days of warm-up are left out.
"""

from __future__ import annotations

import argparse
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from edge.simulation.viewing import zipf
from edge.tiers.fillplan import SHARES, FillShare, OffPeak
from edge.tiers.popularity import DAY_S, Popularity, Premiere
from edge.tiers.shadows import Shadow

PEAK_S = (18 * 3600.0, 23 * 3600.0)
WARM_UP_DAYS = 5
NIGHTLY_RATIO = 0.1
"""Share of the cache that can be copied in a night: what a wrong plan can spoil at most."""


@dataclass(frozen=True, kw_only=True)
class Region:
    """What is asked for: by day, by edge, in order of time."""

    days: list[list[list[tuple[float, str]]]]
    sizes: dict[str, int]
    premieres: list[Premiere]
    shares: list[list[NDArray[np.float64]]]
    """The truth: by day and edge, in the order of ``keys``."""
    keys: list[str]


def make_region(
    rng: np.random.Generator, *, edges: int, requests: int, days: int, titles: int, daily: int
) -> Region:
    """Requests of all edges on all days."""
    keys = [f"/title/{number}" for number in range(titles + daily * days)]
    sizes = {key: int(size) for key, size in zip(keys, _sizes(rng, len(keys)), strict=True)}
    base = np.zeros(len(keys))
    base[:titles] = zipf(titles, 0.9)
    strength = rng.lognormal(0, 0.6, daily * days) * base[:titles].max() / 4
    tastes = [rng.gamma(20.0, 1 / 20.0, len(keys)) for _ in range(edges)]
    asked, shares, premieres = [], [], []
    for day in range(days):
        weights = base.copy()
        for number in range(daily * (day + 1)):
            weights[titles + number] = strength[number] * 0.5 ** ((day - number // daily) / 3)
        today = [weights * taste / (weights * taste).sum() for taste in tastes]
        for number in range(daily * day, daily * (day + 1)):
            guess = weights[titles + number] / weights.sum() * rng.lognormal(0, 0.5)
            premieres.append(
                Premiere(key=keys[titles + number], at_s=day * DAY_S, expected_share=float(guess))
            )
        asked.append([list(_day(rng, keys, share, requests, day)) for share in today])
        shares.append(today)
    return Region(days=asked, sizes=sizes, premieres=premieres, shares=shares, keys=keys)


def _sizes(rng: np.random.Generator, count: int) -> NDArray[np.float64]:
    return rng.lognormal(0, 0.5, count) * 1e9


def _day(
    rng: np.random.Generator, keys: list[str], share: NDArray[np.float64], count: int, day: int
) -> Iterator[tuple[float, str]]:
    """Half of the requests fall into the evening."""
    evening = rng.random(count) < 0.5
    hours = np.where(evening, rng.uniform(18, 23, count), rng.uniform(0, 24, count))
    numbers = rng.choice(len(keys), count, p=share)
    for at in np.argsort(hours):
        yield day * DAY_S + float(hours[at]) * 3600, keys[numbers[at]]


@dataclass
class Result:
    """Counts after the warm-up."""

    asked: int = 0
    hits: int = 0
    asked_bytes: int = 0
    hit_bytes: int = 0
    peak_bytes: int = 0
    filled_bytes: int = 0
    share: float = 0.0
    worst_edge: float = 0.0
    by_day: dict[int, list[int]] = field(default_factory=dict)


Forecast = Callable[[Region, int, int, Popularity], dict[str, float]]
"""Rates for an edge on a day."""


def run_edge(
    region: Region,
    edge: int,
    room: float,
    forecasts: list[dict[str, float]],
    shares: list[float],
) -> Result:
    """One edge over all days, with a share of the cache pinned on each."""
    capacity = int(sum(region.sizes.values()) * room)
    result, window = Result(), OffPeak()
    window = OffPeak(rate_bps=NIGHTLY_RATIO * capacity * 8 / window.length_s)
    shadow = Shadow(capacity, window=window, policy="s3-fifo")
    for day, days in enumerate(region.days):
        is_filled = day == 0
        counts = result.by_day[day] = [0, 0]
        for t_s, key in days[edge]:
            if not is_filled and t_s % DAY_S >= window.start_s:
                is_filled = True
                filled = shadow.fill(forecasts[day], region.sizes, share=shares[day], now_s=t_s)
                result.filled_bytes += filled if day >= WARM_UP_DAYS else 0
            size = region.sizes[key]
            is_hit = shadow.ask(key, size)
            counts[0] += size * is_hit
            counts[1] += size
            if day < WARM_UP_DAYS:
                continue
            result.asked += 1
            result.hits += is_hit
            if not is_hit and PEAK_S[0] <= t_s % DAY_S < PEAK_S[1]:
                result.peak_bytes += size
    counted = [counts for day, counts in result.by_day.items() if day >= WARM_UP_DAYS]
    result.hit_bytes = sum(counts[0] for counts in counted)
    result.asked_bytes = sum(counts[1] for counts in counted)
    result.share = float(np.mean(shares[WARM_UP_DAYS:]))
    return result


def run_adaptive(
    region: Region, room: float, forecasts: list[list[dict[str, float]]], alone: list[Result]
) -> list[Result]:
    """All edges; the share of each day is what the shadows of the days before advise."""
    count, edges = len(region.days), range(len(alone))
    shadows = {
        share: [run_edge(region, edge, room, forecasts[edge], [share] * count) for edge in edges]
        if share
        else alone
        for share in SHARES
    }
    advice, shares = FillShare(), []
    for day in range(count):
        shares.append(advice.share)
        if day:
            advice.learn({share: _ratio(shadow, day) for share, shadow in shadows.items()})
    return [run_edge(region, edge, room, forecasts[edge], shares) for edge in edges]


def _ratio(edges: list[Result], day: int) -> float:
    hit, asked = (sum(edge.by_day[day][at] for edge in edges) for at in (0, 1))
    return hit / asked


def local(_region: Region, _day: int, edge: int, popularity: Popularity) -> dict[str, float]:
    return dict(popularity.counts(f"{edge}"))


def pooled(_region: Region, _day: int, edge: int, popularity: Popularity) -> dict[str, float]:
    return popularity.rates(f"{edge}")


def with_premieres(region: Region, day: int, edge: int, popularity: Popularity) -> dict[str, float]:
    known = [each for each in region.premieres if each.at_s <= day * DAY_S]
    return popularity.rates(f"{edge}", known)


def oracle(region: Region, day: int, edge: int, _popularity: Popularity) -> dict[str, float]:
    return dict(zip(region.keys, region.shares[day][edge].tolist(), strict=True))


def wrong(region: Region, day: int, edge: int, popularity: Popularity) -> dict[str, float]:
    """The right numbers at the wrong titles."""
    right = with_premieres(region, day, edge, popularity)
    order = np.random.default_rng(day * 1000 + edge).permutation(len(right))
    return dict(zip([list(right)[at] for at in order], right.values(), strict=True))


def opposite(region: Region, day: int, edge: int, popularity: Popularity) -> dict[str, float]:
    """The least asked-for first."""
    right = with_premieres(region, day, edge, popularity)
    return {key: 1 / (rate + 1e-9) for key, rate in right.items()}


def turning(region: Region, day: int, edge: int, popularity: Popularity) -> dict[str, float]:
    """Good until a day in the middle, wrong from then on."""
    turn = (len(region.days) + WARM_UP_DAYS) // 2
    return (wrong if day >= turn else with_premieres)(region, day, edge, popularity)


CASES: dict[str, Forecast] = {
    "own counts": local,
    "pooled counts": pooled,
    "pooled, premieres": with_premieres,
    "the truth": oracle,
    "wrong": wrong,
    "opposite": opposite,
    "good, then wrong": turning,
}


def forecasts_of(region: Region, forecast: Forecast, edges: int) -> list[list[dict[str, float]]]:
    """By edge and day, from what was asked for on the days before."""
    popularity = Popularity(half_life_s=2 * DAY_S)
    found: list[list[dict[str, float]]] = [[] for _ in range(edges)]
    for day, asked in enumerate(region.days):
        for edge in range(edges):
            found[edge].append(forecast(region, day, edge, popularity) if day else {})
        counts = {f"{edge}": Counter(key for _, key in asked[edge]) for edge in range(edges)}
        popularity.add(counts, length_s=DAY_S, now_s=(day + 1) * DAY_S)
    return found


def compare(region: Region, edges: int, room: float) -> dict[str, Result]:
    """All cases over all edges."""
    none = [0.0] * len(region.days)
    nothing: list[dict[str, float]] = [{}] * len(region.days)
    alone = [run_edge(region, edge, room, nothing, none) for edge in range(edges)]
    found = {"S3-FIFO alone": total(alone, alone)}
    for name, forecast in CASES.items():
        forecasts = forecasts_of(region, forecast, edges)
        found[name] = total(run_adaptive(region, room, forecasts, alone), alone)
        if name == "wrong":
            fixed = [SHARES[-1]] * len(region.days)
            found["wrong, fixed share"] = total(
                [run_edge(region, edge, room, forecasts[edge], fixed) for edge in range(edges)],
                alone,
            )
    return found


def total(results: list[Result], alone: list[Result]) -> Result:
    """Sum over edges; the worst edge is the one that lost most against S3-FIFO alone."""
    whole = Result()
    for each in results:
        for name in ("asked", "hits", "asked_bytes", "hit_bytes", "peak_bytes", "filled_bytes"):
            setattr(whole, name, getattr(whole, name) + getattr(each, name))
    whole.share = float(np.mean([each.share for each in results]))
    whole.worst_edge = min(
        each.hit_bytes / each.asked_bytes - other.hit_bytes / other.asked_bytes
        for each, other in zip(results, alone, strict=True)
    )
    return whole


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else None)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--edges", type=int, default=20)
    parser.add_argument("--requests", type=int, default=1000, help="of each edge on each day")
    parser.add_argument("--days", type=int, default=20)
    parser.add_argument("--titles", type=int, default=3000)
    parser.add_argument("--premieres", type=int, default=4, help="on each day")
    parser.add_argument("--room", type=float, default=0.03, help="cache as a share of all titles")
    options = parser.parse_args()
    region = make_region(
        np.random.default_rng(options.seed),
        edges=options.edges,
        requests=options.requests,
        days=options.days,
        titles=options.titles,
        daily=options.premieres,
    )
    heads = (
        "forecast",
        "hits",
        "bytes hit",
        "against",
        "worst edge",
        "peak bytes",
        "filled",
        "share",
    )
    print("".join(f"{head:>19}" if at == 0 else f"{head:>12}" for at, head in enumerate(heads)))
    found = compare(region, options.edges, options.room)
    alone = found["S3-FIFO alone"]
    for name, each in found.items():
        ratio = each.hit_bytes / each.asked_bytes
        cells = (
            f"{each.hits / each.asked:.4f}",
            f"{ratio:.4f}",
            f"{100 * (ratio - alone.hit_bytes / alone.asked_bytes):+.2f} pt",
            f"{100 * each.worst_edge:+.2f} pt",
            f"{each.peak_bytes / alone.peak_bytes - 1:+.1%}",
            f"{each.filled_bytes / each.asked_bytes:.1%}",
            f"{each.share:.3f}",
        )
        print(f"{name:>19}" + "".join(f"{cell:>12}" for cell in cells))


if __name__ == "__main__":
    main()
