"""Rules applied to a package: findings."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass

from abr.errors import ConfigError
from transcode.inspection.facts import PackageFacts
from transcode.inspection.rules import RULES, Needs, Rule, Severity
from transcode.inspection.rules.rule import DEPTHS

SEVERITIES: tuple[Severity, ...] = ("violation", "warning", "note")


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One place where one rule does not hold."""

    rule: str
    clauses: tuple[str, ...]
    severity: Severity
    file: str
    place: str
    measured: str
    allowed: str
    text: str
    remedy: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """All findings, gravest first, and what was looked at."""

    findings: tuple[Finding, ...]
    checked: tuple[str, ...]
    """Ids of the rules that were applied."""
    unchecked: tuple[str, ...]
    """Ids of the rules that need more than was read."""

    def count(self, severity: Severity) -> int:
        """Findings of a severity."""
        return sum(finding.severity == severity for finding in self.findings)


def chosen(only: Collection[str] = (), ignored: Collection[str] = ()) -> tuple[Rule, ...]:
    """The rules asked for, by id or clause number.

    Raises:
        ConfigError: a name that no rule answers to.
    """
    for name in (*only, *ignored):
        if not any(rule.answers_to(name) for rule in RULES):
            raise ConfigError(
                f"no rule {name!r}; expected an id or a clause such as 1.26; "
                "`abr inspect --rules` lists all"
            )
    return tuple(
        rule
        for rule in RULES
        if (not only or any(rule.answers_to(name) for name in only))
        and not any(rule.answers_to(name) for name in ignored)
    )


def judge(package: PackageFacts, depth: Needs, rules: Iterable[Rule] = RULES) -> Verdict:
    """Apply rules to what was measured.

    Args:
        package: The facts.
        depth: How much was read.
        rules: Those that need more are left out.
    """
    known = DEPTHS[: DEPTHS.index(depth) + 1]
    applied = [rule for rule in rules if rule.needs in known]
    findings = [
        Finding(
            rule=rule.id,
            clauses=rule.clauses,
            severity=rule.severity,
            file=breach.file,
            place=breach.place,
            measured=breach.measured,
            allowed=breach.allowed,
            text=rule.text,
            remedy=rule.remedy,
        )
        for rule in applied
        for breach in rule.check(package)
    ]
    return Verdict(
        findings=tuple(sorted(findings, key=lambda each: SEVERITIES.index(each.severity))),
        checked=tuple(rule.id for rule in applied),
        unchecked=tuple(rule.id for rule in rules if rule.needs not in known),
    )
