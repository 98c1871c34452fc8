"""Applies every rule to a stack and reports the findings."""

import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from ..rules import RULES
from . import exemptions, unjudged
from .configuration import Configuration, read
from .exemptions import ActiveExemption, Exemptions
from .finding import Finding, flatten
from .precedence import list_preceding
from .rule import Rule
from .stack import Resource, Stack


@dataclass(frozen=True)
class Complaint:
    """One finding of one rule about one resource."""

    policy: str
    enforcement: str
    """`mandatory` or `advisory`."""
    severity: str
    urn: str | None
    """None where the finding is about the stack as a whole."""
    type: str | None
    """The resource's type; None where the finding is about the stack as a whole."""
    finding: str
    """What is wrong."""
    fix: str
    """What to do about it."""

    @property
    def message(self) -> str:
        """The finding and the fix."""
        return f"{self.finding} {self.fix}"


@dataclass(frozen=True)
class Report:
    """The result of an evaluation."""

    complaints: tuple[Complaint, ...]
    exemptions: tuple[ActiveExemption, ...]
    resources: int
    """Number of resources, those of other providers included."""
    rules: int
    """Number of rules that were applied."""
    seconds: float
    notes: tuple[str, ...] = field(default=())
    """Limits of the input, such as resources that a preview leaves out."""
    failure: str | None = None
    """Why the stack could not be read completely, or at all; a report without complaints is then no pass."""
    unjudged: Mapping[str, int] = field(default_factory=dict)
    """Number of resources per provider for which there are no rules."""

    @property
    def mandatory(self) -> tuple[Complaint, ...]:
        """The mandatory complaints."""
        return tuple(complaint for complaint in self.complaints if complaint.enforcement == "mandatory")


def failed_report(failure: str) -> Report:
    """The report on an input that could not be read."""
    return Report((), (), resources=0, rules=0, seconds=0, failure=failure)


def check(
    resources: Iterable[Resource],
    config: Mapping[str, Any] | None = None,
    *,
    whole: bool = True,
    day: date | None = None,
) -> Report:
    """Apply the rules to these resources, with a configuration in CrossGuard's format.

    `whole` is false where some resources of the stack are missing: rules that need all of them are then skipped.
    Raises InvalidConfiguration.
    """
    started = time.perf_counter()
    configuration = read({} if config is None else config, RULES)
    evaluation = Evaluation(Stack(resources), configuration, day)
    applied = [
        rule
        for rule in RULES.values()
        if (whole or not rule.needs_stack or rule is unjudged.RULE) and configuration.level(rule) != "disabled"
    ]
    complaints = [
        Complaint(
            policy=rule.name,
            enforcement=effective_level(configuration.level(rule), finding),
            severity=rule.severity,
            urn=resource.urn if resource else None,
            type=resource.type if resource else None,
            finding=finding.problem,
            fix=finding.fix,
        )
        for rule in applied
        for resource, finding in evaluation.complaints(rule)
    ]
    return Report(
        complaints=tuple(complaints),
        exemptions=tuple(evaluation.exemptions.list_active()),
        resources=len(evaluation.stack.resources),
        rules=len(applied),
        unjudged=unjudged.count_unjudged(evaluation.stack),
        seconds=time.perf_counter() - started,
    )


Findings = list[tuple[Resource | None, Finding]]
"""Findings, each with its resource; None for the stack as a whole."""


class Evaluation:
    """The rules' findings about one stack under one configuration, each rule evaluated at most once."""

    def __init__(self, stack: Stack, configuration: Configuration, day: date | None = None) -> None:
        self.stack = stack
        entries = configuration.settings(exemptions.RULE)["entries"]
        self.exemptions = Exemptions(stack, entries, RULES, day or exemptions.today())
        self._configuration = configuration
        self._findings: dict[str, Findings] = {}
        self._levels: dict[str, dict[str, set[str]]] = {}

    def complaints(
        self, rule: Rule, settings: Mapping[str, Any] | None = None
    ) -> Iterator[tuple[Resource | None, Finding]]:
        """The findings of one rule, without those that a more specific rule reports too.

        `settings` replace the configured ones.
        """
        is_as_configured = settings is None or settings == self._configuration.settings(rule)
        findings = self._evaluate_once(rule) if is_as_configured else self._evaluate(rule, settings)
        for resource, finding in findings:
            if not finding.about or not self._is_covered(rule, finding):
                yield resource, finding

    def remediate(self, rule: Rule, settings: Mapping[str, Any]) -> Mapping[str, Any]:
        """The inputs to change so that the only resource satisfies a rule; empty where it does, or is exempt."""
        [resource] = self.stack.resources
        if resource.type not in rule.types or self.exemptions.exempt(rule, resource):
            return {}
        return rule.remediate(resource, settings)

    def _is_covered(self, rule: Rule, finding: Finding) -> bool:
        """Whether a more specific rule reports the same. An advisory finding does not replace a mandatory one."""
        level = effective_level(self._configuration.level(rule), finding)
        levels = {
            other_level
            for other in list_preceding(rule, RULES)
            for other_level in self._levels_of(other).get(finding.about, ())
        }
        return "mandatory" in levels or level in levels

    def _levels_of(self, rule: Rule) -> Mapping[str, set[str]]:
        """The levels of a rule's findings, by the statement or input that they are about."""
        if rule.name not in self._levels:
            level = self._configuration.level(rule)
            levels: dict[str, set[str]] = {}
            for _, finding in self._evaluate_once(rule) if level != "disabled" else ():
                levels.setdefault(finding.about, set()).add(effective_level(level, finding))
            self._levels[rule.name] = levels
        return self._levels[rule.name]

    def _evaluate_once(self, rule: Rule) -> Findings:
        if rule.name not in self._findings:
            self._findings[rule.name] = self._evaluate(rule, self._configuration.settings(rule))
        return self._findings[rule.name]

    def _evaluate(self, rule: Rule, settings: Mapping[str, Any]) -> Findings:
        if rule is exemptions.RULE:
            return list(self.exemptions.findings())
        if rule is unjudged.RULE:
            return [(None, finding) for finding in flatten(unjudged.describe(unjudged.count_unjudged(self.stack)))]
        return [
            (resource, finding)
            for resource in self.stack.of_type(*rule.types)
            if not resource.external and not self.exemptions.exempt(rule, resource)
            for finding in rule.findings(resource, self.stack, settings)
        ]


def effective_level(level: str, finding: Finding) -> str:
    """The level of a complaint: its rule's, or advisory where the finding is.

    What remediation leaves is mandatory.
    """
    return "advisory" if finding.is_advisory or level == "advisory" else "mandatory"
