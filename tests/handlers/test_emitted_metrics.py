"""What alarms and the dashboard show of ours is what a function of the same stack emits, dimension for dimension."""

import json
from collections import defaultdict
from datetime import UTC, datetime, timedelta

import pytest

from handlers.audit import check
from handlers.remediation import end as remediation_end
from handlers.remediation import incident_metrics
from handlers.trail import writer
from local.mocks.recording import deploy_program, stack_config
from rotation_guard.domain.metrics import MetricName
from tests.handlers.scene import EXECUTION, build_signal, succeeded

OURS = "rotation-guard"
ALARM, DASHBOARD = "aws:cloudwatch/metricAlarm:MetricAlarm", "aws:cloudwatch/dashboard:Dashboard"
FUNCTION = "aws:lambda/function:Function"
MODULES = {
    "handlers.trail.writer.handler": writer,
    "handlers.audit.check.handler": check,
    "handlers.remediation.claim.handler": incident_metrics,
    "handlers.remediation.end.handler": incident_metrics,
}
"""Where the metrics of each function are kept until it writes them."""


@pytest.fixture(scope="module")
def prod():
    """The production stack, with the alarm that is off by default."""
    return deploy_program({**stack_config("prod"), "rotation-guard:maxOverdue": "3"}, stack="prod")


@pytest.fixture
def deployed(prod, context, monkeypatch):
    """Makes this process the function that is deployed with this entry point."""

    def become(handler):
        [function] = [each for each in prod.of_type(FUNCTION) if each.inputs["handler"] == handler]
        variables = function.inputs["environment"]["variables"]
        provider = MODULES[handler].metrics.provider
        monkeypatch.setattr(provider, "namespace", variables["POWERTOOLS_METRICS_NAMESPACE"])
        monkeypatch.setattr(provider, "service", variables["POWERTOOLS_SERVICE_NAME"])
        MODULES[handler].metrics.clear_metrics()
        monkeypatch.setattr(context, "function_name", function.outputs["name"], raising=False)

    return become


@pytest.fixture
def emitted(capsys):
    """Every metric that was written so far: namespace, name and dimensions, and its values."""

    def read():
        found = defaultdict(list)
        for line in capsys.readouterr().out.splitlines():
            if '"CloudWatchMetrics"' not in line:
                continue
            record = json.loads(line)
            for directive in record["_aws"]["CloudWatchMetrics"]:
                for names in directive["Dimensions"]:
                    dimensions = frozenset((name, record[name]) for name in names)
                    for metric in directive["Metrics"]:
                        values = record[metric["Name"]]
                        key = (directive["Namespace"], metric["Name"], dimensions)
                        found[key] += values if isinstance(values, list) else [values]
        return found

    return read


def named(prod):
    """The metrics of ours that an alarm watches or the dashboard shows."""
    alarms = [
        (each.inputs["namespace"], each.inputs["metricName"], frozenset(each.inputs["dimensions"].items()))
        for each in prod.of_type(ALARM)
    ]
    widgets = json.loads(prod.of_type(DASHBOARD)[0].inputs["dashboardBody"])["widgets"]
    shown = [metric for widget in widgets if widget["type"] == "metric" for metric in widget["properties"]["metrics"]]
    charted = [
        (namespace, name, frozenset(zip(rest[:-1:2], rest[1:-1:2], strict=True))) for namespace, name, *rest in shown
    ]
    return {metric for metric in [*alarms, *charted] if metric[0] == OURS}


def record(aws, context, monkeypatch, *bodies):
    """Has the writer record these events, texts as they are."""
    url = aws.client("sqs").create_queue(QueueName="audit")["QueueUrl"]
    monkeypatch.setenv("AUDIT_QUEUE_URL", url)
    records = [
        {
            "messageId": str(number),
            "receiptHandle": str(number),
            "body": body if isinstance(body, str) else json.dumps(body),
            "attributes": {"ApproximateReceiveCount": "1"},
            "eventSource": "aws:sqs",
        }
        for number, body in enumerate(bodies)
    ]
    writer.handler({"Records": records}, context)


def end(context, incident, outcome):
    ending = {"outcome": outcome, "reason": "So it ended.", "restarts": [], "version": None}
    return remediation_end.handler({"execution": EXECUTION, "incident": incident, "ending": ending}, context)


def test_every_metric_of_ours_is_emitted_by_the_function_that_its_dimensions_name(
    aws, scene, context, deployed, recorded, emitted, prod, monkeypatch
):
    aws.create_tables("audit-trail", "history", "status", "runs")
    nameless = recorded("rotation-abandoned")
    nameless["detail"]["additionalEventData"] = None

    deployed("handlers.trail.writer.handler")
    record(aws, context, monkeypatch, recorded("rotation-failed"), recorded("rotation-succeeded"), nameless, "{")
    deployed("handlers.remediation.claim.handler")
    incidents = [scene.open(scene.secret()) for _ in range(6)]
    outcomes = ("recovered by AWS", "recovered by retry", "rolled forward", "fallen back", "escalated", "held")
    deployed("handlers.remediation.end.handler")
    for incident, outcome in zip(incidents, outcomes, strict=True):
        end(context, incident, outcome)
    deployed("handlers.remediation.claim.handler")
    scene.claim(succeeded(incidents[4]["secret_arn"], at="2999-01-01T00:00:00Z"), f"{EXECUTION}-2", iso_now())
    deployed("handlers.audit.check.handler")
    check.handler({}, context)

    wanted, found = named(prod), emitted()
    assert len(wanted) > 15
    assert {metric[1] for metric in wanted - found.keys()} == set()
    assert {name for _, name, _ in found} <= set(MetricName)


def iso_now():
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def values(emitted):
    """The values of each metric by its name alone."""
    return {name: counted for (_, name, _), counted in emitted().items()}


def test_an_incident_is_counted_once_however_often_its_steps_run(scene, context, emitted):
    arn = scene.secret()
    for _ in range(2):
        incident = scene.claim(build_signal(arn))["incident"]
    scene.claim(build_signal(arn, event="event-2"))
    assert values(emitted) == {"IncidentsOpened": [1]}

    for _ in range(2):
        assert end(context, incident, "escalated")["state"] == "mine"
    assert end(context, incident, "held")["state"] == "mine"

    # That it was escalated is no recovery.
    assert values(emitted) == {"IncidentsEscalated": [1]}


@pytest.mark.parametrize("outcome", ["recovered by AWS", "recovered by retry", "rolled forward", "fallen back"])
def test_a_recovery_takes_from_the_opening_to_the_end(scene, context, emitted, outcome):
    opened_at = datetime.now(UTC) - timedelta(minutes=30)
    arn = scene.secret()
    incident = scene.claim(build_signal(arn), started_at=opened_at.isoformat())["incident"]
    emitted()
    ended_at = (opened_at + timedelta(seconds=1234)).isoformat()
    ending = {"outcome": outcome, "reason": "", "restarts": [], "version": None}

    remediation_end.handler(
        {"execution": EXECUTION, "incident": incident, "ending": ending, "entered_at": ended_at}, context
    )

    counted = values(emitted)
    assert counted.pop("SecondsToRecovery") == [pytest.approx(1234)]
    assert list(counted.values()) == [[1]]


def test_an_end_that_another_execution_reached_first_is_not_counted(scene, context, emitted):
    incident = scene.open(scene.secret())
    end(context, incident, "escalated")
    emitted()
    ending = {"outcome": "recovered by AWS", "reason": "", "restarts": [], "version": None}

    remediation_end.handler({"execution": f"{EXECUTION}-2", "incident": incident, "ending": ending}, context)

    assert values(emitted) == {}


def test_a_rotation_is_counted_when_it_is_recorded_for_the_first_time(
    aws, context, deployed, recorded, emitted, monkeypatch
):
    aws.create_tables("audit-trail", "status")
    deployed("handlers.trail.writer.handler")
    copy = recorded("rotation-failed")
    copy["id"] = "another-delivery"
    started = recorded("rotation-started")

    record(aws, context, monkeypatch, recorded("rotation-failed"), copy, recorded("rotation-abandoned"), started)

    counted = values(emitted)
    assert counted["RotationsFailed"] == [1, 1]
    assert "RotationsSucceeded" not in counted


@pytest.mark.parametrize("opened", [0, 3])
def test_an_audit_counts_the_incidents_that_are_open(aws, scene, context, deployed, emitted, opened):
    aws.create_tables("audit-trail", "history", "status", "runs")
    for _ in range(opened):
        scene.open(scene.secret())
    emitted()
    deployed("handlers.audit.check.handler")

    check.handler({}, context)

    assert values(emitted)["IncidentsOpen"] == [opened]


def test_open_incidents_that_cannot_be_counted_are_not_said_to_be_none(
    aws, scene, context, deployed, emitted, monkeypatch
):
    aws.create_tables("audit-trail", "history", "status", "runs")
    monkeypatch.setenv("INCIDENTS_TABLE_NAME", "")
    deployed("handlers.audit.check.handler")

    check.handler({}, context)

    assert "IncidentsOpen" not in values(emitted)
