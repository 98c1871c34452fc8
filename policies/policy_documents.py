"""Reads policy documents: what a statement allows, to whom, and whether its conditions keep strangers out."""

import ipaddress
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property, partial
from typing import Any

from . import arns, kinds, values, wildcards
from .stack import Resource, Stack
from .values import Undecided

ANYONE = "*"

_ACCOUNT_KEYS = frozenset(
    {
        "aws:sourceaccount",
        "aws:sourceowner",
        "aws:sourceorgid",
        "aws:sourceorgpaths",
        "aws:principalaccount",
        "aws:principalorgid",
        "aws:principalorgpaths",
        "aws:userid",
        "aws:sourcevpc",
        "aws:sourcevpce",
        "aws:vpceaccount",
        "aws:vpceorgid",
        "kms:calleraccount",
        "s3:dataaccesspointaccount",
    }
)
"""Keys that name an account, an organisation or a network: what they hold to is somebody known
(https://docs.aws.amazon.com/AmazonS3/latest/userguide/access-control-block-public-access.html)."""
_ARN_KEYS = frozenset({"aws:sourcearn", "aws:principalarn", "s3:dataaccesspointarn"})
_LIMITING = re.compile(r"(foranyvalue:)?(string(equals|like|equalsignorecase)|arn(equals|like)|ipaddress)")
_EXCLUDING = re.compile(
    r"(forallvalues:)?(stringnot(equals|like|equalsignorecase)|arnnot(equals|like)|notipaddress)(ifexists)?"
)


@dataclass(frozen=True)
class Condition:
    """One line of a Condition block."""

    operator: str
    """In lower case, such as `foranyvalue:stringlike`."""
    key: str
    """In lower case, such as `aws:sourcearn`."""
    given: Any

    @cached_property
    def values(self) -> list[str]:
        """What the key is held against. Raises Undecided where that is unknown."""
        return [str(one).lower() if isinstance(one, bool) else str(one) for one in map(values.settled, self._given())]

    @cached_property
    def plain(self) -> frozenset[str]:
        """Those of them that are no patterns: a text is among them at once, however many there are."""
        return frozenset(one for one in self.values if "*" not in one and "?" not in one)

    @cached_property
    def patterns(self) -> tuple[str, ...]:
        """The others."""
        return tuple(one for one in self.values if one not in self.plain)

    @property
    def limits(self) -> bool:
        """Whether it holds the key to its values: one that asks for others, or only if the key is there, does not."""
        return _LIMITING.fullmatch(self.operator) is not None

    def _given(self) -> list[Any]:
        return values.items(self.given)


@dataclass(frozen=True)
class Statement:
    """One statement, read in whatever case its keys are. Raises Undecided where what is read is unknown."""

    raw: Mapping[str, Any]
    index: int

    @property
    def name(self) -> str:
        """Its Sid, or its number, to be named in a complaint."""
        sid = values.member(self.raw, "Sid")
        return f"statement {sid}" if isinstance(sid, str) and sid else f"statement {self.index + 1}"

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
        """Its NotPrincipal, likewise."""
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
            Condition(operator.lower(), key.lower(), given)
            for operator, keys in block.items()
            for key, given in (values.document(keys) or {}).items()
        )

    def condition_keys(self) -> set[str]:
        """The keys, in lower case, that its conditions look at."""
        return {condition.key for condition in self.conditions}

    def has(self, key: str) -> bool:
        """Whether it has this element, whatever it says."""
        return values.member(self.raw, key) is not None

    def covers(self, action: str) -> bool:
        """Whether its Action or NotAction takes in this action, wildcards included."""
        if values.member(self.raw, "NotAction") is not None:
            return not any(matches(pattern, action) for pattern in self.not_actions)
        return any(matches(pattern, action) for pattern in self.actions)

    def opens_to_anyone(self) -> bool:
        """Whether it is for everybody, as its principals go."""
        if values.member(self.raw, "NotPrincipal") is not None:
            return True
        return any(ANYONE in names for names in self.principals.values())

    def keeps_strangers_out(self) -> bool:
        """Whether a condition holds it to a known account, organisation, resource or network."""
        return any(
            _LIMITING.fullmatch(condition.operator)
            and (listed := condition.values)
            and all(_is_known_to(condition.key, value) for value in listed)
            for condition in self.conditions
            if condition.key in _ACCOUNT_KEYS or condition.key in _ARN_KEYS or condition.key == "aws:sourceip"
        )

    def shuts_strangers_out(self, action: str | None = None) -> bool:
        """Whether it denies everything, or this action, to all but a known account, organisation or network."""
        return (
            self.denies
            and self.opens_to_anyone()
            and (
                self.covers(action)
                if action
                else any(pattern == ANYONE or pattern.endswith(":*") for pattern in self.actions)
            )
            and len(self.conditions) == 1
            and all(
                _EXCLUDING.fullmatch(condition.operator)
                and (listed := condition.values)
                and all(_is_known_to(condition.key, value) for value in listed)
                for condition in self.conditions
            )
        )

    def _principals(self, key: str) -> dict[str, list[str]]:
        given = values.settled(values.member(self.raw, key))
        if given is None:
            return {}
        if not isinstance(given, Mapping):
            return {"AWS": values.texts(given)}
        return {_PRINCIPAL_KINDS.get(kind.lower(), kind): values.texts(names) for kind, names in given.items()}


_PRINCIPAL_KINDS = {"aws": "AWS", "service": "Service", "federated": "Federated", "canonicaluser": "CanonicalUser"}


def statements(document: Any) -> list[Statement]:
    """The statements of a document, be it JSON or an object; none where it is absent.

    Raises Undecided where the document as a whole, or one statement, is unknown.
    """
    found = values.document(document)
    if found is None:
        return []
    given = [values.document(one) for one in values.items(values.member(found, "Statement"))]
    return [Statement(one, index) for index, one in enumerate(given) if one is not None]


def open_statements(found: Iterable[Statement], action: str | None = None) -> Iterator[Statement]:
    """Those that let anyone in whom nothing keeps out: neither their own conditions nor a Deny beside them.

    With an action only those that allow it.
    """
    found = list(found)
    if any(_settles(partial(one.shuts_strangers_out, action)) for one in found):
        return
    for one in found:
        if action and not _settles(partial(one.covers, action)):
            continue
        if one.allows and _settles(one.opens_to_anyone) and not _settles(one.keeps_strangers_out, unsettled=True):
            yield one


def _settles(question: Any, *, unsettled: bool = False) -> bool:
    try:
        return question()
    except Undecided:
        return unsettled


def matches(pattern: str, text: str) -> bool:
    """Whether an action matches a pattern of IAM's: `*` and `?`, in whatever case."""
    return wildcards.matches(pattern.lower(), text.lower())


def _is_known_to(key: str, value: str) -> bool:
    """Whether the value of a condition stands for somebody in particular."""
    if key == "aws:sourceip":
        try:
            network = ipaddress.ip_network(value, strict=False)
        except ValueError:
            return True
        return network.prefixlen >= (8 if network.version == 4 else 32)
    if key in _ARN_KEYS:
        found = arns.parts(value)
        if found is None:
            return "*" not in value
        account, resource = found[3], found[4]
        # Some ARNs have no account, such as a bucket's, which many write as arn:aws:s3:*:*:uploads: then the resource
        # has to be named.
        without = account == "" or (account == ANYONE and found[1] == "s3")
        return re.fullmatch(r"\d{12}", account) is not None or (without and not resource.startswith(ANYONE))
    return value.replace("o-", "", 1).strip("*?/") != ""


RESOURCE_POLICIES: Mapping[str, tuple[tuple[str, str, str], ...]] = {
    kinds.QUEUE: ((kinds.QUEUE_POLICY, "queueUrl", "policy"),),
    kinds.TOPIC: ((kinds.TOPIC_POLICY, "arn", "policy"),),
    **dict.fromkeys(kinds.KEYS, ((kinds.KEY_POLICY, "keyId", "policy"),)),
    kinds.SECRET: ((kinds.SECRET_POLICY, "secretArn", "policy"),),
    kinds.EVENT_BUS: ((kinds.EVENT_BUS_POLICY, "eventBusName", "policy"),),
    kinds.REST_API: ((kinds.REST_API_POLICY, "restApiId", "policy"),),
}
"""The resources that hold the policy of another: their type, the property that says of which, and the document."""


def attached(stack: Stack, resource: Resource) -> list[tuple[Resource, str]]:
    """Where the policy of a queue, topic, key, secret or bus is written: the resource and its property.

    Empty where it has none of its own. Raises Undecided where one may be there that nobody can see yet.
    """
    found = [(resource, "policy")] if resource.has("policy") else []
    for type_, refers_by, path in RESOURCE_POLICIES.get(resource.type, ()):
        found += [(one, path) for one in stack.referring(resource, refers_by, type_).all()]
    return found


def statements_about(stack: Stack, resource: Resource) -> list[Statement] | None:
    """The statements of that policy; None where it has none. Raises Undecided where they are unknown."""
    places = attached(stack, resource)
    if not places:
        return None
    # A resource of its own writes over what the queue itself was given, or the two are the same at the update.
    own = [place for place in places if place[0] is not resource]
    return [one for holder, path in own or places for one in statements(holder.value(path))]
