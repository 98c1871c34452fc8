"""asl-validator and statelint on the workflow: each finds what the other one misses."""

import copy
import json
from collections.abc import Callable
from typing import Any

import pytest

from tests.validators import accepted_findings, tools

BOTH = {"asl-validator", "statelint"}


@pytest.fixture(scope="module")
def definitions(templates) -> dict[str, dict[str, Any]]:
    """The workflow of every configuration, once where several have the same."""
    machines = {
        (name, logical): json.loads(resource["Properties"]["DefinitionString"])
        for name, template in templates.items()
        for logical, resource in template["Resources"].items()
        if resource["Type"] == "AWS::StepFunctions::StateMachine"
    }
    assert len(machines) == len(templates)
    names = {json.dumps(definition): name for (name, _), definition in reversed(machines.items())}
    return {name: json.loads(text) for text, name in names.items()}


def test_the_workflow_is_valid_in_every_configuration(definitions, run_validator):
    answers = run_validator(tools.check_state_machines, list(definitions.values()))

    findings = {
        validator: [f"{name}: {line}" for name, by in zip(definitions, answers, strict=True) for line in by[validator]]
        for validator in BOTH
    }
    assert accepted_findings.compare(findings["asl-validator"], accepted_findings.ASL_VALIDATOR) == ([], [])
    assert accepted_findings.compare(findings["statelint"], accepted_findings.STATELINT) == ([], [])


States = dict[str, dict[str, Any]]


ERRORS: dict[str, tuple[Callable[[States], Any], set[str]]] = {
    "a state that nothing leads to": (lambda states: states.update(Nowhere={"Type": "Succeed"}), BOTH),
    "a misspelt type of a state": (lambda states: states["Done"].update(Type="Suceed"), BOTH),
    "no state of this name, in Next": (lambda states: states["StartIncident"].update(Next="Nowhere"), BOTH),
    "no state of this name, in Default": (lambda states: states["Claimed"].update(Default="Nowhere"), BOTH),
    "no state of this name, in a choice": (lambda states: states["Claimed"]["Choices"][0].update(Next="Nowhere"), BOTH),
    "no state of this name, in Catch": (lambda states: states["Claim"]["Catch"][0].update(Next="Nowhere"), BOTH),
    "neither Next nor End": (lambda states: states["Settle"].pop("Next"), BOTH),
    "both Next and End": (lambda states: states["Settle"].update(End=True), BOTH),
    "Next on a state that ends": (lambda states: states["Done"].update(Next="StartIncident"), BOTH),
    "Catch without Next": (lambda states: states["Claim"]["Catch"][0].pop("Next"), BOTH),
    "Catch without ErrorEquals": (lambda states: states["Claim"]["Catch"][0].pop("ErrorEquals"), BOTH),
    "Retry without ErrorEquals": (lambda states: states["Claim"]["Retry"][0].pop("ErrorEquals"), BOTH),
    "a negative number of attempts": (lambda states: states["Claim"]["Retry"][0].update(MaxAttempts=-1), BOTH),
    "a choice without a comparison": (lambda states: states["Missing"]["Choices"][0].pop("IsPresent"), BOTH),
    "a choice with an unknown comparison": (
        lambda states: states["Missing"]["Choices"][0].update(Exists=states["Missing"]["Choices"][0].pop("IsPresent")),
        BOTH,
    ),
    "a choice that compares a text with a number": (
        lambda states: states["Claimed"]["Choices"][0].update(StringEquals=1),
        BOTH,
    ),
    "a choice without Next": (lambda states: states["Claimed"]["Choices"][0].pop("Next"), BOTH),
    "no choices": (lambda states: states["Claimed"].update(Choices=[]), BOTH),
    "a task without Resource": (lambda states: states["Claim"].pop("Resource"), BOTH),
    "a resource that is no ARN": (lambda states: states["Claim"].update(Resource="claim"), BOTH),
    "an unknown field": (lambda states: states["Claim"].update(Timeout=3), BOTH),
    "a timeout of no seconds": (lambda states: states["Claim"].update(TimeoutSeconds=0), BOTH),
    "two durations of a wait": (lambda states: states["Settle"].update(Seconds=3), BOTH),
    "a wait without duration": (lambda states: states["Settle"].pop("SecondsPath"), BOTH),
    "a wrong path in Parameters": (
        lambda states: states["StartIncident"].update(Parameters={"heard.$": "$.heard["}),
        BOTH,
    ),
    "a wrong path in ResultPath": (lambda states: states["StartIncident"].update(ResultPath="heard"), BOTH),
    "a wrong path in SecondsPath": (lambda states: states["Settle"].update(SecondsPath="claim.seconds"), BOTH),
    "a misspelt intrinsic function": (
        lambda states: states["CountCheck"].update(Parameters={"count.$": "States.MathAd($.looks.count, 1)"}),
        BOTH,
    ),
    "a wrong path in a choice": (
        lambda states: states["Claimed"]["Choices"][0].update(Variable="claim.outcome"),
        {"asl-validator"},
    ),
    "two comparisons in a choice": (
        lambda states: states["Claimed"]["Choices"][0].update(NumericEquals=1),
        {"asl-validator"},
    ),
    "an unknown field in a choice": (
        lambda states: states["Claimed"]["Choices"][0].update(StringEqual="x"),
        {"statelint"},
    ),
    "States.ALL before other errors": (
        lambda states: states["Claim"]["Catch"].append({"ErrorEquals": ["Lambda.Unknown"], "Next": "Done"}),
        {"statelint"},
    ),
    "a backoff that shrinks": (lambda states: states["Claim"]["Retry"][0].update(BackoffRate=0.5), {"statelint"}),
    "a path without .$ in its key": (
        lambda states: states["StartIncident"].update(Parameters={"heard": "$.heard"}),
        set(),
    ),
    "a misspelt name of the context object": (
        lambda states: states["StartIncident"].update(Parameters={"execution.$": "$$.Execution.Idd"}),
        set(),
    ),
    "a field that no earlier state has written": (
        lambda states: states["StartIncident"].update(Parameters={"heard.$": "$.nobody"}),
        set(),
    ),
    "an action that the service has not": (
        lambda states: states["ClaimLastResort"].update(Resource="arn:aws:states:::dynamodb:updateItems"),
        set(),
    ),
    "an unknown error of Step Functions": (
        lambda states: states["Claim"]["Retry"][0].update(ErrorEquals=["States.Timeouts"]),
        set(),
    ),
}
"""What is planted into our workflow -> which of the two finds it. docs/validators.md names what neither does."""


@pytest.fixture(scope="module")
def findings_of_errors(definitions, run_validator):
    planted = []
    for plant, _ in ERRORS.values():
        definition = copy.deepcopy(definitions["everything"])
        plant(definition["States"])
        planted.append(definition)
    untouched, *answers = run_validator(tools.check_state_machines, [definitions["everything"], *planted])
    assert len(answers) == len(ERRORS)
    return {
        error: {name: set(findings) - set(untouched[name]) for name, findings in by.items()}
        for error, by in zip(ERRORS, answers, strict=True)
    }


@pytest.mark.parametrize("error", ERRORS)
def test_an_error_in_the_workflow_is_found(findings_of_errors, error):
    _, by = ERRORS[error]

    findings = findings_of_errors[error]

    assert {name for name, found in findings.items() if found} == by, findings
