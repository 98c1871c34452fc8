"""The deployer's policies against lists of AWS's own: what CloudFormation's handlers of the same types need."""

import json
import re
from collections.abc import Mapping

import pytest

from docs.deployer_actions import GRANTS
from docs.deployer_policies import write_policies
from tests.validators import tools
from tests.validators.resource_types import PARTS, TYPES

NOT_NEEDED: Mapping[str, Mapping[str, str]] = {
    "AWS::CloudTrail::Trail": {
        r"cloudtrail:(Get|Put)(EventConfiguration|InsightSelectors)": "neither insights nor enriched events",
        r"iam:(CreateServiceLinkedRole|GetRole)|organizations:.*": "no organisation trail",
        r"iam:PassRole": "no copy of the log in CloudWatch Logs",
    },
    "AWS::CloudWatch::Dashboard": {r"cloudwatch:(ListTagsForResource|TagResource|UntagResource)": "no tags"},
    "AWS::DynamoDB::Table": {
        r"dynamodb:(AssociateTableReplica|CreateTableReplica)|iam:CreateServiceLinkedRole": "no replicas",
        r"dynamodb:(BatchWriteItem|DeleteItem|GetItem|PutItem|Query|Scan|UpdateItem)": "no copy to replicas",
        r"dynamodb:\w+(ContributorInsights|KinesisStreamingDestination|ResourcePolicy)|kinesis:.*": "not configured",
        r"dynamodb:(DescribeImport|ImportTable)|s3:.*|logs:.*": "no import of a table",
        r"kms:.*": "AWS's own key",
    },
    "AWS::Events::Connection": {r"kms:.*": "AWS's own key"},
    "AWS::IAM::Role": {
        r"iam:(Attach|Detach)RolePolicy|iam:\w+RolePermissionsBoundary": "neither managed policies nor a boundary",
        r"iam:(Delete|Get|Put)RolePolicy": "policies are resources of their own",
    },
    "AWS::Lambda::EventSourceMapping": {r"kms:.*": "filters are not encrypted, as there are none"},
    "AWS::Lambda::Function": {
        r"ec2:.*|elasticfilesystem:.*|s3files:.*": "no network and no file system",
        r"kms:.*": "AWS's own key",
        r"lambda:\w*(CodeSigningConfig|ScalingConfig|RuntimeManagementConfig|RuntimeAlias|CapacityProvider)": "not set",
        r"lambda:PublishVersion": "no versions",
        r"s3:.*": "code is uploaded with the call",
    },
    "AWS::Logs::LogGroup": {
        r"firehose:.*|s3:.*|logs:CreateLogDelivery": "no delivery of logs",
        r"logs:\w+(KmsKey|DataProtectionPolicy|IndexPolicy|IndexPolicies|ResourcePolicy|ResourcePolicies)": "not set",
        r"logs:Put(BearerTokenAuthentication|LogGroupDeletionProtection)": "not set",
    },
    "AWS::S3::Bucket": {
        r"iam:PassRole|s3tables:.*|s3:\w+Replication\w*": "neither replication nor tables",
        r"s3:\w*(Abac|Accelerate|Acl|Analytics|Cors|CORS|Intelligent|Inventory|Logging|Metadata|Metrics|Notification"
        r"|ObjectLock|OwnershipControls|Website)\w*": "not configured",
        r"s3:DeleteBucket(Encryption|Lifecycle)": "no actions of IAM: deleting needs the Put",
    },
    "AWS::SNS::Subscription": {r"iam:.*": "the role of a Firehose stream is somebody else's"},
    "AWS::SNS::Topic": {
        r"iam:.*": "no delivery status",
        r"sns:(Get|Put)DataProtectionPolicy": "not set",
        r"sns:(ListSubscriptionsByTopic|Subscribe|Unsubscribe)": "subscriptions are resources of their own",
    },
    "AWS::SecretsManager::RotationSchedule": {r"iam:PassRole": "no managed external secret"},
    "AWS::SecretsManager::Secret": {
        r"secretsmanager:GetRandomPassword": "the value is given",
        r"secretsmanager:\w+Region\w+": "no replicas",
    },
    "AWS::StepFunctions::StateMachine": {r"kms:.*": "AWS's own key", r"s3:.*": "the definition is in the call"},
}
"""What a handler asks for and this stack has no use for, each with the reason."""


PRIVILEGES: Mapping[str, set[str]] = {
    # Who deploys functions with their roles can do whatever such a role can: docs/deploy.md says what limits it.
    "functions": {"PERMISSIONS_MANAGEMENT_ACTIONS", "PRIVILEGE_ESCALATION"},
    # parliament's list is older than AWS's, in which these actions on subscriptions take the topic
    # (https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazonsns.html).
    "messages": {"PERMISSIONS_MANAGEMENT_ACTIONS", "RESOURCE_MISMATCH"},
    # The bucket's policy is part of the stack, its objects are not.
    "storage": {"PERMISSIONS_MANAGEMENT_ACTIONS", "RESOURCE_POLICY_PRIVILEGE_ESCALATION"},
    "demo": set(),
}
"""Kinds of parliament's findings in each policy."""


@pytest.fixture(scope="module")
def needs(run_validator):
    return run_validator(tools.read_handler_permissions, [type_ for type_, _ in TYPES.values()])


def list_granted(type_):
    """The actions that the policies grant for a resource type of CloudFormation and its parts, in lower case."""
    whole = [token for token, (name, _) in TYPES.items() if name == type_]
    parts = [token for token, (owner, *_) in PARTS.items() if owner in whole]
    return {action.lower() for token in [*whole, *parts] for grant in GRANTS[token] for action in grant.actions}


def test_every_resource_type_is_compared(needs):
    assert set(needs) == {type_ for type_, _ in TYPES.values()}
    assert set(NOT_NEEDED) <= set(needs)


@pytest.mark.parametrize("type_", sorted({type_ for type_, _ in TYPES.values()}))
def test_the_policies_have_what_cloudformation_needs_for_the_same_resource(needs, type_):
    missing = {action for action in needs[type_] if action.lower() not in list_granted(type_)}
    reasons = NOT_NEEDED.get(type_, {})

    assert [action for action in sorted(missing) if not any(re.fullmatch(one, action, re.I) for one in reasons)] == []
    assert [one for one in reasons if not any(re.fullmatch(one, action, re.I) for action in missing)] == []


@pytest.mark.parametrize("policy", PRIVILEGES)
def test_parliament_finds_only_the_privileges_that_a_deployment_needs(run_validator, policy):
    [document] = [json.loads(text) for path, text in write_policies().items() if path.stem == policy]

    [findings] = run_validator(tools.check_policies, [document])

    assert {finding.partition(":")[0] for finding in findings} == PRIVILEGES[policy]


def test_every_policy_is_given_to_parliament():
    assert set(PRIVILEGES) == {path.stem for path in write_policies()}
