"""Validators that others wrote, on what our program asks for: `make validate`.

cfn-lint has AWS's schemas, and neither schedule expressions, protocols of SNS nor transitions of a state machine.
"""

import json
from collections.abc import Callable
from typing import Any

import pytest

from components.configuration import camel
from local.recording import REGION, Recording, deploy_program, stack_config
from tests.components.samples.everything import EVERYTHING
from tests.contracts.test_rules_and_events import EVENTS, HEARD
from tests.validators import tools
from tests.validators.cloudformation import convert

CONFIGURATIONS = {
    "dev": ("dev", {}),
    "prod": ("prod", {}),
    "everything": ("prod", {camel(name): value for name, value in EVERYTHING.items()}),
}
MACHINE = "AWS::StepFunctions::StateMachine"
ACCEPTED = {
    # AWS's page on Choice states compares with the context object; whether a path of `$$.Execution.Id` is taken is in
    # docs/aws-facts.md among what is unproven.
    "statelint": {'"$$.Execution.Id" but should be a Reference Path'},
}


@pytest.fixture(scope="module", params=CONFIGURATIONS)
def recording(request: pytest.FixtureRequest) -> Recording:
    stack, config = CONFIGURATIONS[request.param]
    return deploy_program({**stack_config(stack), **_texts(config)}, stack=stack)


@pytest.fixture(scope="module")
def template(recording: Recording) -> dict[str, Any]:
    return convert(recording)


def _texts(config: dict[str, Any]) -> dict[str, str]:
    """The configuration as the engine hands it to a program."""
    texts = {key: value if isinstance(value, str) else json.dumps(value) for key, value in config.items()}
    return {f"rotation-guard:{key}": value for key, value in texts.items()}


def run(check: Callable[..., Any], *arguments: Any) -> Any:
    try:
        return check(*arguments)
    except tools.Missing as missing:
        pytest.skip(str(missing))


def documents(template: dict[str, Any], type_: str, key: str) -> list[Any]:
    return [one["Properties"][key] for one in template["Resources"].values() if one["Type"] == type_]


def test_every_property_is_as_the_schemas_of_aws_have_it(template):
    assert len(template["Resources"]) > 100
    assert run(tools.check_template, template, REGION) == []


PLANTED = {
    "AWS::Logs::LogGroup": ("RetentionInDays", 61),
    "AWS::SQS::Queue": ("VisibilityTimeout", 43_201),
    "AWS::Lambda::Function": ("MemorySise", 128),
    "AWS::CloudWatch::Alarm": ("TreatMissingData", "ignored"),
    "AWS::DynamoDB::Table": ("BillingMode", "FREE"),
    "AWS::Scheduler::Schedule": ("State", "ON"),
}
"""Errors of many kinds: or else nobody has looked."""


def test_every_error_that_is_planted_is_found():
    stack, _ = CONFIGURATIONS["prod"]
    planted = convert(deploy_program(stack_config(stack), stack=stack))
    for type_, (key, value) in PLANTED.items():
        next(one for one in planted["Resources"].values() if one["Type"] == type_)["Properties"][key] = value

    findings = run(tools.check_template, planted, REGION)

    assert len(findings) >= len(PLANTED)
    assert all(any(key in finding for finding in findings) for key, _ in PLANTED.values())


def test_policies_of_roles_are_as_parliament_wants_them(template):
    policies = documents(template, "AWS::IAM::RolePolicy", "PolicyDocument")

    assert len(policies) > 8
    assert run(tools.check_identity_policies, policies) == []


def test_parliament_finds_an_action_that_there_is_not(template):
    planted = {
        "Version": "2012-10-17",
        "Statement": [{"Effect": "Allow", "Action": "sqs:SendMessages", "Resource": "*"}],
    }

    assert "sqs:SendMessages" in " ".join(run(tools.check_identity_policies, [planted]))


def test_the_workflow_is_valid_to_both_validators_of_the_states_language(template):
    [definition] = documents(template, MACHINE, "DefinitionString")

    said = run(tools.check_state_machine, definition)

    assert said["asl-validator"] == []
    known = ACCEPTED["statelint"]
    assert [line for line in said["statelint"] if not any(one in line for one in known)] == []


def test_a_state_that_nothing_leads_to_and_one_that_is_misspelt_are_found(template):
    [definition] = documents(template, MACHINE, "DefinitionString")
    machine = json.loads(definition)
    unreachable = {**machine, "States": {**machine["States"], "Nowhere": {"Type": "Succeed"}}}
    misspelt = {**machine, "States": {**machine["States"], "Nowhere": {"Type": "Suceed"}}}

    said = [run(tools.check_state_machine, json.dumps(planted)) for planted in (unreachable, misspelt)]

    assert all(any(lines != [] and "Nowhere" in " ".join(lines) for lines in one.values()) for one in said)


def test_event_ruler_hears_each_recorded_event_by_the_rules_that_should(recording):
    rules = {
        rule.name.removeprefix("rotation-guard-events-"): json.loads(rule.inputs["eventPattern"])
        for rule in recording.of_type("aws:cloudwatch/eventRule:EventRule")
    }
    events = {name: json.loads((EVENTS / f"{name}.json").read_text()) for name in HEARD}
    questions = [(rule, event) for rule in rules for event in events]

    answers = run(tools.match_events, [(rules[rule], events[event]) for rule, event in questions])

    heard: dict[str, set[str]] = {event: set() for event in events}
    for (rule, event), answer in zip(questions, answers, strict=True):
        assert answer in ("true", "false"), (rule, answer)
        if answer == "true":
            heard[event].add(rule)
    # The extra rules are the configuration's own.
    own = {event: {rule for rule in by if not rule.startswith("extra-")} for event, by in heard.items()}
    assert own == {event: {rule for rule in by if not rule.startswith("extra-")} for event, by in HEARD.items()}
