"""The writer of a hub records the events of all accounts, each under its own."""

import pytest

from handlers.trail import writer
from tests.organization_events import wrap

OWN, OTHER = "111122223333", "444455556666"
"""The account of the recorded events, and another one."""
ARN = f"arn:aws:secretsmanager:eu-west-1:{OWN}:secret:orders/db-Ab12Cd"


@pytest.fixture
def write(aws, monkeypatch, to_records, context):
    """Lets the writer of a hub record these events; returns the positions of those that failed."""
    aws.create_tables("audit-trail")
    url = aws.client("sqs").create_queue(QueueName="trail")["QueueUrl"]
    for name, value in {"EVENT_ACCOUNTS": "all", "AUDIT_QUEUE_URL": url, "STATUS_TABLE_NAME": ""}.items():
        monkeypatch.setenv(name, value)

    def write(*events):
        answer = writer.handler(to_records(*events), context)
        return [int(failure["itemIdentifier"]) for failure in answer["batchItemFailures"]]

    return write


def test_an_event_is_one_row_with_account_and_region_whether_it_arrives_at_once_or_late(aws, recorded, write):
    event = recorded("rotation-failed")

    assert write(event, wrap(event, account=OWN), event) == []

    [row] = aws.rows("audit-trail")
    assert (row["secret_arn"], row["account"], row["region"]) == (ARN, OWN, "eu-west-1")


def test_no_account_writes_into_the_trail_of_another_ones_secret(aws, recorded, write):
    event = recorded("rotation-succeeded")
    spoofed = {**event, "account": OTHER}

    assert write(spoofed, wrap(spoofed, account=OTHER), wrap(event, account=OTHER)) == [2]

    assert {row["secret_arn"] for row in aws.rows("audit-trail")} == {f"{OTHER}:{ARN}"}


def test_a_member_records_an_event_as_before(aws, recorded, write, monkeypatch):
    monkeypatch.setenv("EVENT_ACCOUNTS", "own")

    write({**recorded("put-secret-value"), "account": OTHER})

    [row] = aws.rows("audit-trail")
    assert row["secret_arn"] == ARN
    assert {"account", "region"}.isdisjoint(row)
