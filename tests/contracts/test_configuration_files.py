"""The project file, the stacks' files, the program and its components speak of the same settings and outputs."""

import pytest
import yaml

from components.rotation_guard import RotationGuardArgs
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
}
DEMO_OUTPUTS = {"fresh_secret_name", "stale_secret_name", "ignored_secret_name", "rotating_secret_name"}


class Strict(yaml.SafeLoader):
    """YAML that refuses a key which is there twice, where the usual loader takes the last."""

    def construct_mapping(self, node, deep=False):
        keys = [self.construct_object(key) for key, _ in node.value]
        twice = {key for key in keys if keys.count(key) > 1}
        assert not twice, f"{sorted(twice)} twice in {node.start_mark}"
        return super().construct_mapping(node, deep)


def load(name):
    return yaml.load((ROOT / name).read_text(), Strict)  # noqa: S506 - a SafeLoader


@pytest.fixture(scope="module")
def declared():
    return load("Pulumi.yaml")["config"]


def test_the_project_declares_each_setting_of_the_component_and_no_other(declared):
    assert list(declared) == [to_camel_case(name) for name in RotationGuardArgs.__annotations__]


def test_each_key_has_a_type_a_default_of_it_and_one_line(declared):
    assert declared
    for key, about in declared.items():
        assert set(about) - {"items"} == {"type", "default", "description"}, key
        assert type(about["default"]) is TYPES[about["type"]], key
        assert ("items" in about) == (about["type"] == "array"), key
        assert about.get("items", {"type": "object"})["type"] in TYPES, key
        assert "\n" not in about["description"], key
        assert about["description"].endswith("."), key
        assert "secret" not in about, key


def test_the_projects_defaults_are_the_components_defaults():
    with_defaults = deploy_program(stack_config(None))
    without_any = deploy_program({})

    def asked_for(recorded):  # no tags, and tags of which there are none, are the same
        shape = recorded.shape().items()
        return {urn: {key: value for key, value in inputs.items() if value != {}} for urn, inputs in shape}

    assert len(with_defaults.shape()) > 50
    assert asked_for(with_defaults) == asked_for(without_any)
    assert with_defaults.outputs == without_any.outputs


@pytest.mark.parametrize("stack", ["dev", "prod"])
def test_a_stack_sets_declared_keys_of_the_declared_type(declared, stack):
    config = load(f"Pulumi.{stack}.yaml")["config"]

    own = {key.removeprefix("rotation-guard:"): value for key, value in config.items() if key != "aws:region"}
    assert own
    assert "aws:region" in config
    for key, value in own.items():
        assert type(value) is TYPES[declared[key]["type"]], key


def test_the_dev_stack_exports_what_others_rely_on_and_the_demo_secrets(dev):
    assert set(dev.outputs) == OUTPUTS | DEMO_OUTPUTS
    assert all(dev.outputs.values())


def test_the_production_stack_exports_what_others_rely_on(prod):
    assert set(prod.outputs) == OUTPUTS
    assert all(prod.outputs.values())


def test_the_dev_stack_is_for_trying_and_production_is_not(dev, prod):
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

    foreseen = {resource.urn for resource in preview.resources}
    assert foreseen == {resource.urn for resource in request.getfixturevalue(stack).resources}
    assert set(preview.outputs) >= OUTPUTS
    assert preview.outputs["schedule_expression"] == "rate(1 hour)"
    assert preview.outputs["function_name"] is None
