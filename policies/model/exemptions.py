"""Reads exemptions: the rule, the resource, the owner, the reason and the end date.

Exemptions are set in the configuration of the rule below or as tags on the resource. An invalid exemption has no effect
and is itself reported.
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
"""Other tags with the prefix; `exempt-reason` is read by the audit of secrets."""
_SAMPLE_NAMES = (("q0", "z0", "", "x0"), ("j1.k1", "v1_w1", "y:index:Y$", "17,7;+"))
"""Stacks, projects, parents and names that nobody uses: a pattern that matches all of them matches everything."""
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
    """One exemption as written, valid or not."""

    policy: str
    resource: str
    """Pattern of URNs, with the wildcards `*` and `?`."""
    tag: str
    """`key=value`."""
    owner: str
    reason: str
    until: str
    urn: str | None = None
    """The tagged resource; None for an exemption in the configuration."""

    @property
    def label(self) -> str:
        """The exemption's name in a complaint."""
        subject = f"resource {self.resource}" if self.resource else f"tag {self.tag}" if self.tag else "nothing"
        return f"The exemption from {self.policy or 'no policy'} for {subject}"

    def applies_to(self, resource: Resource) -> bool:
        """Whether it is for this resource."""
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
    """A valid exemption, and a resource that it is for."""

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
"""Evaluated by the class below, not by its function: it is about all exemptions of a stack. It allows none itself."""


def today() -> date:
    """Today, in UTC."""
    return datetime.now(UTC).date()


class Exemptions:
    """All exemptions of a configuration and of the tags of a stack, as of a day."""

    def __init__(
        self, stack: Stack, entries: Iterable[Mapping[str, Any]], rules: Mapping[str, Rule], day: date
    ) -> None:
        self._stack, self._rules, self._day = stack, rules, day
        in_tags = (exemption for resource in stack.resources for exemption in _read_tags(resource))
        self._exemptions = [*dict.fromkeys((*map(_read_entry, entries), *in_tags))]
        self._valid: dict[str, list[Exemption]] = {}
        for exemption in self._exemptions:
            if not any(self._problems(exemption)):
                self._valid.setdefault(exemption.policy, []).append(exemption)

    def exempt(self, rule: Rule, resource: Resource) -> bool:
        """Whether this resource is exempt from this rule."""
        return any(exemption.applies_to(resource) for exemption in self._valid.get(rule.name, ()))

    def list_active(self) -> Iterator[ActiveExemption]:
        """List each valid exemption once per resource."""
        for policy, exemptions in self._valid.items():
            for exemption in exemptions:
                left = (date.fromisoformat(exemption.until) - self._day).days
                for resource in self._matching_resources(exemption):
                    yield ActiveExemption(
                        policy, resource.urn, exemption.owner, exemption.reason, exemption.until, left
                    )

    def findings(self) -> Iterator[tuple[Resource | None, Finding]]:
        """List the problems of all exemptions, each with the tagged resource."""
        for exemption in self._exemptions:
            problems = [*self._problems(exemption)]
            if not problems and not any(self._matching_resources(exemption)):
                problems = [
                    Finding(
                        "matches nothing: this policy checks no such resource.", "Correct the pattern, or remove it."
                    )
                ]
            carrier = self._stack.by_urn(exemption.urn) if exemption.urn else None
            for problem in problems:
                yield carrier, problem.prefix(f"{exemption.label} ")

    def _matching_resources(self, exemption: Exemption) -> Iterator[Resource]:
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
        elif exemption.resource and not exemption.tag and exemption.urn is None and self._matches_everything(exemption):
            yield Finding(
                "matches every resource that this policy checks.",
                "Set resource to a pattern that names specific resources, or set the policy's level to disabled.",
            )
        elif exemption.tag and "=" not in exemption.tag:
            yield Finding(f"names a tag without its value: tag is {exemption.tag!r}.", "Set tag to key=value.")
        if not exemption.owner.strip():
            yield Finding("has no owner.", f"Set {TAG_OWNER if exemption.urn else 'owner'}.")
        if not exemption.reason.strip():
            yield Finding("has no reason.", "Give it in the tag's value." if exemption.urn else "Set reason.")
        yield from self._check_end(exemption)

    def _matches_everything(self, exemption: Exemption) -> bool:
        """Whether the pattern matches every resource of the policy's types, whatever its URN."""
        types = self._rules[exemption.policy].types if exemption.policy in self._rules else ()
        urns = [
            f"urn:pulumi:{stack}::{project}::{parent}{type_}::{name}"
            for type_ in types
            for stack, project, parent, name in _SAMPLE_NAMES
        ]
        return bool(urns) and all(matches(exemption.resource, urn) for urn in urns)

    def _check_end(self, exemption: Exemption) -> Iterator[Finding]:
        key = TAG_UNTIL if exemption.urn else "until"
        latest = _add_year(self._day)
        until = _parse_day(exemption.until)
        if until is None:
            state = f"is {exemption.until!r}, which is not a date" if exemption.until.strip() else "is not set"
            yield Finding(f"does not end: {key} {state}.", f"Set {key} to a date within a year, such as {latest}.")
        elif until < self._day:
            yield Finding(f"ended on {until}.", "Fix the cause, or have the exemption renewed.")
        elif until > latest:
            yield Finding(f"ends over a year from now: {key} is {until}.", f"Set {key} to {latest} or earlier.")


def _parse_day(text: str) -> date | None:
    """The date in a text such as 2030-12-31; None for any other text."""
    try:
        return date.fromisoformat(text) if _DAY.fullmatch(text) else None
    except ValueError:
        return None


def _add_year(day: date) -> date:
    try:
        return day.replace(year=day.year + 1)
    except ValueError:  # the 29th of February
        return day.replace(year=day.year + 1, day=28)


def _read_entry(entry: Mapping[str, Any]) -> Exemption:
    return Exemption(**{key: str(entry.get(key) or "") for key in _FIELDS})


def _read_tags(resource: Resource) -> Iterator[Exemption]:
    # The tags of a component are on its resources too, and an external resource is not this program's to exempt.
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
