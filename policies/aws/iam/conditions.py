"""Evaluates whether the conditions of a policy statement restrict the caller to fixed values, as AWS defines them.

A fixed value has neither a wildcard nor a policy variable (https://docs.aws.amazon.com/AmazonS3/latest/userguide/access-control-block-public-access.html,
"The meaning of public"). Some keys may have a wildcard after the part that identifies the caller: an ARN after its
account, a path after its organization, a session after its role's id. The semantics of operators:
https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_condition_operators.html.
"""

import re
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from functools import cached_property, partial
from typing import Any

from ...model import values
from ...model.values import all_of, any_of
from .. import arns
from . import networks, wildcards

_OPERATOR = re.compile(
    r"(?:(?P<set>forallvalues|foranyvalue):)?"
    r"(?:(?P<not_ip>not)?(?P<ip>ipaddress)|(?P<kind>string|arn|bool|null|numeric|date|binary)"
    r"(?P<negated>not)?(?P<comparison>equalsignorecase|equals|like|lessthan|greaterthan)?(?:equals)?)"
    r"(?P<if_exists>ifexists)?"
)
_ESCAPED = re.compile(r"\$\{[*?$]\}")
"""`${*}` escapes the character
(https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_variables.html#policy-vars-specialchars)."""
_VARIABLE = re.compile(r"\$\{\s*([^},\s]*)[^}]*\}")
_OWNER_VARIABLES = frozenset({"aws:resourceaccount", "aws:resourceorgid", "aws:resourceorgpaths"})
"""Variables with the owner of the resource, independent of the caller."""


@dataclass(frozen=True)
class Condition:
    """One operator and key of a Condition block."""

    operator: str
    """In lower case, such as `foranyvalue:stringlike`."""
    key: str
    """In lower case, such as `aws:sourcearn`."""
    given: Any
    name: str = ""
    """The key as written."""

    @cached_property
    def values(self) -> list[str]:
        """The values. Raises Undecided where one is unknown."""
        return [
            str(value).lower() if isinstance(value, bool) else str(value)
            for value in map(values.require_known, values.items(self.given))
        ]

    @cached_property
    def literals(self) -> frozenset[str]:
        """The values without wildcards, as a set for fast lookup."""
        return frozenset(value for value in self.values if not has_wildcard(value))

    @cached_property
    def patterns(self) -> tuple[str, ...]:
        """The values with wildcards."""
        return tuple(value for value in self.values if value not in self.literals)

    @property
    def kind(self) -> str:
        """The operator's type: `string`, `arn`, `ipaddress`, `bool`, `null` ...; empty for an unknown operator."""
        return (self._parsed["ip"] or self._parsed["kind"]) if self._parsed else ""

    @property
    def is_negated(self) -> bool:
        """Whether the operator is negated."""
        return bool(self._parsed and (self._parsed["negated"] or self._parsed["not_ip"]))

    @property
    def ignores_case(self) -> bool:
        """Whether the operator ignores case."""
        return bool(self._parsed and self._parsed["comparison"] == "equalsignorecase")

    @property
    def is_literal(self) -> bool:
        """Whether `*` and `?` are literal: they are for StringEquals, but not for ArnEquals."""
        return self.kind == "string" and self._parsed is not None and self._parsed["comparison"] != "like"

    @property
    def holds_without_key(self) -> bool:
        """Whether it is true for a request without the key."""
        if self._parsed is None:
            return True
        if self.kind == "null":
            return [value.lower() for value in self.values] == ["true"]
        if self._parsed["if_exists"] or self._parsed["set"] == "forallvalues":
            return True
        return self.is_negated and self._parsed["set"] != "foranyvalue"

    @cached_property
    def _parsed(self) -> re.Match[str] | None:
        return _OPERATOR.fullmatch(self.operator)

    def matches(self, present: str) -> bool:
        """Whether the condition is true for a request with this value.

        Raises Undecided where a policy variable or another operator decides.
        """
        if self.kind not in ("string", "arn", "bool"):
            values.raise_undecided(f"the operator {self.operator}")
        return self._has(present) is not self.is_negated

    def _has(self, present: str) -> bool:
        if self.kind == "bool" or self.ignores_case:
            return present.lower() in map(str.lower, self.values)
        if present in self.literals:
            return True
        if self.is_literal:
            return any_of(self.values, lambda value: value == present or _may_become(value))
        compare = _matches_arn if self.kind == "arn" else wildcards.matches
        return any_of(self.values, lambda pattern: compare(pattern, present) or _may_become(pattern))


def limiting_conditions(conditions: Iterable[Condition]) -> list[Condition]:
    """The conditions that require one of their values: not those that are negated or true without the key.

    IfExists and ForAllValues are true without the key, unless another condition requires it
    (https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_condition-single-vs-multi-valued-context-keys.html).
    """
    listed = list(conditions)
    present = {condition.key for condition in listed if not condition.holds_without_key}
    return [
        condition
        for condition in listed
        if condition.kind in ("string", "arn", "ipaddress", "bool")
        and not condition.is_negated
        and condition.key in present
    ]


# --- values ----------------------------------------------------------------------------------------------------------


def has_wildcard(value: str) -> bool:
    """Whether a value has a wildcard that is not escaped."""
    return any(character in "*?" for character in _ESCAPED.sub("", value))


def has_variable(value: str) -> bool:
    """Whether a value has a policy variable."""
    return _VARIABLE.search(_ESCAPED.sub("", value)) is not None


def has_text(value: str) -> bool:
    """Whether a value has other characters than wildcards."""
    return bool(value.strip("*?"))


def is_fixed(value: str) -> bool:
    """Whether a value has neither a wildcard nor a variable that depends on the caller."""
    return bool(value) and not has_wildcard(as_pattern(value))


def is_fixed_arn(value: str) -> bool:
    """Whether an ARN identifies the owner: by its account, or else by the resource's complete name.

    Anyone can create a bucket with a given name prefix.
    """
    pattern = as_pattern(value)
    if not has_wildcard(pattern):
        return bool(pattern)
    arn = arns.parse(pattern)
    if arn is None:
        return False
    _, service, _, account, resource = arn
    # A common spelling of a bucket's ARN is arn:aws:s3:*:*:uploads.
    if account == "" or (account == "*" and service == "s3" and "/" not in resource):
        names = re.split("[:/]", resource.strip("/"))[: 1 if service == "s3" else 2]
        return not has_wildcard("/".join((service, *names)))
    return not has_wildcard(account)


def as_pattern(value: str) -> str:
    """Replace each variable that depends on the caller with a wildcard, and others with a plain character."""

    def replaced(variable: re.Match[str]) -> str:
        return "_" if variable[1].lower() in _OWNER_VARIABLES else "*"

    return _VARIABLE.sub(replaced, _ESCAPED.sub("_", value))


def without_variables(value: str) -> str:
    """Replace each variable with a plain character, for parsing: their names have colons."""
    return _VARIABLE.sub("_", _ESCAPED.sub("_", value))


def _may_become(value: str) -> bool:
    return values.raise_undecided(f"the variable in {value}") if has_variable(value) else False


def _matches_arn(pattern: str, arn: str) -> bool:
    """Compare like ArnEquals and ArnLike, which are the same: part by part, with wildcards in each."""
    patterns, parts = pattern.split(":", 5), arn.split(":", 5)
    if len(patterns) < len(parts):
        return wildcards.matches(pattern, arn)
    return len(patterns) == len(parts) and all(map(wildcards.matches, patterns, parts))


def covers_resource(pattern: str, arn: str) -> bool:
    """Whether a Resource of a policy matches this ARN. Raises Undecided where a policy variable decides."""
    if pattern == "*":
        return True
    is_match = wildcards.matches(as_pattern(pattern), arn)
    return values.raise_undecided(f"the variable in {pattern}") if is_match and has_variable(pattern) else is_match


# --- keys ------------------------------------------------------------------------------------------------------------


def _is_fixed_organization_path(value: str) -> bool:
    return is_fixed(value.partition("/")[0])


def _is_fixed_user_id(value: str) -> bool:
    """Whether it identifies a user, an account, or a role, whose session names follow the colon."""
    return is_fixed(value.partition(":")[0])


def _is_fixed_endpoint(value: str) -> bool:
    """Whether it identifies the receiver: the account of an ARN, the host of a URL, the domain of an address."""
    if value.startswith("arn:"):
        return is_fixed_arn(value)
    host = re.match(r"https?://([^/]+)/", value)
    return is_fixed(host[1] if host else value.rpartition("@")[2])


def _is_fixed_context(value: str) -> bool:
    return is_fixed_arn(value) if value.startswith("arn:") else has_text(as_pattern(value))


Test = Callable[[str], bool]
"""Tests whether a value is fixed."""
Tests = Callable[[str], Test | None]
"""Returns the test for a key's values; None for a key that does not identify a caller."""
_NETWORK = "aws:sourceip"
"""Its values are checked together: two halves are the whole internet."""
CALLERS: dict[str, Test] = {
    _NETWORK: is_fixed,
    **dict.fromkeys(
        (
            "aws:principalaccount",
            "aws:principalorgid",
            "aws:sourcevpc",
            "aws:sourcevpce",
            "aws:vpceaccount",
            "aws:vpceorgid",
            "kms:calleraccount",
            "s3:dataaccesspointaccount",
        ),
        is_fixed,
    ),
    **dict.fromkeys(
        (
            "aws:principalarn",
            "aws:sourcevpcarn",
            "s3:dataaccesspointarn",
            "s3:x-amz-server-side-encryption-aws-kms-key-id",
            "elasticfilesystem:accesspointarn",
        ),
        is_fixed_arn,
    ),
    "aws:principalorgpaths": _is_fixed_organization_path,
    "aws:vpceorgpaths": _is_fixed_organization_path,
    "aws:userid": _is_fixed_user_id,
    "elasticfilesystem:accessedviamounttarget": lambda value: value.lower() == "true",
    "sns:endpoint": _is_fixed_endpoint,
}
"""Keys that identify the caller or its network, each with the test of its values
(https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_condition-keys.html)."""
SOURCES: dict[str, Test] = {
    "aws:sourceaccount": is_fixed,
    "aws:sourceowner": is_fixed,
    "aws:sourceorgid": is_fixed,
    "aws:sourceorgpaths": _is_fixed_organization_path,
    "aws:sourcearn": is_fixed_arn,
}
"""Keys that identify on whose behalf an AWS service calls."""
_SERVICE: dict[str, Test] = {"aws:principalservicename": is_fixed}
_ANY_SERVICE_KEYS = frozenset({"aws:principalisawsservice", "aws:viaawsservice"})
_CONTEXT_KEYS = ("kms:encryptioncontext:", "sts:externalid")
"""Other keys in which a service passes on whom it acts for."""


def names_known_caller(conditions: Iterable[Condition], *, by_source: bool = True) -> bool:
    """Whether the conditions restrict callers to a known account, organization, resource or network.

    With `by_source`, a restriction of the source on whose behalf a service calls is enough. Raises Undecided where an
    unknown value decides.
    """
    tests = CALLERS | (SOURCES | _SERVICE if by_source else {})
    return any_of(limiting_conditions(conditions), partial(has_fixed_values, tests=tests.get))


def names_source(conditions: Iterable[Condition]) -> bool:
    """Whether the conditions restrict the source on whose behalf a service calls."""
    tests = CALLERS | SOURCES
    return any_of(
        limiting_conditions(conditions),
        lambda condition: has_fixed_values(condition, tests.get) or _has_fixed_context(condition),
    )


def names_key(conditions: Iterable[Condition], *keys: str) -> bool:
    """Whether the conditions restrict one of these keys to fixed values."""
    tests = {key: test for key, test in (CALLERS | SOURCES).items() if key in keys}
    return any_of(limiting_conditions(conditions), partial(has_fixed_values, tests=tests.get))


def excludes_only_known_callers(conditions: Collection[Condition], further: Tests = {}.get) -> bool:
    """Whether a Deny with these conditions exempts only known callers, such as an organization.

    It may also exempt AWS services, as AWS's examples do. `further` has the tests of other keys. Raises Undecided where
    an unknown value decides.
    """
    known = CALLERS | SOURCES
    exempting = [
        condition
        for condition in conditions
        if not (condition.key in _ANY_SERVICE_KEYS and condition.values == ["false"])
    ]
    if not conditions:
        return True
    return bool(exempting) and all_of(
        exempting,
        lambda condition: (
            condition.is_negated
            and condition.holds_without_key
            and has_fixed_values(condition, lambda key: known.get(key) or further(key))
        ),
    )


def literal_wildcards(conditions: Iterable[Condition], prefixes: tuple[str, ...] = ()) -> list[tuple[Condition, str]]:
    """Values with a wildcard that their operator treats as a literal, so that no request has them; with the conditions.

    Checks the keys that identify a caller and those with these prefixes, and skips unknown values.
    """
    known = (*CALLERS, *SOURCES)
    return [
        (condition, value)
        for condition in limiting_conditions(conditions)
        if condition.is_literal
        and (condition.key in known or condition.key.startswith((*_CONTEXT_KEYS[:1], *prefixes)))
        for value in values.items(condition.given)
        if isinstance(value, str) and has_wildcard(_VARIABLE.sub("", value))
    ]


def has_fixed_values(condition: Condition, tests: Tests) -> bool:
    """Whether all values of a condition are fixed. Raises Undecided where one is unknown."""
    test = tests(condition.key)
    if test is not None and condition.key == _NETWORK:
        return all(map(is_fixed, condition.values)) and networks.are_narrow(condition.values)
    return (
        test is not None
        and bool(condition.values)
        and all(_is_fixed_value(condition, test, value) for value in condition.values)
    )


def _is_fixed_value(condition: Condition, test: Test, value: str) -> bool:
    # A literal wildcard matches no request, which is reported separately.
    return (condition.is_literal and has_wildcard(value)) or test(value)


def _has_fixed_context(condition: Condition) -> bool:
    if not condition.key.startswith(_CONTEXT_KEYS):
        return False
    return bool(condition.values) and all(
        _is_fixed_value(condition, _is_fixed_context, value) for value in condition.values
    )
