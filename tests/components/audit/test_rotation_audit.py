"""The audit: the schedule, the check function and its tables."""

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
OTHER_TABLES = {
    "audit_trail_table_name": "record",
    "audit_trail_table_arn": "arn:aws:dynamodb:eu-west-1:111122223333:table/record",
    "incidents_table_name": "incidents",
    "incidents_table_arn": "arn:aws:dynamodb:eu-west-1:111122223333:table/incidents",
}


@pytest.fixture(scope="module")
def audit(deploy):
    return deploy(RotationAudit, "audit")


@pytest.fixture(scope="module")
def with_the_rest(deploy):
    """The audit in a deployment that also records events and opens incidents."""
    return deploy(RotationAudit, "audit", OTHER_TABLES)


def variables_of(recording):
    return recording.named(FUNCTION, "audit-check").inputs["environment"]["variables"]


def schedule_of(recording):
    return recording.named(SCHEDULE, "audit").inputs


def test_by_default_the_schedule_invokes_the_check_function_hourly(audit):
    schedule = schedule_of(audit)

    assert schedule["state"] == "ENABLED"
    assert schedule["scheduleExpression"] == "rate(1 hour)"
    assert schedule["scheduleExpressionTimezone"] == "UTC"
    assert schedule["target"]["arn"] == audit.named(FUNCTION, "audit-check").arn
    assert schedule["groupName"] == audit.named(GROUP, "audit").outputs["name"]


def test_the_run_id_comes_from_the_scheduled_time(audit):
    assert json.loads(schedule_of(audit)["target"]["input"]) == {"scheduled_time": "<aws.scheduler.scheduled-time>"}


def test_the_schedule_has_the_configured_expression_and_time_zone(deploy):
    args = {"schedule_expression": "cron(0 6 ? * MON-FRI *)", "schedule_timezone": "Europe/Berlin"}

    schedule = schedule_of(deploy(RotationAudit, "audit", args))

    assert schedule["scheduleExpression"] == "cron(0 6 ? * MON-FRI *)"
    assert schedule["scheduleExpressionTimezone"] == "Europe/Berlin"


@pytest.mark.parametrize(
    ("args", "window"),
    [
        ({}, {"mode": "OFF"}),
        ({"schedule_flexible_minutes": 0}, {"mode": "OFF"}),
        ({"schedule_flexible_minutes": 15}, {"mode": "FLEXIBLE", "maximumWindowInMinutes": 15}),
    ],
)
def test_a_flexible_window_of_zero_is_off(deploy, args, window):
    assert schedule_of(deploy(RotationAudit, "audit", args))["flexibleTimeWindow"] == window


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
def test_a_run_is_no_longer_retried_when_the_next_one_starts(deploy, expression, period):
    retry = schedule_of(deploy(RotationAudit, "audit", {"schedule_expression": expression}))["target"]["retryPolicy"]

    assert 60 <= retry["maximumEventAgeInSeconds"] <= DAY
    # Scheduler takes no age below a minute; without retries an age of the period itself does no harm.
    assert retry["maximumEventAgeInSeconds"] < period or retry["maximumRetryAttempts"] == 0
    assert (retry["maximumRetryAttempts"] > 0) == (period > MINUTE)


def test_the_schedule_has_a_dead_letter_queue_that_its_role_may_send_to(audit):
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


def test_the_schedule_may_use_the_key_of_its_dead_letter_queue(deploy):
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
def test_each_table_has_the_keys_that_handlers_rely_on(audit, table, keys):
    inputs = audit.named(TABLE, f"audit-{table}").inputs

    assert (inputs["hashKey"], inputs.get("rangeKey")) == keys


def test_the_status_table_has_a_sparse_index_of_what_needs_attention(audit):
    inputs = audit.named(TABLE, "audit-status").inputs

    [index] = inputs["globalSecondaryIndexes"]
    assert (index["name"], index["hashKey"], index["rangeKey"]) == ("attention", "attention", "attention_since")
    assert {attribute["name"] for attribute in inputs["attributes"]} == {
        "secret_name",
        "attention",
        "attention_since",
    }


@pytest.mark.parametrize(
    ("args", "expected"),
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
def test_the_check_function_gets_its_settings_and_zero_is_not_absent(deploy, args, expected):
    variables = variables_of(deploy(RotationAudit, "audit", args))

    assert expected.items() <= variables.items()


def test_the_check_function_gets_each_class_with_only_the_fields_that_are_set(deploy):
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


def table_variables(recording):
    return {key: value for key, value in variables_of(recording).items() if key.endswith("TABLE_NAME")}


def test_deployed_alone_the_check_function_gets_only_its_own_tables(audit):
    assert table_variables(audit) == {
        "TABLE_NAME": audit.named(TABLE, "audit-history").outputs["name"],
        "STATUS_TABLE_NAME": audit.named(TABLE, "audit-status").outputs["name"],
        "RUNS_TABLE_NAME": audit.named(TABLE, "audit-runs").outputs["name"],
        "AUDIT_TRAIL_TABLE_NAME": "",
        "INCIDENTS_TABLE_NAME": "",
    }


def test_deployed_with_the_rest_the_check_function_gets_the_trail_and_the_incidents(with_the_rest):
    variables = table_variables(with_the_rest)

    assert (variables["AUDIT_TRAIL_TABLE_NAME"], variables["INCIDENTS_TABLE_NAME"]) == ("record", "incidents")


def test_a_shared_status_table_replaces_its_own(deploy, make_status):
    recording = deploy(RotationAudit, "audit", lambda: make_status("shared"))

    status = recording.named(TABLE, "shared")
    assert [table.name for table in recording.of_type(TABLE)] == ["shared", "audit-history", "audit-runs"]
    assert table_variables(recording)["STATUS_TABLE_NAME"] == status.outputs["name"]
    assert recording.outputs["status_table_name"] == status.outputs["name"]
    statements = [
        policy for policy in recording.named(ROLE_POLICY, "audit-check").policy() if status.arn in policy["Resource"]
    ]
    assert len(statements) == 2


def test_its_own_status_table_has_the_settings_of_its_other_tables(deploy):
    recording = deploy(RotationAudit, "audit", {"deletion_protection": False, "tags": {"team": "platform"}})

    tables = recording.of_type(TABLE)
    assert len(tables) == 3
    for table in tables:
        assert table.inputs["deletionProtectionEnabled"] is False
        assert table.inputs["tags"] == {"team": "platform"}


def test_the_check_function_reads_no_values_and_uses_a_wildcard_only_where_iam_requires_it(audit):
    statements = audit.named(ROLE_POLICY, "audit-check").policy()

    on_star = [statement["Action"] for statement in statements if statement["Resource"] == "*"]
    assert on_star == ["secretsmanager:ListSecrets", "cloudwatch:GetMetricStatistics"]
    assert "GetSecretValue" not in json.dumps(statements)
    [listing] = [statement for statement in statements if statement["Action"] == "secretsmanager:ListSecretVersionIds"]
    assert listing["Resource"] == "arn:aws:secretsmanager:eu-west-1:111122223333:secret:*"


def test_the_check_function_deletes_nothing_from_its_tables(audit):
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


def test_deployed_with_the_rest_the_check_function_may_also_read_trail_and_incidents_only(audit, with_the_rest):
    own, combined = (recording.named(ROLE_POLICY, "audit-check").policy() for recording in (audit, with_the_rest))

    assert [statement for statement in combined if statement not in own] == [
        {"Effect": "Allow", "Action": "dynamodb:Query", "Resource": OTHER_TABLES["audit_trail_table_arn"]},
        {
            "Effect": "Allow",
            "Action": ["dynamodb:GetItem", "dynamodb:Query"],
            "Resource": OTHER_TABLES["incidents_table_arn"],
        },
    ]


def test_the_check_function_puts_only_events_of_its_own_source_on_the_default_bus(audit):
    statements = audit.named(ROLE_POLICY, "audit-check").policy()

    assert [statement for statement in statements if "events:" in json.dumps(statement["Action"])] == [
        {
            "Effect": "Allow",
            "Action": "events:PutEvents",
            "Resource": "arn:aws:events:eu-west-1:111122223333:event-bus/default",
            "Condition": {"StringEqualsIfExists": {"events:source": "rotation-guard"}},
        }
    ]


def test_the_check_function_may_invoke_only_itself(audit):
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


def test_lambda_does_not_mistake_a_long_run_for_a_loop(audit):
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
def test_recursion_is_configured_only_where_lambda_detects_loops(deploy, region, is_there):
    """All commercial Regions but two have it
    (https://docs.aws.amazon.com/lambda/latest/dg/invocation-recursion.html#invocation-recursion-regions)."""
    recording = deploy(RotationAudit, "audit", {}, config={"aws:region": region})

    assert bool(recording.of_type(RECURSION)) is is_there


@pytest.mark.parametrize("setting", ["powertools_layer_arn", "kms_key_arn"])
def test_with_an_explicit_provider_the_region_comes_from_an_arn(run, setting):
    service, resource = {"powertools_layer_arn": ("lambda", "layer:p:7"), "kms_key_arn": ("kms", "key/1")}[setting]

    def deploy_with(region):
        def program():
            opts = pulumi.ResourceOptions(providers=[pulumi_aws.Provider("own", region=region)])
            arn = f"arn:aws-x:{service}:{region}:111122223333:{resource}"
            args: Any = {"runtime": {setting: arn}} if setting == "powertools_layer_arn" else {setting: arn}
            RotationAudit("audit", args, opts)

        return run(program, config={"aws:region": "us-gov-west-1"})

    assert deploy_with("eu-west-1").of_type(RECURSION)
    assert not deploy_with("cn-north-1").of_type(RECURSION)


@pytest.mark.parametrize(("args", "seconds"), [({}, 14 * DAY), ({"dead_letter_retention_days": 3}, 3 * DAY)])
def test_dead_letters_are_kept_for_the_configured_days(deploy, args, seconds):
    recording = deploy(RotationAudit, "audit", args)

    assert recording.named(QUEUE, "audit-dead-letters").inputs["messageRetentionSeconds"] == seconds
