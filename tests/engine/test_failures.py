"""An update that AWS refuses halfway is gone on with by the next one."""

from tests.engine.harness import describe

REFUSED = (
    "Table::rotation-guard-trail-record",
    "TopicSubscription::",
    "Function::rotation-guard-audit-check",
    "StateMachine::",
)
"""What AWS refuses in one update, and no more in the next one."""


def test_an_update_goes_on_where_the_one_before_it_has_failed(new_stack):
    stack = new_stack("everything")
    announced = stack.preview()

    for refused in REFUSED:
        failed = stack.up(refuses=refused)

        assert failed.failed, refused
        assert any("AccessDenied" in message for message in failed.messages), refused
        assert {step.op for step in failed.changes()} <= {"create", "update"}, refused
    resumed = stack.up()

    assert (resumed.failed, resumed.messages) == (False, [])
    assert {step.op for step in resumed.changes()} <= {"create", "update"}
    assert describe(resumed.steps) == describe(announced.steps)
    assert stack.preview().changes() == []
    assert not stack.destroy().failed
