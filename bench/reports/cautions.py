"""What a reader of an experiment's report must know first: what was played, and cautions."""

from __future__ import annotations

from collections.abc import Sequence

from abr.wording import format_count
from bench.analysis.plans import planned_otherwise
from bench.analysis.rarity import highest_share_unseen
from bench.analysis.standings import (
    FEW_STALLED,
    FEW_UNITS,
    MOST_IN_ONE,
    BenchReport,
    Standing,
)
from bench.experiments.clusters import name_units
from bench.reports.wording import join_words

NAMED = 5
"""A caution names algorithms one by one up to this many."""


def write_lead(report: BenchReport) -> str:
    """What was played, in a sentence."""
    failed = sum(each.failures.failed for each in report.standings)
    presentations = len(report.header.get("presentations", ()))
    preset = report.header.get("preset", "abrkit")
    return (
        f"{format_count(len(report.standings), 'algorithm')} over "
        f"{format_count(report.networks, 'network')} ({write_units(report)}) and "
        f"{format_count(presentations, 'presentation')}: {report.sessions * len(report.standings)} "
        f"sessions by the rules of {preset}{f', of which {failed} failed' if failed else ''}."
    )


def write_units(report: BenchReport) -> str:
    """What intervals are over: ``21 files``."""
    return name_units(report.units)


def write_family(comparisons: int, *, level: float, of: str = "reports") -> str:
    """How many differences marks hold for; nothing where none can be marked."""
    if not comparisons:
        return ""
    chance = f"{100 * (1 - level):.3g} %"
    if comparisons == 1:
        return f", which chance does in at most {chance} of {of}"
    return (
        f", so that chance marks any of the {comparisons} differences in at most {chance} of {of} "
        "(Holm)"
    )


def write_cautions(report: BenchReport) -> list[str]:
    """What a reader must know before trusting the figures."""
    found, lead = [*_about_units(report)], report.scores[0]
    if any(each.failures.failed for each in report.standings):
        found.append(
            "Some sessions failed. They count in no figure, and a difference is over the sessions "
            f"that both algorithms played to their end{_about_shared(report)}."
        )
    elif report.left_out:
        found.append(
            f"{format_count(report.left_out, 'session')} missing from some algorithm; a difference "
            f"is over the sessions that both have{_about_shared(report)}."
        )
    found += [
        f"{each.label}: {each.failures}." for each in report.standings if each.failures.failed
    ]
    found += [
        f"{each.label} is no upper bound here, and there is no regret: {each.no_bound}."
        for each in report.standings
        if each.no_bound
    ]
    found += [
        f"{join_words(labels)} planned for {weight:g} per second stalled, where {lead.label} "
        f"counts {counted:g}: a fair comparison sets stall_weight in params."
        for (weight, counted), labels in planned_otherwise(report.header, lead).items()
    ]
    beyond = [
        each.label
        for each in report.standings
        if each.regret is not None and each.regret.value < 0 and not each.foresees
    ]
    if beyond:
        found.append(
            f"{report.optimum} is no bound here: {join_words(beyond)} scored more. It counts the "
            "wait for the first picture, which the QoE may not, and is not proved optimal."
        )
    failed = [f"Failed: {e['run']}: {e['error']}." for e in report.header.get("failed", ())]
    doubts = [f"Traces: {each}." for each in report.header.get("doubts", ())]
    left_out = [f"Left out: {each}." for each in report.header.get("left_out", ())]
    return [*found, *_few(failed, "run"), *doubts, *_few(left_out, "file")]


def _few(cautions: list[str], noun: str) -> list[str]:
    """The first of many of a kind, and how many more there are."""
    if len(cautions) <= NAMED:
        return cautions
    kind = cautions[0].split(":")[0]
    more = format_count(len(cautions) - NAMED + 1, noun)
    return [*cautions[: NAMED - 1], f"{kind}: {more} more, which results.jsonl names."]


def _about_shared(report: BenchReport) -> str:
    if report.shared == report.sessions:
        return ""
    of = f"the {report.shared} of {report.sessions} that all played" if report.shared else "none"
    return f"; the frontier is over {of}"


def _about_units(report: BenchReport) -> list[str]:
    units = sum(report.units.values())
    networks = format_count(report.networks, "network")
    of = "" if units == report.networks else f" in {networks}"
    if units < 2:
        caution = f"Only {write_units(report)}{of}: there are no intervals, and nothing can be"
        remedy = (
            ". If parts of it are independent, say so: `cluster` in [[traces]]"
            if report.networks > 1
            else ""
        )
        return [f"{caution} concluded{remedy}."]
    if units < FEW_UNITS:
        return [f"Only {write_units(report)}{of}: intervals are rough.", *_about_stalls(report)]
    return _about_stalls(report)


def _about_stalls(report: BenchReport) -> list[str]:
    """An interval of what is rare holds the truth only where it was seen often enough."""
    played = [each for each in report.standings if each.played]
    few = [each for each in played if each.stalled_units < FEW_STALLED]
    one = [
        each
        for each in played
        if each.stalled_units >= FEW_STALLED and each.stalled_most_share > MOST_IN_ONE
    ]
    return [*_about_few(report, few), *_about_one(one)]


def _about_few(report: BenchReport, few: Sequence[Standing]) -> list[str]:
    if not few:
        return []
    seen = [f"{each.label} in {_seen(each)}" for each in few]
    if len(seen) > NAMED:
        seen = [*seen[: NAMED - 1], f"{len(seen) - NAMED + 1} others in fewer than {FEW_STALLED}"]
    caution = (
        f"Too few stalls to tell how rare they are: of {write_units(report)}, {join_words(seen)} "
        f"stalled. Where it is fewer than {FEW_STALLED}, the upper end of time stalled rests on "
        "how stalls are spread in published recordings."
    )
    if any(not each.stalled_units for each in few):
        unseen = highest_share_unseen(sum(report.units.values()), level=report.level)
        caution += (
            f" A stall that none of {write_units(report)} showed may still be in up to "
            f"{100 * unseen:.2g} % of all ({100 * report.level:g} % sure)."
        )
    return [caution]


def _seen(each: Standing) -> str:
    """``none``, ``1``, ``4``, or ``4 (81 % of it in one)``."""
    if each.stalled_units < 2 or each.stalled_most_share <= MOST_IN_ONE:
        return str(each.stalled_units or "none")
    return f"{each.stalled_units} ({100 * each.stalled_most_share:.0f} % of it in one)"


def _about_one(standings: Sequence[Standing]) -> list[str]:
    """Where one cluster holds most, its network is what is measured."""
    if not standings:
        return []
    held: dict[str, list[str]] = {}
    for each in standings[:NAMED]:
        share = f"{100 * each.stalled_most_share:.0f} % of {each.label}'s"
        held.setdefault(each.stalled_most.replace(":", " ", 1), []).append(share)
    places = [f"{join_words(shares)} in {place}" for place, shares in held.items()]
    if len(standings) > NAMED:
        others = format_count(len(standings) - NAMED, "other")
        places.append(f"more than {100 * MOST_IN_ONE:.0f} % of {others}")
    caution = f"Most of the time stalled is over one network: {join_words(places)}."
    return [f"{caution} Such a figure and its interval tell little of other networks."]
