"""Amazon States Language, as much of it as the workflow is written in, one state at a time and in virtual time.

(https://states-language.net/spec.html, https://docs.aws.amazon.com/step-functions/latest/dg/intrinsic-functions.html)
What AWS would end an execution for, such as a path that leads nowhere, ends it here too, with the error States.Runtime.
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
"""The error of a task that Lambda has not run."""
_NOT_FOUND = object()

State = Mapping[str, Any]


class RuntimeFailure(Exception):
    """The definition cannot go on with the data that it has."""


class TaskFailed(Exception):
    """A task has failed; `error` is its name as Catch and Retry know it."""

    def __init__(self, error: str) -> None:
        super().__init__(error)
        self.error = error


@dataclass
class Execution:
    """One execution, between two of its states."""

    arn: str
    given: str
    """Its input, as it was sent."""
    started_at: datetime
    data: Any
    state: str
    due: datetime
    """When its next state is to be entered, or its task to be tried again."""
    entered_at: datetime
    """When it entered the state that it is in; a task that is tried again has entered it once."""
    tries: int = 0
    """How often the task of the state has run and failed."""
    retries: dict[int, int] = field(default_factory=dict)
    """How often each rule of the state has had its task tried again."""
    status: str = RUNNING
    error: str = ""
    trail: list[str] = field(default_factory=list)
    """The states that it has been in."""

    @property
    def name(self) -> str:
        """Its name, without the state machine's."""
        return self.arn.rpartition(":")[2]


class StateMachine:
    """A definition; `task` runs what a Task names, given its resource, its payload and the execution."""

    def __init__(self, definition: str, clock: Clock, task: Callable[[str, Any, Execution], Any]) -> None:
        machine = _parsed(definition)
        self.start_at: str = machine["StartAt"]
        self.states: Mapping[str, State] = machine["States"]
        self._clock, self._task = clock, task

    def begin(self, arn: str, given: str) -> Execution:
        """A new execution with this input."""
        now = self._clock.now
        return Execution(arn, given, now, json.loads(given), self.start_at, now, now)

    def step(self, execution: Execution) -> None:
        """Enters the state that the execution is at, and leaves it unless its task is to be tried again."""
        state = self.states[execution.state]
        execution.trail.append(execution.state)
        if not execution.tries and not execution.retries:
            execution.entered_at = self._clock.now
        try:
            _STATES[state["Type"]](self, state, execution)
        except RuntimeFailure as failure:
            execution.status, execution.error = FAILED, f"States.Runtime: {failure} in {execution.state}"

    def payload(self, execution: Execution) -> tuple[str, Any]:
        """What the task that the execution is at calls, and with what."""
        state = self.states[execution.state]
        return state["Resource"], self._made(state["Parameters"], execution)

    def abort(self, execution: Execution) -> None:
        """Somebody stops the execution, between two states or in the middle of a task."""
        execution.status, execution.error = ABORTED, "Aborted"

    def _run_task(self, state: State, execution: Execution) -> None:
        payload = self._made(state["Parameters"], execution)
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
        # The first rule for the error decides, and counts for itself
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
                # The cause may hold anything, so whoever lets it out is to be seen.
                told = {"Error": error, "Cause": "CANARY of a cause"}
                self._leave(rule, execution, told)
                return
        execution.status, execution.error = FAILED, error

    def _pass(self, state: State, execution: Execution) -> None:
        answer = state.get("Result", execution.data)
        if "Parameters" in state:
            answer = self._made(state["Parameters"], execution)
        self._leave(state, execution, answer)

    def _choose(self, state: State, execution: Execution) -> None:
        found = next((rule["Next"] for rule in state["Choices"] if self._holds(rule, execution)), state.get("Default"))
        if found is None:
            raise RuntimeFailure("no choice")
        self._go(found, execution)

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
        execution.data = _written(execution.data, state.get("ResultPath", "$"), answer)
        self._go(state["Next"], execution)

    def _go(self, to: str, execution: Execution) -> None:
        execution.state, execution.due = to, self._clock.now
        execution.tries, execution.retries = 0, {}

    def _holds(self, rule: State, execution: Execution) -> bool:
        found = self._found(rule["Variable"], execution)
        if "IsPresent" in rule:
            return (found is not _NOT_FOUND) == rule["IsPresent"]
        if found is _NOT_FOUND:
            raise RuntimeFailure(f"nothing at {rule['Variable']}")
        if "StringEqualsPath" in rule:
            return found == self._read(rule["StringEqualsPath"], execution)
        [(kind, wanted)] = ((name, value) for name, value in rule.items() if name not in ("Variable", "Next"))
        is_number = isinstance(found, int | float) and not isinstance(found, bool)
        return {
            "StringEquals": lambda: isinstance(found, str) and found == wanted,
            "BooleanEquals": lambda: isinstance(found, bool) and found is wanted,
            "NumericGreaterThanEquals": lambda: is_number and found >= wanted,
        }[kind]()

    def _made(self, template: Any, execution: Execution) -> Any:
        """A payload, with what stands elsewhere in its fields that end in `.$`."""
        if isinstance(template, Mapping):
            return {
                name.removesuffix(".$"): self._evaluated(value, execution)
                if name.endswith(".$")
                else self._made(value, execution)
                for name, value in template.items()
            }
        return [self._made(each, execution) for each in template] if isinstance(template, list) else template

    def _evaluated(self, text: str, execution: Execution) -> Any:
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
        except (KeyError, TypeError, IndexError) as problem:
            raise RuntimeFailure(f"{word}: {problem}") from None

    def _read(self, path: str, execution: Execution) -> Any:
        found = self._found(path, execution)
        if found is _NOT_FOUND:
            raise RuntimeFailure(f"nothing at {path}")
        return found

    def _found(self, path: str, execution: Execution) -> Any:
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
    """Whether the rule is for this error: States.TaskFailed takes in all but time-outs."""
    wanted = rule["ErrorEquals"]
    return error in wanted or "States.ALL" in wanted or ("States.TaskFailed" in wanted and error != "States.Timeout")


def _written(data: Any, path: str | None, answer: Any) -> Any:
    if path is None:
        return data
    names = path.lstrip("$").split(".")[1:]
    if not names:
        return answer
    first, *rest = names
    held = data if isinstance(data, Mapping) else {}
    return {**held, first: _written(held.get(first, {}), ".".join(["$", *rest]), answer)}


@cache
def _parsed(definition: str) -> Mapping[str, Any]:
    return json.loads(definition)


@cache
def _words(text: str) -> tuple[str, ...]:
    words, position = [], 0
    while position < len(text):
        found = _WORD.match(text, position)
        if found is None:
            raise RuntimeFailure(f"cannot be read: {text}")
        words.append(found[1])
        position = found.end()
    return tuple(words)


def _format(template: str, *values: Any) -> str:
    parts = template.split("{}")
    if len(parts) != len(values) + 1 or not all(isinstance(value, str | int | float | None) for value in values):
        raise TypeError("States.Format takes as many texts or numbers as it has places for")
    texts = [value if isinstance(value, str) else json.dumps(value) for value in values]
    return "".join(text for pair in zip(parts, [*texts, ""], strict=True) for text in pair)


_FUNCTIONS: Mapping[str, Callable[..., Any]] = {
    "States.Format": _format,
    "States.MathAdd": lambda one, other: one + other,
    # An empty part between two of the characters is none
    # (https://docs.aws.amazon.com/step-functions/latest/dg/intrinsic-functions.html#intrinsic-function-stringsplit).
    "States.StringSplit": lambda text, characters: [part for part in re.split(f"[{characters}]", text) if part],
    "States.ArrayGetItem": lambda values, index: values[index],
    "States.JsonToString": lambda value: json.dumps(value, separators=(",", ":")),
}
