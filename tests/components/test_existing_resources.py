"""What exists already is used instead of made, and its own policies are left alone."""

import json

import pulumi
import pytest

from components.events.rotation_events import RotationEvents
from components.existing_resources import ExistingResourcesArgs
from components.observability.observability import Observability
from components.rotation_guard import RotationGuard
from components.settings.validation import InvalidSettings

AT = "eu-west-1:111122223333"
EXISTING = {
    "failures_topic_arn": f"arn:aws:sns:{AT}:their-failures",
    "remediation_topic_arn": f"arn:aws:sns:{AT}:their-notices",
    "critical_topic_arn": f"arn:aws:sns:{AT}:their-pager",
    "audit_queue_arn": f"arn:aws:sqs:{AT}:their-queue",
    "audit_queue_url": "https://sqs.eu-west-1.amazonaws.com/111122223333/their-queue",
    "audit_trail_table_arn": f"arn:aws:dynamodb:{AT}:table/their-trail",
    "status_table_arn": f"arn:aws:dynamodb:{AT}:table/their-status",
    "incidents_table_arn": f"arn:aws:dynamodb:{AT}:table/their-incidents",
    "event_bus_name": "their-bus",
}
REPLACED = {
    "failures_topic_arn": {"guard-failures"},
    "remediation_topic_arn": {"guard-remediation"},
    "critical_topic_arn": {"guard-critical"},
    "audit_queue_arn": {"guard-trail-events", "guard-trail-dead-letters"},
    "audit_trail_table_arn": {"guard-trail-record"},
    "status_table_arn": {"guard-audit-status"},
    "incidents_table_arn": {"guard-repair-incidents"},
    "event_bus_name": set(),
}
"""What each takes the place of, by logical names."""
OWN = ("aws:sns/topic:Topic", "aws:sqs/queue:Queue", "aws:dynamodb/table:Table")
MAIL = {"topic": "critical", "protocol": "sqs", "endpoint": f"arn:aws:sqs:{AT}:pager"}


def select_existing(what):
    names = ("audit_queue_arn", "audit_queue_url") if what == "audit_queue_arn" else (what,)
    return {name: EXISTING[name] for name in names}


def list_own(recording):
    return {resource.name for kind in OWN for resource in recording.of_type(kind)}


def list_texts(recording):
    return [json.dumps(resource.inputs, default=str) for resource in recording.custom()]


def test_there_is_a_case_for_everything_that_may_exist():
    assert set(EXISTING) == set(ExistingResourcesArgs.__annotations__)
    assert {*REPLACED, "audit_queue_url"} == set(EXISTING)


@pytest.mark.parametrize("what", REPLACED)
def test_what_exists_takes_the_place_of_what_would_be_made(guard, what):
    plain, recording = guard(), guard(existing=select_existing(what))

    assert list_own(plain) - list_own(recording) == REPLACED[what]
    assert list_own(recording) <= list_own(plain)
    name = EXISTING[what].rpartition("/")[2].rpartition(":")[2]
    assert [text for text in list_texts(recording) if name in text]
    # Nothing refers to what is not there.
    replaced = [own.arn for kind in OWN for own in plain.of_type(kind) if own.name in REPLACED[what]]
    assert not [text for text in list_texts(recording) if any(f'{arn}"' in text for arn in replaced)]


def test_everything_may_exist_at_once_even_if_it_is_known_only_later(deploy):
    def args():
        existing = {name: pulumi.Output.from_input(value) for name, value in EXISTING.items()}
        return {"existing": existing, "subscriptions": [MAIL]}

    recording = deploy(RotationGuard, "guard", args)

    assert {name for name in list_own(recording) if not name.endswith("-dead-letters")} == {
        "guard-audit-history",
        "guard-audit-runs",
    }
    outputs = recording.outputs
    for output in ("failures_topic_arn", "remediation_topic_arn", "critical_topic_arn", "audit_queue_url"):
        assert outputs[output] == EXISTING[output]
    assert outputs["incidents_table_name"] == "their-incidents"
    assert outputs["audit_trail_table_name"] == "their-trail"
    assert outputs["status_table_name"] == "their-status"
    assert "unrecorded_events_dead_letters_url" not in outputs
    assert outputs["event_bus_name"] == "their-bus"
    assert outputs["existing_arns"] == {name: arn for name, arn in EXISTING.items() if name.endswith("_arn")}


def test_the_policy_of_what_exists_is_left_to_its_owner(guard):
    recording = guard(existing=EXISTING, subscriptions=[MAIL])

    policies = [
        *recording.of_type("aws:sns/topicPolicy:TopicPolicy"),
        *recording.of_type("aws:sqs/queuePolicy:QueuePolicy"),
    ]
    assert policies
    assert not [policy.name for policy in policies if "their-" in json.dumps({**policy.inputs, "policy": ""})]


def test_rules_on_another_bus_have_their_targets_there(guard):
    recording = guard(existing=select_existing("event_bus_name"))

    for kind in ("aws:cloudwatch/eventRule:EventRule", "aws:cloudwatch/eventTarget:EventTarget"):
        assert {resource.inputs["eventBusName"] for resource in recording.of_type(kind)} == {"their-bus"}


@pytest.mark.parametrize(
    ("bus", "dimension"),
    [
        (lambda: "their-bus", {"EventBusName": "their-bus"}),
        (lambda: pulumi.Output.from_input("their-bus"), {"EventBusName": "their-bus"}),
        (lambda: f"arn:aws:events:{AT}:event-bus/their-bus", {"EventBusName": "their-bus"}),
        (lambda: "default", {}),
    ],
    ids=["a name", "a name that is known later", "an ARN", "the default bus"],
)
def test_alarms_on_rules_of_another_bus_name_the_bus(deploy, bus, dimension):
    """https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-monitoring.html"""
    recording = deploy(RotationGuard, "guard", lambda: {"existing": {"event_bus_name": bus()}})

    alarms = [alarm.inputs for alarm in recording.of_type("aws:cloudwatch/metricAlarm:MetricAlarm")]
    of_rules = [alarm["dimensions"] for alarm in alarms if alarm["namespace"] == "AWS/Events"]
    names = {rule.outputs["name"] for rule in recording.of_type("aws:cloudwatch/eventRule:EventRule")}
    assert {dimensions["RuleName"] for dimensions in of_rules} == names
    assert all(dimensions == {**dimension, "RuleName": dimensions["RuleName"]} for dimensions in of_rules)


@pytest.mark.parametrize(
    ("existing", "complaint"),
    [
        (None, "existing must be a map of failures_topic_arn, "),
        ("x", "existing must be a map of failures_topic_arn, "),
        ({"topic_arn": "x"}, "existing.topic_arn is not one of existing; did you mean "),
        ({"failures_topic_arn": 5}, "existing.failures_topic_arn must be text, got 5"),
        (
            {"failures_topic_arn": "failures"},
            "existing.failures_topic_arn must be the ARN of a standard SNS topic, got",
        ),
        (
            {"critical_topic_arn": f"arn:aws:sns:{AT}:pager.fifo"},
            "existing.critical_topic_arn must be the ARN of a standard SNS topic, got",
        ),
        (
            {"status_table_arn": f"arn:aws:dynamodb:{AT}:table/status/index/attention"},
            "existing.status_table_arn must be the ARN of a table of DynamoDB, got",
        ),
        (
            {"audit_queue_arn": EXISTING["audit_queue_arn"]},
            "existing.audit_queue_arn and audit_queue_url must be given together, got audit_queue_arn alone",
        ),
    ],
)
def test_what_cannot_exist_is_refused_before_anything_is_made(run, existing, complaint):
    refusals = []

    def program():
        with pytest.raises(InvalidSettings) as refused:
            RotationGuard("guard", {"existing": existing})
        refusals.append(refused.value.complaints)

    assert run(program).resources == []
    [[only]] = refusals
    assert only.startswith(complaint)


@pytest.mark.parametrize("what", [name for name in EXISTING if name.endswith("_arn")])
def test_what_exists_in_another_region_is_refused_with_its_path(deploy, what):
    elsewhere = {**select_existing(what), what: EXISTING[what].replace("eu-west-1", "us-east-1")}

    with pytest.raises(InvalidSettings) as refused:
        deploy(RotationGuard, "guard", {"existing": elsewhere}, config={"aws:region": "eu-west-1"})

    [complaint] = refused.value.complaints
    assert complaint.startswith(f"existing.{what} must be in the stack's Region, eu-west-1, got ")


def test_what_exists_in_several_regions_is_refused_where_the_stacks_is_not_known(deploy, monkeypatch):
    for name in ("AWS_REGION", "AWS_DEFAULT_REGION"):
        monkeypatch.delenv(name, raising=False)
    there = EXISTING["remediation_topic_arn"].replace("eu-west-1", "us-east-1")

    with pytest.raises(InvalidSettings) as refused:
        deploy(
            RotationGuard,
            "guard",
            {"existing": {**select_existing("failures_topic_arn"), "remediation_topic_arn": there}},
        )

    [complaint] = refused.value.complaints
    assert complaint.startswith(
        "existing.remediation_topic_arn must be in the Region of existing.failures_topic_arn, eu-west-1, as both have "
    )


def test_a_table_of_another_account_is_refused_as_functions_find_it_by_its_name(deploy):
    config = {"aws:region": "eu-west-1", "aws:allowedAccountIds": '["444455556666"]'}

    with pytest.raises(InvalidSettings) as refused:
        deploy(RotationGuard, "guard", {"existing": select_existing("audit_trail_table_arn")}, config=config)

    [complaint] = refused.value.complaints
    assert complaint.startswith("existing.audit_trail_table_arn must be in the stack's account, 444455556666, got ")
    assert deploy(RotationGuard, "guard", {"existing": select_existing("critical_topic_arn")}, config=config).resources


@pytest.mark.parametrize("what", EXISTING)
def test_what_turns_out_to_be_something_else_is_refused_with_its_path(deploy, what):
    with pytest.raises(InvalidSettings) as refused:
        deploy(
            RotationGuard,
            "guard",
            lambda: {"existing": {**EXISTING, what: pulumi.Output.from_input("no such thing")}},
        )

    [complaint] = refused.value.complaints
    assert complaint.startswith(f"existing.{what} must be the ")
    assert complaint.endswith(", got an Output with another value")


def test_events_go_to_the_destinations_that_are_given(deploy):
    topic = EXISTING["failures_topic_arn"]

    recording = deploy(RotationEvents, "events", {"failures_topic_arn": topic})

    rules = [rule.name for rule in recording.of_type("aws:cloudwatch/eventRule:EventRule")]
    targets = recording.of_type("aws:cloudwatch/eventTarget:EventTarget")
    assert rules == ["events-failed", "events-stuck"]
    assert {target.inputs["arn"] for target in targets} == {topic}
    assert len(targets) == 2
    assert recording.of_type("aws:lambda/permission:Permission") == []


def test_only_what_is_given_is_watched(deploy):
    args = {"alarms_topic_arn": EXISTING["critical_topic_arn"], "topic_names": {"failures": "their-failures"}}

    recording = deploy(Observability, "watch", args)

    assert [alarm.name for alarm in recording.of_type("aws:cloudwatch/metricAlarm:MetricAlarm")] == [
        "watch-topic-failures-failed"
    ]
    assert [alarm.name for alarm in recording.of_type("aws:cloudwatch/compositeAlarm:CompositeAlarm")] == [
        "watch-notices-not-delivered"
    ]
    assert len(recording.of_type("aws:cloudwatch/dashboard:Dashboard")) == 1
