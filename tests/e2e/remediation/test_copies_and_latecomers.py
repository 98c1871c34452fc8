"""Events that arrive three times, in any order, late: the end is the same as if each had come once and in time."""

import random

import pytest

SEEDS = (3, 7, 11)


def failures(world, arn):
    """A rotation that fails, fails again when AWS tries once more, and is abandoned."""
    rotation = {"requestID": f"Rotation-{arn}-7ac47c8c-f328-423b-9698-6926dd1f293e"}
    return [
        world.event("rotation-failed", arn, seconds_ago=4, **rotation),
        world.event("rotation-failed", arn, seconds_ago=3, **rotation),
        world.event("rotation-abandoned", arn, seconds_ago=2, **rotation),
    ]


def successes(world, arn):
    """The two events by which AWS tells of a new value."""
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
def rolled_forward(repairing):
    """The failures of four secrets, once in their order and thrice in three others: where labels were, and the end."""
    secrets = {seed: repairing.mendable() for seed in (None, *SEEDS)}
    before = {seed: repairing.estate.labels(arn) for seed, arn in secrets.items()}
    for seed, arn in secrets.items():
        events = failures(repairing, arn)
        repairing.put(*(events if seed is None else shuffled(events, seed)))
    ended = repairing.listener.all_ended(list(secrets.values()))
    for arn in secrets.values():
        repairing.at_rest(arn, 4)
    return {seed: (before[seed], each) for seed, each in zip(secrets, ended, strict=True)}


def end_of(world, before, ended):
    """What is the same, whatever the order."""
    arn = ended.row["secret_arn"]
    versions = {version: label for label, version in before.items()}
    return {
        "incidents": len(world.listener.rows(arn)),
        "notices": ended.turns,
        "events": ended.detail_types,
        "done": ended.done,
        "labels": {label: versions[version] for label, version in world.estate.labels(arn).items()},
        "row": {name: ended.row[name] for name in ("state", "outcome", "attempts", "rounds", "failed_step")},
        "executions": set(ended.executions.values()),
    }


@pytest.mark.parametrize("seed", SEEDS)
def test_three_copies_of_each_failure_in_any_order_end_as_each_does_once(repairing, rolled_forward, seed):
    once, copies = (end_of(repairing, *rolled_forward[each]) for each in (None, seed))

    assert once["notices"] == ["opened", "recovered"]
    assert once["row"]["outcome"] == "rolled forward"
    assert copies == once


def test_a_failure_is_counted_once_however_often_it_is_told(rolled_forward):
    for _, ended in rolled_forward.values():
        # One that came so late that the incident was over is not in it.
        assert 1 <= ended.row["failures"] <= 3


@pytest.mark.parametrize("seed", SEEDS)
def test_a_success_before_its_failures_leaves_nothing_open_and_nothing_done(repairing, seed):
    arn = repairing.estate.secret()
    before = repairing.estate.labels(arn)

    repairing.put(*shuffled([*failures(repairing, arn), *successes(repairing, arn)], seed))

    # Only CloudTrail's own id is the same in each copy that is put: of the moved label there are three.
    repairing.at_rest(arn, 4 + 3)
    assert repairing.estate.labels(arn) == before
    rows = repairing.listener.rows(arn)
    assert len(rows) <= 1
    for row in rows:
        ended = repairing.listener.ended(arn)
        assert (row["outcome"], ended.done, ended.turns) == ("recovered by AWS", [], ["opened", "recovered"])


def test_a_failure_that_comes_after_the_success_that_followed_it_opens_nothing(repairing):
    arn = repairing.estate.secret()
    late = shuffled(failures(repairing, arn), seed=1)
    repairing.put(*successes(repairing, arn))
    repairing.at_rest(arn, 2)

    repairing.put(*late)

    repairing.at_rest(arn, 5)
    assert repairing.listener.rows(arn) == []


def test_a_rotation_that_people_were_told_of_opens_nothing_when_it_fails_again(repairing):
    arn = repairing.estate.untag(repairing.estate.secret(), "remediation")
    first, second, last = failures(repairing, arn)
    repairing.put(second)
    assert repairing.listener.ended(arn).row["outcome"] == "escalated"

    repairing.put(last, first, second)

    repairing.at_rest(arn, 3)
    assert len(repairing.listener.rows(arn)) == 1


def test_a_failure_of_yesterday_after_the_repair_of_today_changes_nothing(repairing, rolled_forward):
    _, ended = rolled_forward[None]
    arn = ended.row["secret_arn"]
    rows, labels = repairing.listener.rows(arn), repairing.estate.labels(arn)

    repairing.put(repairing.event("rotation-failed", arn, seconds_ago=86_400))

    repairing.at_rest(arn, 5)
    repairing.listener.listen()
    assert repairing.listener.rows(arn) == rows
    assert repairing.estate.labels(arn) == labels
    assert len(repairing.listener.of(arn)) == 2
