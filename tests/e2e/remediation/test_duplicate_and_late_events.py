"""Events that arrive three times, late, in any order: the result is as if each had arrived once and in time."""

import random

import pytest

SEEDS = (3, 7, 11)


def failures(world, arn):
    """A rotation that fails, fails again when AWS retries it, and is abandoned."""
    rotation = {"requestID": f"Rotation-{arn}-7ac47c8c-f328-423b-9698-6926dd1f293e"}
    return [
        world.event("rotation-failed", arn, seconds_ago=4, **rotation),
        world.event("rotation-failed", arn, seconds_ago=3, **rotation),
        world.event("rotation-abandoned", arn, seconds_ago=2, **rotation),
    ]


def successes(world, arn):
    """The two events that AWS sends for a new value."""
    version = world.estate.labels(arn)["AWSCURRENT"]
    return [
        world.event("rotation-succeeded", arn, seconds_ago=1),
        world.event("secret-label-updated", arn, seconds_ago=1, versionId=version),
    ]


def shuffled(events, seed):
    """Three copies of each, in an order that is the same for the same seed."""
    copies = events * 3
    random.Random(seed).shuffle(copies)  # noqa: S311 - an order, not a secret
    return copies


@pytest.fixture(scope="module")
def rolled_forward(repair_world):
    """The failures of four secrets, once in order and three times shuffled: the labels before, and the incidents."""
    secrets = {seed: repair_world.create_secret_to_roll_forward() for seed in (None, *SEEDS)}
    before = {seed: repair_world.estate.labels(arn) for seed, arn in secrets.items()}
    for seed, arn in secrets.items():
        events = failures(repair_world, arn)
        repair_world.put(*(events if seed is None else shuffled(events, seed)))
    incidents = repair_world.listener.wait_for_incidents(list(secrets.values()))
    for arn in secrets.values():
        repair_world.wait_for_executions(arn, 4)
    return {seed: (before[seed], incident) for seed, incident in zip(secrets, incidents, strict=True)}


def summarize(world, before, incident):
    """What is the same for every order."""
    arn = incident.row["secret_arn"]
    versions = {version: label for label, version in before.items()}
    return {
        "incidents": len(world.listener.rows(arn)),
        "notices": incident.transitions,
        "events": incident.detail_types,
        "done": incident.done,
        "labels": {label: versions[version] for label, version in world.estate.labels(arn).items()},
        "row": {name: incident.row[name] for name in ("state", "outcome", "attempts", "rounds", "failed_step")},
        "executions": set(incident.executions.values()),
    }


@pytest.mark.parametrize("seed", SEEDS)
def test_three_copies_of_each_failure_in_any_order_have_the_effect_of_one(repair_world, rolled_forward, seed):
    expected, copies = (summarize(repair_world, *rolled_forward[order]) for order in (None, seed))

    assert expected["notices"] == ["opened", "recovered"]
    assert expected["row"]["outcome"] == "rolled forward"
    assert copies == expected


def test_a_failure_is_counted_once_however_often_it_is_delivered(rolled_forward):
    for _, incident in rolled_forward.values():
        # A failure that arrived after the incident was closed is not counted.
        assert 1 <= incident.row["failures"] <= 3


@pytest.mark.parametrize("seed", SEEDS)
def test_a_success_before_its_failures_leaves_no_open_incident_and_no_repair(repair_world, seed):
    arn = repair_world.estate.secret()
    before = repair_world.estate.labels(arn)

    repair_world.put(*shuffled([*failures(repair_world, arn), *successes(repair_world, arn)], seed))

    # Only CloudTrail's own id is the same in each copy that is put: of the moved label there are three.
    repair_world.wait_for_executions(arn, 4 + 3)
    assert repair_world.estate.labels(arn) == before
    rows = repair_world.listener.rows(arn)
    assert len(rows) <= 1
    for row in rows:
        incident = repair_world.listener.wait_for_incident(arn)
        assert (row["outcome"], incident.done, incident.transitions) == (
            "recovered by AWS",
            [],
            ["opened", "recovered"],
        )


def test_a_failure_that_arrives_after_its_success_opens_no_incident(repair_world):
    arn = repair_world.estate.secret()
    late_events = shuffled(failures(repair_world, arn), seed=1)
    repair_world.put(*successes(repair_world, arn))
    repair_world.wait_for_executions(arn, 2)

    repair_world.put(*late_events)

    repair_world.wait_for_executions(arn, 5)
    assert repair_world.listener.rows(arn) == []


def test_an_escalated_rotation_that_fails_again_opens_no_other_incident(repair_world):
    arn = repair_world.estate.untag(repair_world.estate.secret(), "remediation")
    first, second, last = failures(repair_world, arn)
    repair_world.put(second)
    assert repair_world.listener.wait_for_incident(arn).row["outcome"] == "escalated"

    repair_world.put(last, first, second)

    repair_world.wait_for_executions(arn, 3)
    assert len(repair_world.listener.rows(arn)) == 1


def test_a_failure_of_yesterday_after_the_repair_of_today_changes_nothing(repair_world, rolled_forward):
    _, incident = rolled_forward[None]
    arn = incident.row["secret_arn"]
    rows, labels = repair_world.listener.rows(arn), repair_world.estate.labels(arn)

    repair_world.put(repair_world.event("rotation-failed", arn, seconds_ago=86_400))

    repair_world.wait_for_executions(arn, 5)
    repair_world.listener.listen()
    assert repair_world.listener.rows(arn) == rows
    assert repair_world.estate.labels(arn) == labels
    assert len(repair_world.listener.notifications_about(arn)) == 2
