"""Holds a stack to every rule, and reports what they say."""

import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from . import exemptions, unjudged
from .configuration import Configuration, read
from .exemptions import Exemptions, InForce
from .rule import Rule
from .rules import RULES
from .stack import Resource, Stack


@dataclass(frozen=True)
class Complaint:
    """What one rule says about one resource."""

    policy: str
    enforcement: str
    """`mandatory` or `advisory`."""
    severity: str
    urn: str | None
    """None where it is about the stack as a whole."""
    message: str


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
    stack = Stack(resources)
    exempted = exemptions_of(stack, configuration, day)
    applied = [
        rule
        for rule in RULES.values()
        if (whole or not rule.of_stack or rule is unjudged.RULE) and configuration.level(rule) != "disabled"
    ]
    found = [
        Complaint(rule.name, effective(configuration.level(rule)), rule.severity, urn, message)
        for rule in applied
        for urn, message in judged(rule, stack, configuration.settings(rule), exempted)
    ]
    return Report(
        complaints=tuple(found),
        exemptions=tuple(exempted.in_force()),
        resources=len(stack.resources),
        rules=len(applied),
        left_out=frozenset(RULES) - {rule.name for rule in applied},
        unjudged=unjudged.count_unjudged(stack),
        seconds=time.perf_counter() - started,
    )


def exemptions_of(stack: Stack, configuration: Configuration, day: date | None = None) -> Exemptions:
    """The exemptions that this configuration and the tags of this stack hold."""
    entries = configuration.settings(exemptions.RULE)["entries"]
    return Exemptions(stack, entries, RULES, day or exemptions.today())


def judged(
    rule: Rule, stack: Stack, settings: Mapping[str, Any], exempted: Exemptions
) -> Iterator[tuple[str | None, str]]:
    """What one rule has to say about a stack: the URN, and the complaint."""
    if rule is exemptions.RULE:
        yield from exempted.complaints()
        return
    if rule is unjudged.RULE:
        if sentence := unjudged.describe(unjudged.count_unjudged(stack)):
            yield None, sentence
        return
    for resource in stack.of_type(*rule.types):
        if not resource.looked_up and not exempted.exempt(rule, resource):
            for message in rule.complaints(resource, stack, settings):
                yield resource.urn, message


def effective(level: str) -> str:
    """A level as a complaint has it: what should have been put right, and was not, is mandatory."""
    return "mandatory" if level == "remediate" else level
