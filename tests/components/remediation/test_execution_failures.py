"""What an execution does if a step fails, for a moment or for good."""

import json

import pytest

from tests.components.remediation.executions import (
    BASIC,
    CRITICAL,
    MOVED_WITH_RESTARTS,
    NOTIFIED,
    OWNED,
    PENDING_RESTARTS,
    SECRET,
    LostRace,
    Steps,
    decision,
    diagnose_result,
    run_execution,
)


@pytest.mark.parametrize("step", ["retry", "move"])
def test_an_action_that_aws_rejects_is_escalated_with_the_reason(step):
    refused = {"outcome": "refused", "reason": "It was refused."}
    steps = Steps(**BASIC, decide=decision(step), **{step: refused})

    execution = run_execution(steps)

    assert execution["ended"] == "Done"
    [end] = steps.payloads("end")
    assert end["ending"] == {"outcome": "escalated", "reason": "It was refused.", "restarts": [], "version": "v2"}
    assert steps.transitions == ["opened", "escalated"]


def test_a_step_that_lost_a_race_against_its_own_earlier_invocation_is_retried():
    steps = Steps(**BASIC, decide=[decision("move"), decision("end")], move=[LostRace(), {"outcome": "moved"}])

    execution = run_execution(steps)

    assert execution["ended"] == "Done"
    assert execution["path"].count("Move") == 1
    assert steps.transitions == ["opened", "recovered"]


@pytest.mark.parametrize("step", ["diagnose", "probe", "decide", "retry", "move", "restart", "watch"])
def test_a_step_that_fails_for_good_escalates_the_incident_with_only_the_name_of_the_error(step):
    acting = {"retry": "retry", "move": "move"}.get(step)
    answers = {
        **BASIC,
        "diagnose": diagnose_result(probe="arn:probe" if step == "probe" else ""),
        "probe": {},
        "decide": decision(acting) if acting else MOVED_WITH_RESTARTS,
        "end": list(PENDING_RESTARTS) if step in ("restart", "watch") else OWNED,
        "restart": {"state": "waiting"},
        step: LookupError(),
    }
    steps = Steps(**answers)

    execution = run_execution(steps)

    assert execution["ended"] == "Done"
    assert len(steps.payloads(step)) == 6
    end = steps.payloads("end")[-1]["ending"]
    assert end["outcome"] == "escalated"
    assert end["reason"] == "A step of the workflow failed for good: LookupError."
    assert steps.transitions[-1] == "escalated"
    assert steps.payloads("notify")[-1]["error"] == "LookupError"
    assert "hunter2" not in json.dumps(steps.calls)
    assert execution["published"] == []


@pytest.mark.parametrize("step", ["claim", "notify", "end"])
def test_if_claim_end_or_notify_fails_the_workflow_itself_publishes_to_the_critical_topic(step):
    steps = Steps(**{**BASIC, "decide": decision("end"), step: LookupError()})

    execution = run_execution(steps)

    assert execution["ended"] == "Done"
    [message] = execution["published"]
    assert message["TopicArn"] == CRITICAL
    assert "LookupError" in message["Message"]
    assert "arn:execution" in message["Message"]
    assert SECRET in message["Message"]
    assert "hunter2" not in json.dumps(message)


@pytest.mark.parametrize("outcome", ["recovered by AWS", "held", "escalated"])
def test_if_the_last_notification_fails_the_workflow_publishes_it_itself(outcome):
    steps = Steps(**{**BASIC, "notify": [NOTIFIED, LookupError()]}, decide=decision("end", outcome=outcome))

    execution = run_execution(steps)

    assert execution["ended"] == "Done"
    assert len(execution["published"]) == 1
    # The failed notification does not change the outcome of the incident.
    assert [step["ending"]["outcome"] for step in steps.payloads("end")] == [outcome]


@pytest.mark.parametrize(
    "answers",
    [{"decide": decision("dance")}, {"decide": decision("retry"), "retry": {"outcome": "danced"}}],
    ids=["decide", "retry"],
)
def test_a_result_that_the_definition_does_not_know_is_escalated(answers):
    steps = Steps(**BASIC, **answers)

    assert run_execution(steps)["ended"] == "Done"
    assert steps.payloads("end")[-1]["ending"]["reason"].endswith("UnforeseenAnswer.")


def test_a_transient_failure_of_a_step_is_retried_silently():
    steps = Steps(**{**BASIC, "diagnose": [LookupError(), LookupError(), diagnose_result()]}, decide=decision("end"))

    execution = run_execution(steps)

    assert execution["ended"] == "Done"
    assert steps.transitions == ["opened", "recovered"]
    assert execution["waits"] == [900, 2, 4]
