"""The canary: a schedule that puts an event on the bus, with a role of its own and without a function."""

import json

import pytest

from components.events.canary import RotationCanary
from components.rotation_guard import RotationGuard
from components.settings.validation import InvalidSettings

SCHEDULE, GROUP = "aws:scheduler/schedule:Schedule", "aws:scheduler/scheduleGroup:ScheduleGroup"
ROLE, ROLE_POLICY = "aws:iam/role:Role", "aws:iam/rolePolicy:RolePolicy"
RULE, QUEUE = "aws:cloudwatch/eventRule:EventRule", "aws:sqs/queue:Queue"
TABLE = "guard-repair-incidents-0a1b2c3"
BUS = "arn:aws:events:eu-west-1:111122223333:event-bus/default"
DEAD_LETTERS = "arn:aws:sqs:eu-west-1:111122223333:dead"
KEY = "arn:aws:kms:eu-west-1:111122223333:key/7d0e"
ARGS = {
    "incidents_table_name": TABLE,
    "dead_letter_queue_arn": DEAD_LETTERS,
    "canary_schedule": "rate(1 day)",
}


@pytest.fixture
def canary(deploy):
    return lambda **more: deploy(RotationCanary, "canary", {**ARGS, **more})


def schedule_of(recording):
    return recording.named(SCHEDULE, "canary").inputs


def test_scheduler_puts_the_event_on_the_bus_without_a_function(canary):
    """https://docs.aws.amazon.com/scheduler/latest/APIReference/API_EventBridgeParameters.html"""
    schedule = schedule_of(canary())

    assert schedule["state"] == "ENABLED"
    assert schedule["scheduleExpression"] == "rate(1 day)"
    assert schedule["scheduleExpressionTimezone"] == "UTC"
    assert schedule["target"]["arn"] == BUS
    assert schedule["target"]["eventbridgeParameters"] == {
        "source": "rotation-guard.canary",
        "detailType": "AWS Service Event via CloudTrail",
    }
    assert canary().of_type("aws:lambda/function:Function") == []


def test_the_event_names_its_stack_and_differs_each_time(canary):
    time = "<aws.scheduler.scheduled-time>"

    assert json.loads(schedule_of(canary())["target"]["input"]) == {
        "eventName": "RotationCanary",
        "eventTime": time,
        "eventID": f"canary-{TABLE}-{time}",
        "incidents_table": TABLE,
    }


def test_a_cron_schedule_is_in_the_configured_time_zone(canary):
    schedule = schedule_of(canary(canary_schedule="cron(0 6 ? * * *)", schedule_timezone="Europe/Berlin"))

    assert (schedule["scheduleExpression"], schedule["scheduleExpressionTimezone"]) == (
        "cron(0 6 ? * * *)",
        "Europe/Berlin",
    )


def test_its_role_may_put_events_on_this_bus_and_write_these_dead_letters(canary):
    recording = canary()

    assert schedule_of(recording)["target"]["roleArn"] == recording.named(ROLE, "canary").arn
    assert recording.named(ROLE_POLICY, "canary").policy() == [
        {"Effect": "Allow", "Action": "events:PutEvents", "Resource": BUS},
        {"Effect": "Allow", "Action": "sqs:SendMessage", "Resource": DEAD_LETTERS},
    ]


def test_its_role_may_use_the_key_of_the_dead_letters(canary):
    statement = canary(kms_key_arn=KEY).named(ROLE_POLICY, "canary").policy()[-1]

    assert statement["Resource"] == KEY
    assert {"kms:Decrypt", "kms:GenerateDataKey"} == set(statement["Action"])


def test_only_schedules_of_its_group_and_account_may_use_the_role(canary):
    recording = canary()
    [trust] = recording.named(ROLE, "canary").policy("assumeRolePolicy")

    assert trust["Principal"] == {"Service": "scheduler.amazonaws.com"}
    assert trust["Condition"]["StringEquals"] == {
        "aws:SourceAccount": "111122223333",
        "aws:SourceArn": recording.named(GROUP, "canary").arn,
    }


def test_scheduler_gives_up_before_the_alarm_rings(canary):
    """Scheduler's own default is a day and 185 attempts
    (https://docs.aws.amazon.com/scheduler/latest/APIReference/API_RetryPolicy.html)."""
    target = schedule_of(canary())["target"]

    assert target["retryPolicy"] == {"maximumEventAgeInSeconds": 900, "maximumRetryAttempts": 10}
    assert target["deadLetterConfig"] == {"arn": DEAD_LETTERS}


@pytest.mark.parametrize(
    ("bus", "arn"),
    [
        ("rotations", "arn:aws:events:eu-west-1:111122223333:event-bus/rotations"),
        ("arn:aws:events:eu-west-1:111122223333:event-bus/a/b", "arn:aws:events:eu-west-1:111122223333:event-bus/a/b"),
    ],
)
def test_it_goes_to_the_bus_that_the_rules_are_on(canary, bus, arn):
    recording = canary(event_bus_name=bus)

    assert schedule_of(recording)["target"]["arn"] == arn
    assert recording.named(ROLE_POLICY, "canary").policy()[0]["Resource"] == arn


def test_a_canary_without_a_schedule_is_refused(canary):
    with pytest.raises(InvalidSettings, match="canary_schedule must be given for a RotationCanary, got nothing"):
        canary(canary_schedule="")


def test_by_default_a_stack_has_no_canary_and_accepts_none(deploy):
    recording = deploy(RotationGuard, "guard", {})

    assert [schedule.name for schedule in recording.of_type(SCHEDULE)] == ["guard-audit"]
    assert all("canary" not in rule.inputs["eventPattern"] for rule in recording.of_type(RULE))
    assert "canary_schedule_name" not in recording.outputs


def test_a_stack_with_a_canary_records_it_and_tells_nobody(deploy):
    recording = deploy(RotationGuard, "guard", {"canary_schedule": "rate(1 day)"})
    schedule = recording.named(SCHEDULE, "guard-canary").inputs
    rules = {rule.name: json.loads(rule.inputs["eventPattern"]) for rule in recording.of_type(RULE)}

    accepting = [name for name, pattern in rules.items() if "rotation-guard.canary" in pattern["source"]]
    assert accepting == ["guard-events-service"]
    table = json.loads(schedule["target"]["input"])["incidents_table"]
    assert rules["guard-events-service"] == {
        "source": ["aws.secretsmanager", "rotation-guard.canary"],
        "detail-type": ["AWS Service Event via CloudTrail"],
        "detail": {
            "eventName": [{"anything-but": ["RotationFailed", "RotationAbandoned", "TestRotationFailed"]}],
            # Events of AWS name no table, the canary of another stack names another one.
            "incidents_table": [{"exists": False}, table],
        },
    }
    dead_letters = recording.named(QUEUE, "guard-events-dead-letters")
    assert schedule["target"]["deadLetterConfig"] == {"arn": dead_letters.arn}


def test_a_canary_and_drills_are_accepted_side_by_side(deploy):
    recording = deploy(RotationGuard, "guard", {"canary_schedule": "rate(1 day)", "drill": True})
    rules = {rule.name: json.loads(rule.inputs["eventPattern"]) for rule in recording.of_type(RULE)}

    assert rules["guard-events-service"]["source"] == [
        "aws.secretsmanager",
        "rotation-guard.drill",
        "rotation-guard.canary",
    ]
    assert rules["guard-events-success"]["source"] == ["aws.secretsmanager", "rotation-guard.drill"]
