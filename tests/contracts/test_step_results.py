"""The state machine reads from a step's result only what the step returns, and every field has a reader."""

import json
import re
from collections.abc import Iterator
from dataclasses import fields
from enum import StrEnum
from pathlib import Path
from typing import Any, get_args, get_type_hints

import pytest

from components.remediation.workflow import Workflow
from rotation_guard.domain.remediation import step_results
from rotation_guard.domain.remediation.step_results import (
    ClaimStepResult,
    DecideStepResult,
    DiagnoseStepResult,
    Ending,
    EndStepResult,
    MoveStepResult,
    NotifyStepResult,
    ProbeStepResult,
    RestartStepResult,
    RetryStepResult,
    key_of,
)
from tests.paths import ROOT

RESULTS: dict[str, Any] = {
    "claim": ClaimStepResult,
    "diagnose": DiagnoseStepResult,
    "probe": ProbeStepResult,
    "decide": DecideStepResult,
    "retry": RetryStepResult,
    "move": MoveStepResult,
    "end": EndStepResult,
    "restart": RestartStepResult,
    "watch": RestartStepResult,
    "notify": NotifyStepResult,
}
"""Step -> the dataclass that its handler returns."""
READERS_OF_WHOLE_RESULTS = {
    "probe": ("handlers/remediation/decide.py", "rotation_guard/domain/remediation/notification_payload.py"),
    "decide": ("handlers/remediation/retry.py", "handlers/remediation/move.py"),
}
"""Step whose whole result is passed on -> the modules that read fields which the state machine does not read itself."""
FUNCTIONS = {step: f"arn:aws:lambda:eu-west-1:123456789012:function:{step}" for step in RESULTS}
CRITICAL = "arn:aws:sns:eu-west-1:123456789012:critical"
STATES = json.loads(Workflow("aws", FUNCTIONS, CRITICAL, "incidents", 45, 60, 30).definition())["States"]
PATH = re.compile(r"\$(?:\.\w+)+")


def read_paths(value: Any) -> Iterator[str]:
    """Every path in a state's fields, without the paths that it writes to."""
    if isinstance(value, dict):
        for key, inner in value.items():
            if key not in ("ResultPath", "Catch", "Comment"):
                yield from read_paths(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from read_paths(inner)
    elif isinstance(value, str):
        yield from (path for path in PATH.findall(value) if f"${path}" not in value)


def find_result_paths() -> dict[str, set[str]]:
    """Path of a result -> the steps that write it."""
    paths: dict[str, set[str]] = {}
    for state in STATES.values():
        step = next((step for step, arn in FUNCTIONS.items() if state.get("Resource") == arn), None)
        if step and state["ResultPath"]:
            paths.setdefault(state["ResultPath"], set()).add(step)
    return paths


def find_read_keys(result_path: str) -> set[str]:
    """The keys that the state machine reads from the result at this path."""
    paths = {path for state in STATES.values() for path in read_paths(state)}
    return {path.split(".")[2] for path in paths if path.startswith(f"{result_path}.")}


def keys_of(result: Any) -> set[str]:
    return {key_of(field) for field in fields(result)}


RESULT_PATHS = find_result_paths()


def test_every_step_has_a_result_at_one_path():
    assert set.union(*RESULT_PATHS.values()) == {*RESULTS}
    assert all(len({RESULTS[step] for step in steps}) == 1 for steps in RESULT_PATHS.values())


@pytest.mark.parametrize("path", RESULT_PATHS)
def test_the_state_machine_reads_only_fields_that_the_step_returns(path):
    for step in RESULT_PATHS[path]:
        assert find_read_keys(path) <= keys_of(RESULTS[step])


@pytest.mark.parametrize("path", RESULT_PATHS)
def test_every_field_of_a_result_has_a_reader(path):
    for step in RESULT_PATHS[path]:
        unread = keys_of(RESULTS[step]) - find_read_keys(path)
        modules = [Path(ROOT / module).read_text() for module in READERS_OF_WHOLE_RESULTS.get(step, ())]
        assert [key for key in unread if not any(f'"{key}"' in module for module in modules)] == []


def test_only_results_that_are_passed_on_whole_have_other_readers():
    tasks = [state for state in STATES.values() if state.get("Resource") in FUNCTIONS.values()]
    passed = {path for state in tasks for path in read_paths(state["Parameters"])}

    for step in READERS_OF_WHOLE_RESULTS:
        assert any(path in passed for path, steps in RESULT_PATHS.items() if step in steps)


def test_an_ending_has_the_fields_that_the_end_step_reads():
    """The claim's ending replaces the decision if a new value or a dead workflow ends the incident."""
    ending = STATES["End"]["Parameters"]["ending"]

    assert {path.removeprefix("$.decision.") for path in ending.values()} == keys_of(Ending)


@pytest.mark.parametrize("path", RESULT_PATHS)
def test_every_value_that_the_state_machine_compares_is_one_that_the_step_returns(path):
    [result] = {RESULTS[step] for step in RESULT_PATHS[path]}
    hints = get_type_hints(result)
    enums = {key_of(field): hint for field in fields(result) for hint in enums_in(hints[field.name])}
    rules = [rule for state in STATES.values() for rule in state.get("Choices", ())]

    for rule in rules:
        variable, _, key = rule["Variable"].rpartition(".")
        if variable == path and "StringEquals" in rule and key in enums:
            assert rule["StringEquals"] in [*enums[key]], rule


def enums_in(hint: Any) -> list[type[StrEnum]]:
    """The enumerations in a field's type."""
    return [type_ for type_ in (hint, *get_args(hint)) if isinstance(type_, type) and issubclass(type_, StrEnum)]


def test_every_enumeration_in_a_result_is_compared_by_the_state_machine():
    """The test above would pass if the enumerations were in fields that the state machine does not compare."""
    compared = {
        rule["Variable"] for state in STATES.values() for rule in state.get("Choices", ()) if "StringEquals" in rule
    }

    for path, steps in RESULT_PATHS.items():
        for step in steps:
            hints = get_type_hints(RESULTS[step])
            for field in fields(RESULTS[step]):
                assert not enums_in(hints[field.name]) or f"{path}.{key_of(field)}" in compared


def test_a_result_is_json_with_the_keys_of_its_fields():
    result = step_results.to_payload(
        DecideStepResult(step_results.NextAction.MOVE, move="rolled forward", move_to="v2")
    )

    assert json.loads(json.dumps(result)) == {
        "action": "move",
        "outcome": "",
        "reason": "",
        "number": 0,
        "how": "rolled forward",
        "from": "",
        "to": "v2",
        "wait_seconds": 0,
        "backoff_seconds": 0,
        "restarts": [],
        "version": "",
    }


def test_an_optional_field_is_absent_while_it_is_unknown():
    """The state machine checks whether `missing` is present, and null counts as present."""
    assert set(step_results.to_payload(ClaimStepResult(step_results.ClaimOutcome.NO_OP))) == {
        "outcome",
        "incident",
        "wait_seconds",
        "ending",
    }
