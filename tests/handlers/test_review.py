"""Inputs of the same classes as the issue's, as an operator would meet them."""

import json
from datetime import UTC, datetime

import pytest
from botocore.exceptions import EndpointConnectionError

from handlers import audit_writer

MANAGED = {"Managed": "true"}


@pytest.fixture
def tables(aws, monkeypatch):
    aws.create_tables("history", "status", "runs", "audit-trail", "incidents")
    monkeypatch.setenv("AUDIT_QUEUE_URL", "https://sqs.eu-west-1.amazonaws.com/123456789012/audit")


@pytest.fixture
def hear(context):
    def record(*bodies):
        records = [
            {
                "messageId": str(n),
                "receiptHandle": "x",
                "eventSource": "aws:sqs",
                "body": body if isinstance(body, str) else json.dumps(body),
            }
            for n, body in enumerate(bodies)
        ]
        answer = audit_writer.handler({"Records": records}, context)
        return [int(one["itemIdentifier"]) for one in answer["batchItemFailures"]]

    return record


def kinds(run):
    return [(found["kind"], found["secret_name"]) for found in run["findings"]]


ODD = [
    '{"id":"a","time":"2026-03-01T00:00:00Z","source":"aws.secretsmanager","detail-type":"\\ud800","resources":["arn:aws:secretsmanager:eu-west-1:1:secret:\\udfff"],"detail":{"\\ud800":"\\udc00"}}',
    '{"id":"b","id":"b2","time":"2026-03-01T00:00:00Z","detail":{"a":1,"a":2},"detail":{"x":1}}',
    '{"id":"\\ud800c","time":"0001-01-01T00:00:00+14:00","detail":{}}',
    '{"id":"d","time":"9999-12-31T23:59:59-12:00","detail":null}',
    '{"id":"e","time":"2026-03-01T00:00:00Z","detail":{"n":' + "9" * 6000 + ',"f":1e999999,"m":-' + "8" * 5000 + "}}",
    '{"id":"f","time":"2026-03-01T00:00:00Z","detail":{"n":' + "[" * 6000 + "]" * 6000 + "}}",
    '{"id":"g","time":"2026-03-01T00:00:00Z","detail":{"' + "\u20ac" * 300_000 + '":"x"}}',
    '{"id":"'
    + "\u20ac" * 900
    + '","time":"2026-03-01T00:00:00Z","resources":["arn:aws:secretsmanager:eu-west-1:1:secret:'
    + "\u00e9" * 1100
    + '"],"detail":{}}',
    '{"id":"h","time":"2026-03-01T00:00:00Z","detail":{"eventTime":"2026-02-30T00:00:00Z","eventName":"'
    + "\U0001f600" * 5000
    + '"}}',
    '{"id":"i","time":"2026-03-01T00:00:00.123456789+00:00","detail":{"labelUpdated":"AWSCURRENT","versionId":"\\ud800"},"source":"aws.secretsmanager","resources":["arn:aws:secretsmanager:eu-west-1:111122223333:secret:o-Ab12Cd"]}',
]


@pytest.mark.usefixtures("tables")
def test_odd_events(aws, hear):
    assert hear(*ODD) == []
    assert len(aws.rows("audit-trail")) == len(ODD)


@pytest.mark.usefixtures("tables")
def test_odd_news(aws, hear):
    now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    aws.put(
        "status", {"secret_name": "o", "secret_arn": "arn:aws:secretsmanager:eu-west-1:111122223333:secret:o-Ab12Cd"}
    )
    assert hear(ODD[-1].replace("2026-03-01T00:00:00.123456789+00:00", now)) == []


@pytest.mark.usefixtures("tables")
def test_one_of_ten_throttled(aws, hear, recorded):
    bodies = [recorded("rotation-failed") for _ in range(10)]
    for n, body in enumerate(bodies):
        body["detail"]["eventID"] = f"id-{n}"
    aws.answer(
        "PutItem",
        lambda asked: aws.Refusal("ThrottlingException") if "id-3" in asked["Item"]["recorded"]["S"] else None,
    )
    assert hear(*bodies) == [3]
    aws.answer(
        "PutItem",
        lambda asked: (
            (_ for _ in ()).throw(EndpointConnectionError(endpoint_url="x"))
            if "id-3" in asked["Item"]["recorded"]["S"]
            else None
        ),
    )
    assert hear(*bodies) == [3]
