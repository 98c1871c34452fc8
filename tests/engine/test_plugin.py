"""Programs in YAML place the components through the plugin, which the engine starts from `plugin/` in a checkout."""

import json
import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from components.rotation_guard import RotationGuardArgs
from docs.generate import SCHEMA
from local.aws import Aws
from tests.engine.harness import ProgramStack, make_checkout, make_environment
from tests.engine.requirements import needs_yaml

pytestmark = needs_yaml
GUARD = "rotation-guard:index:RotationGuard"
SECRET = "not-to-be-shown"
Change = Callable[[dict[str, Any]], None]


def place_example(folder: Path, aws: Aws) -> ProgramStack:
    """A stack of the example, in a checkout of its own."""
    return ProgramStack(folder, aws, make_checkout(folder) / "examples" / "yaml")


@pytest.fixture(scope="module")
def stack(aws, tmp_path_factory) -> ProgramStack:
    """The example, deployed."""
    stack = place_example(tmp_path_factory.mktemp("yaml"), aws)
    up = stack.up()
    assert (up.failed, up.messages) == (False, [])
    return stack


@pytest.fixture
def program(stack) -> Iterator[Callable[[Change], None]]:
    """Changes the program of the example for one test."""
    path = stack.project / "Pulumi.yaml"
    example = path.read_text(encoding="utf-8")
    yield stack.change_program
    path.write_text(example, encoding="utf-8")


def set_inputs(**inputs: Any) -> Change:
    return lambda program: program["resources"]["guard"]["properties"].update(inputs)


def place(resources: dict[str, Any]) -> Change:
    def change(program: dict[str, Any]) -> None:
        program["resources"] = resources
        program["outputs"] = {}

    return change


def list_resources(stack: ProgramStack) -> dict[str, dict[str, Any]]:
    resources = stack.export()["deployment"]["resources"]
    return {f"{resource['type']} {resource['urn'].rpartition('::')[2]}": resource for resource in resources}


def test_the_example_deploys_and_its_settings_arrive(stack, aws):
    resources = list_resources(stack)

    component = resources[f"{GUARD} guard"]
    [check] = [name for name in resources if name.endswith(" guard-audit-check") and "lambda/function:" in name]
    variables = resources[check]["inputs"]["environment"]["variables"]
    topic = component["outputs"]["critical_topic_arn"]
    subscribed = aws.client("sns").list_subscriptions_by_topic(TopicArn=topic)["Subscriptions"]
    described = aws.client("lambda").get_function(FunctionName=resources[check]["id"])
    assert variables["MAX_AGE_DAYS"] == "60"
    assert variables["MAX_AGE_CLASSES"]
    assert described["Tags"]["team"] == "platform"
    assert [(entry["Protocol"], entry["Endpoint"]) for entry in subscribed] == [("email", "on-call@example.com")]
    assert len(resources) > 150


def test_its_outputs_are_those_of_the_component(stack):
    outputs = stack.up().outputs
    component = list_resources(stack)[f"{GUARD} guard"]["outputs"]

    assert outputs == {
        "criticalTopicArn": component["critical_topic_arn"],
        "statusTableName": component["status_table_name"],
        "dashboardUrl": component["dashboard_url"],
    }


def test_an_update_without_a_change_changes_nothing(stack):
    preview, up = stack.preview(), stack.up()

    assert (preview.failed, up.failed) == (False, False)
    assert len(up.steps) > 150
    assert (preview.changes(), up.changes()) == ([], [])


def test_a_changed_setting_changes_only_what_it_concerns(stack, program):
    program(set_inputs(maxAgeDays=61))

    changed = stack.preview().changes()

    assert {(step.op, step.name) for step in changed if step.type.startswith("aws:")} == {
        ("update", "guard-audit-check")
    }


@pytest.mark.parametrize(
    ("inputs", "path", "reason"),
    [
        ({"maxAgeDays": -7}, "maxAgeDays with value -7", "must be an integer from 0 to 3650, got -7"),
        (
            {"subscriptions": [{"topic": "critical", "protocol": "email", "endpoint": "nobody"}]},
            'subscriptions[0].endpoint with value "nobody"',
            'must be an e-mail address for protocol email, got "nobody"',
        ),
        (
            {"tags": {"team": {"fn::secret": SECRET}}},
            "tags.team with value <secret>",
            "must be text that is known before the deployment and not secret, got an Output",
        ),
        (
            {"maxAgeClasses": {"fn::secret": [{"days": 1, "name": SECRET}]}},
            "maxAgeClasses with value <secret>",
            "must be a list that is known before the deployment and not secret, got an Output",
        ),
    ],
)
def test_a_bad_input_is_one_sentence_with_its_property(inputs, path, reason, stack, program):
    program(set_inputs(**inputs))

    preview, up = stack.preview(), stack.up()

    for outcome in (preview, up):
        assert outcome.failed
        assert outcome.changes() == []
        [message] = [message for message in outcome.messages if "has a problem" in message]
        head, *lines = [line.strip() for line in message.splitlines()]
        assert head == f"{GUARD} resource 'guard' has a problem: 1 input cannot be deployed"
        assert lines == [f"- property {path} has a problem: {reason}"]
        assert SECRET not in "".join(outcome.messages)


@pytest.mark.parametrize(
    ("inputs", "complaint"),
    [
        ({"maxAgeDays": "seven"}, "maxAgeDays: Cannot assign type 'string' to type 'integer'"),
        ({"maxAgeDay": 7}, "Existing properties are: maxAgeDays"),
    ],
)
def test_the_schema_lets_the_language_refuse_what_does_not_fit(inputs, complaint, stack, program):
    program(set_inputs(**inputs))

    preview = stack.preview()

    assert preview.failed
    assert complaint in "".join(preview.messages)


def test_components_by_themselves_take_the_outputs_of_others(aws, tmp_path):
    stack = place_example(tmp_path, aws)
    stack.change_program(
        place(
            {
                "status": {"type": "rotation-guard:AuditStatus", "properties": {"deletionProtection": False}},
                "trail": {
                    "type": "rotation-guard:AuditTrail",
                    "properties": {
                        "statusTableName": "${status.tableName}",
                        "statusTableArn": "${status.tableArn}",
                        "deletionProtection": False,
                    },
                },
                "topics": {
                    "type": "rotation-guard:Notifications",
                    "properties": {
                        "subscriptions": [
                            {
                                "topic": "failures",
                                "protocol": "email",
                                "endpoint": {"fn::secret": f"{SECRET}@example.com"},
                                "filterPolicy": {"detail": {"attempts": [{"numeric": [">", 1]}]}},
                            }
                        ]
                    },
                },
                "events": {
                    "type": "rotation-guard:RotationEvents",
                    "properties": {
                        "failuresTopicArn": "${topics.failuresTopicArn}",
                        "auditQueueArn": "${trail.queueArn}",
                        "auditQueueUrl": "${trail.queueUrl}",
                    },
                },
                "alarms": {
                    "type": "rotation-guard:Observability",
                    "properties": {
                        "alarmsTopicArn": "${topics.alarmsTopicArn}",
                        "topicNames": {"failures": "${topics.topicNames.failures}"},
                        "ruleNames": {"failed": "${events.ruleNames.failed}"},
                        "undeliveredEventsQueueName": "${events.deadLettersName}",
                    },
                },
            }
        )
    )

    preview, up, again = stack.preview(), stack.up(), stack.up()

    resources = list_resources(stack)
    [writer] = [name for name in resources if name.endswith(" trail-writer") and "lambda/function:" in name]
    [subscription] = [name for name in resources if "topicSubscription:" in name]
    table = resources["aws:dynamodb/table:Table status"]["id"]
    [rule] = [entry for name, entry in resources.items() if name.endswith("eventRule:EventRule events-failed")]
    [alarm] = [entry for name, entry in resources.items() if name.endswith(" alarms-rule-failed-failed")]
    assert (preview.failed, up.failed, up.messages, again.changes()) == (False, False, [], [])
    assert resources[writer]["inputs"]["environment"]["variables"]["STATUS_TABLE_NAME"] == table
    assert alarm["inputs"]["dimensions"] == {"RuleName": rule["id"]}
    assert '"numeric": [">", 1]' in resources[subscription]["inputs"]["filterPolicy"]
    [state] = stack.folder.glob("state/.pulumi/stacks/*/dev.json")
    assert resources[subscription]["inputs"]["endpoint"]["plaintext"] == f'"{SECRET}@example.com"'
    assert SECRET not in state.read_text(encoding="utf-8")
    assert not stack.destroy().failed


def test_resources_follow_the_provider_of_the_program(aws, tmp_path):
    stack = place_example(tmp_path, aws)
    status = {
        "type": "rotation-guard:AuditStatus",
        "properties": {"deletionProtection": False},
        "options": {"providers": ["${frankfurt}"]},
    }
    stack.change_program(place({"frankfurt": {"type": "pulumi:providers:aws", "properties": {}}, "status": status}))

    up = stack.up()

    table = list_resources(stack)["aws:dynamodb/table:Table status"]
    assert (up.failed, up.messages) == (False, [])
    assert table["provider"].split("::")[-2] == "frankfurt"
    assert not stack.destroy().failed


def test_two_guards_of_one_program_keep_to_themselves(stack, program):
    guards = {name: {"type": GUARD, "properties": {"maxAgeDays": days}} for name, days in (("one", 10), ("two", 20))}
    program(place(guards))

    preview = stack.preview()

    created = {(step.type, step.name): step for step in preview.changes("create")}
    assert (preview.failed, preview.messages) == (False, [])
    for name, days in (("one", "10"), ("two", "20")):
        check = created["aws:lambda/function:Function", f"{name}-audit-check"]
        assert check.inputs["environment"]["variables"]["MAX_AGE_DAYS"] == days
    assert len([name for _, name in created if name.startswith("one")]) == len(
        [name for _, name in created if name.startswith("two")]
    )


def test_an_output_with_a_wrong_value_fails_once_it_is_known_with_its_property(aws, tmp_path):
    stack = place_example(tmp_path, aws)
    guard = {"restartTargets": ["${status.tableArn}"], "deletionProtection": False}
    status = {"type": "rotation-guard:AuditStatus", "properties": {"deletionProtection": False}}
    stack.change_program(place({"status": status, "guard": {"type": GUARD, "properties": guard}}))

    up = stack.up()

    message = "\n".join(up.messages)
    assert up.failed
    assert "- property restartTargets[0] with value" in message
    assert "must be the ARN of an ECS service (service/cluster/name), a Lambda function or an SSM document" in message
    assert "Traceback" not in message
    assert ".py" not in message
    assert not stack.destroy().failed


def test_an_endpoint_in_another_region_is_refused_without_a_traceback(aws, tmp_path):
    stack = place_example(tmp_path, aws)
    endpoint = {"fn::secret": f"arn:aws:sqs:us-east-1:111122223333:{SECRET}"}
    subscription = {"topic": "critical", "protocol": "sqs", "name": "elsewhere", "endpoint": endpoint}
    topics = {"type": "rotation-guard:Notifications", "properties": {"subscriptions": [subscription]}}
    stack.change_program(place({"topics": topics}))

    up = stack.up()

    assert up.failed
    [message] = [message for message in up.messages if "has a problem" in message]
    assert message.startswith(
        "rotation-guard:index:Notifications resource 'topics' has a problem: the endpoint of "
        "topics-critical-sqs-elsewhere must be in the account and Region of its topic"
    )
    assert len(message.splitlines()) == 1
    assert SECRET not in message
    assert not stack.destroy().failed


def test_every_argument_is_an_input_in_yaml(aws, tmp_path):
    stack = place_example(tmp_path, aws)
    stack.change_program(set_inputs(notASetting=1))

    message = "".join(stack.preview().messages)

    # Five are named.
    assert f"and {len(RotationGuardArgs.__annotations__) - 5} others" in message


def test_the_cli_installs_the_plugin_in_a_fresh_checkout_and_reads_its_schema(aws, tmp_path):
    checkout = make_checkout(tmp_path)
    (checkout / "plugin" / "venv").unlink()
    environment = {**os.environ, **make_environment(tmp_path, aws)}
    command = [str(tmp_path / "bin" / "pulumi"), "package", "get-schema", "./plugin"]

    done = subprocess.run(command, cwd=checkout, env=environment, capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stderr
    assert (checkout / "plugin" / "venv" / "bin" / "python").is_file()
    assert without_empty(json.loads(done.stdout)) == without_empty(json.loads(SCHEMA.read_text(encoding="utf-8")))


def without_empty(value: Any) -> Any:
    """What a schema says, as the CLI writes it: with empty parts."""
    if isinstance(value, list):
        return [without_empty(inner) for inner in value]
    if not isinstance(value, dict):
        return value
    return {key: without_empty(inner) for key, inner in value.items() if inner not in ({}, [], None)}


def test_a_hub_and_a_member_deploy_and_a_second_update_changes_nothing(aws, tmp_path):
    stack = place_example(tmp_path, aws)
    hub = {"memberAccounts": ["111122223333"], "subscriptions": [], "deletionProtection": False}
    member = {"hubEventBusArn": "${hub.eventBusArn}", "alarmsTopicArn": "${hub.criticalTopicArn}"}
    stack.change_program(
        place(
            {
                "hub": {"type": "rotation-guard:Hub", "properties": hub},
                "member": {"type": "rotation-guard:Member", "properties": member},
            }
        )
    )

    up, again = stack.up(), stack.up()

    assert not up.failed, up.messages
    assert not again.failed, again.messages
    resources = list_resources(stack)
    [bus] = [resource for name, resource in resources.items() if name.startswith("aws:cloudwatch/eventBus:EventBus ")]
    targets = [
        resource["inputs"]["arn"]
        for name, resource in resources.items()
        if name.startswith("aws:cloudwatch/eventTarget:EventTarget member")
    ]
    assert targets
    assert set(targets) == {bus["outputs"]["arn"]}
    assert again.changes() == []
    assert not stack.destroy().failed
