"""The whole product under the real engine: previewed, deployed, unchanged, refreshed, destroyed, and deployed again."""

from dataclasses import dataclass

import pytest

from local import drill, promises
from local.deployment import RunningStack
from local.resources import TABLE
from tests.engine.harness import EngineStack, Outcome, describe


@dataclass
class Deployed:
    """A stack with its first preview and update."""

    stack: EngineStack
    preview: Outcome
    up: Outcome


@pytest.fixture(scope="module", params=["dev"])
def deployed(request, new_stack):
    stack = new_stack(request.param)
    return Deployed(stack, stack.preview(), stack.up())


def test_a_first_update_creates_what_its_preview_has_announced(deployed):
    assert deployed.preview.messages == deployed.up.messages == []
    assert {step.op for step in deployed.up.changes()} == {"create"}
    assert describe(deployed.preview.steps) == describe(deployed.up.steps)


def test_what_was_deployed_is_what_the_program_asks_for(deployed):
    preview = deployed.stack.preview()

    assert (preview.failed, preview.messages, preview.changes()) == (False, [], [])


def test_a_refresh_finds_no_drift(deployed):
    refreshed = deployed.stack.refresh()
    preview = deployed.stack.preview()

    assert (refreshed.failed, refreshed.messages, refreshed.changes()) == (False, [], [])
    assert (preview.failed, preview.messages, preview.changes()) == (False, [], [])


def test_a_broken_rotation_heals_in_what_the_engine_has_deployed(deployed, emulator, aws):
    if deployed.stack.name != "dev":
        pytest.skip("only the dev stack has a demo secret whose rotation can be broken")
    running = RunningStack(
        directory=emulator.folder.parent,
        stack=deployed.stack.name,
        endpoint_url=aws.endpoint_url,
        region=aws.region,
        account_id=aws.account_id,
        access_key_id=aws.access_key_id,
        secret_access_key=aws.secret_access_key,
        folder=emulator.folder.name,
        outputs=deployed.up.outputs,
        inbox={},
        seconds={},
    )

    judged = promises.judged(drill.run(running, "testSecret"))

    assert judged
    assert [(promise, broken) for promise, broken in judged if broken] == []


def test_a_destroyed_stack_leaves_nothing_and_can_be_deployed_again(deployed, aws):
    destroyed = deployed.stack.destroy()
    left = {
        token: [name for name in entry.lists(aws) if "rotation-guard" in name]
        for token, entry in TABLE.items()
        if token not in _KEPT
    }

    assert (destroyed.failed, destroyed.messages) == (False, [])
    assert {token: names for token, names in left.items() if names} == {}
    again = deployed.stack.up()
    assert (again.failed, again.messages) == (False, [])
    assert describe(again.steps) == describe(deployed.up.steps)
    assert not deployed.stack.destroy().failed


_KEPT = ("aws:secretsmanager/secret:Secret",)
"""A secret waits until its recovery window is over."""
