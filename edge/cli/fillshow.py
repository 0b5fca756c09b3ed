"""What ``abr fill`` prints: plans, and what became of them."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import click

from abr.shell import note
from edge.simulation.amounts import show_bytes
from edge.tiers.fillplan import Wanted
from edge.tiers.shadows import Rehearsal

if TYPE_CHECKING:
    from edge.server.ahead import FillReport

_SHOWN = 20
"""Objects of a plan that are printed for each edge."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EdgePlan:
    """The plan for one edge."""

    name: str
    room_bytes: int
    rates: Mapping[str, float]
    """Expected requests a day."""
    plan: tuple[Wanted, ...]

    @property
    def fetched(self) -> list[Wanted]:
        """What is not held yet."""
        return [each for each in self.plan if each.start_s is not None]


def print_plans(rehearsal: Rehearsal, plans: Sequence[EdgePlan], *, as_json: bool) -> None:
    """What would be done."""
    if as_json:
        rows = [
            {
                "name": each.name,
                "room_bytes": each.room_bytes,
                "objects": [
                    {
                        "key": one.key,
                        "size_bytes": one.size_bytes,
                        "requests_a_day": each.rates[one.key],
                        "start_s": one.start_s,
                    }
                    for one in each.plan
                ],
            }
            for each in plans
        ]
        click.echo(json.dumps(_about(rehearsal) | {"edges": rows}))
        return
    for each in plans:
        fetched_bytes = sum(one.size_bytes for one in each.fetched)
        click.echo(
            f"{each.name}: room {show_bytes(each.room_bytes)}; {len(each.plan)} objects to hold, "
            f"{len(each.fetched)} to fetch, {show_bytes(fetched_bytes)}"
        )
        for one in each.plan[:_SHOWN]:
            when = "held" if one.start_s is None else clock(one.start_s)
            rate = f"{each.rates[one.key]:.1f} a day"
            click.echo(f"{when:>22}{show_bytes(one.size_bytes):>12}{rate:>16}  {one.key}")
        if len(each.plan) > _SHOWN:
            click.echo(f"  and {len(each.plan) - _SHOWN} more; --json prints all")


def print_reports(rehearsal: Rehearsal, reports: Sequence[FillReport], *, as_json: bool) -> None:
    """What was done, and on stderr why something was not."""
    if as_json:
        rows = [asdict(each) for each in reports]
        click.echo(json.dumps(_about(rehearsal) | {"edges": rows}))
    for each in reports:
        for reason in each.reasons:
            note(f"{each.name}: {reason}")
        if each.trouble:
            note(f"{each.name}: {each.trouble}")
        if not as_json:
            click.echo(
                f"{each.name}: {each.filled} filled ({show_bytes(each.filled_bytes)}), "
                f"{each.held} held already, {each.gone} gone, {each.failed} failed, "
                f"{each.not_stored} not stored, "
                f"{each.left} left for lack of time; {each.pinned} pinned"
            )


def _about(rehearsal: Rehearsal) -> dict[str, Any]:
    return {
        "days": rehearsal.days,
        "nights": rehearsal.nights,
        "earned_share": rehearsal.share,
    }


def clock(t_s: float) -> str:
    """A time as people read it."""
    return f"{datetime.fromtimestamp(t_s, UTC):%Y-%m-%d %H:%M:%S} UTC"
