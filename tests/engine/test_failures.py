"""An update that AWS refuses halfway is gone on with by the next one."""

import pytest

from tests.engine.harness import describe


@pytest.mark.parametrize(
    "refused",
    [
        "TopicSubscription::",
        "StateMachine::",
        "Table::rotation-guard-trail-record",
        "Function::rotation-guard-audit-check",
    ],
)
def test_an_update_goes_on_where_the_one_before_it_has_failed(refused, new_stack):
    stack = new_stack("everything")
    announced = stack.preview()

    failed = stack.up(refuses=refused)
    resumed = stack.up()

    assert failed.failed
    assert any("AccessDenied" in message for message in failed.messages)
    assert (resumed.failed, resumed.messages) == (False, [])
    assert {step.op for step in resumed.changes()} <= {"create", "update"}
    assert describe(resumed.steps) == describe(announced.steps)
    assert stack.preview().changes() == []
    assert not stack.destroy().failed
