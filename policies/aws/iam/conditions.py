"""Decides whether the conditions of a policy statement name somebody in particular: AWS's notion of a fixed value.

A fixed value has neither a wildcard nor a policy variable (https://docs.aws.amazon.com/AmazonS3/latest/userguide/access-control-block-public-access.html,
"The meaning of public"). Some keys take a wildcard behind the part that names somebody: an ARN behind its account, a
path behind its organization, a session behind its role's id. How operators compare, and when they hold without a key:
https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_condition_operators.html.
"""

import ipaddress
import re
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from functools import cached_property, partial
from typing import Any

from ...model import values
from ...model.values import all_of, any_of
from .. import arns
from . import wildcards

_OPERATOR = re.compile(
    r"(?:(?P<set>forallvalues|foranyvalue):)?"
    r"(?:(?P<not_ip>not)?(?P<ip>ipaddress)|(?P<kind>string|arn|bool|null|numeric|date|binary)"
    r"(?P<negated>not)?(?P<comparison>equalsignorecase|equals|like|lessthan|greaterthan)?(?:equals)?)"
    r"(?P<if_exists>ifexists)?"
)
_ESCAPED = re.compile(r"\$\{[*?$]\}")
"""`${*}` stands for the character itself
(https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_variables.html#policy-vars-specialchars)."""
_VARIABLE = re.compile(r"\$\{\s*([^},\s]*)[^}]*\}")
_OF_THE_OWNER = frozenset({"aws:resourceaccount", "aws:resourceorgid", "aws:resourceorgpaths"})
"""Variables that stand for the owner of the resource, whoever calls."""


@dataclass(frozen=True)
class Condition:
    """One line of a Condition block."""

    operator: str
    """In lower case, such as `foranyvalue:stringlike`."""
    key: str
    """In lower case, such as `aws:sourcearn`."""
    given: Any
    name: str = ""
    """The key as it is written."""

    @cached_property
    def values(self) -> list[str]:
        """What the key is compared with. Raises Undecided where that is unknown."""
        return [
            str(value).lower() if isinstance(value, bool) else str(value)
            for value in map(values.require_known, values.items(self.given))
        ]

    @cached_property
    def plain(self) -> frozenset[str]:
        """Those of them that are no patterns: a text is among them at once, however many there are."""
        return frozenset(value for value in self.values if not has_wildcard(value))

    @cached_property
    def patterns(self) -> tuple[str, ...]:
        """The others."""
        return tuple(value for value in self.values if value not in self.plain)

    @property
    def kind(self) -> str:
        """What is compared: `string`, `arn`, `ipaddress`, `bool`, `null` ...; empty for an unknown operator."""
        return (self._parsed["ip"] or self._parsed["kind"]) if self._parsed else ""

    @property
    def is_negated(self) -> bool:
        """Whether it asks for other values than these."""
        return bool(self._parsed and (self._parsed["negated"] or self._parsed["not_ip"]))

    @property
    def ignores_case(self) -> bool:
        """Whether it compares in whatever case."""
        return bool(self._parsed and self._parsed["comparison"] == "equalsignorecase")

    @property
    def is_literal(self) -> bool:
        """Whether it takes `*` and `?` for themselves: StringEquals does, and of ARNs ArnEquals does not."""
        return self.kind == "string" and self._parsed is not None and self._parsed["comparison"] != "like"

    @property
    def holds_without_key(self) -> bool:
        """Whether it is true of a request that does not bring the key along."""
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
        """Whether a value that a request brings along is among these, or negated, is not.

        Raises Undecided where a policy variable or another operator decides.
        """
        if self.kind not in ("string", "arn", "bool"):
            values.raise_undecided(f"the operator {self.operator}")
        return self._has(present) is not self.is_negated

    def _has(self, present: str) -> bool:
        if self.kind == "bool" or self.ignores_case:
            return present.lower() in map(str.lower, self.values)
        if present in self.plain:
            return True
        if self.is_literal:
            return any_of(self.values, lambda value: value == present or _may_become(value))
        compare = _matches_arn if self.kind == "arn" else wildcards.matches
        return any_of(self.values, lambda pattern: compare(pattern, present) or _may_become(pattern))


def limiting_conditions(conditions: Iterable[Condition]) -> list[Condition]:
    """Those that only a request with one of their values passes: none that is negated, or true without the key.

    IfExists and ForAllValues are true without the key, unless another condition asks for it to be there
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
    """Whether a value stands for several, by a wildcard that is not escaped."""
    return any(character in "*?" for character in _ESCAPED.sub("", value))


def has_variable(value: str) -> bool:
    """Whether a value has a policy variable, so that nobody can tell what it stands for."""
    return _VARIABLE.search(_ESCAPED.sub("", value)) is not None


def has_text(value: str) -> bool:
    """Whether a value says anything at all beside its wildcards."""
    return bool(value.strip("*?"))


def is_fixed(value: str) -> bool:
    """Whether a value has neither a wildcard nor a variable that its caller decides."""
    return bool(value) and not has_wildcard(as_pattern(value))


def is_fixed_arn(value: str) -> bool:
    """Whether an ARN names whose resource it is: by its account, or where it has none, by the resource's own name.

    Anybody can have a bucket whose name begins with some letters.
    """
    pattern = as_pattern(value)
    if not has_wildcard(pattern):
        return bool(pattern)
    arn = arns.parts(pattern)
    if arn is None:
        return False
    _, service, _, account, resource = arn
    # Many write a bucket's ARN as arn:aws:s3:*:*:uploads.
    if account == "" or (account == "*" and service == "s3" and "/" not in resource):
        names = re.split("[:/]", resource.strip("/"))[: 1 if service == "s3" else 2]
        return not has_wildcard("/".join((service, *names)))
    return not has_wildcard(account)


def as_pattern(value: str) -> str:
    """The value with a wildcard for each variable of the caller, and a plain character for each that is settled."""

    def replaced(variable: re.Match[str]) -> str:
        return "_" if variable[1].lower() in _OF_THE_OWNER else "*"

    return _VARIABLE.sub(replaced, _ESCAPED.sub("_", value))


def without_variables(value: str) -> str:
    """The value with a plain character for each variable, to be taken apart: their names have colons."""
    return _VARIABLE.sub("_", _ESCAPED.sub("_", value))


def _may_become(value: str) -> bool:
    return values.raise_undecided(f"the variable in {value}") if has_variable(value) else False


def _matches_arn(pattern: str, arn: str) -> bool:
    """As ArnEquals and ArnLike compare, which are the same: part by part, wildcards in each."""
    patterns, parts = pattern.split(":", 5), arn.split(":", 5)
    if len(patterns) < len(parts):
        return wildcards.matches(pattern, arn)
    return len(patterns) == len(parts) and all(map(wildcards.matches, patterns, parts))


def covers_resource(pattern: str, arn: str) -> bool:
    """Whether a Resource of a policy takes in this ARN. Raises Undecided where a policy variable decides."""
    if pattern == "*":
        return True
    is_match = wildcards.matches(as_pattern(pattern), arn)
    return values.raise_undecided(f"the variable in {pattern}") if is_match and has_variable(pattern) else is_match


# --- keys ------------------------------------------------------------------------------------------------------------


def _is_path_of_an_organization(value: str) -> bool:
    return is_fixed(value.partition("/")[0])


def _is_user_id(value: str) -> bool:
    """Whether it names a user, an account, or a role, whose sessions each have a name behind the colon."""
    return is_fixed(value.partition(":")[0])


def _is_endpoint(value: str) -> bool:
    """Whether it names who receives: the account of an ARN, the host of a URL, the domain of an address."""
    if value.startswith("arn:"):
        return is_fixed_arn(value)
    host = re.match(r"https?://([^/]+)/", value)
    return is_fixed(host[1] if host else value.rpartition("@")[2])


def _is_context(value: str) -> bool:
    return is_fixed_arn(value) if value.startswith("arn:") else has_text(as_pattern(value))


Test = Callable[[str], bool]
"""Whether a value names somebody."""
Tests = Callable[[str], Test | None]
"""The test for the values of a key; None where the key says nothing of whom."""
_NETWORK = "aws:sourceip"
"""Its values are judged together: two halves are the whole."""
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
    "aws:principalorgpaths": _is_path_of_an_organization,
    "aws:vpceorgpaths": _is_path_of_an_organization,
    "aws:userid": _is_user_id,
    "elasticfilesystem:accessedviamounttarget": lambda value: value.lower() == "true",
    "sns:endpoint": _is_endpoint,
}
"""Keys that say who calls, or from where, each with the test of a value that names somebody
(https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_condition-keys.html)."""
SOURCES: dict[str, Test] = {
    "aws:sourceaccount": is_fixed,
    "aws:sourceowner": is_fixed,
    "aws:sourceorgid": is_fixed,
    "aws:sourceorgpaths": _is_path_of_an_organization,
    "aws:sourcearn": is_fixed_arn,
}
"""Keys that say on whose behalf an AWS service calls, and not which."""
_SERVICE: dict[str, Test] = {"aws:principalservicename": is_fixed}
_FOR_ANY_SERVICE = frozenset({"aws:principalisawsservice", "aws:viaawsservice"})
_CONTEXTS = ("kms:encryptioncontext:", "sts:externalid")
"""Keys by which a service says what it acts for, beside those of the source."""
_WIDEST_PREFIX = {4: 8, 6: 32}
"""Broader networks are the public (the same page of S3)."""
_WIDEST_SHARE = 16
"""All networks of a list together are at most this part of all addresses."""


def names_known_caller(conditions: Iterable[Condition], *, by_source: bool = True) -> bool:
    """Whether what a statement allows everybody is held to a known account, organization, resource or network.

    `by_source` says that it is enough to know on whose behalf a service calls. Raises Undecided where nobody can tell.
    """
    tests = CALLERS | (SOURCES | _SERVICE if by_source else {})
    return any_of(limiting_conditions(conditions), partial(has_fixed_values, tests=tests.get))


def names_source(conditions: Iterable[Condition]) -> bool:
    """Whether what a statement allows a service is held to somebody on whose behalf it calls."""
    tests = CALLERS | SOURCES
    return any_of(
        limiting_conditions(conditions),
        lambda condition: has_fixed_values(condition, tests.get) or _is_named_context(condition),
    )


def names_key(conditions: Iterable[Condition], *keys: str) -> bool:
    """Whether one of these keys is held to somebody in particular."""
    tests = {key: test for key, test in (CALLERS | SOURCES).items() if key in keys}
    return any_of(limiting_conditions(conditions), partial(has_fixed_values, tests=tests.get))


def excludes_only_known_callers(conditions: Collection[Condition], further: Tests = {}.get) -> bool:
    """Whether a Deny under these conditions is for all but somebody known, such as an organization.

    That it leaves out AWS's own services as well is how AWS writes it. `further` are the tests of other keys. Raises
    Undecided where nobody can tell.
    """
    known = CALLERS | SOURCES
    sparing = [
        condition
        for condition in conditions
        if not (condition.key in _FOR_ANY_SERVICE and condition.values == ["false"])
    ]
    if not conditions:
        return True
    return bool(sparing) and all_of(
        sparing,
        lambda condition: (
            condition.is_negated
            and condition.holds_without_key
            and has_fixed_values(condition, lambda key: known.get(key) or further(key))
        ),
    )


def literal_wildcards(conditions: Iterable[Condition], prefixes: tuple[str, ...] = ()) -> list[tuple[Condition, str]]:
    """Values with a wildcard that their operator takes literally, so that no request has them; each with its condition.

    Of keys that say who calls, and of those that begin so. Unknown values are left out.
    """
    known = (*CALLERS, *SOURCES)
    return [
        (condition, value)
        for condition in limiting_conditions(conditions)
        if condition.is_literal and (condition.key in known or condition.key.startswith((*_CONTEXTS[:1], *prefixes)))
        for value in values.items(condition.given)
        if isinstance(value, str) and has_wildcard(_VARIABLE.sub("", value))
    ]


def has_fixed_values(condition: Condition, tests: Tests) -> bool:
    """Whether each of its values stands for somebody in particular. Raises Undecided where one is unknown."""
    test = tests(condition.key)
    if test is not None and condition.key == _NETWORK:
        return is_narrow_network(condition.values)
    return (
        test is not None
        and bool(condition.values)
        and all(_stands(condition, test, value) for value in condition.values)
    )


def _stands(condition: Condition, test: Test, value: str) -> bool:
    # A wildcard that is taken literally lets nobody in, which is another complaint.
    return (condition.is_literal and has_wildcard(value)) or test(value)


def _is_named_context(condition: Condition) -> bool:
    if not condition.key.startswith(_CONTEXTS):
        return False
    return bool(condition.values) and all(_stands(condition, _is_context, value) for value in condition.values)


def is_narrow_network(given: Iterable[str]) -> bool:
    """Whether these networks are somebody's, and not the internet in one piece or in several."""
    networks = []
    for value in given:
        if not is_fixed(value):
            return False
        try:
            networks.append(ipaddress.ip_network(value, strict=False))
        except ValueError:
            # AWS refuses it.
            continue
    if any(network.prefixlen < _WIDEST_PREFIX[network.version] for network in networks):
        return False
    return all(_share(networks, version, bits) <= 1 / _WIDEST_SHARE for version, bits in ((4, 32), (6, 128)))


def _share(networks: Iterable[Any], version: int, bits: int) -> float:
    """The part of all addresses that these networks take together."""
    merged = ipaddress.collapse_addresses([network for network in networks if network.version == version])
    return sum(network.num_addresses for network in merged) / 2**bits
