"""A drill shows and checks any history, row or notification, even an incomplete one."""

import json
from dataclasses import replace
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from local.demo import drill, expectations, timeline
from local.demo.timeline import build_timeline
from local.demo.trace import Execution, StateExit, Trace
from tests.local.demo.traces import ARN, EXECUTION, NEW, RECOVERED

NAMES = ("heard", "claim", "look", "diagnosis", "proofs", "decision", "retried", "move", "end", "restart", "error")
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(NAMES) | st.text(), inner, max_size=6),
    max_leaves=12,
)
"""Any data of an execution, under names that the steps use and others."""


@settings(max_examples=25)
@given(state=st.sampled_from(sorted(timeline._DESCRIPTIONS)), data=JSON)
def test_the_exit_from_any_state_with_any_data_can_be_shown(state, data):
    trace = replace(RECOVERED, executions=(Execution(EXECUTION, "FAILED", (StateExit(1.5, state, data),)),))
    for entry in build_timeline(trace):
        assert isinstance(entry.label, str)
        assert isinstance(entry.text, str)


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
        [exited("Claim", output=CAUGHT), exited("PublishLastResort", output=CAUGHT)],
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
        started, ended = ({"startDate": datetime.fromtimestamp(second, UTC)} for second in (1.2, 0.1))
        long_ago = {"executionArn": "long ago", "status": "SUCCEEDED", **ended}
        begun_before = {**long_ago, "executionArn": "begun before", "stopDate": datetime.fromtimestamp(1.4, UTC)}
        return [begun_before, {"executionArn": EXECUTION, "status": self.status, **started}, long_ago]

    def describe_execution(self, executionArn: str) -> dict[str, Any]:  # noqa: N803 - boto3's name
        described = {"input": json.dumps({"heard": {"secret_arn": ARN}}), **self.described}
        return {name: value for name, value in described.items() if value is not None}


def read(histories: Any) -> Trace:
    return replace(RECOVERED, executions=tuple(drill._Executions(histories, ARN).list_started_since(1.0)))


@pytest.mark.parametrize("ends", [*ENDS, None])
@pytest.mark.parametrize("name", HISTORIES)
def test_a_history_of_any_shape_is_shown_and_checked(name, ends):
    events, text = HISTORIES[name]
    status, last = "RUNNING", []
    if ends:
        kind, key, details = ENDS[ends]
        status = kind.removeprefix("Execution").replace("TimedOut", "TIMED_OUT").upper()
        last = [event(kind, 2.5, **({key: details} if details else {}))]  # AWS may leave them out.
    trace = read(Histories(status, [*events, *last]))
    entries = [entry for entry in build_timeline(trace) if entry.label in ("exited", "step failed", *ENDS)]
    assert [entry.text for entry in entries if entry.label not in ENDS] == ([text] if text else [])
    assert [entry.label for entry in entries if entry.label in ENDS] == ([ends] if ends else [])
    broken = [sentence for _, sentence in expectations.check_all(trace) if sentence]
    assert any(sentence.startswith(f"Execution RotationFailed-1 is {status}, not SUCCEEDED.") for sentence in broken)


def test_an_execution_without_an_input_belongs_to_no_secret():
    assert read(Histories("SUCCEEDED", [], input=None)).executions == ()


@pytest.mark.parametrize("missing", ["state", "outcome", "actions", "execution", "reason"])
def test_an_incomplete_row_is_checked(missing):
    row = {name: value for name, value in RECOVERED.rows[0].items() if name != missing}
    expectations.check_all(replace(RECOVERED, rows=(row,)))


@pytest.mark.parametrize("missing", ["action", "at", "outcome"])
def test_an_incomplete_action_violates_an_expectation(missing):
    actions = [
        {name: value for name, value in action.items() if name != missing} for action in RECOVERED.rows[0]["actions"]
    ]
    results = expectations.check_all(replace(RECOVERED, rows=({**RECOVERED.rows[0], "actions": actions},)))
    assert any(sentence and f"without {missing}" in sentence for _, sentence in results)


def test_a_recovery_that_was_undone_is_shown():
    [recovered] = [
        entry
        for entry in build_timeline(replace(RECOVERED, recovered_at=2.0, versions={NEW: ["AWSPREVIOUS"]}))
        if entry.label == "recovered"
    ]
    assert recovered.text.startswith("AWSCURRENT is on no version")
