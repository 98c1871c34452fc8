"""An update that AWS rejects halfway is resumed by the next one."""

from tests.engine.harness import describe

REFUSED = (
    "Table::rotation-guard-trail-record",
    "TopicSubscription::",
    "Function::rotation-guard-audit-check",
    "StateMachine::",
)
"""What AWS rejects: everything in the first update, and one fewer in each further update."""


def test_an_update_resumes_where_the_previous_one_failed(new_stack):
    stack = new_stack("everything")
    stack.save_every_step()
    preview = stack.preview()

    for allowed in range(len(REFUSED)):
        failed = stack.up(refuses=REFUSED[allowed:])

        assert failed.failed
        assert any("AccessDenied" in message for message in failed.messages)
        assert {step.op for step in failed.changes()} <= {"create", "update"}
    resumed = stack.up()

    assert (resumed.failed, resumed.messages) == (False, [])
    assert {step.op for step in resumed.changes()} <= {"create", "update"}
    assert describe(resumed.steps) == describe(preview.steps)
    assert stack.preview().changes() == []
    assert not stack.destroy().failed
