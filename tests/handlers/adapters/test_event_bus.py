"""What the product tells on the default bus."""

import json
from itertools import pairwise

import pytest

from handlers.adapters import event_bus
from rotation_guard.domain.event_parser import parse_signal
from tests.handlers.remediation.transitions import ARN, incident, notification, repaired


@pytest.fixture
def put(aws):
    """Puts the event of this turn; answers the entry that EventBridge was given."""

    def tell(turn, row=None):
        aws.forget()
        event_id = event_bus.publish_transition(notification(turn, row).payload)
        [asked] = aws.asked("PutEvents")
        [entry] = asked["Entries"]
        assert json.loads(entry["Detail"])["eventID"] == event_id
        return entry

    return tell


@pytest.mark.parametrize(
    ("turn", "detail_type"),
    [
        ("opened", "Rotation Incident Opened"),
        ("retried", "Rotation Incident Retried"),
        ("recovered", "Rotation Incident Recovered"),
        ("escalated", "Rotation Incident Escalated"),
        ("held", "Rotation Incident Held"),
        ("resolved", "Rotation Incident Resolved"),
    ],
)
def test_a_turn_is_an_event_with_the_facts(put, turn, detail_type):
    entry = put(turn, repaired())

    assert (entry["Source"], entry["DetailType"], entry["Resources"]) == ("rotation-guard", detail_type, [ARN])
    detail = json.loads(entry["Detail"])
    del detail["eventID"]
    assert detail == notification(turn, repaired()).payload
    assert "text" not in detail


def test_copies_of_an_event_share_their_id_and_others_do_not(put):
    def event_id(turn, **changes):
        return json.loads(put(turn, incident(**changes))["Detail"])["eventID"]

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
    assert all(len(each) == 36 for pair in pairwise(ids) for each in pair)


def test_no_event_of_ours_is_taken_for_a_rotation_that_failed(put):
    entry = put("opened")
    delivered = {
        "id": "1",
        "source": entry["Source"],
        "detail-type": entry["DetailType"],
        "time": "2026-03-01T00:51:00Z",
        "resources": entry["Resources"],
        "detail": json.loads(entry["Detail"]),
    }

    assert parse_signal(delivered) is None


def test_an_event_that_is_not_taken_is_no_success(aws, put):
    refused = {"FailedEntryCount": 1, "Entries": [{"ErrorCode": "InternalFailure", "ErrorMessage": "later"}]}
    aws.answer("PutEvents", lambda _: refused)

    with pytest.raises(event_bus.EventRejected, match="Rotation Incident Opened"):
        put("opened")


def test_what_the_audit_puts_there_is_put_as_it_is(aws):
    event_bus.publish_event("Rotation Stuck", ARN, {"eventID": "rotation-stuck-v2"})

    [asked] = aws.asked("PutEvents")
    assert asked["Entries"] == [
        {
            "Source": "rotation-guard",
            "DetailType": "Rotation Stuck",
            "Resources": [ARN],
            "Detail": '{"eventID": "rotation-stuck-v2"}',
        }
    ]
