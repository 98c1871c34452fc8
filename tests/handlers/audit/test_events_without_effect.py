"""Events without effect explain neither a move nor a missing secret.

CloudTrail also reports failed calls, with an errorCode
(https://docs.aws.amazon.com/awscloudtrail/latest/userguide/cloudtrail-event-reference-record-contents.html), and every
rotation labels its value AWSPENDING first.
"""

import json
from datetime import UTC, datetime, timedelta

import pytest

from handlers.trail import writer

MANAGED = {"Managed": "true"}
DENIED = {"errorCode": "AccessDenied", "responseElements": None}


@pytest.fixture(autouse=True)
def tables(aws, monkeypatch):
    aws.create_tables("history", "status", "runs", "audit-trail", "incidents")
    monkeypatch.setenv("AUDIT_QUEUE_URL", "https://sqs.eu-west-1.amazonaws.com/123456789012/audit")


@pytest.fixture
def record_event(context):
    """Lets the writer record an event of now, or of this long ago."""

    def record(body, ago=timedelta()):
        body["time"] = (datetime.now(UTC) - ago).strftime("%Y-%m-%dT%H:%M:%SZ")
        if "eventTime" in body["detail"]:
            body["detail"]["eventTime"] = body["time"]
        message = {"messageId": "1", "receiptHandle": "x", "body": json.dumps(body), "eventSource": "aws:sqs"}
        assert writer.handler({"Records": [message]}, context) == {"batchItemFailures": []}

    return record


@pytest.fixture
def call_event(recorded):
    """CloudTrail's event of this call with these parameters."""

    def event(name, arn, parameters=None, **detail):
        body = recorded("put-secret-value")
        body["detail"] |= {"eventName": name, "responseElements": {"arn": arn}, **detail}
        body["detail"]["requestParameters"] = {"secretId": arn, **(parameters or {})}
        return body

    return event


@pytest.fixture
def label_event(recorded):
    """Secrets Manager's own event about this label."""

    def event(arn, label):
        body = recorded("secret-label-updated") | {"resources": [arn]}
        body["detail"] |= {"labelUpdated": label, "versionId": "11111111-2222-4333-8444-555555555555"}
        return body

    return event


def kinds(run):
    return [(finding["kind"], finding["secret_name"]) for finding in run["findings"]]


def move(aws, arn):
    aws.client("secretsmanager").put_secret_value(SecretId=arn, SecretString="next")


@pytest.mark.parametrize(
    ("name", "parameters", "detail"),
    [
        ("PutSecretValue", {}, DENIED),
        ("UpdateSecret", {}, {"errorCode": "ResourceExistsException", "responseElements": None}),
        ("UpdateSecretVersionStage", {"versionStage": "AWSCURRENT"}, DENIED),
        ("UpdateSecretVersionStage", {"versionStage": "green"}, {}),
        ("PutSecretValue", {"versionStages": ["AWSPENDING"]}, {}),
        ("PutSecretValue", {"versionStages": ["green", "blue"]}, {}),
    ],
)
def test_a_call_without_effect_explains_no_move(
    aws, create_secret, audit, record_event, call_event, name, parameters, detail
):
    secret = create_secret("orders", MANAGED)
    audit()
    move(aws, secret["ARN"])
    record_event(call_event(name, secret["ARN"], parameters, **detail))

    assert [kinds(audit()) for _ in range(2)] == [[], [("moved_unheard", "orders")]]


@pytest.mark.parametrize(
    ("name", "parameters"),
    [
        ("PutSecretValue", {}),
        ("PutSecretValue", {"versionStages": None}),
        ("PutSecretValue", {"versionStages": ["AWSCURRENT", "green"]}),
        ("UpdateSecretVersionStage", {"versionStage": "AWSCURRENT"}),
        ("UpdateSecret", {}),
    ],
)
def test_a_call_that_may_have_moved_the_label_explains_the_move(
    aws, create_secret, audit, record_event, call_event, name, parameters
):
    secret = create_secret("orders", MANAGED)
    audit()
    move(aws, secret["ARN"])
    record_event(call_event(name, secret["ARN"], parameters))

    assert [kinds(audit()) for _ in range(2)] == [[], []]


@pytest.mark.parametrize(("label", "findings"), [("green", [("moved_unheard", "orders")]), ("AWSCURRENT", [])])
def test_only_an_event_about_awscurrent_reports_a_move(
    aws, create_secret, audit, record_event, label_event, label, findings
):
    secret = create_secret("orders", MANAGED)
    audit()
    move(aws, secret["ARN"])
    audit()
    record_event(label_event(secret["ARN"], label))

    assert kinds(audit()) == findings


@pytest.mark.parametrize(
    ("names", "findings"),
    [
        (("DeleteSecret", "RestoreSecret"), [("vanished", "orders")]),
        (("RestoreSecret", "DeleteSecret"), []),
        (("RestoreSecret", "EndSecretVersionDelete"), []),
        (("CancelSecretVersionDelete", "DeleteSecret"), []),
        (("DeleteSecret", "CancelSecretVersionDelete"), [("vanished", "orders")]),
    ],
)
def test_a_deletion_that_was_undone_does_not_explain_a_missing_secret(
    aws, create_secret, audit, record_event, call_event, names, findings
):
    secret = create_secret("orders", MANAGED)
    create_secret("stays", MANAGED)
    audit()
    for minutes, name in zip((9, 4), names, strict=True):
        record_event(call_event(name, secret["ARN"], eventID=name), ago=timedelta(minutes=minutes))
    aws.client("secretsmanager").delete_secret(SecretId=secret["ARN"], ForceDeleteWithoutRecovery=True)

    assert kinds(audit()) == findings


@pytest.mark.parametrize(("detail", "findings"), [(DENIED, [("vanished", "orders")]), ({}, [])])
def test_a_failed_deletion_does_not_explain_a_missing_secret(
    aws, create_secret, audit, record_event, call_event, detail, findings
):
    secret = create_secret("orders", MANAGED)
    create_secret("stays", MANAGED)
    audit()
    record_event(call_event("DeleteSecret", secret["ARN"], **detail))
    aws.client("secretsmanager").delete_secret(SecretId=secret["ARN"], ForceDeleteWithoutRecovery=True)

    assert kinds(audit()) == findings
