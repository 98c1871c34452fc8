"""Reads exemptions: which rule does not hold for which resource, on whose word, for which reason, and until when.

There are two places for one: the configuration of the rule below, or tags on the resource. An exemption that is not
in order exempts nothing, and is a complaint of its own.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any

from ..aws.iam.wildcards import matches
from .configuration import nearest
from .finding import Finding
from .rule import Rule, Schema, read_docstring
from .stack import Resource, Stack

TAG_PREFIX = "rotation-guard:exempt-"
TAG_UNTIL = "rotation-guard:exempt-until"
TAG_OWNER = "rotation-guard:owner"
_NOT_POLICIES = frozenset({"until", "reason"})
"""What stands behind the prefix and is no policy; `exempt-reason` is read by the audit of secrets."""
_ANY = (("q0", "z0", "", "x0"), ("j1.k1", "v1_w1", "y:index:Y$", "17,7;+"))
"""Stacks, projects, parents and names that nobody has."""
_DAY = re.compile(r"\d{4}-\d{2}-\d{2}")

NAME = "exemptions-are-in-order"
_FIELDS = ("policy", "resource", "tag", "owner", "reason", "until")
ENTRIES: Schema = {
    "type": "array",
    "description": "Each has policy, resource (pattern of URNs) or tag (key=value), owner, reason and until (a date).",
    "default": [],
    "items": {
        "type": "object",
        "properties": {field: {"type": "string"} for field in _FIELDS},
        "additionalProperties": False,
    },
}


@dataclass(frozen=True)
class Exemption:
    """One, as it was written: in order or not."""

    policy: str
    resource: str
    """Pattern of URNs, in which `*` and `?` are wildcards and everything else is meant literally."""
    tag: str
    """`key=value`."""
    owner: str
    reason: str
    until: str
    urn: str | None = None
    """The resource that carries it as tags; None for one of the configuration."""

    @property
    def where(self) -> str:
        """How a complaint calls it."""
        place = f"resource {self.resource}" if self.resource else f"tag {self.tag}" if self.tag else "nothing"
        return f"The exemption from {self.policy or 'no policy'} for {place}"

    def applies_to(self, resource: Resource) -> bool:
        """Whether it is about this resource."""
        if self.urn is not None:
            return resource.urn == self.urn
        if self.resource and not matches(self.resource, resource.urn):
            return False
        if self.tag:
            key, _, value = self.tag.partition("=")
            return resource.tags.get(key) == value
        return bool(self.resource)


@dataclass(frozen=True)
class ActiveExemption:
    """An exemption that is in order, and a resource it is for."""

    policy: str
    urn: str
    owner: str
    reason: str
    until: str
    days_left: int


def _exemptions_are_in_order(*_: Any, **__: Any) -> None:
    """An exemption names a policy, an owner, a reason and an end within a year, and matches a resource.

    Complete the exemption, renew it, or remove it.
    """


_DESCRIPTION, _FIX = read_docstring(_exemptions_are_in_order)
RULE = Rule(
    name=NAME,
    description=_DESCRIPTION,
    fix=_FIX,
    types=(),
    severity="high",
    enforcement="mandatory",
    link="https://docs.aws.amazon.com/wellarchitected/latest/security-pillar/sec_securely_operate_control_objectives.html",
    function=_exemptions_are_in_order,
    needs_stack=True,
    parameters={"entries": ENTRIES},
    subject="exemptions",
)
"""Judged here and not by its function: it is about the exemptions of a whole stack. Nothing is exempt from it."""


def today() -> date:
    """The day, wherever this runs."""
    return datetime.now(UTC).date()


class Exemptions:
    """All exemptions that a configuration and the tags of a stack hold, on a given day."""

    def __init__(
        self, stack: Stack, entries: Iterable[Mapping[str, Any]], rules: Mapping[str, Rule], day: date
    ) -> None:
        self._stack, self._rules, self._day = stack, rules, day
        in_tags = (exemption for resource in stack.resources for exemption in _in_tags(resource))
        # Said twice, one is still one.
        self._written = [*dict.fromkeys((*map(_entry, entries), *in_tags))]
        self._valid: dict[str, list[Exemption]] = {}
        for exemption in self._written:
            if not any(self._problems(exemption)):
                self._valid.setdefault(exemption.policy, []).append(exemption)

    def exempt(self, rule: Rule, resource: Resource) -> bool:
        """Whether this rule has nothing to say about this resource."""
        return any(exemption.applies_to(resource) for exemption in self._valid.get(rule.name, ()))

    def list_active(self) -> Iterator[ActiveExemption]:
        """Each exemption in order, for each resource it is for."""
        for policy, exemptions in self._valid.items():
            for exemption in exemptions:
                left = (date.fromisoformat(exemption.until) - self._day).days
                for resource in self._concerned(exemption):
                    yield ActiveExemption(
                        policy, resource.urn, exemption.owner, exemption.reason, exemption.until, left
                    )

    def findings(self) -> Iterator[tuple[Resource | None, Finding]]:
        """What is wrong with them, each with the resource that carries the exemption."""
        for exemption in self._written:
            problems = [*self._problems(exemption)]
            if not problems and not any(self._concerned(exemption)):
                problems = [
                    Finding(
                        "matches nothing: this policy judges no such resource.", "Correct the pattern, or remove it."
                    )
                ]
            carrier = self._stack.by_urn(exemption.urn) if exemption.urn else None
            for problem in problems:
                yield carrier, problem.prefix(f"{exemption.where} ")

    def _concerned(self, exemption: Exemption) -> Iterator[Resource]:
        judged = self._stack.of_type(*self._rules[exemption.policy].types)
        return (resource for resource in judged if exemption.applies_to(resource) and not resource.external)

    def _problems(self, exemption: Exemption) -> Iterator[Finding]:
        if not exemption.policy:
            yield Finding("names no policy.", "Set policy to the name of one.")
        elif exemption.policy not in self._rules:
            guess = nearest(exemption.policy, self._rules)
            yield Finding("names a policy that does not exist.", f"Set policy to one that does{guess or '.'}")
        elif exemption.policy == NAME:
            yield Finding("is from the rule about exemptions, which allows none.", "Remove it.")
        if not (exemption.resource or exemption.tag):
            yield Finding("names no resource.", "Set resource to a pattern of URNs, or tag to key=value.")
        elif exemption.resource and not exemption.tag and exemption.urn is None and self._meets_everything(exemption):
            yield Finding(
                "meets every resource that this policy judges, whatever its name.",
                "Set resource to a pattern that names specific resources, or set the policy's level to disabled.",
            )
        elif exemption.tag and "=" not in exemption.tag:
            yield Finding(f"names a tag without its value: tag is {exemption.tag!r}.", "Set tag to key=value.")
        if not exemption.owner.strip():
            yield Finding("has no owner.", f"Set {TAG_OWNER if exemption.urn else 'owner'}.")
        if not exemption.reason.strip():
            yield Finding("has no reason.", "Give it in the tag's value." if exemption.urn else "Set reason.")
        yield from self._untimely(exemption)

    def _meets_everything(self, exemption: Exemption) -> bool:
        """Whether the pattern leaves out nothing that the policy judges, of any stack, project, parent and name."""
        types = self._rules[exemption.policy].types if exemption.policy in self._rules else ()
        urns = [
            f"urn:pulumi:{stack}::{project}::{parent}{type_}::{name}"
            for type_ in types
            for stack, project, parent, name in _ANY
        ]
        return bool(urns) and all(matches(exemption.resource, urn) for urn in urns)

    def _untimely(self, exemption: Exemption) -> Iterator[Finding]:
        key = TAG_UNTIL if exemption.urn else "until"
        latest = _a_year_after(self._day)
        until = _day(exemption.until)
        if until is None:
            state = f"is {exemption.until!r}, which is not a date" if exemption.until.strip() else "is not set"
            yield Finding(f"does not end: {key} {state}.", f"Set {key} to a date within a year, such as {latest}.")
        elif until < self._day:
            yield Finding(f"ended on {until}.", "Fix what it was for, or have it renewed.")
        elif until > latest:
            yield Finding(f"ends over a year from now: {key} is {until}.", f"Set {key} to {latest} or earlier.")


def _day(text: str) -> date | None:
    """The day that a text such as 2030-12-31 names; None where it names none, or names it in another way."""
    try:
        return date.fromisoformat(text) if _DAY.fullmatch(text) else None
    except ValueError:
        return None


def _a_year_after(day: date) -> date:
    try:
        return day.replace(year=day.year + 1)
    except ValueError:  # the 29th of February
        return day.replace(year=day.year + 1, day=28)


def _entry(given: Mapping[str, Any]) -> Exemption:
    return Exemption(**{key: str(given.get(key) or "") for key in _FIELDS})


def _in_tags(resource: Resource) -> Iterator[Exemption]:
    # A component hands its tags on to resources, which are judged; what was looked up is somebody else's.
    tags = resource.tags if resource.type.startswith("aws:") and not resource.external else {}
    for key, value in tags.items():
        policy = key.removeprefix(TAG_PREFIX)
        if key.startswith(TAG_PREFIX) and policy not in _NOT_POLICIES:
            yield Exemption(
                policy=policy,
                resource=resource.name,
                tag="",
                owner=tags.get(TAG_OWNER, ""),
                reason=value,
                until=tags.get(TAG_UNTIL, ""),
                urn=resource.urn,
            )
