"""Probes that are wrong, hang, are missing or return secrets: no text of theirs leaks, and no result proves nothing."""

import json

import pytest

from tests.e2e.remediation.functions import LOGGED_TEXT, PLANTED

PROBE = "rotation-guard:probe"
FOREIGN_TEXT = "swordfish and nothing else"
"""A text that somebody wrote into an event."""
PROBES = {
    "missing": ("team-unlisted", None),
    "gone": ("team-gone", None),
    "talking": ("team-probe", "talks"),
    "failing": ("team-probe", "raises"),
}
"""Name -> the probe that the secret names, and its behavior."""
NOTES = {
    "gone": "does not exist",
    "talking": "answered neither works: true nor works: false",
    "failing": "ended with an error",
}


@pytest.fixture(scope="module")
def incidents(repair_world):
    """Name -> the incident of a failure after which a correct probe would have had AWSCURRENT moved."""
    estate, secrets = repair_world.estate, {}
    secrets["lying"] = repair_world.fail_rotation(estate.secret(probe="lies"), "finishSecret")
    for name, (function, behavior) in PROBES.items():
        arn = estate.secret({PROBE: function}, probe=behavior)
        secrets[name] = repair_world.fail_rotation(arn, "finishSecret", times=99 if name == "missing" else 1)
    # Without a pending version there is only one probe, and without a rotation only one decision.
    secrets["hanging"] = estate.secret({PROBE: "team-hang"})
    secrets["written about"] = estate.untag(estate.secret(), "remediation")
    error_message = f"Error when executing lambda {FOREIGN_TEXT} during setSecret step: {FOREIGN_TEXT}"
    more = {
        "eventID": FOREIGN_TEXT,
        "userAgent": FOREIGN_TEXT,
        "password": FOREIGN_TEXT,
        "responseElements": {"value": FOREIGN_TEXT},
    }
    repair_world.put(
        repair_world.event("rotation-failed", secrets["hanging"], errorMessage=error_message),
        repair_world.event("rotation-failed", secrets["written about"], errorMessage=error_message, **more),
        repair_world.event(
            "rotation-abandoned", secrets["written about"], errorMessage=error_message, awsRegion=FOREIGN_TEXT
        ),
    )
    return dict(zip(secrets, repair_world.listener.wait_for_incidents(list(secrets.values())), strict=True))


def test_a_probe_that_contradicts_itself_is_escalated_and_no_label_moves_twice(repair_world, incidents):
    incident = incidents["lying"]

    assert incident.row["outcome"] == "escalated"
    assert incident.row["reason"].startswith("The version that AWSCURRENT was moved to does not work")
    assert incident.done == ["rolled forward", "rolled forward"]
    assert repair_world.estate.labels(incident.row["secret_arn"])["AWSCURRENT"] == incident.row["moved"]["to"]
    assert incident.transitions == ["opened", "escalated", "escalated"]


def test_a_probe_that_hangs_proves_nothing(incidents):
    incident = incidents["hanging"]

    assert incident.row["evidence"]["current"] == "unknown"
    assert incident.row["evidence"]["notes"] == ["The probe of AWSCURRENT timed out after 4 s."]
    assert incident.row["outcome"] == "escalated"
    assert incident.done == []


@pytest.mark.parametrize("name", NOTES)
def test_a_probe_without_a_valid_result_proves_nothing_and_the_rotation_is_retried(incidents, name):
    incident = incidents[name]

    [decided] = [action for action in incident.row["actions"] if action.get("rule") == "retry"]
    assert decided["evidence"] == {
        "current": "unknown",
        "pending": "unknown",
        "previous": "absent",
        "notes": [f"The probe of {label} {NOTES[name]}." for label in ("AWSCURRENT", "AWSPENDING")],
    }
    assert incident.row["outcome"] == "recovered by retry"
    assert "moved" not in incident.row


def test_a_probe_that_is_not_listed_is_not_called_and_the_reason_says_so(repair_world, incidents):
    incident = incidents["missing"]

    assert incident.row["outcome"] == "escalated"
    assert incident.row["reason"].endswith("is not in probeFunctions, so it is not called.")
    assert incident.done == ["retry"] * 4
    assert repair_world.estate.labels(incident.row["secret_arn"])["AWSCURRENT"] == incident.row["current_version_id"]


def test_no_secret_value_is_in_any_notification_row_history_event_or_log(repair_world, incidents):
    """Checks everything on this stack so far.

    The failures topic and the audit trail contain AWS's own event, as documented; a team's log is its own.
    """
    listener, words = repair_world.listener, (PLANTED, LOGGED_TEXT, FOREIGN_TEXT)
    assert len({incident.row["secret_arn"] for incident in incidents.values()}) == len(PROBES) + 3
    texts = {f"notification {notification.subject}": notification.body for notification in listener.notifications}
    texts |= {f"event {index}": json.dumps(event) for index, event in enumerate(listener.events)}
    texts |= {
        f"row {index}": json.dumps(row) for index, row in enumerate(repair_world.raw_rows("incidents_table_name"))
    }
    texts |= repair_world.execution_histories()
    texts |= repair_world.logs("rotation-guard-")
    # The logs were read, and the foreign text in the events has arrived.
    for message in ("probed", "decided", "published", "signal"):
        assert any(f'"message":"{message}"' in text for text in texts.values())
    assert FOREIGN_TEXT in json.dumps(repair_world.raw_rows("audit_trail_table_name"))

    assert [(where, word) for where, text in texts.items() for word in words if word in text] == []


def test_no_value_that_a_probe_returns_is_in_the_emulators_log(repair_world, incidents):
    assert incidents["talking"].row["outcome"]
    assert PLANTED not in repair_world.emulator.log.read_text(errors="replace")
