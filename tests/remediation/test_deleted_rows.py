"""An incident ends and is published although rows of it were deleted by hand."""

import pytest

from tests.remediation.scenario import fail_rotation, list_transitions, run_up_to
from tests.remediation.world import CRITICAL, DEPENDENTS, TABLE, Settings

REPAIR = {"rotation-guard:remediation": "repair", "rotation-guard:probe": "probe"}
NOTIFY = {"rotation-guard:remediation": "notify"}
RETRY = {"rotation-guard:remediation": "retry"}
RESTART = {"rotation-guard:restart": DEPENDENTS}


@pytest.mark.parametrize("state", ["Settle", "Diagnose", "Decide", "Retry", "CheckRotation", "End"])
@pytest.mark.parametrize("prefix", ["open#", "unfinished", "secret#", "limit#actions"])
def test_an_incident_recovers_and_is_published_although_a_related_row_was_deleted(world, state, prefix):
    secret = world.secret(tags=RETRY)
    fail_rotation(world, secret, "createSecret", times=1)
    run_up_to(world, state)
    items = world.tables.items[TABLE]
    for key in [key for key in items if key[0].startswith(prefix)]:
        del items[key]
    world.run()
    assert [row["outcome"] for row in world.rows()] == ["recovered by retry"]
    assert list_transitions(world) == ["opened", "recovered"]
    assert list_transitions(world, CRITICAL) == []


@pytest.mark.parametrize("settings", [Settings(max_actions_per_hour=0)])
def test_a_rate_limited_incident_is_published_although_its_digest_row_was_deleted(world):
    secret = world.secret(tags=RETRY)
    fail_rotation(world, secret, "createSecret", times=9)
    run_up_to(world, "PublishDigest")
    items = world.tables.items[TABLE]
    for key in [key for key in items if key[0] == "held"]:
        del items[key]
    world.run()
    for _ in range(4):
        world.clock.advance(3 * 3600)
        world.audit()
        world.run()
    assert list_transitions(world, CRITICAL)
    assert not [key for key in items if key[0] == "unfinished"]


@pytest.mark.parametrize("state", ["Debounce", "Restart", "Watch", "Settled"])
def test_an_incident_whose_row_is_deleted_during_restarts_is_escalated(world, state):
    secret = world.secret(tags=REPAIR | RESTART)
    fail_rotation(world, secret, "setSecret", after=True, times=9)
    run_up_to(world, state)
    items = world.tables.items[TABLE]
    for key in [key for key in items if key[0].startswith("arn:")]:
        del items[key]
    world.run()
    for _ in range(4):
        world.clock.advance(3 * 3600)
        world.audit()
        world.run()
    assert list_transitions(world, CRITICAL)
    assert len(list_transitions(world, CRITICAL)) <= 2
    assert not [key for key in items if key[0] in ("unfinished", f"open#{secret.arn}")]


def test_a_claim_without_its_incident_is_released_and_escalated_once(world):
    secret = world.secret(tags=NOTIFY)
    fail_rotation(world, secret, "createSecret", times=99)
    execution = run_up_to(world, "Settle")
    world.machine.abort(execution)
    items = world.tables.items["incidents"]
    [lost] = [key for key in items if key[0].startswith("arn:")]
    del items[lost]

    for _ in range(3):
        world.secrets_manager.continue_rotation(secret.arn)
        world.run()
        world.clock.advance(60)

    assert list_transitions(world, CRITICAL).count("missing") == 1
    assert [row["outcome"] for row in world.rows()] == ["escalated"]
    world.audit()
    world.run()
    assert list_transitions(world, CRITICAL).count("missing") == 1
    assert not [key for key in items if key[0] in ("unfinished", f"open#{secret.arn}")]


def test_an_open_incident_whose_claim_was_deleted_is_claimed_again(world):
    secret = world.secret(tags=REPAIR)
    fail_rotation(world, secret, "createSecret", times=1)
    run_up_to(world, "Settle")
    del world.tables.items["incidents"][f"open#{secret.arn}", "claim"]
    world.secrets_manager.continue_rotation(secret.arn)
    world.run()

    world.invariants.check_at_end()
    assert len(world.rows()) == 1
    assert list_transitions(world) == ["opened", "recovered"]


@pytest.mark.parametrize("state", ["Settle", "Diagnose", "Decide", "End"])
def test_an_incident_whose_claim_was_deleted_is_escalated_without_further_events(world, state):
    secret = world.secret(tags=NOTIFY)
    fail_rotation(world, secret, "createSecret", times=9)
    run_up_to(world, state)
    del world.tables.items["incidents"][f"open#{secret.arn}", "claim"]
    world.run()

    world.invariants.check_at_end()
    assert [row["outcome"] for row in world.rows()] == ["escalated"]
    assert list_transitions(world, CRITICAL) == ["escalated"]
