"""The incident of an aborted execution is resumed by the next audit or the next failure."""

import pytest

from tests.remediation.scenario import abort_at, fail_rotation, list_calls, list_transitions, run_audit_later, run_up_to
from tests.remediation.secrets_manager import PENDING
from tests.remediation.world import CRITICAL, DEPENDENTS, Settings

REPAIR = {"rotation-guard:remediation": "repair", "rotation-guard:probe": "probe"}
NOTIFY = {"rotation-guard:remediation": "notify"}
RESTART = {"rotation-guard:restart": DEPENDENTS}


STATES = [
    *("NotifyOpened", "Settle", "Diagnose", "Probe", "Decide", "Move", "End"),
    *("Debounce", "Restart", "WatchRestarts", "Watch", "Settled", "NotifyRecovered"),
]


@pytest.mark.parametrize("state", STATES)
def test_the_next_audit_resumes_the_incident_of_an_aborted_execution(world, state):
    secret = world.secret(tags=REPAIR | RESTART)
    fail_rotation(world, secret, "setSecret", after=True, times=9)
    abort_at(world, state)

    run_audit_later(world)

    world.invariants.check_at_end()
    [incident] = world.rows()
    assert (incident["state"], incident["outcome"]) == ("closed", "rolled forward")
    assert list_transitions(world) == ["opened", "recovered"]
    assert list_calls(world) == ["update_secret_version_stage"]
    assert sorted(target for _, _, target in world.event_log.restarts) == ["orders", "restart-orders"]


@pytest.mark.parametrize("state", STATES)
def test_the_next_failure_of_the_secret_resumes_the_incident_of_an_aborted_execution(world, state):
    secret = world.secret(tags=REPAIR | RESTART)
    fail_rotation(world, secret, "setSecret", after=True, times=1)
    abort_at(world, state)
    first = world.rows()[0]["opened_at"]

    world.clock.advance(3 * 3600)
    secret.labels.pop(PENDING, None)
    secret.rotation = ""
    fail_rotation(world, secret, "createSecret", times=1)
    world.run()

    world.invariants.check_at_end()
    assert all(row["state"] == "closed" for row in world.rows())
    if STATES.index(state) > STATES.index("Move"):
        assert sorted(target for _, incident, target in world.event_log.restarts if incident[1] == first) == [
            "orders",
            "restart-orders",
        ]


@pytest.mark.parametrize("state", ["End", "NotifyEscalated"])
def test_an_escalation_is_published_although_its_execution_was_aborted(world, state):
    secret = world.secret(tags=NOTIFY)
    fail_rotation(world, secret, "createSecret", times=9)
    abort_at(world, state)
    assert list_transitions(world, CRITICAL) == []

    run_audit_later(world)

    world.invariants.check_at_end()
    assert list_transitions(world, CRITICAL) == ["escalated"]


@pytest.mark.parametrize("state", ["AddToDigest", "CollectDigest", "PublishDigest"])
@pytest.mark.parametrize("settings", [Settings(max_actions_per_hour=0)])
def test_rate_limited_incidents_are_published_although_their_executions_were_aborted(world, state):
    for number in range(3):
        fail_rotation(world, world.secret(f"secret-{number}"), "createSecret", times=9)
    for event in world.undelivered:
        world.deliver(event)
    while world.running:
        execution = world.running[0]
        if execution.state == state:
            world.machine.abort(execution)
        else:
            world.run_next()

    run_audit_later(world)

    world.invariants.check_at_end()
    incidents = [
        incident
        for notification in world.event_log.notifications
        if notification.topic == CRITICAL
        for incident in notification.incidents
    ]
    assert {arn for arn, _ in incidents} == set(world.secrets_manager.secrets)


def test_an_audit_does_not_resume_an_incident_whose_execution_is_running(world):
    secret = world.secret(tags=REPAIR)
    fail_rotation(world, secret, "createSecret", times=1)
    run_up_to(world, "Settle")

    for _ in range(3):
        world.clock.advance(60)
        world.audit()

    assert [event.kind for event in world.events] == ["RotationFailed"]
