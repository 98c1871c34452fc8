"""Every input of the AWS provider that grants access is checked, or is listed with the reason why it is not."""

import json
import re
from fnmatch import fnmatchcase

import pytest

from policies.aws.iam import access_inputs
from policies.inputs import state_files
from policies.model import resource_types
from policies.model.evaluation import check
from tests.policies.programs import Made, make, policy, program
from tests.policies.provider_inputs import paths_by_type

_SAYS_WHO = re.compile(
    r"polic(y|ies)|\w*Polic(y|ies)|\w*[pP]olicyDocuments?|\w*[pP]olicyArns?|policy(Body|Text|Template)"
    r"|\w*[pP]rincipals?(Arns?|Id)?|\w*[gG]rantee(Principal)?s?|sharedAccounts|accountIds"
    r"|authorization|\w*[aA]uth(orization|entication)?(Type|Mode|Method)s?|authorizerType"
    r"|allowUnauthenticatedIdentities|managedPolic\w+|acl|\w+Acl\w*|grants?|permissions?|publiclyAccessible"
)
"""Names of inputs with a policy, a principal, an authorization type, a managed policy or a grant."""

_SINGLE = (
    access_inputs.RESOURCE_POLICIES,
    access_inputs.SEARCH_DOMAINS,
    access_inputs.NARROWING_POLICIES,
    access_inputs.TRUST_POLICIES,
    access_inputs.IDENTITY_POLICIES,
    access_inputs.INLINE_POLICIES,
    access_inputs.ATTACHED_POLICIES,
    access_inputs.PERMISSIONS,
    access_inputs.ENDPOINT_SERVICES,
    access_inputs.AUTHORIZATION,
)


def checked_inputs() -> set[tuple[str, str]]:
    """Type and path of every input in the pack's tables."""
    places = {place for table in _SINGLE for place in table.items()}
    return places | {(type_, path) for type_, paths in access_inputs.PUBLIC_GRANTS.items() for path in paths}


def candidates() -> set[tuple[str, str]]:
    """Type and path of every input of the provider that grants access, by its name."""
    return {
        (type_, path)
        for type_, paths in paths_by_type().items()
        for path in paths
        if _SAYS_WHO.fullmatch(path.rpartition(".")[2])
    }


def is_excused(type_: str, path: str, pattern: str) -> bool:
    where, _, wanted = pattern.partition(".")
    short = type_.split(":")[1]
    if where == "*":
        return fnmatchcase(path.rpartition(".")[2], wanted)
    return fnmatchcase(short, where) and fnmatchcase(path, wanted)


def test_every_input_that_grants_access_is_checked_or_listed():
    patterns = [pattern for patterns in access_inputs.NOT_CHECKED.values() for pattern in patterns]
    inputs = candidates()
    assert len(inputs) > 400
    missing = [
        f"{type_} {path}"
        for type_, path in sorted(inputs - checked_inputs())
        if not any(is_excused(type_, path, pattern) for pattern in patterns)
    ]
    assert missing == []


def test_every_checked_input_exists():
    provider = paths_by_type()
    unknown = [
        f"{type_} {path}"
        for type_, path in checked_inputs()
        if type_ not in provider or path.partition(".")[0] not in provider[type_]
    ]
    assert unknown == []


def test_every_listed_pattern_matches_an_input():
    unjudged = candidates() - checked_inputs()
    idle = [
        pattern
        for patterns in access_inputs.NOT_CHECKED.values()
        for pattern in patterns
        if not any(is_excused(type_, path, pattern) for type_, path in unjudged)
    ]
    assert idle == []


OPEN = {"Effect": "Allow", "Principal": "*", "Action": "sts:TagSession", "Resource": "*"}
ADMINISTRATOR = "arn:aws:iam::aws:policy/AdministratorAccess"
PUBLIC = {
    "uri": "http://acs.amazonaws.com/groups/global/AllUsers",
    "group": "all",
    "sharedAccounts": "all",
    "accountIds": "All",
    "allowUnauthenticatedIdentities": True,
    "authorization": "NONE",
    "authorizationType": "NONE",
    "principal": "*",
}


def holding(type_: str, path: str, value: object) -> Made:
    """A resource of this type with this value at this path."""
    for key in reversed(path.split(".")):
        value = {key: value}
    assert isinstance(value, dict)
    return make(type_)("it", **value)


def complaints_about(made: Made) -> list[str]:
    """The names of the mandatory rules that complain about a resource."""
    report = check(state_files.read(json.dumps(program(made).exported()).encode()).resources)
    return [complaint.policy for complaint in report.mandatory]


@pytest.mark.parametrize(
    ("type_", "path"),
    [
        place
        for place in {**access_inputs.RESOURCE_POLICIES, **access_inputs.SEARCH_DOMAINS}.items()
        # Whether the domain is in a VPC is an input of the domain.
        if place[0] not in resource_types.SEARCH_DOMAIN_POLICIES
    ],
)
def test_a_public_policy_is_reported_in_every_input(type_, path):
    domain = "search-domain-is-not-open"
    expected = {domain, "resource-policy-is-not-open", "queue-policy-is-not-open", "topic-policy-is-not-open"}
    assert expected & set(complaints_about(holding(type_, path, policy(OPEN))))


@pytest.mark.parametrize(
    ("type_", "path"),
    {
        **access_inputs.RESOURCE_POLICIES,
        **access_inputs.SEARCH_DOMAINS,
        **access_inputs.NARROWING_POLICIES,
        **access_inputs.TRUST_POLICIES,
        **access_inputs.IDENTITY_POLICIES,
    }.items(),
)
def test_an_action_that_does_not_exist_is_reported_in_every_input(type_, path):
    document = policy({"Effect": "Deny", "Principal": "*", "Action": "sqs:SendMesage", "Resource": "*"})
    assert "actions-exist" in complaints_about(holding(type_, path, document))


@pytest.mark.parametrize(("type_", "path"), access_inputs.IDENTITY_POLICIES.items())
def test_a_policy_that_allows_everything_is_reported_in_every_input(type_, path):
    document = policy({"Effect": "Allow", "Action": "*", "Resource": "*"})
    assert "policy-names-its-actions" in complaints_about(holding(type_, path, document))


@pytest.mark.parametrize(("type_", "path"), access_inputs.ATTACHED_POLICIES.items())
def test_administrator_access_is_reported_in_every_attachment(type_, path):
    policy = [ADMINISTRATOR] if path.endswith("s") else ADMINISTRATOR
    assert "no-full-access-policy-is-attached" in complaints_about(holding(type_, path, policy))


@pytest.mark.parametrize(
    ("type_", "path"),
    [(type_, path) for type_, paths in access_inputs.PUBLIC_GRANTS.items() for path in paths],
)
def test_a_public_grant_is_reported_in_every_input(type_, path):
    grant = PUBLIC.get(path.rpartition(".")[2], "public-read")
    assert "resource-is-not-public" in complaints_about(holding(type_, path, grant))


@pytest.mark.parametrize(("type_", "path"), {**access_inputs.PERMISSIONS, **access_inputs.AUTHORIZATION}.items())
def test_missing_authorization_is_reported_in_every_input(type_, path):
    made = holding(type_, path, PUBLIC[path])
    more = {"action": "lambda:InvokeFunction", "routeKey": "GET /orders", "httpMethod": "GET"}
    expected = {"resource-policy-is-not-open", "api-authorizes-its-callers"}
    assert expected & set(complaints_about(make(type_)("it", **{**more, **made.inputs})))
