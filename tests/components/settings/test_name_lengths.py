"""How long names may be, so that AWS accepts the names derived from them."""

import re

import pytest

from components.rotation_guard import RotationGuard
from components.settings.name_lengths import LONGEST_NAME
from components.settings.validation import InvalidSettings, complaints_about
from tests.components.samples.everything import EVERYTHING
from tests.components.samples.messages import rule, webhook

ACTUALLY_ADDED = len("-0a1b2c3")
LIMITS = {
    # (https://docs.aws.amazon.com/lambda/latest/api/API_CreateFunction.html)
    "aws:lambda/function:Function": 64,
    # (https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html)
    "aws:iam/role:Role": 64,
    "aws:iam/rolePolicy:RolePolicy": 128,
    # (https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_PutRule.html)
    "aws:cloudwatch/eventRule:EventRule": 64,
    # (https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_CreateConnection.html)
    "aws:cloudwatch/eventConnection:EventConnection": 64,
    # (https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_CreateApiDestination.html)
    "aws:cloudwatch/eventApiDestination:EventApiDestination": 64,
    # (https://docs.aws.amazon.com/scheduler/latest/APIReference/API_CreateSchedule.html)
    "aws:scheduler/schedule:Schedule": 64,
    "aws:scheduler/scheduleGroup:ScheduleGroup": 64,
    # (https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_CreateQueue.html)
    "aws:sqs/queue:Queue": 80,
    # (https://docs.aws.amazon.com/sns/latest/api/API_CreateTopic.html)
    "aws:sns/topic:Topic": 256,
    # (https://docs.aws.amazon.com/step-functions/latest/apireference/API_CreateStateMachine.html)
    "aws:sfn/stateMachine:StateMachine": 80,
    # (https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_PutMetricAlarm.html)
    "aws:cloudwatch/metricAlarm:MetricAlarm": 255,
    "aws:cloudwatch/compositeAlarm:CompositeAlarm": 255,
    "aws:cloudwatch/dashboard:Dashboard": 255,
    # (https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_CreateLogGroup.html)
    "aws:cloudwatch/logGroup:LogGroup": 512,
    # (https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_CreateTable.html)
    "aws:dynamodb/table:Table": 255,
    # (https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_CreateSecret.html)
    "aws:secretsmanager/secret:Secret": 512,
    # The identifier of a statement (https://docs.aws.amazon.com/lambda/latest/api/API_AddPermission.html).
    "aws:lambda/permission:Permission": 100,
}


def test_the_maximum_length_of_the_component_name_follows_from_the_limits_of_aws(guard):
    everything = guard(**EVERYTHING)
    # Names that depend on a setting have messages of their own.
    fixed = [
        resource
        for resource in everything.custom()
        if "-events-extra-" not in resource.name and not re.match(r"guard-(critical|remediation)-", resource.name)
    ]
    limited = {
        (resource.type, resource.name): LIMITS[resource.type] - ACTUALLY_ADDED - (len(resource.name) - len("guard"))
        for resource in fixed
        if resource.type in LIMITS
    }

    assert {kind for kind, _ in limited} > {"aws:lambda/function:Function", "aws:cloudwatch/eventRule:EventRule"}
    shortest = min(limited.values())
    assert shortest == LONGEST_NAME, [name for name, maximum in limited.items() if maximum == shortest]


@pytest.mark.parametrize("name", ["", "with space", "dotted.name", "ü", "x\n"])
def test_the_component_name_has_only_characters_that_all_names_may_have(name):
    [complaint] = complaints_about({}, component=name)

    assert complaint.startswith("the component's name must be letters, digits, '_' or '-', got ")


def test_the_component_name_has_a_maximum_length():
    assert complaints_about({}, component="n" * LONGEST_NAME) == []

    [complaint] = complaints_about({}, component="n" * (LONGEST_NAME + 1))

    assert complaint.startswith(f"the component's name must be at most {LONGEST_NAME} characters, as the name of ")
    assert complaint.endswith(f" with {LONGEST_NAME + 1}")


@pytest.mark.parametrize(
    ("component", "maximum"), [("rotation-guard", 24), ("n" * 18, 24), ("n" * 24, 18), ("n" * 34, 8)]
)
def test_the_maximum_length_of_the_name_of_a_rule_depends_on_the_component_name(component, maximum):
    # A rule of EventBridge has a name of 64 characters at most.
    assert maximum == 24 or len(f"{component}-events-extra-{'r' * maximum}") + ACTUALLY_ADDED == 64
    assert complaints_about({"extra_rules": [rule(name="r" * maximum)]}, component=component) == []
    if maximum == 24:
        return

    [complaint] = complaints_about({"extra_rules": [rule(name="r" * (maximum + 1))]}, component=component)

    assert complaint.startswith(
        f"extra_rules[0].name must be at most {maximum} characters in the component {component}, "
    )


@pytest.mark.parametrize(("autonaming", "is_rejected"), [(None, True), ('{"mode": "verbatim"}', False)])
def test_lengths_are_not_checked_if_the_stack_configures_autonaming(run, autonaming, is_rejected):
    complaints = []
    config = {"pulumi:autonaming": autonaming} if autonaming else {}

    run(lambda: complaints.extend(complaints_about({}, component="n" * (LONGEST_NAME + 1))), config=config)

    assert bool(complaints) is is_rejected


def test_the_name_of_a_secret_rule_is_not_repeated():
    settings = {"extra_rules": [rule(name="r" * 20)]}

    [complaint] = complaints_about(settings, component="n" * 30, secret_settings=frozenset({"extra_rules"}))

    assert complaint.endswith(", got a secret value")


def test_a_component_rejects_a_name_that_is_too_long_before_creating_resources(run):
    rejections = []

    def program():
        with pytest.raises(InvalidSettings, match=f"the component's name must be at most {LONGEST_NAME} characters"):
            RotationGuard("n" * 41)
        rejections.append(True)

    assert run(program).resources == []
    assert rejections


@pytest.mark.parametrize(("component", "maximum"), [("rotation-guard", 21), ("n" * 27, 8)])
def test_the_name_of_a_subscription_of_eventbridge_depends_on_the_component_name(component, maximum):
    # The names of its rule, role, connection and API destination have 64 characters at most.
    longest = webhook(topic="remediation", name="s" * maximum)
    assert len(f"{component}-remediation-webhook-{longest['name']}") + ACTUALLY_ADDED == 64
    assert complaints_about({"subscriptions": [longest]}, component=component) == []

    [complaint] = complaints_about({"subscriptions": [{**longest, "name": "s" * (maximum + 1)}]}, component=component)

    assert complaint.startswith(
        f"subscriptions[0].name must be at most {maximum} characters in the component {component}, "
    )
