"""What an incident's row holds for its notices: whose the secret is, what rotates it, and what was seen of it."""

from datetime import UTC, datetime

import pytest

from tests.handlers.remediation.transitions import FUNCTION
from tests.handlers.scene import EXECUTION, FAILED_AT, build_signal, moved, succeeded

UNKNOWN = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:gone-Ab12Cd"
LATER = "2026-03-03T00:50:20Z"


def test_owner_and_rotation_function_are_known_from_the_first_notice_on(scene):
    arn = scene.secret(pending=True, owner="  payments\nteam ")
    scene.stated[arn] |= {"RotationLambdaARN": FUNCTION, "RotationEnabled": False}

    row = scene.row(scene.open(arn))

    assert (row["owner"], row["rotation_function"], row["rotation_on"]) == ("payments team", FUNCTION, False)


def test_a_secret_that_is_gone_is_known_to_be_so_from_the_first_notice_on(scene):
    row = scene.row(scene.open(UNKNOWN))

    assert row["unreadable"] == "It does not exist in Secrets Manager any more."
    assert "versions" not in row


def test_a_secret_that_is_not_to_be_repaired_is_known_to_be_so_from_the_first_notice_on(scene):
    marked, replica, ours = scene.secret(), scene.secret(), scene.secret()
    scene.stated[marked] |= {"DeletedDate": datetime(2026, 3, 1, tzinfo=UTC)}
    scene.stated[replica] |= {"PrimaryRegion": "us-east-1"}

    rows = [scene.row(scene.open(arn)) for arn in (marked, replica, ours)]

    assert rows[0]["untouchable"] == "It is marked for deletion."
    assert rows[1]["untouchable"] == "It is a replica: repair its primary in us-east-1."
    assert "untouchable" not in rows[2]


def test_every_step_that_failed_is_remembered(scene):
    arn = scene.secret(pending=True)
    key = scene.open(arn, build_signal(arn, failed_step="setSecret"))

    scene.claim(
        build_signal(arn, event="event-2", at="2026-03-01T00:55:20Z", failed_step="createSecret"), "execution-2"
    )

    row = scene.row(key)
    assert row["failed_step"] == "createSecret"
    assert row["failed_steps"] == {"setSecret", "createSecret"}


@pytest.mark.parametrize("is_finished", [True, False])
def test_the_labels_are_noted_that_a_resolved_secret_has(scene, is_finished):
    arn = scene.secret(pending=True)
    key = scene.open(arn)
    scene.change(key, outcome="escalated", closed_at="2026-03-01T01:00:00Z")
    scene.close(key)
    if is_finished:
        scene.finish(arn)
        heard = succeeded(arn)
    else:
        # Somebody moves AWSCURRENT by hand to a version of their own.
        by_hand = scene.begin(arn, labels=["MINE"])
        scene.shift(arn, by_hand)
        heard = moved(arn, by_hand)

    scene.claim(heard, f"{EXECUTION}-2")

    held = {label: version for version, labels in scene.row(key)["new_value_versions"].items() for label in labels}
    assert held["AWSCURRENT"] == scene.version(arn)
    assert ("AWSPENDING" in held) is not is_finished


def test_a_reminder_notes_the_failure_that_it_reminds_of_and_counts_it_nowhere(scene):
    arn = scene.secret(pending=True)
    key = scene.open(arn)
    scene.change(key, outcome="escalated", closed_at="2026-03-01T01:00:00Z")
    scene.close(key)

    answer = scene.claim(build_signal(arn, at=LATER, event="event-2", failed_step="testSecret"), f"{EXECUTION}-2")

    assert answer["outcome"] == "reminder"
    row = scene.row(key)
    assert (row["reminded_at"], row["reminded_step"]) == (LATER, "testSecret")
    assert (row["failures"], row["last_failure_at"], row["failed_step"]) == (1, FAILED_AT, "setSecret")
