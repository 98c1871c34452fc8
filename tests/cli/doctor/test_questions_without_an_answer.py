"""What cannot be told is said with what is missing, and hides nothing else."""

import json

import pytest

from local.mocks.recording import ACCOUNT
from rotation_guard.cli.doctor.aws_reader import ACTIONS, RUNS_ACTION

FUNCTIONS = {"function"}
ROLES = {"permissions", "integration"}
LINKS = {
    "cloudtrail:DescribeTrails": {"trail"},
    "cloudtrail:GetEventSelectors": {"trail"},
    "cloudtrail:GetTrailStatus": {"trail"},
    "cloudwatch:DescribeAlarms": {"alarm", "canary"},
    "cloudwatch:GetMetricStatistics": {"queue"},
    "dynamodb:DescribeContinuousBackups": {"table"},
    "dynamodb:DescribeTable": {"table", "key"},
    "dynamodb:DescribeTimeToLive": {"table"},
    "dynamodb:Query": {"audit", "canary"},
    "events:DescribeApiDestination": {"integration"},
    "events:DescribeConnection": {"integration"},
    "events:DescribeRule": {"rule", "canary", "integration"},
    "events:ListTargetsByRule": {"rule", "integration"},
    "events:TestEventPattern": {"rule", "canary", "integration"},
    "iam:GetRole": {"permissions", "schedule", "integration"},
    "iam:GetRolePolicy": ROLES,
    "iam:ListAttachedRolePolicies": ROLES,
    "iam:ListRolePolicies": ROLES,
    "kms:DescribeKey": {"key"},
    "kms:GetKeyPolicy": {"key"},
    "lambda:GetFunctionConcurrency": FUNCTIONS,
    "lambda:GetFunctionConfiguration": FUNCTIONS | {"permissions"},
    "lambda:GetFunctionEventInvokeConfig": FUNCTIONS,
    "lambda:GetPolicy": FUNCTIONS,
    "lambda:ListEventSourceMappings": {"queue"},
    "s3:GetBucketObjectLockConfiguration": {"bucket"},
    "s3:GetBucketPublicAccessBlock": {"bucket"},
    "s3:GetBucketVersioning": {"bucket"},
    "s3:GetEncryptionConfiguration": {"bucket", "key"},
    "s3:ListBucket": {"reports"},
    "scheduler:GetSchedule": {"schedule", "permissions", "canary", "reports"},
    "securityhub:DescribeHub": {"security hub"},
    "sns:GetSubscriptionAttributes": {"topic"},
    "sns:GetTopicAttributes": {"topic", "key"},
    "sns:ListSubscriptionsByTopic": {"topic"},
    "sqs:GetQueueAttributes": {"queue", "dead letters", "key", "permissions", "bucket"},
    "sqs:GetQueueUrl": {"topic"},
    "ssm:GetParameter": {"workflow"},
    "states:DescribeStateMachine": {"workflow", "permissions"},
}
"""The subjects of the links that need each permission."""
OF_A_HUB = {"events:DescribeEventBus"}
"""What is asked about a hub alone."""


@pytest.fixture
def busy(everything):
    """A stack in which every question is asked: an event waits."""
    everything.queue("audit_queue_url")["ApproximateNumberOfMessages"] = "1"
    return everything


def test_every_permission_is_denied_in_turn():
    assert {*LINKS, *OF_A_HUB} == {*ACTIONS, RUNS_ACTION}


def test_nothing_is_wrong_with_everything(busy, diagnose):
    assert diagnose(busy) == {}
    assert set(LINKS) <= set(busy.calls)


@pytest.mark.parametrize("action", LINKS)
def test_only_the_links_that_need_a_permission_cannot_be_told_without_it(busy, diagnose, action):
    busy.denied = {action}

    found = diagnose(busy)

    assert {link.subject for link in found.values()} == LINKS[action]
    for link in found.values():
        assert link.verdict == "cannot tell"
        assert f"The caller may not call {action}." in link.reason
        assert f"Allow {action} to the caller" in link.fix


def test_a_link_that_is_broken_is_broken_even_if_a_part_of_it_cannot_be_told(aws, diagnose):
    aws.rule("failed")["State"] = "DISABLED"
    aws.denied = {"events:TestEventPattern", "events:ListTargetsByRule"}

    link = diagnose(aws)["rule: failed"]

    assert link.verdict == "broken"
    assert link.reason.startswith("The rule rotation-guard-events-failed-0a1b2c3 is DISABLED.")
    assert "The caller may not call events:ListTargetsByRule." in link.reason


def test_without_any_permission_nothing_is_called_broken(aws, doctor):
    aws.denied = {*ACTIONS, RUNS_ACTION}

    result = doctor(aws, "--format", "json")
    report = json.loads(result.stdout)

    assert result.exit_code == 0
    assert report["summary"]["broken"] == 0
    # Versions are compared by the outputs alone.
    assert [link["subject"] for link in report["links"] if link["verdict"] == "ok"] == ["version"]


@pytest.mark.parametrize(
    ("code", "reason", "fix"),
    [
        ("ThrottlingException", "AWS throttles ssm:GetParameter.", "Run it again in a minute."),
        ("InternalServerError", "ssm:GetParameter was refused: InternalServerError: No.", "Run it again."),
    ],
)
def test_other_refusals_are_named(aws, diagnose, code, reason, fix):
    aws.refusals["ssm:GetParameter"] = code

    [(name, link)] = diagnose(aws).items()

    assert (name, link.verdict, link.reason, link.fix) == ("workflow: kill switch", "cannot tell", reason, fix)


def test_a_response_of_an_unexpected_shape_hides_no_other_link(aws, diagnose):
    aws.machines[aws.outputs["state_machine_arn"]]["loggingConfiguration"] = ["\x1b[2J"]
    aws.composite_alarms.pop(aws.outputs["alarm_names"]["throttled-functions"])

    found = diagnose(aws)

    assert found["workflow: state machine"].verdict == "cannot tell"
    assert found["workflow: state machine"].reason.startswith("The response has an unexpected shape: AttributeError")
    assert found["alarm: throttled-functions"].verdict == "broken"


@pytest.mark.parametrize(
    ("output", "subjects"),
    [
        ("version", {"version"}),
        ("rule_names", {"rule", "queue", "dead letters", "function"}),
        ("event_bus_name", {"rule", "queue", "dead letters", "function"}),
        ("function_names", {"function", "permissions", "queue", "rule"}),
        ("alarm_names", {"alarm"}),
    ],
)
def test_an_older_stack_is_examined_as_far_as_its_outputs_go(aws, diagnose, output, subjects):
    del aws.outputs[output]

    found = diagnose(aws)

    assert {link.subject for link in found.values()} == subjects
    for link in found.values():
        assert link.verdict == "cannot tell"
        assert f"The stack does not export {output}." in link.reason
        assert "Run `pulumi up` with this release" in link.fix


@pytest.mark.parametrize(
    ("output", "links"),
    [
        ("report_schedule_group_name", {"schedule: reports", "permissions: report schedule", "reports: last stored"}),
        ("report_object_lock_days", {"bucket: reports"}),
        (
            "findings_queue_url",
            {"rule: findings", "queue: findings", "queue: findings to importer"},
        ),
        (
            "receiver_rule_names",
            {"integration: all integrations"},
        ),
    ],
)
def test_what_an_older_stack_does_not_say_of_its_settings_cannot_be_told(everything, diagnose, output, links):
    del everything.outputs[output]

    found = diagnose(everything)

    assert set(found) == links
    for link in found.values():
        assert link.verdict == "cannot tell"
        assert f"The stack does not export {output}." in link.reason


def test_the_stack_of_another_account_ends_with_one_sentence(aws, doctor):
    for name, value in aws.outputs.items():
        if isinstance(value, str):
            aws.outputs[name] = value.replace(ACCOUNT, "999988887777")

    result = doctor(aws)

    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr.endswith(f"is in account 999988887777, and the credentials are for {ACCOUNT}.\n")
    assert result.stderr.count("\n") == 1
    assert aws.calls == ["sts:GetCallerIdentity"]


def test_another_region_ends_with_one_sentence(aws, doctor):
    result = doctor(aws, "--region", "us-east-1")

    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr.endswith("is in Region eu-west-1, and the command is for us-east-1.\n")


def test_aws_that_cannot_be_reached_ends_with_one_sentence(aws, doctor):
    aws.is_reachable = False

    result = doctor(aws)

    assert (result.exit_code, result.stdout) == (3, "")
    assert result.stderr == "AWS in eu-west-1 does not answer.\n"


def test_expired_credentials_end_with_one_sentence(aws, doctor):
    aws.refusals["sts:GetCallerIdentity"] = "ExpiredToken"

    result = doctor(aws)

    assert (result.exit_code, result.stdout) == (3, "")
    assert "GetCallerIdentity was refused: ExpiredToken" in result.stderr


def test_outputs_without_a_stack_end_with_one_sentence(aws, doctor):
    aws.outputs = {"something": "else"}

    result = doctor(aws)

    assert result.exit_code == 2
    assert result.stderr.count("\n") == 1
