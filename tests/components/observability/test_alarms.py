"""How alarms are composed: their descriptions, their rules, and the limits of both."""

import re

import pulumi
import pytest

from components.observability.alarms import Alarms, Condition, Metric, describe, split

METRIC, COMPOSITE = "aws:cloudwatch/metricAlarm:MetricAlarm", "aws:cloudwatch/compositeAlarm:CompositeAlarm"
RUNBOOK = "https://example.com/runbook"


@pytest.mark.parametrize("length", [20, 900, 1000])
@pytest.mark.parametrize("meaning", ["It fails.", "It fails in a way that takes long to tell. " * 40])
def test_a_description_fits_and_links_to_the_runbook_whatever_its_url_is(length, meaning):
    runbook = RUNBOOK + "x" * (length - len(RUNBOOK))

    description = describe(meaning, runbook, "rotation-events-are-not-delivered")

    # https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_PutMetricAlarm.html: up to 1024 characters.
    assert len(description) <= 1024
    assert runbook in description
    assert description.endswith("#rotation-events-are-not-delivered") == (length < 1000)
    assert description.startswith("It fails") == (length < 1000)


def test_a_runbook_url_with_a_fragment_keeps_it():
    assert describe("It fails.", f"{RUNBOOK}#on-call", "it-fails") == f"It fails. {RUNBOOK}#on-call"


class Owner(pulumi.ComponentResource):
    """A component with this many causes for one page."""

    def __init__(self, causes):
        super().__init__("test:index:Owner", "o")
        alarms = Alarms("o", RUNBOOK, "arn:aws:sns:eu-west-1:111122223333:critical", None, self)
        metric = Metric("AWS/SQS", "ApproximateNumberOfMessagesVisible", {"QueueName": "dead"})
        made = {cause: alarms.watch(cause, metric, Condition(), "It fails.", "it-fails") for cause in causes}
        alarms.page("page", made, "All fail.", "all-fail")


@pytest.mark.parametrize(
    "causes",
    [
        [f"cause-{number}" for number in range(3)],
        [f"cause-{number}" for number in range(150)],
        # Names that alone are longer than a rule.
        [f"{number:03}-{'x' * 150}" for number in range(99)],
    ],
    ids=["few", "many", "long"],
)
def test_every_cause_pages_within_the_limits_of_cloudwatch_for_a_rule(run, causes):
    recording = run(lambda: Owner(causes))
    metrics = {resource.outputs["name"]: resource for resource in recording.of_type(METRIC)}
    composites = {resource.inputs["alarmName"]: resource.inputs for resource in recording.of_type(COMPOSITE)}

    reached, waiting = (
        set(),
        [resource.inputs["alarmName"] for resource in recording.of_type(COMPOSITE) if resource.name == "o-page"],
    )
    [top] = waiting
    while waiting:
        name = waiting.pop()
        children = re.findall(r'ALARM\("([^"]+)"\)', composites[name]["alarmRule"])
        # https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_PutCompositeAlarm.html
        assert 1 <= len(composites[name]["alarmRule"]) <= 10_240
        assert 1 <= len(children) <= 100
        reached.update(child for child in children if child in metrics)
        waiting += [child for child in children if child in composites]
    assert reached == metrics.keys()
    assert len(metrics) == len(causes)
    assert [name for name, inputs in composites.items() if inputs.get("alarmActions")] == [top]


def test_causes_that_fit_into_one_rule_are_not_split():
    assert split(["x" * 50] * 100) == [100]


def test_a_metric_alarm_has_no_actions(run):
    [alarm] = run(lambda: Owner(["cause"])).of_type(METRIC)

    assert {"alarmActions", "okActions", "insufficientDataActions"}.isdisjoint(alarm.inputs)


def test_two_deployments_have_different_alarms(run):
    """CloudWatch treats a second alarm of the same name as an update of the first; Pulumi names only metric alarms."""
    recording = run(lambda: Owner(["cause"]))
    [metric], [composite] = recording.of_type(METRIC), recording.of_type(COMPOSITE)

    assert composite.inputs["alarmName"] == "o-page-" + metric.outputs["name"].rpartition("-")[2]
    assert metric.urn in composite.property_dependencies["alarmName"]
