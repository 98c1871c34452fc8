"""Two stacks in one account and Region share nothing that either of them made, and two guards of one stack neither."""

import json

import pytest

from components.rotation_guard import RotationGuard
from tests.components.samples.everything import EVERYTHING

AUTONAMED, AUTONAMED_BUCKET = "-0a1b2c3", "-00000000000000000000000000"
"""What the mocks put behind a name that Pulumi makes up, and behind a bucket's: another in each stack."""
NAMES = ("name", "alarmName", "dashboardName", "bucket", "policyName", "roleName")
"""Inputs that fix a resource's physical name."""
RULE = "aws:cloudwatch/eventRule:EventRule"


@pytest.fixture(scope="module")
def everything(guard):
    return guard(**{**EVERYTHING, "drill": False})


def test_no_resource_has_a_name_that_another_stack_would_give_as_well(everything):
    """AWS takes a second resource of one name for the first, or refuses it."""
    fixed = {
        resource.urn: resource.inputs[name]
        for resource in everything.custom()
        for name in NAMES
        if name in resource.inputs
        and not any(suffix in str(resource.inputs[name]) for suffix in (AUTONAMED, AUTONAMED_BUCKET))
    }

    assert fixed == {}
    assert [resource for resource in everything.custom() if any(name in resource.inputs for name in NAMES)]


def test_every_alarm_and_chart_is_about_resources_of_its_own_stack(everything):
    alarms = everything.of_type("aws:cloudwatch/metricAlarm:MetricAlarm")
    [dashboard] = everything.of_type("aws:cloudwatch/dashboard:Dashboard")
    widgets = json.loads(dashboard.inputs["dashboardBody"])["widgets"]
    metrics = [metric for widget in widgets for metric in widget["properties"].get("metrics", [])]

    assert len(alarms) > 50
    assert len(metrics) > 20
    for values in (*(alarm.inputs["dimensions"].values() for alarm in alarms), *(metric[2:-1] for metric in metrics)):
        assert any(AUTONAMED in value for value in values), values


def test_rules_wait_for_the_reports_of_their_own_stack_alone(everything):
    patterns = {rule.name: json.loads(rule.inputs["eventPattern"]) for rule in everything.of_type(RULE)}
    own = {name: pattern for name, pattern in patterns.items() if pattern.get("source") == ["rotation-guard"]}

    [table] = [
        resource.outputs["name"]
        for resource in everything.of_type("aws:dynamodb/table:Table")
        if resource.name == "guard-repair-incidents"
    ]
    assert {name for name in own if name.startswith("guard-events-")} == {"guard-events-stuck", "guard-events-stalled"}
    assert len(own) == 6
    assert all(pattern["detail"]["incidents_table"] == [table] for pattern in own.values())


def test_no_resource_of_one_guard_refers_to_one_of_another(run):
    def program():
        RotationGuard("first", {"remediation_mode": "retry", "drill": True})
        RotationGuard("second", {"remediation_mode": "repair"})

    recording = run(program)

    for one, other in (("first", "second"), ("second", "first")):
        own = [resource for resource in recording.custom() if f"::{one}" in resource.urn or f"${one}" in resource.urn]
        assert len(own) > 100
        assert [resource.urn for resource in own if f"{other}-" in json.dumps(resource.inputs, default=str)] == []
