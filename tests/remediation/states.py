"""An interpreter for the part of Amazon States Language that the workflow uses, in virtual time.

(https://states-language.net/spec.html, https://docs.aws.amazon.com/step-functions/latest/dg/intrinsic-functions.html)
Where AWS would fail an execution with States.Runtime, such as for a path that does not exist, so does this.
"""

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cache
from typing import Any

from tests.remediation.clock import Clock, stamp_of_execution

RUNNING, SUCCEEDED, FAILED, ABORTED = "RUNNING", "SUCCEEDED", "FAILED", "ABORTED"
_WORD = re.compile(r"\s*('(?:[^'\\]|\\.)*'|\$[\w.$]*|States\.\w+|-?\d+|[(),])")
NOT_RUN = "Lambda.TooManyRequestsException"
"""The error of a task whose function Lambda did not run."""
_NOT_FOUND = object()

State = Mapping[str, Any]


class RuntimeFailure(Exception):
    """The definition cannot continue with the current data."""


class TaskFailed(Exception):
    """A task has failed; `error` is the name that Catch and Retry match."""

    def __init__(self, error: str) -> None:
        super().__init__(error)
        self.error = error


@dataclass
class Execution:
    """One execution, between two of its states."""

    arn: str
    input: str
    """The JSON input."""
    started_at: datetime
    data: Any
    state: str
    due: datetime
    """When the next state is to be entered, or the task to be retried."""
    entered_at: datetime
    """When the current state was entered; a retry does not enter it again."""
    tries: int = 0
    """How often the task of the current state has run and failed."""
    retries: dict[int, int] = field(default_factory=dict)
    """Retries so far, by the number of the state's Retry rule."""
    status: str = RUNNING
    error: str = ""
    trail: list[str] = field(default_factory=list)
    """The states that were entered, in order."""

    @property
    def name(self) -> str:
        """The execution's name, without that of the state machine."""
        return self.arn.rpartition(":")[2]


class StateMachine:
    """A definition; `task` runs a Task, given its resource, its payload and the execution."""

    def __init__(self, definition: str, clock: Clock, task: Callable[[str, Any, Execution], Any]) -> None:
        machine = _parsed(definition)
        self.start_at: str = machine["StartAt"]
        self.states: Mapping[str, State] = machine["States"]
        self._clock, self._task = clock, task

    def start(self, arn: str, input_text: str) -> Execution:
        """Creates an execution with this input."""
        now = self._clock.now
        return Execution(arn, input_text, now, json.loads(input_text), self.start_at, now, now)

    def step(self, execution: Execution) -> None:
        """Runs the current state, and moves on unless its task is to be retried."""
        state = self.states[execution.state]
        execution.trail.append(execution.state)
        if not execution.tries and not execution.retries:
            execution.entered_at = self._clock.now
        try:
            _STATES[state["Type"]](self, state, execution)
        except RuntimeFailure as failure:
            execution.status, execution.error = FAILED, f"States.Runtime: {failure} in {execution.state}"

    def payload(self, execution: Execution) -> tuple[str, Any]:
        """The resource and the payload of the current task."""
        state = self.states[execution.state]
        return state["Resource"], self._build_payload(state["Parameters"], execution)

    def abort(self, execution: Execution) -> None:
        """Stops the execution, between two states or in the middle of a task."""
        execution.status, execution.error = ABORTED, "Aborted"

    def _run_task(self, state: State, execution: Execution) -> None:
        payload = self._build_payload(state["Parameters"], execution)
        try:
            answer = self._task(state["Resource"], payload, execution)
        except TaskFailed as failure:
            if execution.status == RUNNING:
                self._try_again(state, execution, failure.error)
            return
        if execution.status == RUNNING:
            self._leave(state, execution, answer)

    def _try_again(self, state: State, execution: Execution, error: str) -> None:
        execution.tries += error != NOT_RUN
        # The first matching rule decides, and has its own count
        # (https://docs.aws.amazon.com/step-functions/latest/dg/concepts-error-handling.html#error-handling-examples).
        number, rule = next(
            ((number, rule) for number, rule in enumerate(state.get("Retry", [])) if _matches(rule, error)), (0, None)
        )
        retries = execution.retries.get(number, 0)
        if rule and retries < rule["MaxAttempts"]:
            seconds = rule["IntervalSeconds"] * rule["BackoffRate"] ** retries
            execution.retries[number] = retries + 1
            execution.due = self._clock.now + timedelta(seconds=min(seconds, rule["MaxDelaySeconds"]))
            return
        for rule in state.get("Catch", []):
            if _matches(rule, error):
                # The cause may contain anything, so a canary shows where it leaks.
                output = {"Error": error, "Cause": "CANARY of a cause"}
                self._leave(rule, execution, output)
                return
        execution.status, execution.error = FAILED, error

    def _pass(self, state: State, execution: Execution) -> None:
        answer = state.get("Result", execution.data)
        if "Parameters" in state:
            answer = self._build_payload(state["Parameters"], execution)
        self._leave(state, execution, answer)

    def _choose(self, state: State, execution: Execution) -> None:
        chosen = (rule["Next"] for rule in state["Choices"] if self._holds(rule, execution))
        next_state = next(chosen, state.get("Default"))
        if next_state is None:
            raise RuntimeFailure("no choice")
        self._go(next_state, execution)

    def _wait(self, state: State, execution: Execution) -> None:
        seconds = self._read(state["SecondsPath"], execution) if "SecondsPath" in state else state["Seconds"]
        if isinstance(seconds, bool) or not isinstance(seconds, int) or seconds < 0:
            raise RuntimeFailure(f"waits for {seconds!r}")
        self._go(state["Next"], execution)
        execution.due = self._clock.now + timedelta(seconds=seconds)

    def _succeed(self, state: State, execution: Execution) -> None:
        execution.status = SUCCEEDED

    def _fail(self, state: State, execution: Execution) -> None:
        execution.status, execution.error = FAILED, state["Error"]

    def _leave(self, state: State, execution: Execution, answer: Any) -> None:
        execution.data = _set_path(execution.data, state.get("ResultPath", "$"), answer)
        self._go(state["Next"], execution)

    def _go(self, to: str, execution: Execution) -> None:
        execution.state, execution.due = to, self._clock.now
        execution.tries, execution.retries = 0, {}

    def _holds(self, rule: State, execution: Execution) -> bool:
        value = self._look_up(rule["Variable"], execution)
        if "IsPresent" in rule:
            return (value is not _NOT_FOUND) == rule["IsPresent"]
        if value is _NOT_FOUND:
            raise RuntimeFailure(f"nothing at {rule['Variable']}")
        if "StringEqualsPath" in rule:
            return value == self._read(rule["StringEqualsPath"], execution)
        [(comparison, operand)] = ((name, field) for name, field in rule.items() if name not in ("Variable", "Next"))
        is_number = isinstance(value, int | float) and not isinstance(value, bool)
        return {
            "StringEquals": lambda: isinstance(value, str) and value == operand,
            "BooleanEquals": lambda: isinstance(value, bool) and value is operand,
            "NumericGreaterThanEquals": lambda: is_number and value >= operand,
        }[comparison]()

    def _build_payload(self, template: Any, execution: Execution) -> Any:
        """The payload for a template, whose fields that end in `.$` are evaluated."""
        if isinstance(template, Mapping):
            return {
                name.removesuffix(".$"): self._evaluate(value, execution)
                if name.endswith(".$")
                else self._build_payload(value, execution)
                for name, value in template.items()
            }
        return [self._build_payload(item, execution) for item in template] if isinstance(template, list) else template

    def _evaluate(self, text: str, execution: Execution) -> Any:
        words = list(_words(text))
        answer = self._value(words, execution)
        if words:
            raise RuntimeFailure(f"cannot be read: {text}")
        return answer

    def _value(self, words: list[str], execution: Execution) -> Any:
        word = words.pop(0)
        if word.startswith("$"):
            return self._read(word, execution)
        if word.startswith("'"):
            return re.sub(r"\\(.)", r"\1", word[1:-1])
        if not word.startswith("States."):
            return int(word)
        arguments = []
        while words.pop(0) in ("(", ","):
            arguments.append(self._value(words, execution))
        try:
            return _FUNCTIONS[word](*arguments)
        except (KeyError, TypeError, IndexError) as error:
            raise RuntimeFailure(f"{word}: {error}") from None

    def _read(self, path: str, execution: Execution) -> Any:
        value = self._look_up(path, execution)
        if value is _NOT_FOUND:
            raise RuntimeFailure(f"nothing at {path}")
        return value

    def _look_up(self, path: str, execution: Execution) -> Any:
        match path:
            case "$$.Execution.Id":
                return execution.arn
            case "$$.Execution.StartTime":
                return stamp_of_execution(execution.started_at)
            case "$$.State.EnteredTime":
                return stamp_of_execution(execution.entered_at)
        if path.startswith("$$"):
            return _NOT_FOUND
        root = execution.data
        for name in path.lstrip("$").split(".")[1:]:
            if not isinstance(root, Mapping) or name not in root:
                return _NOT_FOUND
            root = root[name]
        return root


_STATES: Mapping[str, Callable[[StateMachine, State, Execution], None]] = {
    "Task": StateMachine._run_task,
    "Pass": StateMachine._pass,
    "Choice": StateMachine._choose,
    "Wait": StateMachine._wait,
    "Succeed": StateMachine._succeed,
    "Fail": StateMachine._fail,
}


def _matches(rule: State, error: str) -> bool:
    """Whether the rule matches this error: States.TaskFailed matches all but time-outs."""
    names = rule["ErrorEquals"]
    return error in names or "States.ALL" in names or ("States.TaskFailed" in names and error != "States.Timeout")


def _set_path(data: Any, path: str | None, answer: Any) -> Any:
    if path is None:
        return data
    names = path.lstrip("$").split(".")[1:]
    if not names:
        return answer
    first, *rest = names
    base = data if isinstance(data, Mapping) else {}
    return {**base, first: _set_path(base.get(first, {}), ".".join(["$", *rest]), answer)}


@cache
def _parsed(definition: str) -> Mapping[str, Any]:
    return json.loads(definition)


@cache
def _words(text: str) -> tuple[str, ...]:
    words, position = [], 0
    while position < len(text):
        word = _WORD.match(text, position)
        if word is None:
            raise RuntimeFailure(f"cannot be read: {text}")
        words.append(word[1])
        position = word.end()
    return tuple(words)


def _format(template: str, *values: Any) -> str:
    parts = template.split("{}")
    if len(parts) != len(values) + 1 or not all(isinstance(value, str | int | float | None) for value in values):
        raise TypeError("States.Format needs as many texts or numbers as it has placeholders")
    texts = [value if isinstance(value, str) else json.dumps(value) for value in values]
    return "".join(text for pair in zip(parts, [*texts, ""], strict=True) for text in pair)


_FUNCTIONS: Mapping[str, Callable[..., Any]] = {
    "States.Format": _format,
    "States.MathAdd": lambda left, right: left + right,
    # Empty parts are dropped
    # (https://docs.aws.amazon.com/step-functions/latest/dg/intrinsic-functions.html#intrinsic-function-stringsplit).
    "States.StringSplit": lambda text, characters: [part for part in re.split(f"[{characters}]", text) if part],
    "States.ArrayGetItem": lambda values, index: values[index],
    "States.JsonToString": lambda value: json.dumps(value, separators=(",", ":")),
}
