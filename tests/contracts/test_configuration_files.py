"""The project file, the stack files, the program and its components have the same settings and outputs."""

import pytest
import yaml

from components.settings.declarations import SETTINGS
from components.settings.setting import to_camel_case
from local.mocks.recording import deploy_program, stack_config
from tests.paths import ROOT

TYPES = {"string": str, "integer": int, "boolean": bool, "array": list, "object": dict}
OUTPUTS = {
    "function_name",
    "schedule_name",
    "schedule_group_name",
    "schedule_expression",
    "table_name",
    "status_table_name",
    "runs_table_name",
    "audit_trail_table_name",
    "incidents_table_name",
    "failures_topic_arn",
    "remediation_topic_arn",
    "critical_topic_arn",
    "state_machine_arn",
    "kill_switch_parameter_name",
    "audit_queue_url",
    "audit_dead_letters_url",
    "undelivered_events_dead_letters_url",
    "unrecorded_events_dead_letters_url",
    "unstarted_remediations_dead_letters_url",
    "failed_audits_dead_letters_url",
    "dashboard_url",
    "version",
    "event_bus_name",
    "rule_names",
    "function_names",
    "alarm_names",
}
DEMO_OUTPUTS = {"fresh_secret_name", "stale_secret_name", "ignored_secret_name", "rotating_secret_name"}


class UniqueKeyLoader(yaml.SafeLoader):
    """A YAML loader that rejects duplicate keys; the usual loader uses the last one."""

    def construct_mapping(self, node, deep=False):
        keys = [self.construct_object(key) for key, _ in node.value]
        duplicates = {key for key in keys if keys.count(key) > 1}
        assert not duplicates, f"{sorted(duplicates)} twice in {node.start_mark}"
        return super().construct_mapping(node, deep)


def load(name):
    return yaml.load((ROOT / name).read_text(), UniqueKeyLoader)  # noqa: S506 - a SafeLoader


@pytest.fixture(scope="module")
def declared():
    return load("Pulumi.yaml")["config"]


def test_the_project_declares_each_setting_of_the_component_and_no_other(declared):
    assert list(declared) == [to_camel_case(name) for name in SETTINGS]


def test_each_key_has_a_type_a_default_and_a_description(declared):
    assert declared
    for key, declaration in declared.items():
        assert set(declaration) - {"items"} == {"type", "default", "description"}, key
        assert type(declaration["default"]) is TYPES[declaration["type"]], key
        assert ("items" in declaration) == (declaration["type"] == "array"), key
        assert declaration.get("items", {"type": "object"})["type"] in TYPES, key
        assert "\n" not in declaration["description"], key
        assert declaration["description"].endswith("."), key
        assert "secret" not in declaration, key


def test_the_defaults_of_the_project_are_those_of_the_component():
    with_defaults = deploy_program(stack_config(None))
    without_defaults = deploy_program({})

    def inputs_of(recorded):  # absent tags and an empty map of tags are the same
        shape = recorded.shape().items()
        return {urn: {key: value for key, value in inputs.items() if value != {}} for urn, inputs in shape}

    assert len(with_defaults.shape()) > 50
    assert inputs_of(with_defaults) == inputs_of(without_defaults)
    assert with_defaults.outputs == without_defaults.outputs


@pytest.mark.parametrize("stack", ["dev", "prod"])
def test_a_stack_sets_declared_keys_of_the_declared_type(declared, stack):
    config = load(f"Pulumi.{stack}.yaml")["config"]

    own = {key.removeprefix("rotation-guard:"): value for key, value in config.items() if key != "aws:region"}
    assert own
    assert "aws:region" in config
    for key, value in own.items():
        assert type(value) is TYPES[declared[key]["type"]], key


def test_the_dev_stack_exports_the_public_outputs_and_the_demo_secrets(dev):
    assert set(dev.outputs) == OUTPUTS | DEMO_OUTPUTS
    assert all(dev.outputs.values())


def test_the_production_stack_exports_the_public_outputs(prod):
    assert set(prod.outputs) == OUTPUTS
    assert all(prod.outputs.values())


def test_only_the_dev_stack_has_demo_secrets_and_drills(dev, prod):
    secrets = {
        name: len(stack.of_type("aws:secretsmanager/secret:Secret")) for name, stack in (("dev", dev), ("prod", prod))
    }
    assert secrets == {"dev": 4, "prod": 0}

    def drills(stack):
        patterns = [rule.inputs["eventPattern"] for rule in stack.of_type("aws:cloudwatch/eventRule:EventRule")]
        assert patterns
        return ["rotation-guard.drill" in pattern for pattern in patterns]

    assert all(drills(dev))
    assert not any(drills(prod))


@pytest.mark.parametrize("stack", ["dev", "prod"])
def test_a_stack_can_be_previewed_before_its_first_deployment(request, stack):
    preview = deploy_program(stack_config(stack), stack=stack, preview=True)

    urns = {resource.urn for resource in preview.resources}
    assert urns == {resource.urn for resource in request.getfixturevalue(stack).resources}
    assert set(preview.outputs) >= OUTPUTS
    assert preview.outputs["schedule_expression"] == "rate(1 hour)"
    assert preview.outputs["function_name"] is None
