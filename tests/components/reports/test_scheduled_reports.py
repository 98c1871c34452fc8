"""Reports on a schedule: who may reach their bucket, how long they are kept, and what starts their function."""

import json
from typing import Any

import pytest

from components.reports.scheduled_reports import ScheduledReports
from components.settings.validation import InvalidSettings
from local.check_own_stack import read_resources
from policies.model.evaluation import check

AT = "eu-west-1:111122223333"
KEY = f"arn:aws:kms:{AT}:key/7d0e"
TOPIC = f"arn:aws:sns:{AT}:reports"
ARGS: Any = {
    "report_schedule": "cron(0 6 ? * MON *)",
    "status_table_name": "status",
    "status_table_arn": f"arn:aws:dynamodb:{AT}:table/status",
    "runs_table_name": "runs",
    "runs_table_arn": f"arn:aws:dynamodb:{AT}:table/runs",
    "reports_topic_arn": TOPIC,
}
BUCKET, LOCK = "aws:s3/bucket:Bucket", "aws:s3/bucketObjectLockConfiguration:BucketObjectLockConfiguration"
ENCRYPTION = "aws:s3/bucketServerSideEncryptionConfiguration:BucketServerSideEncryptionConfiguration"
FUNCTION, TOPICS = "aws:lambda/function:Function", "aws:sns/topic:Topic"
QUEUE = f"arn:aws:sqs:{AT}:on-call"


@pytest.fixture
def make_reports(deploy):
    return lambda **settings: deploy(ScheduledReports, "reports", {**ARGS, **settings})


def test_the_bucket_is_private_and_versioned_and_refuses_what_is_not_encrypted_in_transit(make_reports):
    recording = make_reports()

    [bucket], [policy] = recording.of_type(BUCKET), recording.of_type("aws:s3/bucketPolicy:BucketPolicy")
    [block] = recording.of_type("aws:s3/bucketPublicAccessBlock:BucketPublicAccessBlock")
    [versioning] = recording.of_type("aws:s3/bucketVersioning:BucketVersioning")
    assert [block.inputs[key] for key in block.inputs if key != "bucket"] == [True] * 4
    assert versioning.inputs["versioningConfiguration"] == {"status": "Enabled"}
    assert policy.policy() == [
        {
            "Effect": "Deny",
            "Principal": "*",
            "Action": "s3:*",
            "Resource": [bucket.arn, f"{bucket.arn}/*"],
            "Condition": {"Bool": {"aws:SecureTransport": "false"}},
        }
    ]


@pytest.mark.parametrize(
    ("settings", "rule"),
    [
        ({}, {"applyServerSideEncryptionByDefault": {"sseAlgorithm": "AES256"}}),
        (
            {"kms_key_arn": KEY},
            {
                "applyServerSideEncryptionByDefault": {"sseAlgorithm": "aws:kms", "kmsMasterKeyId": KEY},
                "bucketKeyEnabled": True,
            },
        ),
    ],
)
def test_reports_are_encrypted_with_the_customer_key_if_there_is_one(make_reports, settings, rule):
    [encryption] = make_reports(**settings).of_type(ENCRYPTION)

    assert encryption.inputs["rules"] == [rule]


def test_object_lock_is_off_unless_days_are_given(make_reports):
    assert make_reports().of_type(LOCK) == []


def test_object_lock_keeps_each_report_for_its_days_on_a_versioned_bucket(make_reports):
    recording = make_reports(report_object_lock_days=30)

    [lock], [versioning] = recording.of_type(LOCK), recording.of_type("aws:s3/bucketVersioning:BucketVersioning")
    [bucket] = recording.of_type(BUCKET)
    assert lock.inputs["rule"] == {"defaultRetention": {"mode": "GOVERNANCE", "days": 30}}
    assert versioning.urn in lock.depends_on
    # Its change would replace the bucket.
    assert "objectLockEnabled" not in bucket.inputs


@pytest.mark.parametrize("protected", [True, False])
def test_a_bucket_with_reports_is_deleted_only_without_deletion_protection(make_reports, protected):
    [bucket] = make_reports(deletion_protection=protected).of_type(BUCKET)

    assert bucket.inputs["forceDestroy"] is not protected


def test_the_function_adds_reports_and_can_neither_read_nor_delete_them(make_reports):
    recording = make_reports()
    [bucket] = recording.of_type(BUCKET)
    statements = recording.named("aws:iam/rolePolicy:RolePolicy", "reports").policy()

    s3 = [statement for statement in statements if "s3:" in json.dumps(statement["Action"])]
    assert s3 == [{"Effect": "Allow", "Action": "s3:PutObject", "Resource": f"{bucket.arn}/reports/*"}]
    assert {"Effect": "Allow", "Action": "sns:Publish", "Resource": TOPIC} in statements


def test_the_function_reads_incidents_where_there_are_some(make_reports):
    arn = f"arn:aws:dynamodb:{AT}:table/incidents"
    without, given = make_reports(), make_reports(incidents_table_name="incidents", incidents_table_arn=arn)

    for recording, name, tables in (
        (without, "", ARGS["status_table_arn"]),
        (given, "incidents", [ARGS["status_table_arn"], arn]),
    ):
        [function] = recording.of_type(FUNCTION)
        statements = recording.named("aws:iam/rolePolicy:RolePolicy", "reports").policy()
        assert function.inputs["environment"]["variables"]["INCIDENTS_TABLE_NAME"] == name
        assert {"Effect": "Allow", "Action": "dynamodb:Scan", "Resource": tables} in statements


def test_the_schedule_sends_the_time_that_it_is_for_and_keeps_what_it_could_not_start(make_reports):
    recording = make_reports(schedule_timezone="Europe/Berlin")
    [schedule] = recording.of_type("aws:scheduler/schedule:Schedule")
    [queue] = recording.of_type("aws:sqs/queue:Queue")

    assert schedule.inputs["scheduleExpression"] == ARGS["report_schedule"]
    assert schedule.inputs["scheduleExpressionTimezone"] == "Europe/Berlin"
    target = schedule.inputs["target"]
    assert json.loads(target["input"]) == {"scheduled_time": "<aws.scheduler.scheduled-time>"}
    assert target["deadLetterConfig"] == {"arn": queue.arn}


def test_a_schedule_must_be_given(run):
    def program():
        with pytest.raises(InvalidSettings, match="report_schedule must be given to store reports, got nothing"):
            ScheduledReports("reports", {**ARGS, "report_schedule": ""})

    assert run(program).resources == []


@pytest.mark.parametrize("settings", [{}, {"kms_key_arn": KEY, "report_object_lock_days": 30}])
def test_no_policy_complains_about_reports(make_reports, settings):
    assert check(read_resources(make_reports(**settings))).mandatory == ()


def test_the_stack_stores_reports_only_with_a_schedule(guard):
    subscription = {"topic": "reports", "protocol": "sqs", "endpoint": QUEUE}
    without, reporting = guard(), guard(report_schedule="rate(1 day)", subscriptions=[subscription], kms_key_arn=KEY)

    assert without.of_type(BUCKET) == []
    assert "reports_topic_arn" not in without.outputs
    [bucket] = reporting.of_type(BUCKET)
    topic = next(topic for topic in reporting.of_type(TOPICS) if topic.name.endswith("-reports"))
    [subscribed] = reporting.of_type("aws:sns/topicSubscription:TopicSubscription")
    assert reporting.outputs["reports_bucket_name"] == bucket.outputs["bucket"]
    assert reporting.outputs["reports_topic_arn"] == topic.arn == subscribed.inputs["topic"]
    assert topic.inputs["kmsMasterKeyId"] == KEY


def test_alarms_ring_for_reports_that_are_not_stored(guard):
    alarms = guard(report_schedule="rate(1 day)").of_type("aws:cloudwatch/compositeAlarm:CompositeAlarm")

    [page] = [alarm for alarm in alarms if "notices-not-delivered" in alarm.name]
    for cause in ("report-errors", "failed-reports", "report-schedule-dropped", "report-schedule-lost"):
        assert f"-{cause}" in page.inputs["alarmRule"]


def test_a_subscription_to_reports_needs_a_schedule(guard):
    subscription = {"topic": "reports", "protocol": "sqs", "endpoint": QUEUE}

    with pytest.raises(InvalidSettings) as refused:
        guard(subscriptions=[subscription])

    assert refused.value.complaints == [
        "subscriptions[0].topic must be one of failures, remediation, critical without report_schedule, which sends "
        "reports, got reports"
    ]


@pytest.mark.parametrize("protocol", ["slack", "pagerduty"])
def test_chats_and_pagers_get_no_reports(guard, protocol):
    endpoint = {"slack": "https://hooks.slack.com/services/T0/B0/x", "pagerduty": "a" * 32}[protocol]

    with pytest.raises(InvalidSettings, match=r"subscriptions\[0\]\.topic must be .*which has incidents alone"):
        guard(
            report_schedule="rate(1 day)",
            subscriptions=[{"topic": "reports", "protocol": protocol, "endpoint": endpoint}],
        )
