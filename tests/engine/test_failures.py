"""An update that AWS refuses halfway is gone on with by the next one."""

from tests.engine.harness import describe

REFUSED = (
    "Table::rotation-guard-trail-record",
    "TopicSubscription::",
    "Function::rotation-guard-audit-check",
    "StateMachine::",
)
"""What AWS refuses: all of it in the first update, and in each further one the first of them no more."""


def test_an_update_goes_on_where_the_one_before_it_has_failed(new_stack):
    stack = new_stack("everything")
    announced = stack.preview()

    for allowed in range(len(REFUSED)):
        failed = stack.up(refuses=REFUSED[allowed:])

        assert failed.failed
        assert any("AccessDenied" in message for message in failed.messages)
        assert {step.op for step in failed.changes()} <= {"create", "update"}
    resumed = stack.up()

    assert (resumed.failed, resumed.messages) == (False, [])
    assert {step.op for step in resumed.changes()} <= {"create", "update"}
    assert describe(resumed.steps) == describe(announced.steps)
    assert stack.preview().changes() == []
    assert not stack.destroy().failed
