"""A drill tells and judges whatever an execution, a row or a notice has left behind, whole or not."""

import json
from dataclasses import replace
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from local.demo import drill, expectations, timeline
from local.demo.timeline import moments
from local.demo.trace import Execution, Left, Trace
from tests.local.demo.traces import ARN, EXECUTION, KEPT, NEW

NAMES = ("heard", "claim", "look", "diagnosis", "proofs", "decision", "retried", "move", "end", "restart", "error")
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(NAMES) | st.text(), inner, max_size=6),
    max_leaves=12,
)
"""What may be in an execution's data, by names that our steps use and by any."""


@settings(max_examples=50)
@given(state=st.sampled_from(sorted(timeline._STATES)), data=JSON)
def test_whatever_a_state_has_left_can_be_told(state, data):
    trace = replace(KEPT, executions=(Execution(EXECUTION, "FAILED", (Left(1.5, state, data),)),))
    for moment in moments(trace):
        assert isinstance(moment.who, str)
        assert isinstance(moment.what, str)


def event(kind: str, seconds: float = 1.5, **details: Any) -> dict[str, Any]:
    return {"type": kind, "timestamp": datetime.fromtimestamp(seconds, UTC), **details}


def exited(state: str, **more: Any) -> dict[str, Any]:
    return event("TaskStateExited", stateExitedEventDetails={"name": state, **more})


CAUGHT = json.dumps({"heard": {"kind": "RotationFailed"}, "error": {"Error": "States.Timeout", "Cause": "60 seconds"}})
ENDS = {
    "failed": ("ExecutionFailed", "executionFailedEventDetails", {"error": "Escalated", "cause": "Look."}),
    "aborted": ("ExecutionAborted", "executionAbortedEventDetails", {"cause": "by hand"}),
    "timed out": ("ExecutionTimedOut", "executionTimedOutEventDetails", {}),
}
HISTORIES = {
    "a state without output": ([exited("Decide")], "Decide; the history does not say how"),
    "an output that is cut off": (
        [exited("Decide", output=CAUGHT[:20], outputDetails={"truncated": True})],
        "Decide; the history does not say how",
    ),
    "an output that is no map": ([exited("Decide", output="[1]")], "Decide; the history does not say how"),
    "a step that failed for good": ([exited("Decide", output=CAUGHT)], "Decide: States.Timeout"),
    "the states after it": (
        [exited("Claim", output=CAUGHT), exited("Unheard", output=CAUGHT)],
        "Claim: States.Timeout",
    ),
    "a state that was cut short": ([event("TaskStateAborted")], None),
    "an event without details": ([event("LambdaFunctionFailed"), event("TaskFailed")], None),
}


class Histories:
    """Step Functions with one execution, and this history of it."""

    def __init__(self, status: str, events: list[dict[str, Any]], **described: Any) -> None:
        self.status, self.events, self.described = status, events, described

    def client(self, service: str) -> Any:
        return self

    def output(self, name: str) -> str:
        return name

    def get_paginator(self, operation: str) -> Any:
        pages = {"list_executions": [{"executions": [page]} for page in self._listed()]}
        pages["get_execution_history"] = [{"events": self.events[:1]}, {"events": self.events[1:]}]
        return SimpleNamespace(paginate=lambda **_: iter(pages[operation]))

    def _listed(self) -> list[dict[str, Any]]:
        """The latest first, as AWS lists them: those that have ended by when that was."""
        began, ended = ({"startDate": datetime.fromtimestamp(second, UTC)} for second in (1.2, 0.1))
        long_ago = {"executionArn": "long ago", "status": "SUCCEEDED", **ended}
        begun_before = {**long_ago, "executionArn": "begun before", "stopDate": datetime.fromtimestamp(1.4, UTC)}
        return [begun_before, {"executionArn": EXECUTION, "status": self.status, **began}, long_ago]

    def describe_execution(self, executionArn: str) -> dict[str, Any]:  # noqa: N803 - boto3's name
        described = {"input": json.dumps({"heard": {"secret_arn": ARN}}), **self.described}
        return {name: value for name, value in described.items() if value is not None}


def read(histories: Any) -> Trace:
    return replace(KEPT, executions=tuple(drill._Executions(histories, ARN).since(1.0)))


@pytest.mark.parametrize("ends", [*ENDS, None])
@pytest.mark.parametrize("found", HISTORIES)
def test_a_history_of_any_shape_is_told_and_judged(found, ends):
    events, tells = HISTORIES[found]
    status, last = "RUNNING", []
    if ends:
        kind, key, details = ENDS[ends]
        status = kind.removeprefix("Execution").replace("TimedOut", "TIMED_OUT").upper()
        last = [event(kind, 2.5, **({key: details} if details else {}))]  # AWS may leave them out.
    trace = read(Histories(status, [*events, *last]))
    told = [moment for moment in moments(trace) if moment.who in ("left", "step failed", *ENDS)]
    assert [moment.what for moment in told if moment.who not in ENDS] == ([tells] if tells else [])
    assert [moment.who for moment in told if moment.who in ENDS] == ([ends] if ends else [])
    broken = [sentence for _, sentence in expectations.judged(trace) if sentence]
    assert any(sentence.startswith(f"Execution RotationFailed-1 is {status}, not SUCCEEDED.") for sentence in broken)


def test_an_execution_whose_input_is_left_out_belongs_to_nobody():
    assert read(Histories("SUCCEEDED", [], input=None)).executions == ()


@pytest.mark.parametrize("lost", ["state", "outcome", "actions", "execution", "reason"])
def test_a_row_that_lacks_something_is_judged(lost):
    kept = {name: value for name, value in KEPT.rows[0].items() if name != lost}
    expectations.judged(replace(KEPT, rows=(kept,)))


@pytest.mark.parametrize("lost", ["action", "at", "outcome"])
def test_an_action_that_lacks_something_is_a_broken_promise(lost):
    actions = [{name: value for name, value in action.items() if name != lost} for action in KEPT.rows[0]["actions"]]
    judged = expectations.judged(replace(KEPT, rows=({**KEPT.rows[0], "actions": actions},)))
    assert any(sentence and f"without {lost}" in sentence for _, sentence in judged)


def test_what_was_healed_and_is_not_any_more_can_be_told():
    [healed] = [
        moment
        for moment in moments(replace(KEPT, healed_at=2.0, versions={NEW: ["AWSPREVIOUS"]}))
        if moment.who == "healed"
    ]
    assert healed.what.startswith("AWSCURRENT is on no version")
