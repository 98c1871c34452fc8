"""What an incident's row stores for its notifications: the secret's owner, rotation function and state."""

from datetime import UTC, datetime

import pytest

from tests.handlers.remediation.transitions import FUNCTION
from tests.handlers.scene import EXECUTION, FAILED_AT, build_move_signal, build_signal, build_success_signal

UNKNOWN = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:gone-Ab12Cd"
LATER = "2026-03-03T00:50:20Z"


def test_the_first_notification_has_owner_and_rotation_function(scene):
    arn = scene.secret(pending=True, owner="  payments\nteam ")
    scene.describe_overrides[arn] |= {"RotationLambdaARN": FUNCTION, "RotationEnabled": False}

    row = scene.row(scene.open(arn))

    assert (row["owner"], row["rotation_function"], row["rotation_on"]) == ("payments team", FUNCTION, False)


def test_the_first_notification_says_that_a_secret_was_deleted(scene):
    row = scene.row(scene.open(UNKNOWN))

    assert row["unreadable"] == "It does not exist in Secrets Manager any more."
    assert "versions" not in row


def test_the_first_notification_says_why_a_secret_is_not_repaired(scene):
    deleted, replica, managed = scene.secret(), scene.secret(), scene.secret()
    scene.describe_overrides[deleted] |= {"DeletedDate": datetime(2026, 3, 1, tzinfo=UTC)}
    scene.describe_overrides[replica] |= {"PrimaryRegion": "us-east-1"}

    rows = [scene.row(scene.open(arn)) for arn in (deleted, replica, managed)]

    assert rows[0]["untouchable"] == "It is marked for deletion."
    assert rows[1]["untouchable"] == "It is a replica: repair its primary in us-east-1."
    assert "untouchable" not in rows[2]


def test_every_failed_step_is_stored(scene):
    arn = scene.secret(pending=True)
    key = scene.open(arn, build_signal(arn, failed_step="setSecret"))

    scene.claim(
        build_signal(arn, event="event-2", at="2026-03-01T00:55:20Z", failed_step="createSecret"), "execution-2"
    )

    row = scene.row(key)
    assert row["failed_step"] == "createSecret"
    assert row["failed_steps"] == {"setSecret", "createSecret"}


@pytest.mark.parametrize("is_finished", [True, False])
def test_the_labels_of_a_resolved_secret_are_stored(scene, is_finished):
    arn = scene.secret(pending=True)
    key = scene.open(arn)
    scene.change(key, outcome="escalated", closed_at="2026-03-01T01:00:00Z")
    scene.close(key)
    if is_finished:
        scene.finish(arn)
        signal = build_success_signal(arn)
    else:
        # An operator moves AWSCURRENT manually to a new version.
        own_version = scene.begin(arn, labels=["MINE"])
        scene.move_awscurrent(arn, own_version)
        signal = build_move_signal(arn, own_version)

    scene.claim(signal, f"{EXECUTION}-2")

    labels_by_name = {
        label: version for version, labels in scene.row(key)["new_value_versions"].items() for label in labels
    }
    assert labels_by_name["AWSCURRENT"] == scene.version(arn)
    assert ("AWSPENDING" in labels_by_name) is not is_finished


def test_a_reminder_stores_its_failure_without_counting_it(scene):
    arn = scene.secret(pending=True)
    key = scene.open(arn)
    scene.change(key, outcome="escalated", closed_at="2026-03-01T01:00:00Z")
    scene.close(key)

    answer = scene.claim(build_signal(arn, at=LATER, event="event-2", failed_step="testSecret"), f"{EXECUTION}-2")

    assert answer["outcome"] == "reminder"
    row = scene.row(key)
    assert (row["reminded_at"], row["reminded_step"]) == (LATER, "testSecret")
    assert (row["failures"], row["last_failure_at"], row["failed_step"]) == (1, FAILED_AT, "setSecret")
