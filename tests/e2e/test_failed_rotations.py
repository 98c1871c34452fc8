"""Events on the local deployment: failures reach people, the audit trail and the workflow."""

import json
import uuid

import pytest

from components.release import resolve_runbook
from local.waiting import eventually


@pytest.mark.parametrize("name", ["rotation-failed", "rotation-abandoned"])
def test_a_failed_rotation_notifies_people_is_recorded_and_opens_an_incident(scenario, name):
    secret = scenario.create_arn()
    failure = scenario.build_event(name, secret)

    scenario.put_events(failure)

    (notification,) = scenario.receive_notifications("failures", secret)
    assert json.loads(notification["Message"])["detail"] == failure["detail"]
    (row,) = scenario.wait_for_rows("audit_trail_table_name", secret)
    assert row["event_type"] == failure["detail"]["eventName"]
    assert row["recorded"] == f"{failure['detail']['eventTime']}#{failure['detail']['eventID']}"
    assert json.loads(row["full_event"])["detail"] == failure["detail"]
    assert row["rotation_id"] == "7ac47c8c-f328-423b-9698-6926dd1f293e"
    (incident,) = scenario.wait_for_rows("incidents_table_name", secret)
    assert incident["state"] == "open"
    (opened,) = scenario.receive_notifications("remediation", secret)
    assert len(opened["Subject"]) < 100
    assert opened["Subject"].startswith("INFO " if "Test" in failure["detail"]["eventName"] else "AT RISK ")
    assert f" {scenario.stack.account_id} {scenario.stack.region}: " in opened["Subject"]
    payload = json.loads(opened["Message"])
    assert (payload["turn"], payload["severity"]) == ("opened", opened["Subject"].partition(" scenario/")[0])
    # This secret does not exist.
    assert "The secret does not exist in Secrets Manager any more." in payload["text"]
    assert payload["links"]["runbook"] == f"{resolve_runbook()}#opened"


@pytest.mark.parametrize("name", ["rotation-succeeded", "secret-label-updated"])
def test_a_success_is_recorded_only(scenario, name):
    secret = scenario.create_arn()

    scenario.put_events(scenario.build_event(name, secret))

    assert len(scenario.wait_for_rows("audit_trail_table_name", secret)) == 1
    assert scenario.receive_notifications("failures", secret, seconds=1) == []
    assert scenario.read_rows("incidents_table_name", secret) == []


def test_five_copies_of_an_event_leave_one_row_one_incident_and_one_notification(scenario):
    secret = scenario.create_arn()
    failure = scenario.build_event("rotation-failed", secret)

    scenario.put_events(*[failure] * 5)

    assert len(scenario.receive_notifications("failures", secret)) == 5
    assert len(scenario.receive_notifications("remediation", secret)) == 1
    assert len(scenario.wait_for_rows("audit_trail_table_name", secret)) == 1
    (incident,) = scenario.read_rows("incidents_table_name", secret)
    assert incident["failures"] == 1
    assert incident["event_ids"] == {failure["detail"]["eventID"]}


def test_the_failures_of_one_secret_belong_to_one_incident(scenario):
    secret = scenario.create_arn()
    failures = [scenario.build_event("rotation-failed", secret) for _ in range(3)]

    scenario.put_events(*failures)

    assert len(scenario.receive_notifications("remediation", secret)) == 1
    eventually(
        lambda: scenario.read_rows("incidents_table_name", secret)[0]["failures"] == 3,
        "the third failure counted",
        seconds=30,
    )
    (incident,) = scenario.read_rows("incidents_table_name", secret)
    assert incident["event_ids"] == {failure["detail"]["eventID"] for failure in failures}
    assert len(scenario.read_rows("audit_trail_table_name", secret)) == 3


def test_a_malformed_message_goes_to_the_dead_letter_queue_and_the_rest_of_its_batch_is_recorded(scenario):
    sqs, outputs = scenario.stack.client("sqs"), scenario.stack.outputs
    secrets = [scenario.create_arn(), scenario.create_arn()]
    bad = f"this is not JSON {uuid.uuid4()}"
    bodies = [json.dumps(scenario.build_event("rotation-succeeded", secrets[0])), bad]
    bodies.append(json.dumps(scenario.build_event("rotation-succeeded", secrets[1])))
    entries = [{"Id": str(index), "MessageBody": body} for index, body in enumerate(bodies)]

    sqs.send_message_batch(QueueUrl=outputs["audit_queue_url"], Entries=entries)

    for secret in secrets:
        assert len(scenario.wait_for_rows("audit_trail_table_name", secret)) == 1

    def receive_dead_letters() -> list[str]:
        response = sqs.receive_message(QueueUrl=outputs["audit_dead_letters_url"], MaxNumberOfMessages=10)
        return [message["Body"] for message in response.get("Messages", [])]

    assert eventually(receive_dead_letters, "the malformed message in the dead-letter queue", seconds=30) == [bad]


def test_an_event_without_a_secret_is_recorded_and_notified(scenario):
    failure = scenario.build_event("rotation-failed", scenario.create_arn())
    failure["detail"] |= {"additionalEventData": None, "requestID": None}

    scenario.put_events(failure)

    rows = eventually(
        lambda: [
            row
            for row in scenario.read_rows("audit_trail_table_name", "rotation-guard.drill")
            if failure["detail"]["eventID"] in row["recorded"]
        ],
        "the row of an event without secret",
    )
    assert len(rows) == 1
    assert len(scenario.receive_notifications("failures", failure["detail"]["eventID"])) == 1


def test_a_large_event_is_recorded_whole(scenario):
    secret = scenario.create_arn()
    failure = scenario.build_event("rotation-succeeded", secret)
    failure["detail"]["additionalEventData"]["padding"] = "x" * 200_000

    scenario.put_events(failure)

    (row,) = scenario.wait_for_rows("audit_trail_table_name", secret)
    assert json.loads(row["full_event"])["detail"] == failure["detail"]


def test_an_event_that_is_larger_than_a_row_is_recorded_with_its_key_type_and_time(scenario):
    secret = scenario.create_arn()
    failure = scenario.build_event("rotation-succeeded", secret)
    failure["detail"]["additionalEventData"]["padding"] = "x" * 600_000

    scenario.put_events(failure)

    (row,) = scenario.wait_for_rows("audit_trail_table_name", secret)
    assert row["recorded"].endswith(failure["detail"]["eventID"])
    assert row["event_type"] == "RotationSucceeded"
    assert row["truncated"] is True
    assert row["original_bytes"] > 600_000


def test_an_event_of_an_extra_rule_is_recorded_and_notified(scenario):
    instance = f"arn:aws:ec2:eu-west-1:111122223333:instance/i-{uuid.uuid4().hex[:17]}"

    scenario.put_events(
        {
            "source": "aws.ec2",
            "detail-type": "EC2 Instance State-change Notification",
            "resources": [instance],
            "detail": {"instance-id": instance.rpartition("/")[2], "state": "stopped"},
        }
    )

    assert len(scenario.receive_notifications("failures", instance)) == 1
    (row,) = scenario.wait_for_rows("audit_trail_table_name", instance)
    assert row["event_type"] == "EC2 Instance State-change Notification"
    assert scenario.read_rows("incidents_table_name", instance) == []
