"""Many rotations fail at once, and few may be retried in an hour; `make bench` has two hundred."""

from collections import Counter

import pytest

COUNT, ALLOWED = 18, 6
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


@pytest.mark.parametrize("topic", ["critical", "remediation"])
def test_digests_list_each_rate_limited_incident_once(retry_world, incidents, topic):
    digests = [
        notification.payload["held"]
        for notification in retry_world.listener.notifications
        if notification.topic == topic and notification.payload.get("turn") == "held_burst"
    ]

    listed = Counter(secret["secret_arn"] for digest in digests for secret in digest["secrets"])
    assert listed == Counter(incident.row["secret_arn"] for incident in incidents if incident.row["outcome"] == "held")
    assert sum(digest["count"] for digest in digests) == COUNT - ALLOWED
    # One, unless the machine is so busy that the incidents are further apart than a digest waits.
    assert len(digests) <= (COUNT - ALLOWED) // 2
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
