"""A member forwards its own events, keeps what does not arrive, and rings."""

import json

import pytest
from moto.events.models import EventPattern

from components.organization.member import Member
from components.settings.validation import InvalidSettings
from tests.organization_events import transition_event, wrap

RULE, TARGET = "aws:cloudwatch/eventRule:EventRule", "aws:cloudwatch/eventTarget:EventTarget"
QUEUE, QUEUE_POLICY = "aws:sqs/queue:Queue", "aws:sqs/queuePolicy:QueuePolicy"
FUNCTION, ROLE = "aws:lambda/function:Function", "aws:iam/role:Role"
ROLE_POLICY = "aws:iam/rolePolicy:RolePolicy"
SCHEDULE = "aws:scheduler/schedule:Schedule"
ALARM, COMPOSITE = "aws:cloudwatch/metricAlarm:MetricAlarm", "aws:cloudwatch/compositeAlarm:CompositeAlarm"
ACCOUNT, OTHER = "111122223333", "444455556666"
HUB = "arn:aws:events:eu-central-1:999900009999:event-bus/hub"
TOPIC = "arn:aws:sns:eu-west-1:111122223333:critical"
ARGS = {"hub_event_bus_arn": HUB, "alarms_topic_arn": TOPIC}
FORWARDED = {
    "rotation-failed": True,
    "rotation-abandoned": True,
    "test-rotation-failed": True,
    "rotation-stuck": True,
    "rotation-started": True,
    "rotation-succeeded": True,
    "put-secret-value": True,
    "secret-label-updated": True,
    "get-secret-value": False,
    "instance-stopped": False,
    "incident-stalled": False,
}
"""Whether each recorded event goes to the hub."""


@pytest.fixture(scope="module")
def member(deploy):
    return deploy(Member, "member", ARGS)


def matching_rules(recording, event):
    """The rules that match, by the matcher of moto, which is not ours."""
    return [
        rule.name
        for rule in recording.of_type(RULE)
        if EventPattern.load(rule.inputs["eventPattern"]).matches_event(event)
    ]


@pytest.mark.parametrize("name", FORWARDED)
def test_an_event_is_forwarded_once_or_not_at_all(member, recorded, name):
    assert len(matching_rules(member, recorded(name))) == FORWARDED[name]


@pytest.mark.parametrize("name", ["opened", "retried", "recovered", "escalated", "held", "resolved"])
def test_a_transition_of_an_incident_is_forwarded_once(member, name):
    assert matching_rules(member, transition_event(name, account=ACCOUNT)) == ["member-reports"]


@pytest.mark.parametrize("detail_type", ["Secret Status Changed", "Rotation Audit Finished"])
def test_what_the_audit_found_is_forwarded_once(member, detail_type):
    event = {**transition_event("opened", account=ACCOUNT), "detail-type": detail_type}

    assert matching_rules(member, event) == ["member-reports"]


@pytest.mark.parametrize("name", FORWARDED)
def test_an_event_from_another_account_is_never_forwarded_again(member, recorded, name):
    assert matching_rules(member, {**recorded(name), "account": OTHER}) == []
    assert matching_rules(member, transition_event("opened", account=OTHER)) == []


def test_a_redelivered_event_is_not_forwarded(member, recorded):
    assert matching_rules(member, wrap(recorded("rotation-failed"), account=ACCOUNT)) == []


def test_drills_are_forwarded_only_where_they_are_on(deploy, member, recorded):
    drill = {**recorded("rotation-failed"), "source": "rotation-guard.drill"}

    assert matching_rules(member, drill) == []
    assert matching_rules(deploy(Member, "member", {**ARGS, "drill": True}), drill) == ["member-rotations"]


def test_every_rule_sends_the_event_as_it_is_to_the_hubs_bus_with_a_role_and_dead_letters(member):
    dead_letters, role = member.named(QUEUE, "member-dead-letters"), member.named(ROLE, "member-forward")
    targets = member.of_type(TARGET)

    assert {target.inputs["rule"] for target in targets} == {rule.outputs["name"] for rule in member.of_type(RULE)}
    for target in targets:
        assert target.inputs["arn"] == HUB
        assert target.inputs["roleArn"] == role.arn
        assert target.inputs["deadLetterConfig"] == {"arn": dead_letters.arn}
        assert {"input", "inputPath", "inputTransformer"}.isdisjoint(target.inputs)
        assert {
            member.named(ROLE_POLICY, "member-forward").urn,
            member.named(QUEUE_POLICY, "member-dead-letters").urn,
        } <= target.depends_on


def test_only_eventbridge_for_these_rules_of_this_account_assumes_the_role_and_may_only_put_events_on_the_bus(member):
    rules = [rule.arn for rule in member.of_type(RULE)]

    # https://docs.aws.amazon.com/eventbridge/latest/userguide/cross-service-confused-deputy-prevention.html
    assert member.named(ROLE, "member-forward").policy("assumeRolePolicy") == [
        {
            "Effect": "Allow",
            "Principal": {"Service": "events.amazonaws.com"},
            "Action": "sts:AssumeRole",
            "Condition": {"StringEquals": {"aws:SourceAccount": ACCOUNT}, "ArnEquals": {"aws:SourceArn": rules}},
        }
    ]
    assert member.named(ROLE_POLICY, "member-forward").policy() == [
        {"Effect": "Allow", "Action": "events:PutEvents", "Resource": HUB}
    ]


def test_the_dead_letters_admit_these_rules_are_kept_for_14_days_and_are_hidden_while_they_are_redelivered(member):
    dead_letters = member.named(QUEUE, "member-dead-letters")
    [statement] = member.named(QUEUE_POLICY, "member-dead-letters").policy()

    assert statement["Resource"] == dead_letters.arn
    assert set(statement["Condition"]["ArnEquals"]["aws:SourceArn"]) == {rule.arn for rule in member.of_type(RULE)}
    assert dead_letters.inputs["messageRetentionSeconds"] == 14 * 86_400
    timeout = member.named(FUNCTION, "member-redeliver").inputs["timeout"]
    assert dead_letters.inputs["visibilityTimeoutSeconds"] > timeout
    # No message of it is moved away, however often it is received.
    assert "redrivePolicy" not in dead_letters.inputs


def test_the_redelivery_may_take_dead_letters_and_put_wrapped_events_on_the_bus_and_no_more(member):
    _, *rest = member.named(ROLE_POLICY, "member-redeliver").policy()

    assert rest == [
        {
            "Effect": "Allow",
            "Action": ["sqs:ReceiveMessage", "sqs:DeleteMessage"],
            "Resource": member.named(QUEUE, "member-dead-letters").arn,
        },
        {
            "Effect": "Allow",
            "Action": "events:PutEvents",
            "Resource": HUB,
            "Condition": {"StringEqualsIfExists": {"events:source": "rotation-guard.redelivered"}},
        },
        {"Effect": "Allow", "Action": "sqs:SendMessage", "Resource": member.named(QUEUE, "member-failed-runs").arn},
    ]


def test_the_redelivery_runs_every_hour(member):
    schedule = member.named(SCHEDULE, "member-redeliver").inputs

    assert schedule["scheduleExpression"] == "rate(1 hour)"
    assert schedule["target"]["arn"] == member.named(FUNCTION, "member-redeliver").arn
    variables = member.named(FUNCTION, "member-redeliver").inputs["environment"]["variables"]
    assert variables["HUB_EVENT_BUS_ARN"] == HUB
    assert variables["DEAD_LETTERS_URL"] == member.named(QUEUE, "member-dead-letters").outputs["url"]


def test_what_does_not_reach_the_hub_rings_the_given_topic(member):
    alarms = {resource.name: resource.inputs for resource in member.of_type(ALARM)}
    [page] = member.of_type(COMPOSITE)
    queue = member.named(QUEUE, "member-dead-letters").outputs["name"]

    assert alarms["member-dead-letters"]["metricName"] == "ApproximateNumberOfMessagesVisible"
    assert alarms["member-dead-letters"]["dimensions"] == {"QueueName": queue}
    # Longer than a redelivery hides them: the alarm does not end and begin again every hour.
    visibility = member.named(QUEUE, "member-dead-letters").inputs["visibilityTimeoutSeconds"]
    assert alarms["member-dead-letters"]["period"] > visibility
    for rule in member.of_type(RULE):
        metrics = {
            alarm["metricName"]
            for alarm in alarms.values()
            if alarm["dimensions"] == {"RuleName": rule.outputs["name"]}
        }
        assert metrics == {"FailedInvocations", "InvocationsFailedToBeSentToDlq"}
    assert page.inputs["alarmActions"] == [TOPIC]
    names = [resource.outputs["name"] for resource in member.of_type(ALARM)]
    assert all(f'ALARM("{name}")' in page.inputs["alarmRule"] for name in names)


def test_a_customer_key_reaches_queues_and_roles(deploy):
    key = "arn:aws:kms:eu-west-1:111122223333:key/0f4c2a1e-6a55-4f0e-9f53-1f1f9f3d2b11"
    recording = deploy(Member, "member", {**ARGS, "kms_key_arn": key})

    assert {queue.inputs["kmsMasterKeyId"] for queue in recording.of_type(QUEUE)} == {key}
    for name in ("member-redeliver", "member-schedule"):
        assert key in [statement["Resource"] for statement in recording.named(ROLE_POLICY, name).policy()]


def test_it_can_be_previewed(deploy):
    assert deploy(Member, "member", ARGS, preview=True).custom()


def test_the_account_of_the_pattern_is_the_members_own(member):
    patterns = [json.loads(rule.inputs["eventPattern"]) for rule in member.of_type(RULE)]

    assert len(patterns) == 3
    assert [pattern["account"] for pattern in patterns] == [[ACCOUNT]] * 3


BAD = {
    "no bus": ({"hub_event_bus_arn": None}, "hub_event_bus_arn must be text, got null"),
    "a name": (
        {"hub_event_bus_arn": "hub"},
        'hub_event_bus_arn must be the ARN of an event bus that is no default one, got "hub"',
    ),
    "a rule": (
        {"hub_event_bus_arn": HUB.replace("event-bus", "rule")},
        "hub_event_bus_arn must be the ARN of an event bus that is no default one, got ",
    ),
    "no topic": ({"alarms_topic_arn": HUB}, "alarms_topic_arn must be the ARN of a standard SNS topic, got "),
    "a setting of others": ({"max_age_days": 5}, "max_age_days is not an argument of Member; there are "),
    "a wrong setting": (
        {"dead_letter_retention_days": 15},
        "dead_letter_retention_days must be an integer from 1 to 14 (SQS keeps messages for at most 14 days), got 15",
    ),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_input_is_refused_in_one_sentence_before_anything_is_created(deploy, case):
    changes, sentence = BAD[case]

    with pytest.raises(InvalidSettings) as refusal:
        deploy(Member, "member", {**ARGS, **changes})

    [complaint] = refusal.value.complaints
    assert complaint.startswith(sentence)


KEY = "arn:aws:kms:eu-west-1:111122223333:key/0f4c2a1e-6a55-4f0e-9f53-1f1f9f3d2b11"


@pytest.mark.parametrize(
    ("changes", "region", "sentence"),
    [
        ({}, "us-east-1", "alarms_topic_arn must be in the stack's Region, us-east-1, got "),
        ({"kms_key_arn": KEY.replace("eu-west-1", "us-east-1")}, "eu-west-1", "kms_key_arn must be in the stack's Reg"),
        (
            {"runtime": {"kms_key_arn": KEY.replace("eu-west-1", "us-east-1")}},
            "eu-west-1",
            "runtime.kms_key_arn must be in the stack's Region, eu-west-1, as ",
        ),
        (
            {"alarms_topic_arn": "arn:aws-cn:sns:cn-northwest-1:111122223333:critical"},
            "cn-northwest-1",
            "runtime.powertools_layer_arn must be given in cn-northwest-1, where no layer with Powertools is published",
        ),
    ],
)
def test_what_has_to_be_in_the_members_region_is_refused_elsewhere(deploy, changes, region, sentence):
    with pytest.raises(InvalidSettings) as refusal:
        deploy(Member, "member", {**ARGS, **changes}, config={"aws:region": region})

    [complaint] = refusal.value.complaints
    assert complaint.startswith(sentence)


def test_nothing_at_all_is_refused(deploy):
    with pytest.raises(InvalidSettings) as refusal:
        deploy(Member, "member", {})

    assert len(refusal.value.complaints) == 2
