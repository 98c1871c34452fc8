"""Events that moved no value and deleted nothing: they excuse no move and no disappearance that went unheard.

CloudTrail reports calls that failed as well, with an errorCode
(https://docs.aws.amazon.com/awscloudtrail/latest/userguide/cloudtrail-event-reference-record-contents.html), and every
rotation puts its value under AWSPENDING first.
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
def hear(context):
    """Has the writer record an event that happens now, or so long ago."""

    def record(body, ago=timedelta()):
        body["time"] = (datetime.now(UTC) - ago).strftime("%Y-%m-%dT%H:%M:%SZ")
        if "eventTime" in body["detail"]:
            body["detail"]["eventTime"] = body["time"]
        message = {"messageId": "1", "receiptHandle": "x", "body": json.dumps(body), "eventSource": "aws:sqs"}
        assert writer.handler({"Records": [message]}, context) == {"batchItemFailures": []}

    return record


@pytest.fixture
def called(recorded):
    """CloudTrail's event of this call with these parameters."""

    def event(name, arn, asked=None, **detail):
        body = recorded("put-secret-value")
        body["detail"] |= {"eventName": name, "responseElements": {"arn": arn}, **detail}
        body["detail"]["requestParameters"] = {"secretId": arn, **(asked or {})}
        return body

    return event


@pytest.fixture
def labelled(recorded):
    """Secrets Manager's own event of this label."""

    def event(arn, label):
        body = recorded("secret-label-updated") | {"resources": [arn]}
        body["detail"] |= {"labelUpdated": label, "versionId": "11111111-2222-4333-8444-555555555555"}
        return body

    return event


def kinds(run):
    return [(found["kind"], found["secret_name"]) for found in run["findings"]]


def move(aws, arn):
    aws.client("secretsmanager").put_secret_value(SecretId=arn, SecretString="next")


@pytest.mark.parametrize(
    ("name", "asked", "detail"),
    [
        ("PutSecretValue", {}, DENIED),
        ("UpdateSecret", {}, {"errorCode": "ResourceExistsException", "responseElements": None}),
        ("UpdateSecretVersionStage", {"versionStage": "AWSCURRENT"}, DENIED),
        ("UpdateSecretVersionStage", {"versionStage": "green"}, {}),
        ("PutSecretValue", {"versionStages": ["AWSPENDING"]}, {}),
        ("PutSecretValue", {"versionStages": ["green", "blue"]}, {}),
    ],
)
def test_a_call_that_moved_nothing_excuses_no_move(aws, secret, audit, hear, called, name, asked, detail):
    made = secret("orders", MANAGED)
    audit()
    move(aws, made["ARN"])
    hear(called(name, made["ARN"], asked, **detail))

    assert [kinds(audit()) for _ in range(2)] == [[], [("moved_unheard", "orders")]]


@pytest.mark.parametrize(
    ("name", "asked"),
    [
        ("PutSecretValue", {}),
        ("PutSecretValue", {"versionStages": None}),
        ("PutSecretValue", {"versionStages": ["AWSCURRENT", "green"]}),
        ("UpdateSecretVersionStage", {"versionStage": "AWSCURRENT"}),
        ("UpdateSecret", {}),
    ],
)
def test_one_that_may_have_moved_it_does(aws, secret, audit, hear, called, name, asked):
    made = secret("orders", MANAGED)
    audit()
    move(aws, made["ARN"])
    hear(called(name, made["ARN"], asked))

    assert [kinds(audit()) for _ in range(2)] == [[], []]


@pytest.mark.parametrize(("label", "found"), [("green", [("moved_unheard", "orders")]), ("AWSCURRENT", [])])
def test_only_the_label_of_the_value_in_use_tells_of_a_move(aws, secret, audit, hear, labelled, label, found):
    made = secret("orders", MANAGED)
    audit()
    move(aws, made["ARN"])
    audit()
    hear(labelled(made["ARN"], label))

    assert kinds(audit()) == found


@pytest.mark.parametrize(
    ("names", "found"),
    [
        (("DeleteSecret", "RestoreSecret"), [("vanished", "orders")]),
        (("RestoreSecret", "DeleteSecret"), []),
        (("RestoreSecret", "EndSecretVersionDelete"), []),
        (("CancelSecretVersionDelete", "DeleteSecret"), []),
        (("DeleteSecret", "CancelSecretVersionDelete"), [("vanished", "orders")]),
    ],
)
def test_a_deletion_that_was_taken_back_told_of_no_end(aws, secret, audit, hear, called, names, found):
    made = secret("orders", MANAGED)
    secret("stays", MANAGED)
    audit()
    for minutes, name in zip((9, 4), names, strict=True):
        hear(called(name, made["ARN"], eventID=name), ago=timedelta(minutes=minutes))
    aws.client("secretsmanager").delete_secret(SecretId=made["ARN"], ForceDeleteWithoutRecovery=True)

    assert kinds(audit()) == found


@pytest.mark.parametrize(("detail", "found"), [(DENIED, [("vanished", "orders")]), ({}, [])])
def test_a_deletion_that_failed_told_of_no_end(aws, secret, audit, hear, called, detail, found):
    made = secret("orders", MANAGED)
    secret("stays", MANAGED)
    audit()
    hear(called("DeleteSecret", made["ARN"], **detail))
    aws.client("secretsmanager").delete_secret(SecretId=made["ARN"], ForceDeleteWithoutRecovery=True)

    assert kinds(audit()) == found
