"""How an execution restarts dependents and waits for them."""

import pytest

from tests.components.remediation.executions import (
    BASIC,
    ENDING,
    EXECUTION,
    INCIDENT,
    MOVED_WITH_RESTARTS,
    NOTIFIED,
    OWNED,
    PENDING_RESTARTS,
    Steps,
    claim_result,
    resume_result,
    run_execution,
)


def test_restarts_are_resumed_without_a_wait_before_the_incident_is_closed():
    claim = resume_result("restart", outcome="rolled forward", restarts=[{"state": "wanted"}])
    steps = Steps(**{**BASIC, "claim": claim}, restart={"state": "settled"})

    execution = run_execution(steps)

    assert (execution["ended"], execution["waits"], steps.transitions) == ("Done", [], ["recovered"])
    assert steps.payloads("restart") == [{**EXECUTION, "incident": INCIDENT, "version": "v2"}]
    assert [step["ending"]["restarts"] for step in steps.payloads("end")] == [[]]


def test_dependents_are_restarted_before_the_incident_is_closed():
    watch_results = [{"state": "waiting"}, {"state": "waiting"}, {"state": "settled"}]
    steps = Steps(
        **{**BASIC, "end": list(PENDING_RESTARTS)},
        decide=MOVED_WITH_RESTARTS,
        restart={"state": "waiting"},
        watch=watch_results,
    )

    execution = run_execution(steps)

    assert execution["waits"] == [900, 60, 15, 15, 15]
    assert steps.transitions == ["opened", "recovered"]
    assert [step["ending"]["restarts"] for step in steps.payloads("end")] == [[{"state": "wanted"}], []]
    assert [step["ending"]["outcome"] for step in steps.payloads("end")] == ["rolled forward"] * 2
    assert steps.payloads("restart")[0]["version"] == "v2"


@pytest.mark.parametrize(
    ("restart", "watch", "watch_count", "reason"),
    [
        ("failed", "", 0, "A restart of what uses the secret failed."),
        ("waiting", "failed", 1, "A restart of what uses the secret failed."),
        ("waiting", "waiting", 4, "A restart of what uses the secret has not settled within 1 minutes."),
    ],
)
def test_a_restart_that_fails_or_never_completes_is_escalated(restart, watch, watch_count, reason):
    answers = {**BASIC, "end": list(PENDING_RESTARTS), "restart": {"state": restart}, "watch": {"state": watch}}
    steps = Steps(**answers, decide=MOVED_WITH_RESTARTS)

    execution = run_execution(steps)

    assert execution["ended"] == "Done"
    assert steps.payloads("end")[-1]["ending"] == {
        "outcome": "escalated",
        "reason": reason,
        "restarts": [],
        "version": "v2",
    }
    assert execution["path"].count("Watch") == watch_count


def test_a_restart_that_is_not_yet_possible_is_tried_again_after_each_watch():
    watch_results = [{"state": "wanted"}, {"state": "waiting"}, {"state": "wanted"}, {"state": "settled"}]
    restart_results = [{"state": "wanted"}, {"state": "wanted"}, {"state": "waiting"}]
    steps = Steps(
        **{**BASIC, "end": list(PENDING_RESTARTS)},
        decide=MOVED_WITH_RESTARTS,
        restart=restart_results,
        watch=watch_results,
    )

    execution = run_execution(steps)

    assert [state for state in execution["path"] if state in ("Restart", "Watch")] == [
        "Restart", "Watch", "Restart", "Watch", "Watch", "Restart", "Watch",
    ]  # fmt: skip
    assert execution["waits"] == [900, 60, 15, 15, 15, 15]
    assert steps.transitions == ["opened", "recovered"]


def test_a_restart_that_never_becomes_possible_is_escalated_after_the_same_time():
    answers = {**BASIC, "end": list(PENDING_RESTARTS), "restart": {"state": "wanted"}, "watch": {"state": "wanted"}}
    steps = Steps(**answers, decide=MOVED_WITH_RESTARTS)

    execution = run_execution(steps)

    assert execution["path"].count("Watch") == 4
    assert steps.payloads("end")[-1]["ending"]["reason"].endswith("has not settled within 1 minutes.")
    assert execution["ended"] == "Done"


@pytest.mark.parametrize("step", ["restart", "watch"])
def test_restarts_taken_over_by_another_execution_are_left_to_it(step):
    answers = {"restart": {"state": "waiting"}, "watch": {"state": "waiting"}, step: {"state": "not_owned"}}
    steps = Steps(**{**BASIC, "end": list(PENDING_RESTARTS)}, decide=MOVED_WITH_RESTARTS, **answers)

    execution = run_execution(steps)

    assert execution["ended"] == "Done"
    assert len(steps.payloads("end")) == 1
    assert steps.transitions == ["opened"]


def test_a_new_value_restarts_dependents_without_an_incident():
    ending = {**ENDING, "outcome": "restarted"}
    steps = Steps(claim=claim_result("moved", ending=ending), restart={"state": "settled"}, end=OWNED, notify=NOTIFIED)

    execution = run_execution(steps)

    assert execution["waits"] == [60]
    assert steps.transitions == ["restarted"]
    assert execution["ended"] == "Done"
