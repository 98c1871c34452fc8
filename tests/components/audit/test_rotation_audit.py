"""What is audited: the schedule, the check function and its tables."""

import json
from typing import Any

import pulumi
import pulumi_aws
import pytest

from components.audit.rotation_audit import RotationAudit

SCHEDULE, GROUP = "aws:scheduler/schedule:Schedule", "aws:scheduler/scheduleGroup:ScheduleGroup"
QUEUE, QUEUE_POLICY = "aws:sqs/queue:Queue", "aws:sqs/queuePolicy:QueuePolicy"
TABLE, FUNCTION = "aws:dynamodb/table:Table", "aws:lambda/function:Function"
ROLE, ROLE_POLICY = "aws:iam/role:Role", "aws:iam/rolePolicy:RolePolicy"
INVOKE_CONFIG = "aws:lambda/functionEventInvokeConfig:FunctionEventInvokeConfig"
RECURSION = "aws:lambda/functionRecursionConfig:FunctionRecursionConfig"
MINUTE, HOUR, DAY = 60, 3600, 86_400
TOPIC = "arn:aws:sns:eu-west-1:111122223333:critical"
ELSEWHERE = {
    "audit_trail_table_name": "record",
    "audit_trail_table_arn": "arn:aws:dynamodb:eu-west-1:111122223333:table/record",
    "incidents_table_name": "incidents",
    "incidents_table_arn": "arn:aws:dynamodb:eu-west-1:111122223333:table/incidents",
}


@pytest.fixture(scope="module")
def audit(deploy):
    return deploy(RotationAudit, "audit")


@pytest.fixture(scope="module")
def within(deploy):
    """The audit as part of a whole, which records events and opens incidents."""
    return deploy(RotationAudit, "audit", ELSEWHERE)


def variables_of(recording):
    return recording.named(FUNCTION, "audit-check").inputs["environment"]["variables"]


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
        ({}, {"WARN_DAYS": "7", "STUCK_HOURS": "24", "MISSED_HOURS": "24"}),
        ({}, {"MAX_AGE_CLASSES": "[]", "HISTORY_MODE": "everyRun", "PERIOD_SECONDS": "3600"}),
        ({"max_age_days": 0}, {"MAX_AGE_DAYS": "0"}),
        ({"warn_days": 0}, {"WARN_DAYS": "0"}),
        ({"stuck_hours": 1}, {"STUCK_HOURS": "1", "MISSED_HOURS": "1"}),
        ({"history": "changes"}, {"HISTORY_MODE": "changes"}),
        ({"history_days": 0}, {"HISTORY_DAYS": "0"}),
        ({"managed_tag": {"key": "audit", "value": ""}}, {"MANAGED_TAG_KEY": "audit", "MANAGED_TAG_VALUE": ""}),
        # The next run after Friday's is Monday's: by then the report is not late.
        ({"schedule_expression": "cron(0 6 ? * MON-FRI *)"}, {"PERIOD_SECONDS": str(3 * DAY)}),
    ],
)
def test_the_check_is_told_what_to_look_for_and_zero_is_not_absent(deploy, given, expected):
    variables = variables_of(deploy(RotationAudit, "audit", given))

    assert expected.items() <= variables.items()


def test_the_check_is_told_each_class_and_of_it_what_was_given_alone(deploy):
    classes = [
        {"days": 0, "name": "prod/*"},
        {"days": 365, "tag": {"key": "slow"}},
        {"days": 7, "name": "db-?", "tag": {"key": "tier", "value": ""}},
        {"days": 8, "name": None, "tag": {"key": "tier", "value": None}},
        {"days": 9, "name": "x", "tag": None},
    ]

    recording = deploy(RotationAudit, "audit", {"max_age_classes": classes})

    assert json.loads(variables_of(recording)["MAX_AGE_CLASSES"]) == [
        {"days": 0, "name": "prod/*"},
        {"days": 365, "tag_key": "slow"},
        {"days": 7, "name": "db-?", "tag_key": "tier", "tag_value": ""},
        {"days": 8, "tag_key": "tier"},
        {"days": 9, "name": "x"},
    ]


def told_tables(recording):
    return {key: value for key, value in variables_of(recording).items() if key.endswith("TABLE_NAME")}


def test_on_its_own_the_check_is_told_its_tables_and_that_there_are_no_others(audit):
    assert told_tables(audit) == {
        "TABLE_NAME": audit.named(TABLE, "audit-history").outputs["name"],
        "STATUS_TABLE_NAME": audit.named(TABLE, "audit-status").outputs["name"],
        "RUNS_TABLE_NAME": audit.named(TABLE, "audit-runs").outputs["name"],
        "AUDIT_TRAIL_TABLE_NAME": "",
        "INCIDENTS_TABLE_NAME": "",
    }


def test_as_part_of_a_whole_the_check_is_told_where_events_and_incidents_are(within):
    told = told_tables(within)

    assert (told["AUDIT_TRAIL_TABLE_NAME"], told["INCIDENTS_TABLE_NAME"]) == ("record", "incidents")


def test_a_status_that_is_given_takes_the_place_of_its_own(deploy, make_status):
    recording = deploy(RotationAudit, "audit", lambda: make_status("shared"))

    status = recording.named(TABLE, "shared")
    assert [table.name for table in recording.of_type(TABLE)] == ["shared", "audit-history", "audit-runs"]
    assert told_tables(recording)["STATUS_TABLE_NAME"] == status.outputs["name"]
    assert recording.outputs["status_table_name"] == status.outputs["name"]
    writing = [
        policy for policy in recording.named(ROLE_POLICY, "audit-check").policy() if status.arn in policy["Resource"]
    ]
    assert len(writing) == 2


def test_on_its_own_its_status_is_kept_as_its_other_tables_are(deploy):
    recording = deploy(RotationAudit, "audit", {"deletion_protection": False, "tags": {"team": "platform"}})

    tables = recording.of_type(TABLE)
    assert len(tables) == 3
    for table in tables:
        assert table.inputs["deletionProtectionEnabled"] is False
        assert table.inputs["tags"] == {"team": "platform"}


def test_the_check_reads_no_values_and_does_on_star_alone_what_has_no_resource(audit):
    statements = audit.named(ROLE_POLICY, "audit-check").policy()

    on_star = [statement["Action"] for statement in statements if statement["Resource"] == "*"]
    assert on_star == ["secretsmanager:ListSecrets", "cloudwatch:GetMetricStatistics"]
    assert "GetSecretValue" not in json.dumps(statements)
    [listing] = [statement for statement in statements if statement["Action"] == "secretsmanager:ListSecretVersionIds"]
    assert listing["Resource"] == "arn:aws:secretsmanager:eu-west-1:111122223333:secret:*"


def test_the_check_deletes_nothing_from_its_tables(audit):
    history, status, runs = (audit.named(TABLE, f"audit-{table}").arn for table in ("history", "status", "runs"))

    statements = audit.named(ROLE_POLICY, "audit-check").policy()
    assert [statement for statement in statements if "dynamodb:" in json.dumps(statement["Action"])] == [
        {
            "Effect": "Allow",
            "Action": ["dynamodb:BatchWriteItem", "dynamodb:BatchGetItem"],
            "Resource": [history, status],
        },
        {"Effect": "Allow", "Action": ["dynamodb:Scan", "dynamodb:UpdateItem"], "Resource": status},
        {"Effect": "Allow", "Action": ["dynamodb:GetItem", "dynamodb:Query", "dynamodb:UpdateItem"], "Resource": runs},
    ]


def test_as_part_of_a_whole_the_check_reads_the_record_and_the_incidents_and_no_more(audit, within):
    alone, more = (recording.named(ROLE_POLICY, "audit-check").policy() for recording in (audit, within))

    assert [one for one in more if one not in alone] == [
        {"Effect": "Allow", "Action": "dynamodb:Query", "Resource": ELSEWHERE["audit_trail_table_arn"]},
        {
            "Effect": "Allow",
            "Action": ["dynamodb:GetItem", "dynamodb:Query"],
            "Resource": ELSEWHERE["incidents_table_arn"],
        },
    ]


def test_the_check_puts_events_of_its_own_source_on_the_default_bus_alone(audit):
    statements = audit.named(ROLE_POLICY, "audit-check").policy()

    assert [statement for statement in statements if "events:" in json.dumps(statement["Action"])] == [
        {
            "Effect": "Allow",
            "Action": "events:PutEvents",
            "Resource": "arn:aws:events:eu-west-1:111122223333:event-bus/default",
            "Condition": {"StringEqualsIfExists": {"events:source": "rotation-guard"}},
        }
    ]


def test_the_check_may_invoke_itself_and_nothing_else(audit):
    policies = [resource for resource in audit.of_type(ROLE_POLICY) if resource.name.startswith("audit-check")]

    role = audit.named(ROLE, "audit-check").outputs["name"]
    assert [(policy.name, policy.inputs["role"]) for policy in policies] == [
        ("audit-check", role),
        ("audit-check-continue", role),
    ]
    invoking = [
        statement
        for policy in policies
        for statement in policy.policy()
        if "lambda:" in json.dumps(statement["Action"])
    ]
    assert invoking == [
        {"Effect": "Allow", "Action": "lambda:InvokeFunction", "Resource": audit.named(FUNCTION, "audit-check").arn}
    ]


def test_lambda_does_not_take_a_long_run_for_a_loop(audit):
    [config] = audit.of_type(RECURSION)

    assert config.inputs == {
        "functionName": audit.named(FUNCTION, "audit-check").outputs["name"],
        "recursiveLoop": "Allow",
    }


@pytest.mark.parametrize(
    ("region", "is_there"),
    [
        ("eu-west-1", True),
        ("ap-southeast-7", True),
        ("mx-central-1", False),
        ("ap-southeast-6", False),
        ("us-gov-west-1", False),
        ("cn-north-1", False),
        ("us-iso-east-1", False),
    ],
)
def test_nothing_is_configured_where_lambda_detects_no_loops(deploy, region, is_there):
    """All commercial Regions but two have it
    (https://docs.aws.amazon.com/lambda/latest/dg/invocation-recursion.html#invocation-recursion-regions)."""
    recording = deploy(RotationAudit, "audit", {}, config={"aws:region": region})

    assert bool(recording.of_type(RECURSION)) is is_there


@pytest.mark.parametrize("setting", ["powertools_layer_arn", "kms_key_arn"])
def test_with_a_provider_of_the_programs_own_an_arn_tells_the_region(run, setting):
    service, resource = {"powertools_layer_arn": ("lambda", "layer:p:7"), "kms_key_arn": ("kms", "key/1")}[setting]

    def deploy_with(region):
        def program():
            opts = pulumi.ResourceOptions(providers=[pulumi_aws.Provider("own", region=region)])
            arn = f"arn:aws-x:{service}:{region}:111122223333:{resource}"
            given: Any = {"runtime": {setting: arn}} if setting == "powertools_layer_arn" else {setting: arn}
            RotationAudit("audit", given, opts)

        return run(program, config={"aws:region": "us-gov-west-1"})

    assert deploy_with("eu-west-1").of_type(RECURSION)
    assert not deploy_with("cn-north-1").of_type(RECURSION)


@pytest.mark.parametrize(("given", "seconds"), [({}, 14 * DAY), ({"dead_letter_retention_days": 3}, 3 * DAY)])
def test_dead_letters_are_kept_as_long_as_said(deploy, given, seconds):
    recording = deploy(RotationAudit, "audit", given)

    assert recording.named(QUEUE, "audit-dead-letters").inputs["messageRetentionSeconds"] == seconds
