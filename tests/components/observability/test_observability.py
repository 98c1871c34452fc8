"""What is monitored and when it pages: no part of the product fails unnoticed, and each cause pages once."""

import json
import re

import pytest

from components.observability.observability import Observability
from tests.components.samples.everything import EVERYTHING

METRIC, COMPOSITE = "aws:cloudwatch/metricAlarm:MetricAlarm", "aws:cloudwatch/compositeAlarm:CompositeAlarm"
QUEUE, TOPIC, FUNCTION = "aws:sqs/queue:Queue", "aws:sns/topic:Topic", "aws:lambda/function:Function"
RULE, MACHINE = "aws:cloudwatch/eventRule:EventRule", "aws:sfn/stateMachine:StateMachine"
GROUP, DASHBOARD = "aws:scheduler/scheduleGroup:ScheduleGroup", "aws:cloudwatch/dashboard:Dashboard"
MINUTE, HOUR, DAY = 60, 3600, 86_400
SUBJECTS = {
    "throttled-functions",
    "events-not-delivered",
    "events-not-recorded",
    "audit-not-running",
    "remediation-not-acting",
    "notices-not-delivered",
}


@pytest.fixture(scope="module")
def plain(guard):
    return guard()


@pytest.fixture(scope="module")
def full(guard):
    return guard(**EVERYTHING)


def alarm_dimensions(recording, metric):
    """The values of the dimension of each alarm on this metric."""
    alarms = [resource.inputs for resource in recording.of_type(METRIC) if resource.inputs["metricName"] == metric]
    return [value for alarm in alarms for value in alarm["dimensions"].values()]


def alarm(recording, name):
    return recording.named(METRIC, f"guard-observability-{name}").inputs


def page(recording, subject):
    return recording.named(COMPOSITE, f"guard-observability-{subject}").inputs


def children(inputs):
    """The logical names of the alarms in a rule."""
    names = re.findall(r'(?:ALARM|OK)\("guard-observability-([^"]+)-0a1b2c3"\)', inputs["alarmRule"])
    assert len(names) == inputs["alarmRule"].count('("')
    return names


@pytest.mark.parametrize("size", ["plain", "full"])
def test_every_dead_letter_queue_has_an_alarm(size, request):
    recording = request.getfixturevalue(size)
    dead = [resource.outputs["name"] for resource in recording.of_type(QUEUE) if "dead-letters" in resource.name]

    assert len(dead) == {"plain": 4, "full": 8}[size]
    assert sorted(alarm_dimensions(recording, "ApproximateNumberOfMessagesVisible")) == sorted(dead)


@pytest.mark.parametrize("metric", ["FailedInvocations", "InvocationsFailedToBeSentToDlq"])
def test_every_rule_has_alarms_including_extra_rules(full, metric):
    rules = [resource.outputs["name"] for resource in full.of_type(RULE)]

    assert any("extra" in name for name in rules)
    assert sorted(alarm_dimensions(full, metric)) == sorted(rules)


@pytest.mark.parametrize("metric", ["Errors", "Throttles"])
def test_every_function_but_those_of_the_demo_has_alarms(full, metric):
    functions = [resource.outputs["name"] for resource in full.of_type(FUNCTION) if "-demo-" not in resource.name]

    assert len(functions) > 10
    assert sorted(alarm_dimensions(full, metric)) == sorted(functions)


def test_the_topics_the_workflow_and_the_schedule_have_alarms(full):
    topics = [resource.outputs["name"] for resource in full.of_type(TOPIC)]
    [machine] = full.of_type(MACHINE)
    # A canary that is dropped is missed by the alarm on canaries.
    groups = [group for group in full.of_type(GROUP) if group.name != "guard-canary"]

    assert len(topics) == 5
    assert len(groups) == 2
    assert sorted(alarm_dimensions(full, "NumberOfNotificationsFailed")) == sorted(topics)
    for metric in ("ExecutionsFailed", "ExecutionsAborted", "ExecutionsTimedOut"):
        assert alarm_dimensions(full, metric) == [machine.arn]
    for metric in ("InvocationDroppedCount", "InvocationsFailedToBeSentToDeadLetterCount"):
        assert alarm_dimensions(full, metric) == [group.outputs["name"] for group in groups]


def test_metric_alarms_have_no_actions_and_each_belongs_to_one_composite_alarm(full):
    referenced = [name for subject in full.of_type(COMPOSITE) for name in children(subject.inputs)]
    metrics = [resource.name.removeprefix("guard-observability-") for resource in full.of_type(METRIC)]

    assert sorted(referenced) == sorted(metrics)
    assert all(
        "alarmActions" not in resource.inputs and "okActions" not in resource.inputs
        for resource in full.of_type(METRIC)
    )


def test_each_composite_alarm_notifies_when_it_starts_and_ends(plain, full):
    critical = plain.named(TOPIC, "guard-critical").arn

    assert {resource.name.removeprefix("guard-observability-") for resource in plain.of_type(COMPOSITE)} == SUBJECTS
    for resource in plain.of_type(COMPOSITE):
        assert resource.inputs["alarmActions"] == resource.inputs["okActions"] == [critical]
    assert len(full.of_type(COMPOSITE)) == len(SUBJECTS) + 1


def test_a_broken_writer_pages_once(plain):
    """All its symptoms are one page: errors, age of the oldest event, events that are not recorded, dead letters."""
    shown = {"writer-errors", "oldest-event", "events-unrecorded", "unrecorded-events"}

    assert shown <= set(children(page(plain, "events-not-recorded")))


def test_throttling_suppresses_the_alarms_that_it_causes(plain):
    cause = page(plain, "throttled-functions")

    assert {name.rpartition("-")[2] for name in children(cause)} == {"throttles"}
    for subject in ("events-not-recorded", "audit-not-running", "remediation-not-acting"):
        assert page(plain, subject)["actionsSuppressor"]["alarm"] == cause["alarmName"]
        assert not any("throttles" in name for name in children(page(plain, subject)))
    for subject in ("throttled-functions", "events-not-delivered", "notices-not-delivered"):
        assert "actionsSuppressor" not in page(plain, subject)


def test_an_error_that_a_retry_repaired_pages_nobody(plain):
    """Lambda tries an asynchronous call three times, Step Functions six times, and the queue redelivers a message."""
    thresholds = {
        resource.name.removeprefix("guard-observability-").removesuffix("-errors"): resource.inputs["threshold"]
        for resource in plain.of_type(METRIC)
        if resource.inputs["metricName"] == "Errors"
    }

    steps = {"claim", "diagnose", "decide", "end", "notify"}
    assert thresholds == {"writer": 3, "check": 3, "start": 3, **dict.fromkeys(steps, 6)}
    assert alarm(plain, "events-unrecorded")["evaluationPeriods"] == 2


def test_the_alarm_on_the_oldest_event_fires_before_sqs_omits_the_message(plain):
    """SQS omits messages that were received more than three times: at most after three visibility timeouts."""
    visibility = plain.named(QUEUE, "guard-trail-events").inputs["visibilityTimeoutSeconds"]
    oldest = alarm(plain, "oldest-event")

    assert oldest["dimensions"] == {"QueueName": plain.named(QUEUE, "guard-trail-events").outputs["name"]}
    # Later than after one retry, so that an event that it repairs pages nobody.
    assert visibility < oldest["threshold"] < 3 * visibility


@pytest.mark.parametrize(
    ("expression", "period", "count"),
    [
        ("rate(1 minute)", MINUTE, 3),
        ("rate(1 hour)", HOUR, 3),
        ("rate(1 day)", DAY, 3),
        ("rate(30 hours)", DAY, 4),
        ("rate(2 days)", DAY, 6),
        ("rate(56 hours)", DAY, 7),
        ("cron(*/40 * * * ? *)", 40 * MINUTE, 3),
        # It pauses at night: three times fourteen hours, not three hours, which would page every evening.
        ("cron(0 8-18 * * ? *)", 14 * HOUR, 3),
        ("cron(0 6 ? * MON,WED,FRI,SUN *)", DAY, 6),
    ],
)
def test_the_alarm_on_missing_audits_fires_after_three_periods_within_aws_limits(
    deploy_observability, expression, period, count
):
    recording = deploy_observability(schedule_expression=expression)

    for name in ("no-complete-audit", "no-audit-yet"):
        inputs = recording.named(METRIC, f"monitoring-{name}").inputs
        assert (inputs["period"], inputs["evaluationPeriods"]) == (period, count)
    assert period * count <= (7 * DAY if period >= HOUR else DAY)


@pytest.mark.parametrize("expression", ["rate(57 hours)", "rate(3 days)", "cron(0 6 ? * MON *)"])
def test_an_audit_too_rare_for_the_alarm_on_missing_audits_has_its_other_alarms(deploy_observability, expression):
    recording = deploy_observability(schedule_expression=expression, max_overdue=3)

    names = {resource.name for resource in recording.of_type(METRIC)}
    assert {"monitoring-no-complete-audit", "monitoring-no-audit-yet"}.isdisjoint(names)
    assert {"monitoring-failed-audits", "monitoring-check-errors", "monitoring-schedule-dropped"} <= names
    overdue = recording.named(METRIC, "monitoring-overdue-secrets").inputs
    assert (overdue["period"], overdue["evaluationPeriods"]) == (DAY, 1)


def test_missing_audits_fire_an_alarm_but_not_before_the_first_audit_of_a_stack(plain):
    """What CloudWatch's own table of missing data says of three periods: all missing is ALARM with `breaching`, and
    with `ignore` whatever it was before; one good value and two missing is OK with either.

    https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/alarms-and-missing-data.html
    """
    missing_audits, first_audit = alarm(plain, "no-complete-audit"), alarm(plain, "no-audit-yet")

    for inputs in (missing_audits, first_audit):
        assert (inputs["metricName"], inputs["statistic"]) == ("AuditRunsComplete", "Sum")
        assert inputs["comparisonOperator"] == "LessThanThreshold"
    assert (missing_audits["threshold"], missing_audits["treatMissingData"]) == (1, "breaching")
    # No sum of zeros and ones is below 0: any audit that has ended is a good value, be it complete or not.
    assert (first_audit["threshold"], first_audit["treatMissingData"]) == (0, "ignore")
    rule = page(plain, "audit-not-running")["alarmRule"]
    names = {name: f"guard-observability-{name}-0a1b2c3" for name in ("no-complete-audit", "no-audit-yet")}
    assert f'(ALARM("{names["no-complete-audit"]}") AND OK("{names["no-audit-yet"]}"))' in rule
    assert rule.count("no-complete-audit") == rule.count("no-audit-yet") == 1


def test_missing_data_of_metrics_of_aws_is_not_breaching(full):
    ours = {"AuditRunsComplete", "SecretsFlagged", "CanaryEventsRecorded"}
    others = [resource.inputs for resource in full.of_type(METRIC) if resource.inputs["metricName"] not in ours]

    assert len(others) > 50
    assert {inputs["treatMissingData"] for inputs in others} == {"notBreaching"}


@pytest.mark.parametrize(
    ("limit", "has_alarm"), [(0, True), (7, True), (499_999, True), (500_000, False), (None, False)]
)
def test_an_alarm_fires_on_more_overdue_secrets_than_max_overdue(deploy_observability, limit, has_alarm):
    recording = deploy_observability(**({} if limit is None else {"max_overdue": limit}))

    overdue = [
        resource.inputs for resource in recording.of_type(METRIC) if resource.inputs["metricName"] == "SecretsFlagged"
    ]
    pages = [resource.name for resource in recording.of_type(COMPOSITE)]
    assert ("monitoring-too-many-overdue" in pages) == has_alarm == bool(overdue)
    for inputs in overdue:
        assert (inputs["comparisonOperator"], inputs["threshold"]) == ("GreaterThanThreshold", limit)
        # Between two audits there is no data: the alarm neither fires again nor ends.
        assert (inputs["statistic"], inputs["treatMissingData"]) == ("Maximum", "ignore")


def test_it_can_be_deployed_alone_and_outputs_the_url_of_its_dashboard(deploy_observability):
    recording = deploy_observability()
    [made] = recording.of_type(DASHBOARD)

    assert recording.outputs["dashboard_url"] == (
        "https://eu-west-1.console.aws.amazon.com/cloudwatch/home?region=eu-west-1"
        f"#dashboards/dashboard/{made.inputs['dashboardName']}"
    )
    assert len({resource.inputs["alarmName"] for resource in recording.of_type(COMPOSITE)}) == len(SUBJECTS)


@pytest.mark.parametrize(
    ("partition", "region", "host"),
    [
        ("aws", "eu-west-1", "eu-west-1.console.aws.amazon.com"),
        ("aws-cn", "cn-north-1", "cn-north-1.console.amazonaws.cn"),
        ("aws-us-gov", "us-gov-west-1", "us-gov-west-1.console.amazonaws-us-gov.com"),
    ],
)
def test_the_url_of_the_dashboard_is_in_its_own_partition(deploy_observability, partition, region, host):
    machine = f"arn:{partition}:states:{region}:111122223333:stateMachine:remediation"

    url = deploy_observability(state_machine_arn=machine).outputs["dashboard_url"]

    assert url.startswith(f"https://{host}/cloudwatch/home?region={region}#dashboards/dashboard/")


def test_alarms_link_to_the_configured_runbook(full):
    alarms = [*full.of_type(METRIC), *full.of_type(COMPOSITE)]

    assert alarms
    for alarm in alarms:
        assert re.search(r"\S\. https://example\.com/runbook#[a-z-]+$", alarm.inputs["alarmDescription"])


def test_the_alarm_on_events_without_a_secret_says_who_cannot_use_them(plain):
    # It reaches the failures topic, the audit trail and, if a rotation failed, a notification on the remediation topic.
    description = alarm(plain, "events-without-secret")["alarmDescription"]

    assert description.startswith(
        "An event of Secrets Manager names no secret: remediation and the audit cannot use it."
    )


def test_the_dashboard_shows_all_alarms_and_the_metrics_that_the_on_call_needs(full):
    [made] = full.of_type(DASHBOARD)
    widgets = json.loads(made.inputs["dashboardBody"])["widgets"]
    [alarms] = [widget["properties"]["alarms"] for widget in widgets if widget["type"] == "alarm"]
    shown = {
        metric[1] for widget in widgets if widget["type"] == "metric" for metric in widget["properties"]["metrics"]
    }

    assert set(alarms) == {resource.arn for resource in full.of_type(COMPOSITE)}
    assert shown == {
        "IncidentsOpen",
        "IncidentsOpened",
        "IncidentsRecoveredByAws",
        "IncidentsRecoveredByRetry",
        "IncidentsRolledForward",
        "IncidentsFallenBack",
        "IncidentsEscalated",
        "IncidentsHeld",
        "IncidentsResolved",
        "SecondsToRecovery",
        "RotationsFailed",
        "RotationsSucceeded",
        "SecretsFlagged",
        "SecretsUnknown",
        "AuditRunsComplete",
        "ApproximateAgeOfOldestMessage",
        "ApproximateNumberOfMessagesVisible",
    }


def test_the_dashboard_shows_the_headline_of_the_last_audit(full):
    [made] = full.of_type(DASHBOARD)
    [check] = [one for one in full.of_type("aws:lambda/function:Function") if one.name.endswith("-check")]

    [shown] = [widget for widget in json.loads(made.inputs["dashboardBody"])["widgets"] if widget["type"] == "log"]

    assert f"SOURCE '/aws/lambda/{check.outputs['name']}'" in shown["properties"]["query"]
    assert "headline" in shown["properties"]["query"]


def test_the_body_of_the_dashboard_is_what_cloudwatch_accepts(full):
    """https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/CloudWatch-Dashboard-Body-Structure.html."""
    [made] = full.of_type(DASHBOARD)
    body = json.loads(made.inputs["dashboardBody"])

    assert body.keys() == {"widgets"}
    assert re.fullmatch(r"[A-Za-z0-9_-]{1,255}", made.inputs["dashboardName"])
    occupied = set()
    for widget in body["widgets"]:
        assert widget.keys() == {"type", "x", "y", "width", "height", "properties"}
        assert 0 <= widget["x"] <= widget["x"] + widget["width"] <= 24
        cells = {
            (x, y)
            for x in range(widget["x"], widget["x"] + widget["width"])
            for y in range(widget["y"], widget["y"] + widget["height"])
        }
        assert occupied.isdisjoint(cells)
        occupied |= cells
        properties = widget["properties"]
        match widget["type"]:
            case "text":
                assert properties.keys() == {"markdown"}
            case "alarm":
                assert 1 <= len(properties["alarms"]) <= 100
                assert all(arn.startswith("arn:aws:cloudwatch:") for arn in properties["alarms"])
            case "log":
                assert properties.keys() == {"title", "region", "view", "query"}
                assert properties["view"] in ("table", "timeSeries", "bar", "pie")
                assert re.match(r"SOURCE '/aws/lambda/[A-Za-z0-9_-]{1,64}' \| fields ", properties["query"])
            case "metric":
                assert properties["view"] in ("timeSeries", "singleValue", "gauge", "bar", "pie", "table")
                assert properties["stat"] in ("Sum", "Average", "Maximum", "Minimum", "SampleCount")
                assert properties["region"] == "eu-west-1"
                assert properties["period"] % 60 == 0
                for namespace, name, *dimensions, options in properties["metrics"]:
                    assert isinstance(namespace, str)
                    assert isinstance(name, str)
                    assert len(dimensions) in (2, 4)
                    assert all(isinstance(part, str) for part in dimensions)
                    assert options.keys() == {"label"}
            case other:
                pytest.fail(f"CloudWatch knows no widget {other}")


@pytest.fixture(scope="module")
def deploy_observability(deploy):
    """Deploys Observability alone, over resources of another program."""
    functions = {name: {"function_name": f"f-{name}", "service": f"s-{name}"} for name in ("start", "claim", "end")}
    args = {
        "alarms_topic_arn": "arn:aws:sns:eu-west-1:111122223333:critical",
        "rule_names": {"failed": "r-failed"},
        "undelivered_events_queue_name": "q-undelivered",
        "audit_queue_name": "q-events",
        "unrecorded_events_queue_name": "q-unrecorded",
        "writer": {"function_name": "f-writer", "service": "s-writer"},
        "check": {"function_name": "f-check", "service": "s-check"},
        "schedule_group_name": "g",
        "failed_audits_queue_name": "q-failed",
        "steps": functions,
        "state_machine_arn": "arn:aws:states:eu-west-1:111122223333:stateMachine:remediation",
        "unstarted_remediations_queue_name": "q-unstarted",
        "topic_names": {"critical": "t-critical"},
    }
    return lambda **more: deploy(Observability, "monitoring", {**args, **more})
