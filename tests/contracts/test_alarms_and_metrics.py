"""What an alarm of ours watches is what a function of the same stack says, and of no other one."""

import json
from datetime import UTC, datetime

import pytest

from handlers import rotation_check
from handlers.adapters.audit_runs import Lease
from handlers.audit_ending import Ending
from handlers.domain.audit import Progress

ALARM = "aws:cloudwatch/metricAlarm:MetricAlarm"
OURS = "rotation-guard"


@pytest.fixture
def emitted(monkeypatch, capsys):
    """What the check says at the end of a run to CloudWatch, in the function that was deployed."""

    def say(function):
        variables = function.inputs["environment"]["variables"]
        for name in ("namespace", "service"):
            key = "POWERTOOLS_METRICS_NAMESPACE" if name == "namespace" else "POWERTOOLS_SERVICE_NAME"
            monkeypatch.setattr(rotation_check.metrics.provider, name, variables[key])
        rotation_check.metrics.clear_metrics()
        lease = Lease("run", "holder", 0, datetime(2026, 3, 1, tzinfo=UTC), None, Progress())
        rotation_check._tell(lease, Ending([], 0, ""), function.outputs["name"])
        [line] = [json.loads(line) for line in capsys.readouterr().out.splitlines() if "CloudWatchMetrics" in line]
        return line

    return say


def checks(stack):
    functions = stack.of_type("aws:lambda/function:Function")
    return [one for one in functions if one.inputs["handler"] == "handlers.rotation_check.handler"]


def test_an_alarm_on_a_metric_of_ours_watches_what_its_own_stack_says_dimension_for_dimension(prod, emitted):
    watching = [alarm.inputs for alarm in prod.of_type(ALARM) if alarm.inputs["namespace"] == OURS]
    [check] = checks(prod)
    assert watching

    said = emitted(check)

    for alarm in watching:
        [metrics] = said["_aws"]["CloudWatchMetrics"]
        assert metrics["Namespace"] == alarm["namespace"]
        assert alarm["metricName"] in {metric["Name"] for metric in metrics["Metrics"]}
        assert {name: said[name] for name in metrics["Dimensions"][0]} == alarm["dimensions"]
        assert len(metrics["Dimensions"]) == 1


def test_a_healthy_stack_does_not_answer_for_another_one_of_the_same_account(prod, emitted):
    [check] = checks(prod)

    said = emitted(check)

    # The name that AWS gives a function is its own in an account and Region; that of the service is not.
    assert said["function_name"] == check.outputs["name"]
    assert said["service"] == check.inputs["environment"]["variables"]["POWERTOOLS_SERVICE_NAME"]
