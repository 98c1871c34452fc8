"""An incident ends and is told, though somebody has deleted rows of it by hand."""

import pytest

from tests.remediation.story import fails, heard, run_up_to
from tests.remediation.world import CRITICAL, DEPENDENTS, TABLE, Settings

OPTED_IN = {"rotation-guard:remediation": "repair", "rotation-guard:probe": "probe"}
RETRY = {"rotation-guard:remediation": "retry"}
RESTART = {"rotation-guard:restart": DEPENDENTS}


@pytest.mark.parametrize("state", ["Settle", "Diagnose", "Decide", "Retry", "Look", "End"])
@pytest.mark.parametrize("prefix", ["open#", "unfinished", "secret#", "limit#actions"])
def test_an_incident_ends_and_is_told_though_a_row_beside_it_was_deleted(world, state, prefix):
    secret = world.secret(tags=RETRY)
    fails(world, secret, "createSecret", times=1)
    run_up_to(world, state)
    items = world.tables.items[TABLE]
    for key in [key for key in items if key[0].startswith(prefix)]:
        del items[key]
    world.run()
    assert [row["outcome"] for row in world.rows()] == ["recovered by retry"]
    assert heard(world) == ["opened", "recovered"]
    assert heard(world, CRITICAL) == []


@pytest.mark.parametrize("settings", [Settings(max_actions_per_hour=0)])
def test_what_was_held_is_told_though_its_row_was_deleted(world):
    secret = world.secret(tags=RETRY)
    fails(world, secret, "createSecret", times=9)
    run_up_to(world, "TellBurst")
    items = world.tables.items[TABLE]
    for key in [key for key in items if key[0] == "held"]:
        del items[key]
    world.run()
    for _ in range(4):
        world.clock.pass_by(3 * 3600)
        world.audit()
        world.run()
    assert heard(world, CRITICAL)
    assert not [key for key in items if key[0] == "unfinished"]


@pytest.mark.parametrize("state", ["Debounce", "Restart", "Watch", "Settled"])
def test_the_incident_row_is_deleted_while_restarting(world, state):
    secret = world.secret(tags=OPTED_IN | RESTART)
    fails(world, secret, "setSecret", after=True, times=9)
    run_up_to(world, state)
    items = world.tables.items[TABLE]
    for key in [key for key in items if key[0].startswith("arn:")]:
        del items[key]
    world.run()
    for _ in range(4):
        world.clock.pass_by(3 * 3600)
        world.audit()
        world.run()
    assert heard(world, CRITICAL)
    assert len(heard(world, CRITICAL)) <= 2
    assert not [key for key in items if key[0] in ("unfinished", f"open#{secret.arn}")]
