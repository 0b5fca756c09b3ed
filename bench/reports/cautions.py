"""What a reader of an experiment's report must know first: what was played, and cautions."""

from __future__ import annotations

from abr.wording import format_count
from bench.analysis.standings import FEW_STALLED, FEW_UNITS, BenchReport
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


def write_family(report: BenchReport) -> str:
    """How many differences marks hold for."""
    chance = f"{100 * (1 - report.level):.3g} %"
    if not report.comparisons:
        return ""
    if report.comparisons == 1:
        return f", which chance does in at most {chance} of reports"
    return (
        f", so that chance marks any of the {report.comparisons} differences in at most {chance} "
        "of reports (Holm)"
    )


def write_cautions(report: BenchReport) -> list[str]:
    """What a reader must know before trusting the figures."""
    found = [*_about_units(report)]
    if any(each.failures.failed for each in report.standings):
        found.append(
            "Some sessions failed. They count in no figure, and a difference is over the sessions "
            "that both algorithms played to their end."
        )
    elif report.left_out:
        found.append(
            f"{format_count(report.left_out, 'session')} missing from some algorithm; a difference "
            "is over the sessions that both have."
        )
    found += [
        f"{each.label}: {each.failures}." for each in report.standings if each.failures.failed
    ]
    found += [
        f"{each.label} is no upper bound here, and there is no regret: {each.no_bound}."
        for each in report.standings
        if each.no_bound
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
    few = [each for each in report.standings if each.played and each.stalled_units < FEW_STALLED]
    if not few:
        return []
    seen = [f"{each.label} in {each.stalled_units or 'none'}" for each in few]
    if len(seen) > NAMED:
        seen = [*seen[: NAMED - 1], f"{len(seen) - NAMED + 1} others in fewer than {FEW_STALLED}"]
    caution = (
        f"Too few stalls to tell how rare they are: of {write_units(report)}, {join_words(seen)} "
        f"stalled. Intervals of time stalled hold where it is {FEW_STALLED} or more."
    )
    return [caution]
