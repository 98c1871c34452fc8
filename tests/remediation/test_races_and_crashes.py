"""Regressions: steps that overtake each other, or crash at the worst possible time."""

from collections import Counter
from datetime import timedelta
from unittest.mock import ANY

import pytest

from tests.remediation.account import AFTER, Plan
from tests.remediation.scenario import fail_rotation, list_transitions, run_up_to, run_without
from tests.remediation.secrets_manager import CURRENT, PENDING, PREVIOUS
from tests.remediation.world import CRITICAL, DEPENDENTS, Settings

REPAIR = {"rotation-guard:remediation": "repair", "rotation-guard:probe": "probe"}
FALLBACK = {"rotation-guard:fallback": "allowed"}
RESTART = {"rotation-guard:restart": DEPENDENTS}


@pytest.mark.parametrize("call", ["get_item", "update_secret_version_stage"])
def test_a_lost_race_is_diagnosed_again(world, finish, call):
    secret = world.secret()
    fail_rotation(world, secret, "setSecret", after=True, times=9)
    pending, previous = secret.labels[PENDING], secret.labels[PREVIOUS]
    execution = run_up_to(world, "Move")

    def move():
        """A move by hand at the same time."""
        world.secrets_manager.move_by_hand(secret.arn, previous)

    world.step(execution, Plan(meanwhile={call: move}))

    assert execution.data["move"]["outcome"] == "lost"
    for event in world.undelivered:
        event.is_dropped = True
    incident, transitions = finish()

    assert incident["outcome"] == "rolled forward"
    assert transitions == ["opened", "recovered"]
    assert [action.error_code for action in world.event_log.actions] == ["InvalidParameterException", ""]
    assert secret.labels[CURRENT] == pending


def test_a_restart_starts_although_the_secret_has_changed_when_its_claim_is_retried(world):
    secret = world.secret(tags=RESTART | {"rotation-guard:restart-on": "rotation"})
    world.secrets_manager.move_by_hand(secret.arn, secret.labels[PREVIOUS])
    world.deliver(world.events[0])
    [execution] = world.running
    # It crashes after it has written the row; then the next event is claimed first.
    world.step(execution, Plan(crash=(2, AFTER)))
    world.secrets_manager.move_by_hand(secret.arn, secret.labels[PREVIOUS])
    world.deliver(world.events[1])
    world.step(world.running[0])

    world.run()

    world.invariants.check_at_end()
    assert [row["state"] for row in world.rows()] == ["closed", "closed"]


def test_a_failure_that_is_claimed_while_another_opens_the_incident_joins_it(world, finish):
    secret = world.secret()
    fail_rotation(world, secret, "createSecret", times=2)
    world.secrets_manager.continue_rotation(secret.arn)
    for event in world.events:
        world.deliver(event)
    first, second = world.running
    # Between its query for an open incident and that for the latest one.
    world.step(second, Plan(meanwhile={"query": lambda: world.step(first)}))

    assert second.data["claim"]["outcome"] == "known"
    incident, _ = finish()

    assert incident["failures"] == 2


def recover_unpublished_incident(world, secret):
    """Opens an incident whose execution crashes before it publishes anything, and lets AWS complete the rotation."""
    fail_rotation(world, secret, "createSecret")
    world.deliver(world.events[0])
    [execution] = world.running
    world.step(execution, Plan(crash=(0, AFTER)))
    world.secrets_manager.continue_rotation(secret.arn)
    for event in world.undelivered:
        world.deliver(event)
    run_without(world, execution)


def test_an_incident_that_recovers_before_its_opening_was_published_is_published(world, finish):
    recover_unpublished_incident(world, world.secret())

    incident, transitions = finish()

    assert incident["outcome"] == "recovered by AWS"
    assert Counter(transitions) == {"opened": 1, "recovered": 1}


def test_an_unpublished_incident_is_published_although_the_next_one_is_open(world):
    secret = world.secret()
    recover_unpublished_incident(world, secret)
    fail_rotation(world, secret, "createSecret")
    world.deliver(world.events[-1])
    world.step(world.running[-1])

    world.run()

    world.invariants.check_at_end()
    assert [row["outcome"] for row in world.rows()] == ["recovered by AWS", "recovered by retry"]
    assert Counter(list_transitions(world)) == {"opened": 2, "recovered": 2}


@pytest.mark.parametrize("step", [*Settings().steps, "publish"])
def test_a_step_that_always_crashes_is_escalated(world, step):
    secret = world.secret(tags=REPAIR | RESTART | FALLBACK)
    fail_rotation(world, secret, "setSecret", after=True, times=9)
    world.deliver(world.events[0])
    [execution] = world.running
    world.doomed.add((execution.name, step))

    world.run()

    world.invariants.check_at_end()
    crashes = step not in ("retry", "publish")  # This incident takes no such step.
    # What the state machine published without the function is published properly once the function works again.
    assert list_transitions(world, CRITICAL) == (["", "escalated"] if step == "notify" else [ANY] if crashes else [])
    # It was published, so the execution must not fail and page again.
    assert execution.status == "SUCCEEDED"


def test_only_the_execution_that_closes_an_incident_first_publishes_its_end(world, finish):
    secret = world.secret(tags={"rotation-guard:remediation": "notify"})
    fail_rotation(world, secret, "createSecret")
    execution = run_up_to(world, "End")
    world.secrets_manager.continue_rotation(secret.arn)
    for event in world.undelivered:
        world.deliver(event)
    # It has read that the incident is open; then a new value ends the incident.
    world.step(execution, Plan(meanwhile={"transact_write_items": lambda: run_without(world, execution)}))

    incident, transitions = finish()

    assert incident["outcome"] == "recovered by AWS"
    assert transitions == ["opened", "recovered"]


def test_a_rotation_that_fails_again_after_a_move_by_hand_opens_an_incident(world):
    secret = world.secret(tags={"rotation-guard:remediation": "notify"})
    fail_rotation(world, secret, "createSecret", times=9)
    world.run(until=world.clock.now + timedelta(minutes=2))
    world.secrets_manager.move_by_hand(secret.arn, secret.labels[PREVIOUS])
    world.run(until=world.clock.now + timedelta(minutes=2))
    assert list_transitions(world) == ["opened", "recovered"]

    # The rotation is still unfinished, and keeps its id.
    world.secrets_manager.continue_rotation(secret.arn)
    world.run()

    world.invariants.check_at_end()
    assert list_transitions(world) == ["opened", "recovered", "opened", "escalated"]
