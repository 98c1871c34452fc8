"""The scenarios of the events article, on the local deployment."""

import json
import uuid

import pytest

from components.release import resolve_runbook
from local.waiting import eventually


@pytest.mark.parametrize("name", ["rotation-failed", "rotation-abandoned"])
def test_a_failed_rotation_reaches_people_the_record_and_an_incident(story, name):
    secret = story.secret()
    failure = story.event(name, secret)

    story.put(failure)

    (notice,) = story.heard("failures", secret)
    assert json.loads(notice["Message"])["detail"] == failure["detail"]
    (row,) = story.eventually_rows("audit_trail_table_name", secret)
    assert row["event_type"] == failure["detail"]["eventName"]
    assert row["recorded"] == f"{failure['detail']['eventTime']}#{failure['detail']['eventID']}"
    assert json.loads(row["full_event"])["detail"] == failure["detail"]
    assert row["rotation_id"] == "7ac47c8c-f328-423b-9698-6926dd1f293e"
    (incident,) = story.eventually_rows("incidents_table_name", secret)
    assert incident["state"] == "open"
    (told,) = story.heard("remediation", secret)
    assert len(told["Subject"]) < 100
    assert told["Subject"].startswith("INFO " if "Test" in failure["detail"]["eventName"] else "AT RISK ")
    assert f" {story.stack.account_id} {story.stack.region}: " in told["Subject"]
    facts = json.loads(told["Message"])
    assert (facts["turn"], facts["severity"]) == ("opened", told["Subject"].partition(" story/")[0])
    # Nobody has made this secret.
    assert "It does not exist in Secrets Manager any more." in facts["text"]
    assert facts["links"]["runbook"] == f"{resolve_runbook()}#opened"


@pytest.mark.parametrize("name", ["rotation-succeeded", "secret-label-updated"])
def test_a_success_reaches_the_record_alone(story, name):
    secret = story.secret()

    story.put(story.event(name, secret))

    assert len(story.eventually_rows("audit_trail_table_name", secret)) == 1
    assert story.heard("failures", secret, seconds=1) == []
    assert story.rows("incidents_table_name", secret) == []


def test_five_copies_of_one_event_leave_one_row_one_incident_and_one_notice(story):
    secret = story.secret()
    failure = story.event("rotation-failed", secret)

    story.put(*[failure] * 5)

    assert len(story.heard("failures", secret)) == 5
    assert len(story.heard("remediation", secret)) == 1
    assert len(story.eventually_rows("audit_trail_table_name", secret)) == 1
    (incident,) = story.rows("incidents_table_name", secret)
    assert incident["failures"] == 1
    assert incident["event_ids"] == {failure["detail"]["eventID"]}


def test_the_failures_of_one_secret_belong_to_one_incident(story):
    secret = story.secret()
    failures = [story.event("rotation-failed", secret) for _ in range(3)]

    story.put(*failures)

    assert len(story.heard("remediation", secret)) == 1
    eventually(
        lambda: story.rows("incidents_table_name", secret)[0]["failures"] == 3, "the third failure counted", seconds=30
    )
    (incident,) = story.rows("incidents_table_name", secret)
    assert incident["event_ids"] == {failure["detail"]["eventID"] for failure in failures}
    assert len(story.rows("audit_trail_table_name", secret)) == 3


def test_a_malformed_message_ends_in_the_dead_letters_while_its_neighbours_are_recorded(story):
    sqs, outputs = story.stack.client("sqs"), story.stack.outputs
    secrets = [story.secret(), story.secret()]
    bad = f"this is not JSON {uuid.uuid4()}"
    bodies = [json.dumps(story.event("rotation-succeeded", secrets[0])), bad]
    bodies.append(json.dumps(story.event("rotation-succeeded", secrets[1])))
    entries = [{"Id": str(index), "MessageBody": body} for index, body in enumerate(bodies)]

    sqs.send_message_batch(QueueUrl=outputs["audit_queue_url"], Entries=entries)

    for secret in secrets:
        assert len(story.eventually_rows("audit_trail_table_name", secret)) == 1

    def dead() -> list[str]:
        answer = sqs.receive_message(QueueUrl=outputs["audit_dead_letters_url"], MaxNumberOfMessages=10)
        return [message["Body"] for message in answer.get("Messages", [])]

    assert eventually(dead, "the malformed message in the dead letters", seconds=30) == [bad]


def test_an_event_that_names_no_secret_is_recorded_and_told(story):
    failure = story.event("rotation-failed", story.secret())
    failure["detail"] |= {"additionalEventData": None, "requestID": None}

    story.put(failure)

    rows = eventually(
        lambda: [
            row
            for row in story.rows("audit_trail_table_name", "rotation-guard.drill")
            if failure["detail"]["eventID"] in row["recorded"]
        ],
        "the row of an event without secret",
    )
    assert len(rows) == 1
    assert len(story.heard("failures", failure["detail"]["eventID"])) == 1


def test_a_large_event_is_recorded_whole(story):
    secret = story.secret()
    failure = story.event("rotation-succeeded", secret)
    failure["detail"]["additionalEventData"]["padding"] = "x" * 200_000

    story.put(failure)

    (row,) = story.eventually_rows("audit_trail_table_name", secret)
    assert json.loads(row["full_event"])["detail"] == failure["detail"]


def test_an_event_that_is_larger_than_a_row_is_recorded_with_its_key_type_and_time(story):
    secret = story.secret()
    failure = story.event("rotation-succeeded", secret)
    failure["detail"]["additionalEventData"]["padding"] = "x" * 600_000

    story.put(failure)

    (row,) = story.eventually_rows("audit_trail_table_name", secret)
    assert row["recorded"].endswith(failure["detail"]["eventID"])
    assert row["event_type"] == "RotationSucceeded"
    assert row["truncated"] is True
    assert row["original_bytes"] > 600_000


def test_an_extra_rules_event_is_recorded_and_heard(story):
    instance = f"arn:aws:ec2:eu-west-1:111122223333:instance/i-{uuid.uuid4().hex[:17]}"

    story.put(
        {
            "source": "aws.ec2",
            "detail-type": "EC2 Instance State-change Notification",
            "resources": [instance],
            "detail": {"instance-id": instance.rpartition("/")[2], "state": "stopped"},
        }
    )

    assert len(story.heard("failures", instance)) == 1
    (row,) = story.eventually_rows("audit_trail_table_name", instance)
    assert row["event_type"] == "EC2 Instance State-change Notification"
    assert story.rows("incidents_table_name", instance) == []
