"""A condition replaces the ARN of a resource only if it excludes some resources.

The keys and what their values look like are those of the service authorization reference and of each service's page of
condition keys (https://docs.aws.amazon.com/service-authorization/latest/reference/reference_policies_actions-resources-contextkeys.html).
"""

import pytest

from policies.aws.iam.policy_documents import Statement
from policies.aws.iam.resource_conditions import restrict_resources, restrict_service


def _conditions(operator, key, value):
    return Statement({"Condition": {operator: {key: value}}}, 0).conditions


@pytest.mark.parametrize(
    ("operator", "key", "value"),
    [
        ("StringLike", "kms:ResourceAliases", "alias/shop-*"),
        ("StringEquals", "kms:ViaService", "sqs.eu-west-1.amazonaws.com"),
        ("StringLike", "kms:ViaService", "secretsmanager.*.amazonaws.com"),
        ("ArnEquals", "ecs:cluster", "arn:aws:ecs:eu-west-1:111122223333:cluster/shop"),
        ("ArnLike", "ecs:cluster", "arn:aws:ecs:*:*:cluster/shop-*"),
        ("StringEquals", "secretsmanager:ResourceTag/team", "shop"),
        ("StringEquals", "aws:ResourceTag/team", "${aws:PrincipalTag/team}"),
        ("StringLike", "secretsmanager:SecretId", "arn:aws:secretsmanager:*:*:secret:shop/*"),
        ("StringLike", "ses:FromAddress", "*@example.com"),
    ],
)
def test_a_value_that_excludes_some_resources_is_a_restriction(operator, key, value):
    assert restrict_resources(_conditions(operator, key, value))


@pytest.mark.parametrize(
    ("operator", "key", "value"),
    [
        ("StringLike", "kms:ResourceAliases", "alias/*"),
        ("StringLike", "kms:RequestAlias", "*"),
        ("StringLike", "kms:ViaService", "*.amazonaws.com"),
        ("StringLike", "kms:ViaService", "*.eu-west-1.amazonaws.com"),
        ("ArnLike", "ecs:cluster", "arn:aws:ecs:*:*:cluster/*"),
        ("ArnLike", "ecs:cluster", "arn:aws:ecs:*"),
        ("ArnLike", "ec2:Vpc", "arn:aws:ec2:eu-west-1:111122223333:vpc/*"),
        ("ArnLike", "lambda:FunctionArn", "arn:aws:lambda:*:*:function:*"),
        ("ArnLike", "elasticfilesystem:AccessPointArn", "arn:aws:elasticfilesystem:*:*:access-point/*"),
        ("StringLike", "kms:EncryptionContext:SecretARN", "arn:aws:secretsmanager:*:*:secret:*"),
        ("StringLike", "secretsmanager:SecretId", "arn:aws:secretsmanager:*:*:secret:*"),
        ("StringEquals", "secretsmanager:SecretId", "${secretsmanager:SecretId}"),
        ("StringEquals", "aws:ResourceTag/team", "${aws:ResourceTag/team}"),
        ("StringEquals", "aws:ResourceTag/team", "${aws:ResourceTag/team, 'none'}"),
        ("StringLike", "aws:ResourceTag/team", "?*"),
        ("StringLike", "ses:FromAddress", "*@*"),
        ("StringEquals", "aws:ResourceTag/team", ["shop", "${aws:ResourceTag/team}"]),
    ],
)
def test_a_value_that_every_resource_has_is_no_restriction(operator, key, value):
    assert not restrict_resources(_conditions(operator, key, value))


@pytest.mark.parametrize(
    ("value", "is_named"),
    [
        ("ecs-tasks.amazonaws.com", True),
        ("*.amazonaws.com", False),
        ("?*", False),
        ("${iam:PassedToService}", False),
    ],
)
def test_a_condition_restricts_the_service_that_a_role_is_passed_to(value, is_named):
    assert restrict_service(_conditions("StringLike", "iam:PassedToService", value)) is is_named
