"""What is audited: the schedule, the check function and its tables."""

import json

import pytest

from components.rotation_audit import RotationAudit

SCHEDULE, GROUP = "aws:scheduler/schedule:Schedule", "aws:scheduler/scheduleGroup:ScheduleGroup"
QUEUE, QUEUE_POLICY = "aws:sqs/queue:Queue", "aws:sqs/queuePolicy:QueuePolicy"
TABLE, FUNCTION = "aws:dynamodb/table:Table", "aws:lambda/function:Function"
ROLE, ROLE_POLICY = "aws:iam/role:Role", "aws:iam/rolePolicy:RolePolicy"
INVOKE_CONFIG = "aws:lambda/functionEventInvokeConfig:FunctionEventInvokeConfig"
MINUTE, HOUR, DAY = 60, 3600, 86_400


@pytest.fixture(scope="module")
def audit(deploy):
    return deploy(RotationAudit, "audit")


def schedule_of(recording):
    return recording.named(SCHEDULE, "audit").inputs


def test_scenario_a_the_schedule_is_enabled_hourly_in_utc_and_targets_the_check_function(audit):
    schedule = schedule_of(audit)

    assert schedule["state"] == "ENABLED"
    assert schedule["scheduleExpression"] == "rate(1 hour)"
    assert schedule["scheduleExpressionTimezone"] == "UTC"
    assert schedule["target"]["arn"] == audit.named(FUNCTION, "audit-check").arn
    assert schedule["groupName"] == audit.named(GROUP, "audit").outputs["name"]


def test_the_run_id_comes_from_the_scheduled_time(audit):
    assert json.loads(schedule_of(audit)["target"]["input"]) == {"scheduled_time": "<aws.scheduler.scheduled-time>"}


def test_expression_and_time_zone_are_those_given(deploy):
    given = {"schedule_expression": "cron(0 6 ? * MON-FRI *)", "schedule_timezone": "Europe/Berlin"}

    schedule = schedule_of(deploy(RotationAudit, "audit", given))

    assert schedule["scheduleExpression"] == "cron(0 6 ? * MON-FRI *)"
    assert schedule["scheduleExpressionTimezone"] == "Europe/Berlin"


@pytest.mark.parametrize(
    ("given", "window"),
    [
        ({}, {"mode": "OFF"}),
        ({"schedule_flexible_minutes": 0}, {"mode": "OFF"}),
        ({"schedule_flexible_minutes": 15}, {"mode": "FLEXIBLE", "maximumWindowInMinutes": 15}),
    ],
)
def test_a_flexible_window_of_zero_is_off(deploy, given, window):
    assert schedule_of(deploy(RotationAudit, "audit", given))["flexibleTimeWindow"] == window


@pytest.mark.parametrize(
    ("expression", "period"),
    [
        ("rate(1 minute)", MINUTE),
        ("rate(2 minutes)", 2 * MINUTE),
        ("rate(1 hour)", HOUR),
        ("rate(7 days)", 7 * DAY),
        ("cron(0 * * * ? *)", HOUR),
        ("cron(*/15 * * * ? *)", 15 * MINUTE),
        ("cron(0,59 * ? * * *)", MINUTE),
        ("cron(0 6 ? * MON *)", DAY),
        ("cron(30 6,18 * * ? *)", 12 * HOUR),
    ],
)
def test_a_run_is_not_tried_any_more_when_the_next_one_starts(deploy, expression, period):
    retry = schedule_of(deploy(RotationAudit, "audit", {"schedule_expression": expression}))["target"]["retryPolicy"]

    assert 60 <= retry["maximumEventAgeInSeconds"] <= DAY
    # Scheduler takes no age below a minute; without retries an age of the period itself does no harm.
    assert retry["maximumEventAgeInSeconds"] < period or retry["maximumRetryAttempts"] == 0
    assert (retry["maximumRetryAttempts"] > 0) == (period > MINUTE)


def test_the_schedule_has_dead_letters_that_its_role_may_reach(audit):
    dead_letters, check = audit.named(QUEUE, "audit-dead-letters"), audit.named(FUNCTION, "audit-check")
    role = audit.named(ROLE, "audit-schedule")
    policy = audit.named(ROLE_POLICY, "audit-schedule")

    assert schedule_of(audit)["target"]["deadLetterConfig"] == {"arn": dead_letters.arn}
    assert schedule_of(audit)["target"]["roleArn"] == role.arn
    assert policy.inputs["role"] == role.outputs["name"]
    assert policy.policy() == [
        {"Effect": "Allow", "Action": "lambda:InvokeFunction", "Resource": check.arn},
        {"Effect": "Allow", "Action": "sqs:SendMessage", "Resource": dead_letters.arn},
    ]
    assert policy.urn in audit.named(SCHEDULE, "audit").depends_on
    assert audit.of_type(QUEUE_POLICY) == []  # a queue policy would do nothing here


def test_the_schedule_may_use_the_key_of_its_dead_letters(deploy):
    key = "arn:aws:kms:eu-west-1:111122223333:key/7d0e"

    recording = deploy(RotationAudit, "audit", {"kms_key_arn": key})

    assert recording.named(QUEUE, "audit-dead-letters").inputs["kmsMasterKeyId"] == key
    assert recording.named(ROLE_POLICY, "audit-schedule").policy()[-1] == {
        "Effect": "Allow",
        "Action": ["kms:Decrypt", "kms:GenerateDataKey"],
        "Resource": key,
    }


def test_only_schedules_of_this_group_and_account_may_use_the_role(audit):
    [trust] = audit.named(ROLE, "audit-schedule").policy("assumeRolePolicy")

    assert trust["Principal"] == {"Service": "scheduler.amazonaws.com"}
    assert trust["Condition"] == {
        "StringEquals": {"aws:SourceAccount": "111122223333", "aws:SourceArn": audit.named(GROUP, "audit").arn}
    }


def test_a_check_that_fails_for_good_leaves_a_dead_letter(audit):
    dead_letters, check = audit.named(QUEUE, "audit-dead-letters"), audit.named(FUNCTION, "audit-check")
    config = audit.named(INVOKE_CONFIG, "audit-check").inputs

    assert config["functionName"] == check.outputs["name"]
    assert config["destinationConfig"] == {"onFailure": {"destination": dead_letters.arn}}
    allowed = audit.named(ROLE_POLICY, "audit-check").policy()
    assert {"Effect": "Allow", "Action": "sqs:SendMessage", "Resource": dead_letters.arn} in allowed


@pytest.mark.parametrize(
    ("table", "keys"),
    [
        ("history", ("secret_name", "run_id")),
        ("status", ("secret_name", None)),
        ("runs", ("audit", "run_id")),
    ],
)
def test_each_table_has_the_keys_that_others_rely_on(audit, table, keys):
    inputs = audit.named(TABLE, f"audit-{table}").inputs

    assert (inputs["hashKey"], inputs.get("rangeKey")) == keys


def test_the_status_has_a_sparse_index_of_what_needs_someone(audit):
    inputs = audit.named(TABLE, "audit-status").inputs

    [index] = inputs["globalSecondaryIndexes"]
    assert (index["name"], index["hashKey"], index["rangeKey"]) == ("attention", "attention", "attention_since")
    assert {attribute["name"] for attribute in inputs["attributes"]} == {
        "secret_name",
        "attention",
        "attention_since",
    }


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({}, {"MAX_AGE_DAYS": "30", "MANAGED_TAG_KEY": "Managed", "MANAGED_TAG_VALUE": "true", "HISTORY_DAYS": "400"}),
        ({"max_age_days": 0}, {"MAX_AGE_DAYS": "0"}),
        ({"history_days": 0}, {"HISTORY_DAYS": "0"}),
        ({"managed_tag": {"key": "audit", "value": ""}}, {"MANAGED_TAG_KEY": "audit", "MANAGED_TAG_VALUE": ""}),
    ],
)
def test_the_check_is_told_what_to_look_for_and_zero_is_not_absent(deploy, given, expected):
    recording = deploy(RotationAudit, "audit", given)

    variables = recording.named(FUNCTION, "audit-check").inputs["environment"]["variables"]
    assert expected.items() <= variables.items()


def test_the_check_is_told_its_tables(audit):
    variables = audit.named(FUNCTION, "audit-check").inputs["environment"]["variables"]

    told = {key: value for key, value in variables.items() if key.endswith("TABLE_NAME")}
    assert told == {
        "TABLE_NAME": audit.named(TABLE, "audit-history").outputs["name"],
        "STATUS_TABLE_NAME": audit.named(TABLE, "audit-status").outputs["name"],
        "RUNS_TABLE_NAME": audit.named(TABLE, "audit-runs").outputs["name"],
    }


def test_the_check_reads_no_values_and_lists_secrets_on_star_alone(audit):
    statements = audit.named(ROLE_POLICY, "audit-check").policy()

    on_star = [one["Action"] for one in statements if one["Resource"] == "*"]
    assert on_star == ["secretsmanager:ListSecrets"]
    assert "GetSecretValue" not in json.dumps(statements)
    [listing] = [one for one in statements if one["Action"] == "secretsmanager:ListSecretVersionIds"]
    assert listing["Resource"] == "arn:aws:secretsmanager:eu-west-1:111122223333:secret:*"


@pytest.mark.parametrize(("given", "seconds"), [({}, 14 * DAY), ({"dead_letter_retention_days": 3}, 3 * DAY)])
def test_dead_letters_are_kept_as_long_as_said(deploy, given, seconds):
    recording = deploy(RotationAudit, "audit", given)

    assert recording.named(QUEUE, "audit-dead-letters").inputs["messageRetentionSeconds"] == seconds
