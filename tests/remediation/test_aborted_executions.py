"""An execution that somebody aborts is resumed by the next audit or the next failure."""

import pytest

from tests.remediation.scenario import abort_at, fail_rotation, list_calls, list_transitions, run_audit_later, run_up_to
from tests.remediation.secrets_manager import PENDING
from tests.remediation.world import CRITICAL, DEPENDENTS, Settings

OPTED_IN = {"rotation-guard:remediation": "repair", "rotation-guard:probe": "probe"}
NOTIFY = {"rotation-guard:remediation": "notify"}
RESTART = {"rotation-guard:restart": DEPENDENTS}


STATES = [
    *("NotifyOpened", "Settle", "Diagnose", "Probe", "Decide", "Move", "End"),
    *("Debounce", "Restart", "WatchRestarts", "Watch", "Settled", "NotifyRecovered"),
]


@pytest.mark.parametrize("state", STATES)
def test_an_execution_that_was_aborted_is_found_by_the_next_audit(world, state):
    secret = world.secret(tags=OPTED_IN | RESTART)
    fail_rotation(world, secret, "setSecret", after=True, times=9)
    abort_at(world, state)

    run_audit_later(world)

    world.invariants.at_the_end()
    [incident] = world.rows()
    assert (incident["state"], incident["outcome"]) == ("closed", "rolled forward")
    assert list_transitions(world) == ["opened", "recovered"]
    assert list_calls(world) == ["update_secret_version_stage"]
    assert sorted(target for _, _, target in world.event_log.restarts) == ["orders", "restart-orders"]


@pytest.mark.parametrize("state", STATES)
def test_an_execution_that_was_aborted_is_found_by_the_next_failure_of_its_secret(world, state):
    secret = world.secret(tags=OPTED_IN | RESTART)
    fail_rotation(world, secret, "setSecret", after=True, times=1)
    abort_at(world, state)
    first = world.rows()[0]["opened_at"]

    world.clock.pass_by(3 * 3600)
    secret.labels.pop(PENDING, None)
    secret.rotation = ""
    fail_rotation(world, secret, "createSecret", times=1)
    world.run()

    world.invariants.at_the_end()
    assert all(row["state"] == "closed" for row in world.rows())
    if STATES.index(state) > STATES.index("Move"):
        assert sorted(target for _, incident, target in world.event_log.restarts if incident[1] == first) == [
            "orders",
            "restart-orders",
        ]


@pytest.mark.parametrize("state", ["End", "NotifyEscalated"])
def test_a_page_that_was_cut_off_is_sent_all_the_same(world, state):
    secret = world.secret(tags=NOTIFY)
    fail_rotation(world, secret, "createSecret", times=9)
    abort_at(world, state)
    assert list_transitions(world, CRITICAL) == []

    run_audit_later(world)

    world.invariants.at_the_end()
    assert list_transitions(world, CRITICAL) == ["escalated"]


@pytest.mark.parametrize("state", ["AddToDigest", "CollectDigest", "PublishDigest"])
@pytest.mark.parametrize("settings", [Settings(max_actions_per_hour=0)])
def test_incidents_that_are_rate_limited_are_told_though_their_executions_were_stopped(world, state):
    for number in range(3):
        fail_rotation(world, world.secret(f"secret-{number}"), "createSecret", times=9)
    for event in world.waiting:
        world.deliver(event)
    while world.running:
        execution = world.running[0]
        if execution.state == state:
            world.machine.abort(execution)
        else:
            world.run_next()

    run_audit_later(world)

    world.invariants.at_the_end()
    incidents = [
        incident for notice in world.event_log.notices if notice.topic == CRITICAL for incident in notice.about
    ]
    assert {arn for arn, _ in incidents} == set(world.secrets_manager.secrets)


def test_an_audit_leaves_incidents_alone_that_somebody_works_on(world):
    secret = world.secret(tags=OPTED_IN)
    fail_rotation(world, secret, "createSecret", times=1)
    run_up_to(world, "Settle")

    for _ in range(3):
        world.clock.pass_by(60)
        world.audit()

    assert [event.kind for event in world.events] == ["RotationFailed"]
