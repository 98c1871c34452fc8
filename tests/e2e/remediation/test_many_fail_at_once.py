"""Many rotations fail at once, and few may be retried in an hour; `make bench` has two hundred."""

from collections import Counter

import pytest

COUNT, ALLOWED = 30, 6
"""How many fail, and `maxActionsPerHour` of the stack."""


@pytest.fixture(scope="module")
def incidents(retry_world):
    """The incidents of all; a retry of any of them succeeds."""
    arns = [retry_world.estate.untag(retry_world.estate.secret(), "probe") for _ in range(COUNT)]
    for arn in arns:
        retry_world.estate.fail_rotation(arn, "createSecret", times=1)
    return retry_world.listener.wait_for_incidents(arns)


def test_as_many_as_allowed_are_retried_and_the_others_are_rate_limited(incidents):
    assert Counter(incident.row["outcome"] for incident in incidents) == {
        "recovered by retry": ALLOWED,
        "held": COUNT - ALLOWED,
    }
    assert Counter(incident.row["attempts"] for incident in incidents) == {1: ALLOWED, 0: COUNT - ALLOWED}


def test_every_failure_has_one_incident_that_is_published(retry_world, incidents):
    assert len({incident.row["secret_arn"] for incident in incidents}) == COUNT
    assert all(len(retry_world.listener.rows(incident.row["secret_arn"])) == 1 for incident in incidents)
    assert all(incident.transitions[0] == "opened" for incident in incidents)
    assert Counter(tuple(sorted(incident.detail_types)) for incident in incidents) == {
        ("Opened", "Recovered", "Retried"): ALLOWED,
        ("Held", "Opened"): COUNT - ALLOWED,
    }
    assert {status for incident in incidents for status in incident.executions.values()} == {"SUCCEEDED"}


def test_one_digest_lists_all_rate_limited_incidents(retry_world, incidents):
    digests = [
        notification
        for notification in retry_world.listener.notifications
        if notification.payload.get("turn") == "held_burst"
    ]

    assert sorted(notification.topic for notification in digests) == ["critical", "remediation"]
    assert {notification.payload["held"]["count"] for notification in digests} == {COUNT - ALLOWED}
    assert all(incident.transitions == ["opened"] for incident in incidents if incident.row["outcome"] == "held")


def test_a_rate_limited_secret_is_unchanged(retry_world, incidents):
    for incident in incidents:
        if incident.row["outcome"] == "held":
            assert (
                retry_world.estate.labels(incident.row["secret_arn"])["AWSCURRENT"]
                == incident.row["current_version_id"]
            )
            assert incident.done == []


def test_all_retries_together_are_within_the_hourly_limit(incidents):
    actions = [action for incident in incidents for action in incident.row["actions"]]

    assert [(action["action"], action["outcome"]) for action in actions].count(("retry", "asked")) == ALLOWED
