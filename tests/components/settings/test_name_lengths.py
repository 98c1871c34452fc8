"""How long names may be, so that AWS takes what is made of them."""

import pytest

from components.rotation_guard import RotationGuard
from components.settings.name_lengths import LONGEST_NAME
from components.settings.validation import InvalidSettings, complaints_about
from tests.components.samples.everything import EVERYTHING
from tests.components.samples.messages import rule

ACTUALLY_ADDED = len("-0a1b2c3")
LIMITS = {
    # (https://docs.aws.amazon.com/lambda/latest/api/API_CreateFunction.html)
    "aws:lambda/function:Function": 64,
    # (https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html)
    "aws:iam/role:Role": 64,
    "aws:iam/rolePolicy:RolePolicy": 128,
    # (https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_PutRule.html)
    "aws:cloudwatch/eventRule:EventRule": 64,
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


def test_the_longest_name_is_the_one_with_which_all_resources_have_names_that_aws_takes(guard):
    everything = guard(**EVERYTHING)
    fixed = [resource for resource in everything.custom() if "-events-extra-" not in resource.name]
    limited = {
        (one.type, one.name): LIMITS[one.type] - ACTUALLY_ADDED - (len(one.name) - len("guard"))
        for one in fixed
        if one.type in LIMITS
    }

    assert {kind for kind, _ in limited} > {"aws:lambda/function:Function", "aws:cloudwatch/eventRule:EventRule"}
    shortest = min(limited.values())
    assert shortest == LONGEST_NAME, [name for name, most in limited.items() if most == shortest]


@pytest.mark.parametrize("name", ["", "with space", "dotted.name", "ü", "x\n"])
def test_the_components_name_has_characters_that_all_names_may_have(name):
    [complaint] = complaints_about({}, component=name)

    assert complaint.startswith("the component's name must be letters, digits, '_' or '-', got ")


def test_the_components_name_fits():
    assert complaints_about({}, component="n" * LONGEST_NAME) == []

    [complaint] = complaints_about({}, component="n" * (LONGEST_NAME + 1))

    assert complaint.startswith(f"the component's name must be at most {LONGEST_NAME} characters, as the name of ")
    assert complaint.endswith(f" with {LONGEST_NAME + 1}")


@pytest.mark.parametrize(("component", "most"), [("rotation-guard", 24), ("n" * 18, 24), ("n" * 24, 18), ("n" * 34, 8)])
def test_the_name_of_an_extra_rule_fits_into_that_of_its_component(component, most):
    # A rule of EventBridge has a name of 64 characters at most.
    assert most == 24 or len(f"{component}-events-extra-{'r' * most}") + ACTUALLY_ADDED == 64
    assert complaints_about({"extra_rules": [rule(name="r" * most)]}, component=component) == []
    if most == 24:
        return

    [complaint] = complaints_about({"extra_rules": [rule(name="r" * (most + 1))]}, component=component)

    assert complaint.startswith(f"extra_rules[0].name must be at most {most} characters in the component {component}, ")


@pytest.mark.parametrize(("autonaming", "is_refused"), [(None, True), ('{"mode": "verbatim"}', False)])
def test_where_the_stack_has_names_of_its_own_kind_pulumi_adds_nothing_that_is_known(run, autonaming, is_refused):
    complaints = []
    config = {"pulumi:autonaming": autonaming} if autonaming else {}

    run(lambda: complaints.extend(complaints_about({}, component="n" * (LONGEST_NAME + 1))), config=config)

    assert bool(complaints) is is_refused


def test_a_secret_rules_name_is_not_repeated():
    given = {"extra_rules": [rule(name="r" * 20)]}

    [complaint] = complaints_about(given, component="n" * 30, secret_settings=frozenset({"extra_rules"}))

    assert complaint.endswith(", got a secret value")


def test_a_component_refuses_a_name_that_is_too_long_before_anything_is_made(run):
    refused = []

    def program():
        with pytest.raises(InvalidSettings, match=f"the component's name must be at most {LONGEST_NAME} characters"):
            RotationGuard("n" * 40)
        refused.append(True)

    assert run(program).resources == []
    assert refused
