"""The canary in the audit trail: recorded once, under a subject of its own, and counted as nothing but a canary."""

import json

import pytest

from handlers.trail import writer

TABLE = "guard-repair-incidents-0a1b2c3"
TIME = "2026-03-01T06:00:00Z"
DETAIL = {
    "eventName": "RotationCanary",
    "eventTime": TIME,
    "eventID": f"canary-{TABLE}-{TIME}",
    "incidents_table": TABLE,
}
CANARY = {
    "version": "0",
    "id": "5d3a4a0e-9b38-4f9d-8f3c-7a2f6d1f9c11",
    "detail-type": "AWS Service Event via CloudTrail",
    "source": "rotation-guard.canary",
    "account": "111122223333",
    "time": "2026-03-01T06:00:23Z",
    "region": "eu-west-1",
    "resources": ["arn:aws:scheduler:eu-west-1:111122223333:schedule/guard-canary/guard-canary"],
    "detail": DETAIL,
}
"""What EventBridge delivers for the input of the schedule, with the time in its place."""


@pytest.fixture
def write(aws, context, monkeypatch, capsys):
    """Lets the writer record these events; returns the metrics that it emitted, by name."""
    aws.create_tables("audit-trail", "status")
    monkeypatch.setenv("AUDIT_QUEUE_URL", aws.client("sqs").create_queue(QueueName="audit")["QueueUrl"])

    def write(*events):
        capsys.readouterr()
        records = [
            {"messageId": str(number), "receiptHandle": str(number), "body": json.dumps(event), "attributes": {}}
            for number, event in enumerate(events)
        ]
        answer = writer.handler({"Records": records}, context)
        assert answer["batchItemFailures"] == []
        lines = [json.loads(line) for line in capsys.readouterr().out.splitlines() if '"CloudWatchMetrics"' in line]
        names = {metric["Name"] for line in lines for metric in line["_aws"]["CloudWatchMetrics"][0]["Metrics"]}
        return {name: sum(sum(line.get(name, [])) for line in lines) for name in names}

    return write


def test_a_canary_is_recorded_under_its_source_with_the_time_of_its_schedule(aws, write):
    write(CANARY)

    [row] = aws.rows("audit-trail")
    assert row["secret_arn"] == "rotation-guard.canary"
    assert row["recorded"] == f"{TIME}#canary-{TABLE}-{TIME}"
    assert row["event_type"] == "RotationCanary"
    assert json.loads(row["full_event"]) == CANARY


def test_a_canary_is_counted_as_a_canary_and_as_no_rotation(write):
    assert write(CANARY) == {"EventsRecorded": 1, "CanaryEventsRecorded": 1}


def test_the_copies_of_a_canary_that_scheduler_delivers_twice_are_one_row(aws, write):
    copy = {**CANARY, "id": "another-delivery", "time": "2026-03-01T06:01:12Z"}

    assert write(CANARY, copy) == {"EventsRecorded": 1, "EventsRepeated": 1, "CanaryEventsRecorded": 1}
    assert len(aws.rows("audit-trail")) == 1


def test_the_canaries_of_two_stacks_with_one_audit_trail_are_two_rows(aws, write):
    other = {**CANARY, "detail": {**DETAIL, "eventID": f"canary-other-{TIME}", "incidents_table": "other"}}

    assert write(CANARY, other)["CanaryEventsRecorded"] == 2
    assert len(aws.rows("audit-trail")) == 2


@pytest.mark.parametrize("name", ["RotationSucceeded", "RotationFailed"])
def test_a_canary_never_counts_as_a_rotation_and_reaches_no_secret(aws, write, name):
    arn = "arn:aws:secretsmanager:eu-west-1:111122223333:secret:orders/db-Ab12Cd"
    forged = {**CANARY, "detail": {**DETAIL, "eventName": name, "additionalEventData": {"SecretId": arn}}}

    assert write(forged) == {"EventsRecorded": 1, "CanaryEventsRecorded": 1}
    assert [row["secret_arn"] for row in aws.rows("audit-trail")] == ["rotation-guard.canary"]
