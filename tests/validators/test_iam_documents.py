"""parliament and cfn-lint on every IAM document: policies of roles, who may assume them, and who may use a resource."""

import copy
import json
from collections.abc import Mapping
from typing import Any, NamedTuple

import pytest

from local.mocks.recording import REGION
from tests.validators import accepted_findings, tools

IDENTITY, TRUST, RESOURCE = "identity", "trust", "resource"
DOCUMENTS: Mapping[str, tuple[str, str]] = {
    "AWS::IAM::RolePolicy": ("PolicyDocument", IDENTITY),
    "AWS::IAM::Role": ("AssumeRolePolicyDocument", TRUST),
    "AWS::S3::BucketPolicy": ("PolicyDocument", RESOURCE),
    "AWS::SNS::TopicPolicy": ("PolicyDocument", RESOURCE),
    "AWS::SQS::QueuePolicy": ("PolicyDocument", RESOURCE),
}
"""Where documents are: a type of resource -> its property and the kind of the document."""
ANY_ROLE = "arn:aws:iam::111122223333:role/any"
QUEUE = "arn:aws:sqs:eu-west-1:111122223333:inbox"
OF_IDENTITY = {"Effect": "Allow", "Action": "sqs:SendMessage", "Resource": QUEUE}
OF_TRUST = {"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {"Service": "lambda.amazonaws.com"}}
OF_RESOURCE = {
    "Effect": "Allow",
    "Action": "sqs:SendMessage",
    "Principal": {"Service": "events.amazonaws.com"},
    "Resource": QUEUE,
    "Condition": {"ArnEquals": {"aws:SourceArn": "arn:aws:events:eu-west-1:111122223333:rule/any"}},
}


class Planted(NamedTuple):
    """A statement with an error, as one of a document of this kind, and which validators find it."""

    kind: str
    statement: dict[str, Any]
    by: set[str]


def _edit(statement: Mapping[str, Any], **changes: Any) -> dict[str, Any]:
    """A copy of the statement with these elements instead, without those that are None."""
    return {key: value for key, value in {**statement, **changes}.items() if value is not None}


def _limit(statement: Mapping[str, Any], operator: str, key: str, value: str) -> dict[str, Any]:
    """A copy of the statement with this condition."""
    return _edit(statement, Condition={operator: {key: value}})


BOTH, PARLIAMENT, CFN_LINT, NOBODY = {"parliament", "cfn-lint"}, {"parliament"}, {"cfn-lint"}, set()
ERRORS: Mapping[str, Planted] = {
    "an unknown action": Planted(IDENTITY, _edit(OF_IDENTITY, Action="sqs:SendMessages"), BOTH),
    "an unknown service": Planted(IDENTITY, _edit(OF_IDENTITY, Action="sqss:SendMessage"), BOTH),
    "an effect in small letters": Planted(IDENTITY, _edit(OF_IDENTITY, Effect="allow"), BOTH),
    "no action": Planted(IDENTITY, _edit(OF_IDENTITY, Action=None), BOTH),
    "no resource": Planted(IDENTITY, _edit(OF_IDENTITY, Resource=None), BOTH),
    "a misspelt element": Planted(IDENTITY, _edit(OF_IDENTITY, Resources=QUEUE), BOTH),
    "an unknown operator": Planted(IDENTITY, _limit(OF_IDENTITY, "StringEqual", "aws:RequestedRegion", "x"), BOTH),
    "a resource of another service": Planted(IDENTITY, _edit(OF_IDENTITY, Resource=QUEUE.replace("sqs", "sns")), BOTH),
    "an identifier with a hyphen": Planted(IDENTITY, _edit(OF_IDENTITY, Sid="let-in"), BOTH),
    "an unknown key": Planted(IDENTITY, _limit(OF_IDENTITY, "StringEquals", "aws:RequestRegion", "x"), PARLIAMENT),
    "a key of another service": Planted(
        IDENTITY, _limit(OF_IDENTITY, "StringEquals", "secretsmanager:Name", "x"), PARLIAMENT
    ),
    "half an ARN": Planted(IDENTITY, _edit(OF_IDENTITY, Resource="arn:aws:sqs:inbox"), PARLIAMENT),
    "a principal in a role's policy": Planted(IDENTITY, _edit(OF_IDENTITY, Principal=OF_TRUST["Principal"]), CFN_LINT),
    "an operator of another type": Planted(
        IDENTITY, _limit(OF_IDENTITY, "NumericEquals", "aws:RequestedRegion", "x"), NOBODY
    ),
    "an unknown action of trust": Planted(TRUST, _edit(OF_TRUST, Action="sts:AssumeRoles"), BOTH),
    "an unknown kind of principal": Planted(TRUST, _edit(OF_TRUST, Principal={"Services": "x"}), PARLIAMENT),
    "a principal of four digits": Planted(TRUST, _edit(OF_TRUST, Principal={"AWS": "1111"}), BOTH),
    "an unknown operator of trust": Planted(TRUST, _limit(OF_TRUST, "StringEqual", "aws:SourceAccount", "1"), BOTH),
    "an unknown key of trust": Planted(TRUST, _limit(OF_TRUST, "StringEquals", "aws:SourceAccounts", "1"), PARLIAMENT),
    "a resource in a trust policy": Planted(TRUST, _edit(OF_TRUST, Resource=ANY_ROLE), CFN_LINT),
    "trust without a principal": Planted(TRUST, _edit(OF_TRUST, Principal=None), CFN_LINT),
    "a misspelt service that is trusted": Planted(
        TRUST, _edit(OF_TRUST, Principal={"Service": "lamda.amazonaws.com"}), NOBODY
    ),
    "an unknown action of a queue": Planted(RESOURCE, _edit(OF_RESOURCE, Action="sqs:SendMessages"), BOTH),
    "an action of another service": Planted(RESOURCE, _edit(OF_RESOURCE, Action="sns:Publish"), BOTH),
    "a resource that is no ARN": Planted(RESOURCE, _edit(OF_RESOURCE, Resource="inbox"), BOTH),
    "a role of no account": Planted(RESOURCE, _edit(OF_RESOURCE, Principal={"AWS": "arn:aws:iam::1:role/x"}), BOTH),
    "an unknown operator of a queue": Planted(RESOURCE, _limit(OF_RESOURCE, "ArnEqual", "aws:SourceArn", QUEUE), BOTH),
    "an unknown key of a queue": Planted(
        RESOURCE, _limit(OF_RESOURCE, "ArnEquals", "aws:SourceArns", QUEUE), PARLIAMENT
    ),
    "a queue's policy without a principal": Planted(RESOURCE, _edit(OF_RESOURCE, Principal=None), CFN_LINT),
    "a misspelt service that is let in": Planted(
        RESOURCE, _edit(OF_RESOURCE, Principal={"Service": "event.amazonaws.com"}), NOBODY
    ),
    "an ARN's operator on an account": Planted(
        RESOURCE, _limit(OF_RESOURCE, "ArnEquals", "aws:SourceAccount", "111122223333"), NOBODY
    ),
}
"""What is planted -> which validator finds it. docs/validators.md names what neither does."""


def list_documents(template: Mapping[str, Any]) -> list[tuple[str, dict[str, Any]]]:
    """The kind of every IAM document in a template, and the document."""
    return [
        (DOCUMENTS[resource["Type"]][1], resource["Properties"][DOCUMENTS[resource["Type"]][0]])
        for resource in template["Resources"].values()
        if resource["Type"] in DOCUMENTS
    ]


def read_for_parliament(kind: str, document: Mapping[str, Any]) -> dict[str, Any]:
    """The document with a resource, without which parliament reads no statement: a trust policy has none."""
    complete = copy.deepcopy(dict(document))
    for statement in complete["Statement"] if kind == TRUST else ():
        statement.setdefault("Resource", ANY_ROLE)
    return complete


def ask_parliament(run_validator, documents: list[tuple[str, dict[str, Any]]]) -> list[list[str]]:
    """What parliament says of each document; of a trust policy, all but that it lets somebody assume a role."""
    answers = run_validator(tools.check_policies, [read_for_parliament(kind, one) for kind, one in documents])
    return [
        [line for line in lines if kind != TRUST or not line.startswith("CREDENTIALS_EXPOSURE")]
        for (kind, _), lines in zip(documents, answers, strict=True)
    ]


def test_every_document_is_as_parliament_wants_it(templates, run_validator):
    every = {json.dumps(one): one for template in templates.values() for one in list_documents(template)}
    documents = list(every.values())
    assert all(sum(kind == one for one, _ in documents) >= 3 for kind in (IDENTITY, TRUST, RESOURCE))

    findings = [line for lines in ask_parliament(run_validator, documents) for line in lines]

    assert accepted_findings.compare(findings, accepted_findings.PARLIAMENT) == ([], [])


def test_every_document_of_a_resource_is_looked_at(templates):
    """Whatever has a property that is a policy is in the table of this test."""
    with_policy = {
        resource["Type"]
        for template in templates.values()
        for resource in template["Resources"].values()
        if any("Statement" in value for value in resource["Properties"].values() if isinstance(value, dict))
    }

    assert with_policy == set(DOCUMENTS)


@pytest.fixture(scope="module")
def finders(run_validator) -> dict[str, set[str]]:
    """Which validators find each planted error."""
    documents = [
        (planted.kind, {"Version": "2012-10-17", "Statement": [planted.statement]}) for planted in ERRORS.values()
    ]
    by_parliament = ask_parliament(run_validator, documents)
    resources = {}
    for number, (kind, document) in enumerate(documents):
        properties: dict[str, Any] = {
            IDENTITY: {"RoleName": "any", "PolicyName": f"policy{number}", "PolicyDocument": document},
            TRUST: {"AssumeRolePolicyDocument": document},
            RESOURCE: {
                "Queues": ["https://sqs.eu-west-1.amazonaws.com/111122223333/inbox"],
                "PolicyDocument": document,
            },
        }[kind]
        type_ = {IDENTITY: "AWS::IAM::RolePolicy", TRUST: "AWS::IAM::Role", RESOURCE: "AWS::SQS::QueuePolicy"}[kind]
        resources[f"Error{number}"] = {"Type": type_, "Properties": properties}
    template = {"AWSTemplateFormatVersion": "2010-09-09", "Resources": resources}
    findings = run_validator(tools.check_templates, {"planted": template}, REGION)["planted"]
    by_error: dict[str, set[str]] = {}
    for number, (error, lines) in enumerate(zip(ERRORS, by_parliament, strict=True)):
        by_cfn_lint = any(f" Resources/Error{number}/" in finding for finding in findings)
        by_error[error] = {
            name for name, is_found in {"parliament": lines, "cfn-lint": by_cfn_lint}.items() if is_found
        }
    return by_error


@pytest.mark.parametrize("error", ERRORS)
def test_an_error_in_a_document_is_found(finders, error):
    assert finders[error] == ERRORS[error].by


def test_a_right_statement_of_each_kind_is_not_complained_of(run_validator):
    right = [(IDENTITY, OF_IDENTITY), (TRUST, OF_TRUST), (RESOURCE, OF_RESOURCE)]
    documents = [(kind, {"Version": "2012-10-17", "Statement": [statement]}) for kind, statement in right]

    assert ask_parliament(run_validator, documents) == [[], [], []]
