"""Parses policy documents, and finds statements that grant public access."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

from ...model import resource_types, values
from ...model.finding import Finding
from ...model.stack import Resource, Stack
from ...model.values import Undecided, all_of, any_of
from . import conditions, wildcards
from .conditions import Condition, Tests

ANYONE = "*"


@dataclass(frozen=True)
class Statement:
    """A statement; the case of its keys is ignored. Raises Undecided where a value is unknown."""

    raw: Mapping[str, Any]
    index: int

    @property
    def name(self) -> str:
        """Its Sid or number, for messages."""
        sid = values.member(self.raw, "Sid")
        return f"statement {sid}" if isinstance(sid, str) and sid else f"statement {self.index + 1}"

    def identify(self, holder: Resource) -> str:
        """Identifies the statement in `Finding.about`, with the same text in every rule."""
        return f"{holder.urn} {self.raw!r}"

    @property
    def allows(self) -> bool:
        """Whether it is an Allow."""
        return values.text(values.member(self.raw, "Effect")) == "Allow"

    @property
    def denies(self) -> bool:
        """Whether it is a Deny."""
        return values.text(values.member(self.raw, "Effect")) == "Deny"

    @property
    def actions(self) -> list[str]:
        """Its Action, as a list."""
        return values.texts(values.member(self.raw, "Action"))

    @property
    def actions_text(self) -> str:
        """Its Action for messages; of a NotAction only that there is one."""
        return ", ".join(self.actions) or "all but some actions"

    @property
    def not_actions(self) -> list[str]:
        """Its NotAction, as a list."""
        return values.texts(values.member(self.raw, "NotAction"))

    @property
    def resources(self) -> list[str]:
        """Its Resource, as a list."""
        return values.texts(values.member(self.raw, "Resource"))

    @property
    def not_resources(self) -> list[str]:
        """Its NotResource, as a list."""
        return values.texts(values.member(self.raw, "NotResource"))

    @property
    def principals(self) -> dict[str, list[str]]:
        """Its Principal by kind (`AWS`, `Service`, `Federated`, `CanonicalUser`); `*` alone is `AWS: *`."""
        return self._principals("Principal")

    @property
    def not_principals(self) -> dict[str, list[str]]:
        """Its NotPrincipal, in the same form."""
        return self._principals("NotPrincipal")

    @property
    def services(self) -> list[str]:
        """The AWS services among its principals."""
        return self.principals.get("Service", [])

    @cached_property
    def conditions(self) -> tuple[Condition, ...]:
        """Its conditions, one for each operator and key."""
        block = values.document(values.member(self.raw, "Condition")) or {}
        return tuple(
            Condition(operator.lower(), key.lower(), value, key)
            for operator, keys in block.items()
            for key, value in (values.document(keys) or {}).items()
        )

    def condition_keys(self) -> set[str]:
        """The keys of its conditions, in lower case."""
        return {condition.key for condition in self.conditions}

    def has(self, key: str) -> bool:
        """Whether it has this element."""
        return values.member(self.raw, key) is not None

    def covers(self, action: str) -> bool:
        """Whether its Action or NotAction matches this action."""
        if values.member(self.raw, "NotAction") is not None:
            return not any(matches(pattern, action) for pattern in self.not_actions)
        return any(matches(pattern, action) for pattern in self.actions)

    def covers_resource(self, arn: str | None) -> bool:
        """Whether its Resource or NotResource matches this ARN. Raises Undecided where an unknown value decides."""
        return self.matches_resource_if(
            lambda pattern: pattern == ANYONE or conditions.covers_resource(pattern, _known(arn))
        )

    def matches_resource_if(self, covers: Callable[[str], bool]) -> bool:
        """Whether its Resource or NotResource matches a resource, with a function that answers for one pattern.

        A statement without either applies to its own resource. Raises Undecided where an unknown value decides.
        """
        if self.has("NotResource"):
            return not any_of(self.not_resources, covers)
        listed = values.items(values.member(self.raw, "Resource"))
        return not listed or any_of(listed, lambda pattern: covers(str(values.require_known(pattern))))

    def is_public(self) -> bool:
        """Whether its principals include the public, conditions aside."""
        if values.member(self.raw, "NotPrincipal") is not None:
            return True
        principals = self.principals
        return any(ANYONE in names for names in principals.values()) or not all(
            map(conditions.is_fixed_arn, principals.get("AWS", ()))
        )

    def _principals(self, key: str) -> dict[str, list[str]]:
        principal = values.require_known(values.member(self.raw, key))
        if principal is None:
            return {}
        if not isinstance(principal, Mapping):
            return {"AWS": values.texts(principal)}
        return {_PRINCIPAL_KINDS.get(kind.lower(), kind): values.texts(names) for kind, names in principal.items()}


_PRINCIPAL_KINDS = {"aws": "AWS", "service": "Service", "federated": "Federated", "canonicaluser": "CanonicalUser"}


def statements(document: Any) -> list[Statement]:
    """Parse the statements of a document, a JSON string or an object; empty where it is absent.

    Raises Undecided where the document or a statement is unknown.
    """
    policy = values.document(document)
    if policy is None:
        return []
    listed = [values.document(raw) for raw in values.items(values.member(policy, "Statement"))]
    return [Statement(raw, index) for index, raw in enumerate(listed) if raw is not None]


def public_statements(policy: Iterable[Statement], action: str | None = None) -> Iterator[Statement]:
    """List the statements that grant public access, and that neither their conditions nor a Deny restricts.

    With an action, only those that allow it. Skips statements with unknown values.
    """
    listed = list(policy)
    for statement in listed:
        try:
            if (
                statement.allows
                and (action is None or statement.covers(action))
                and statement.is_public()
                and not conditions.names_known_caller(statement.conditions)
                and not is_denied_to_outsiders(statement, listed, action)
            ):
                yield statement
        except Undecided:
            continue


def is_denied_to_outsiders(
    allowing: Statement,
    others: Iterable[Statement],
    action: str | None = None,
    further: Tests = {}.get,
) -> bool:
    """Whether Deny statements restrict what a statement allows, or this action of it, to known callers.

    They must cover each of its actions on each of its resources. `further` has the tests of other condition keys.
    Raises Undecided where an unknown value decides.
    """
    denying = [statement for statement in others if statement.denies and statement.is_public()]
    if not denying:
        return False
    actions = [action] if action else allowing.actions if not allowing.has("NotAction") else [ANYONE]
    resources = allowing.resources if not allowing.has("NotResource") else [ANYONE]
    pairs = [(pattern, resource) for pattern in actions for resource in resources or [None]]
    return bool(pairs) and all_of(
        pairs,
        lambda pair: any_of(
            denying,
            lambda deny: (
                covers_whole(deny, *pair)
                and not _exempts_anyone(deny)
                and conditions.excludes_only_known_callers(deny.conditions, further)
            ),
        ),
    )


def covers_whole(denying: Statement, action: str, resource: str | None) -> bool:
    """Whether a Deny covers everything that these patterns of an action and a resource match."""
    if denying.has("NotAction"):
        if any(wildcards.overlap(pattern.lower(), action.lower()) for pattern in denying.not_actions):
            return False
    elif not any(wildcards.covers(pattern.lower(), action.lower()) for pattern in denying.actions):
        return False
    if denying.has("NotResource"):
        return resource is not None and not any(
            wildcards.overlap(pattern, resource) for pattern in denying.not_resources
        )
    if resource is None:
        return not denying.has("Resource") or ANYONE in denying.resources
    return not denying.has("Resource") or any(wildcards.covers(pattern, resource) for pattern in denying.resources)


def _exempts_anyone(denying: Statement) -> bool:
    """Whether its NotPrincipal exempts the public."""
    return any(ANYONE in names for names in denying.not_principals.values())


def unmatched_value(statement: Statement, *prefixes: str) -> Finding | None:
    """Report a condition value that no request has because its operator treats a wildcard literally.

    Checks the keys that identify a caller and those with these prefixes.
    """
    for condition, value in conditions.literal_wildcards(statement.conditions, tuple(map(str.lower, prefixes))):
        operator = "StringEqualsIgnoreCase" if condition.ignores_case else "StringEquals"
        return Finding(
            f"it compares {condition.name} with {value} by {operator}, which treats * and ? literally, so no request "
            "matches.",
            "Set a value without wildcards, or use StringLike if a pattern is meant.",
        )
    return None


def unmatched_statement(holder: Resource, statement: Statement) -> Finding | None:
    """The same for an Allow in the policy of a resource."""
    finding = unmatched_value(statement) if statement.allows else None
    if finding is None:
        return None
    return replace(
        finding.prefix(f"In the policy of {holder.name}, {statement.name} allows nobody: "),
        about=statement.identify(holder),
    )


def matches(pattern: str, text: str) -> bool:
    """Whether an action matches a pattern with `*` and `?`, ignoring case."""
    return wildcards.matches(pattern.lower(), text.lower())


def _known(arn: str | None) -> str:
    return values.raise_undecided("an ARN is not known yet") if arn is None else arn


POLICY_RESOURCES: Mapping[str, tuple[tuple[str, str, str], ...]] = {
    resource_types.QUEUE: ((resource_types.QUEUE_POLICY, "queueUrl", "policy"),),
    resource_types.TOPIC: ((resource_types.TOPIC_POLICY, "arn", "policy"),),
    **dict.fromkeys(resource_types.KEYS, ((resource_types.KEY_POLICY, "keyId", "policy"),)),
    resource_types.SECRET: ((resource_types.SECRET_POLICY, "secretArn", "policy"),),
    resource_types.EVENT_BUS: ((resource_types.EVENT_BUS_POLICY, "eventBusName", "policy"),),
    resource_types.REST_API: ((resource_types.REST_API_POLICY, "restApiId", "policy"),),
}
"""Resources with the policy of another one, by the other's type: type, property that refers to it, and document."""


def attached(stack: Stack, resource: Resource) -> list[tuple[Resource, str]]:
    """Find the resources and properties with the policy of a queue, topic, key, secret or bus.

    Empty where it has none. Raises Undecided where an unknown value may refer to it.
    """
    places = [(resource, "policy")] if resource.has("policy") else []
    for type_, refers_by, path in POLICY_RESOURCES.get(resource.type, ()):
        places += [(holder, path) for holder in stack.referring(resource, refers_by, type_).all()]
    return places


def statements_about(stack: Stack, resource: Resource) -> list[Statement] | None:
    """The statements of the policy of a resource; None where it has none. Raises Undecided where they are unknown."""
    places = attached(stack, resource)
    if not places:
        return None
    # A separate policy resource overwrites the resource's own policy property.
    own = [place for place in places if place[0] is not resource]
    return [statement for holder, path in own or places for statement in statements(holder.value(path))]
