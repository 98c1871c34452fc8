"""Drill events have the shape of AWS's own, name their stack, and are found where the writer records them."""

import json
from datetime import UTC, datetime

import pytest

from rotation_guard.domain.audit_trail import build_trail_row
from rotation_guard.domain.drill_event import DrillKind, Place, build_drill_event
from rotation_guard.domain.event_parser import parse_signal, parse_text

PLACE = Place("aws", "eu-west-1", "111122223333")
NOW = datetime(2026, 3, 1, 1, 17, 16, 999_000, tzinfo=UTC)
EVENT_ID = "638c6d2d-e098-4100-a3e0-a4b7b87e5b92"
ARN = "arn:aws:secretsmanager:eu-west-1:111122223333:secret:orders/db-Ab12Cd"


def deliver(drill):
    """The event as EventBridge delivers it, with an id and a time of its own."""
    entry = drill.to_entry("default")
    return {
        "version": "0",
        "id": "another-id",
        "detail-type": entry["DetailType"],
        "source": entry["Source"],
        "account": PLACE.account,
        "time": "2026-03-01T01:17:19Z",
        "region": PLACE.region,
        "resources": [],
        "detail": json.loads(entry["Detail"]),
    }


@pytest.mark.parametrize("kind", DrillKind)
def test_its_row_in_the_audit_trail_is_known_before_it_is_put_on_the_bus(kind):
    drill = build_drill_event(kind, PLACE, "incidents", NOW, EVENT_ID)
    text = json.dumps(deliver(drill))

    row = build_trail_row(parse_text(text), text, datetime(2026, 3, 1, 2, tzinfo=UTC), None)

    assert drill.trail_key == {name: row[name] for name in ("secret_arn", "recorded")}
    assert row["recorded"] == f"2026-03-01T01:17:16Z#{EVENT_ID}"


@pytest.mark.parametrize(
    ("kind", "name"),
    [(DrillKind.ROTATION_SUCCEEDED, "rotation-succeeded"), (DrillKind.ROTATION_FAILED, "rotation-failed")],
)
def test_a_rotation_has_every_field_of_the_event_of_aws(kind, name, recorded):
    drill = build_drill_event(kind, PLACE, "incidents", NOW, EVENT_ID, secret_arn=ARN)
    event, aws = deliver(drill), recorded(name)

    assert event["source"] == "rotation-guard.drill"
    assert event["detail-type"] == aws["detail-type"]
    own = {"incidents_table", "drill"}
    assert event["detail"].keys() == aws["detail"].keys() | own
    varying = {*own, "eventTime", "eventID", "requestID", "errorMessage"}
    assert {key: value for key, value in event["detail"].items() if key not in varying} == {
        key: value for key, value in aws["detail"].items() if key not in varying
    }


def test_remediation_takes_a_drilled_failure_for_one_of_the_secret():
    drill = build_drill_event(DrillKind.ROTATION_FAILED, PLACE, "incidents", NOW, EVENT_ID, secret_arn=ARN)

    signal = parse_signal(deliver(drill))

    assert signal is not None
    assert (signal.kind, signal.secret_arn, signal.identity) == ("RotationFailed", ARN, EVENT_ID)
    assert signal.failed_step == "testSecret"
    assert signal.rotation_id == EVENT_ID


def test_a_drill_in_another_partition_names_secrets_of_that_partition():
    place = Place("aws-cn", "cn-north-1", "111122223333")

    drill = build_drill_event(DrillKind.ROTATION_SUCCEEDED, place, "incidents", NOW, EVENT_ID)

    assert drill.secret_arn == "arn:aws-cn:secretsmanager:cn-north-1:111122223333:secret:rotation-guard-drill-000000"


def test_a_canary_of_a_drill_is_about_no_secret_and_says_who_sent_it():
    note = {"by": "arn:aws:iam::111122223333:user/on-call"}

    drill = build_drill_event(DrillKind.CANARY, PLACE, "incidents", NOW, EVENT_ID, note=note)

    assert drill.secret_arn is None
    assert drill.detail == {
        "eventName": "RotationCanary",
        "eventTime": "2026-03-01T01:17:16Z",
        "eventID": EVENT_ID,
        "incidents_table": "incidents",
        "drill": note,
    }
