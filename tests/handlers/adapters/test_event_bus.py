"""The events that the product puts on the default event bus."""

import json
from itertools import pairwise

import pytest

from handlers.adapters import event_bus
from rotation_guard.domain.event_parser import parse_signal
from rotation_guard.domain.remediation.receiver_message import build_message
from tests.handlers.remediation.transitions import ARN, incident, notification, repaired


@pytest.fixture
def put_entry(aws):
    """Publishes a transition; returns the entry that was sent to EventBridge."""

    def publish(transition, row=None):
        aws.forget()
        event_id = event_bus.publish_transition(notification(transition, row), "incidents")
        [request] = aws.requests("PutEvents")
        [entry] = request["Entries"]
        assert json.loads(entry["Detail"])["eventID"] == event_id
        return entry

    return publish


@pytest.mark.parametrize(
    ("transition", "detail_type"),
    [
        ("opened", "Rotation Incident Opened"),
        ("retried", "Rotation Incident Retried"),
        ("recovered", "Rotation Incident Recovered"),
        ("escalated", "Rotation Incident Escalated"),
        ("held", "Rotation Incident Held"),
        ("resolved", "Rotation Incident Resolved"),
    ],
)
def test_a_transition_is_published_with_its_payload(put_entry, transition, detail_type):
    entry = put_entry(transition, repaired())

    assert (entry["Source"], entry["DetailType"], entry["Resources"]) == ("rotation-guard", detail_type, [ARN])
    detail = json.loads(entry["Detail"])
    del detail["eventID"]
    assert detail.pop("incidents_table") == "incidents"
    assert detail.pop("message") == build_message(notification(transition, repaired()))
    assert detail == notification(transition, repaired()).payload
    assert "text" not in detail


def test_copies_of_an_event_share_their_id_and_others_do_not(put_entry):
    def event_id(transition, **changes):
        return json.loads(put_entry(transition, incident(**changes))["Detail"])["eventID"]

    ids = [
        event_id("opened"),
        event_id("escalated"),
        event_id("opened", opened_at="2026-03-02T00:51:00.000Z"),
        event_id("opened", secret_arn=f"{ARN}2"),
        event_id("retried", attempts=1),
        event_id("retried", attempts=2),
        event_id("resolved"),
    ]

    assert len(set(ids)) == len(ids)
    assert event_id("opened", attempts=3, versions=None) == ids[0]
    assert event_id("retried", attempts=1, mode="retry") == ids[4]
    assert all(len(identifier) == 36 for pair in pairwise(ids) for identifier in pair)


def test_our_own_event_is_not_parsed_as_a_failed_rotation(put_entry):
    entry = put_entry("opened")
    event = {
        "id": "1",
        "source": entry["Source"],
        "detail-type": entry["DetailType"],
        "time": "2026-03-01T00:51:00Z",
        "resources": entry["Resources"],
        "detail": json.loads(entry["Detail"]),
    }

    assert parse_signal(event) is None


def test_an_event_that_eventbridge_rejects_raises(aws, put_entry):
    rejection = {"FailedEntryCount": 1, "Entries": [{"ErrorCode": "InternalFailure", "ErrorMessage": "later"}]}
    aws.answer("PutEvents", lambda _: rejection)

    with pytest.raises(event_bus.EventRejected, match="Rotation Incident Opened"):
        put_entry("opened")


def test_an_event_of_the_audit_is_put_with_the_table_of_its_stack(aws):
    event_bus.publish_event("Rotation Stuck", ARN, {"eventID": "rotation-stuck-v2"}, "incidents")

    [request] = aws.requests("PutEvents")
    assert request["Entries"] == [
        {
            "Source": "rotation-guard",
            "DetailType": "Rotation Stuck",
            "Resources": [ARN],
            "Detail": '{"eventID": "rotation-stuck-v2", "incidents_table": "incidents"}',
        }
    ]
