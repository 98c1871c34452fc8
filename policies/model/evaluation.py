"""Holds a stack to every rule, and reports what they say."""

import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from ..rules import RULES
from . import exemptions, unjudged
from .configuration import Configuration, read
from .exemptions import Exemptions, InForce
from .finding import Finding, flatten
from .precedence import list_preceding
from .rule import Rule
from .stack import Resource, Stack


@dataclass(frozen=True)
class Complaint:
    """What one rule finds wrong with one resource."""

    policy: str
    enforcement: str
    """`mandatory` or `advisory`."""
    severity: str
    urn: str | None
    """None where it is about the stack as a whole."""
    type: str | None
    """The resource's type, likewise."""
    finding: str
    """What is wrong."""
    fix: str
    """What to do about it."""

    @property
    def message(self) -> str:
        """Both."""
        return f"{self.finding} {self.fix}"


@dataclass(frozen=True)
class Report:
    """Everything that was found."""

    complaints: tuple[Complaint, ...]
    exemptions: tuple[InForce, ...]
    resources: int
    """How many there were, those of other providers included."""
    rules: int
    """How many were applied."""
    seconds: float
    left_out: frozenset[str] = frozenset()
    """Names of the rules that were not applied."""
    notes: tuple[str, ...] = field(default=())
    """What the reader should know of how it was found."""
    failure: str | None = None
    """Why the stack was not seen whole, or not at all, where that is so: without complaints it is not fine."""
    unjudged: Mapping[str, int] = field(default_factory=dict)
    """How many resources of each provider no rule knows."""

    @property
    def mandatory(self) -> tuple[Complaint, ...]:
        """The complaints that have to be heard."""
        return tuple(one for one in self.complaints if one.enforcement == "mandatory")


def refuse(failure: str) -> Report:
    """The report on what could not be read at all, for this reason."""
    return Report((), (), resources=0, rules=0, seconds=0, left_out=frozenset(RULES), failure=failure)


def check(
    resources: Iterable[Resource],
    config: Mapping[str, Any] | None = None,
    *,
    whole: bool = True,
    day: date | None = None,
) -> Report:
    """Hold these resources to the rules, under a configuration as CrossGuard writes it.

    `whole` is false where some resources of the stack are missing: rules that need them all are then left out.
    Raises InvalidConfiguration.
    """
    started = time.perf_counter()
    configuration = read({} if config is None else config, RULES)
    judgement = Judgement(Stack(resources), configuration, day)
    applied = [
        rule
        for rule in RULES.values()
        if (whole or not rule.of_stack or rule is unjudged.RULE) and configuration.level(rule) != "disabled"
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
        for resource, finding in judgement.complaints(rule)
    ]
    return Report(
        complaints=tuple(complaints),
        exemptions=tuple(judgement.exempted.in_force()),
        resources=len(judgement.stack.resources),
        rules=len(applied),
        left_out=frozenset(RULES) - {rule.name for rule in applied},
        unjudged=unjudged.count_unjudged(judgement.stack),
        seconds=time.perf_counter() - started,
    )


Found = list[tuple[Resource | None, Finding]]
"""Findings, each with its resource; None for the stack as a whole."""


class Judgement:
    """One stack under one configuration, as the rules judge it."""

    def __init__(self, stack: Stack, configuration: Configuration, day: date | None = None) -> None:
        self.stack = stack
        self.exempted = exemptions_of(stack, configuration, day)
        self._configuration = configuration
        self._found: dict[str, Found] = {}
        self._levels: dict[str, dict[str, set[str]]] = {}

    def complaints(
        self, rule: Rule, settings: Mapping[str, Any] | None = None
    ) -> Iterator[tuple[Resource | None, Finding]]:
        """What one rule finds, except for what a more specific one finds as well. Without settings, as configured."""
        is_as_configured = settings is None or settings == self._configuration.settings(rule)
        found = self._findings(rule) if is_as_configured else self._judge(rule, settings)
        for resource, finding in found:
            if not finding.about or not self._is_covered(rule, finding):
                yield resource, finding

    def _is_covered(self, rule: Rule, finding: Finding) -> bool:
        """Whether a more specific rule complains of the same. What is mandatory is not hidden by advice."""
        level = effective_level(self._configuration.level(rule), finding)
        said = {one for other in list_preceding(rule, RULES) for one in self._levels_of(other).get(finding.about, ())}
        return "mandatory" in said or level in said

    def _levels_of(self, rule: Rule) -> Mapping[str, set[str]]:
        """For each statement or input that a rule complains of, the levels at which it does."""
        if rule.name not in self._levels:
            level = self._configuration.level(rule)
            levels: dict[str, set[str]] = {}
            for _, finding in self._findings(rule) if level != "disabled" else ():
                levels.setdefault(finding.about, set()).add(effective_level(level, finding))
            self._levels[rule.name] = levels
        return self._levels[rule.name]

    def _findings(self, rule: Rule) -> Found:
        if rule.name not in self._found:
            self._found[rule.name] = self._judge(rule, self._configuration.settings(rule))
        return self._found[rule.name]

    def _judge(self, rule: Rule, settings: Mapping[str, Any]) -> Found:
        if rule is exemptions.RULE:
            return list(self.exempted.findings())
        if rule is unjudged.RULE:
            return [(None, one) for one in flatten(unjudged.describe(unjudged.count_unjudged(self.stack)))]
        return [
            (resource, finding)
            for resource in self.stack.of_type(*rule.types)
            if not resource.looked_up and not self.exempted.exempt(rule, resource)
            for finding in rule.findings(resource, self.stack, settings)
        ]


def exemptions_of(stack: Stack, configuration: Configuration, day: date | None = None) -> Exemptions:
    """The exemptions that this configuration and the tags of this stack hold."""
    entries = configuration.settings(exemptions.RULE)["entries"]
    return Exemptions(stack, entries, RULES, day or exemptions.today())


def effective_level(level: str, finding: Finding) -> str:
    """The level of a complaint: that of its rule, or advisory where the finding is. What remediation has left is
    mandatory."""
    return "advisory" if finding.is_advisory or level == "advisory" else "mandatory"
