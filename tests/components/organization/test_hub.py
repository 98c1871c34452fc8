"""The hub: who may send, where each event goes, and what rings when one gets lost."""

import json

import pytest
from moto.events.models import EventPattern

from components.organization.hub import Hub
from components.settings.validation import InvalidSettings
from tests.components.statements import actions, as_list
from tests.organization_events import transition_event, wrap

BUS, BUS_POLICY = "aws:cloudwatch/eventBus:EventBus", "aws:cloudwatch/eventBusPolicy:EventBusPolicy"
RULE, TARGET = "aws:cloudwatch/eventRule:EventRule", "aws:cloudwatch/eventTarget:EventTarget"
QUEUE, QUEUE_POLICY = "aws:sqs/queue:Queue", "aws:sqs/queuePolicy:QueuePolicy"
FUNCTION, MAPPING = "aws:lambda/function:Function", "aws:lambda/eventSourceMapping:EventSourceMapping"
TABLE, TOPIC = "aws:dynamodb/table:Table", "aws:sns/topic:Topic"
ALARM, COMPOSITE = "aws:cloudwatch/metricAlarm:MetricAlarm", "aws:cloudwatch/compositeAlarm:CompositeAlarm"
ROLE_POLICY = "aws:iam/rolePolicy:RolePolicy"
ORGANIZATION, ACCOUNTS = "o-a1b2c3d4e5", ["111122223333", "444455556666"]
DESTINATIONS = {
    "rotation-failed": {"hub-failures", "hub-trail-events"},
    "rotation-abandoned": {"hub-failures", "hub-trail-events"},
    "test-rotation-failed": {"hub-failures", "hub-trail-events"},
    "rotation-stuck": {"hub-failures", "hub-trail-events"},
    "rotation-started": {"hub-trail-events"},
    "rotation-succeeded": {"hub-trail-events"},
    "put-secret-value": {"hub-trail-events"},
    "secret-label-updated": {"hub-trail-events"},
    "get-secret-value": set(),
    "instance-stopped": set(),
    "incident-stalled": set(),
}
"""Where each recorded event goes: names of a topic, or of the queue of the audit trail."""


@pytest.fixture(scope="module")
def hub(deploy):
    return deploy(Hub, "hub", {"organization_id": ORGANIZATION})


def destinations(recording, event):
    """The resources that get an event: its rules by the matcher of moto, which is not ours."""
    targets = set()
    resources = {resource.arn: resource for type_ in (QUEUE, TOPIC) for resource in recording.of_type(type_)}
    for rule in recording.of_type(RULE):
        if not EventPattern.load(rule.inputs["eventPattern"]).matches_event(event):
            continue
        for target in recording.of_type(TARGET):
            if target.inputs["rule"] == rule.outputs["name"]:
                targets.add(resources[target.inputs["arn"]].name)
    return targets


def count_matching_rules(recording, event):
    patterns = [EventPattern.load(rule.inputs["eventPattern"]) for rule in recording.of_type(RULE)]
    return sum(pattern.matches_event(event) for pattern in patterns)


def test_the_bus_admits_the_accounts_of_the_organisation_to_put_events_and_nobody_else(hub):
    bus = hub.named(BUS, "hub")

    assert hub.named(BUS_POLICY, "hub").policy() == [
        {
            "Sid": "Organization",
            "Effect": "Allow",
            "Principal": "*",
            "Action": "events:PutEvents",
            "Resource": bus.arn,
            "Condition": {"StringEquals": {"aws:PrincipalOrgID": ORGANIZATION}},
        }
    ]
    assert hub.named(BUS_POLICY, "hub").inputs["eventBusName"] == bus.outputs["name"]


def test_the_bus_admits_the_listed_accounts_and_nobody_else(deploy):
    recording = deploy(Hub, "hub", {"member_accounts": ACCOUNTS})

    [statement] = recording.named(BUS_POLICY, "hub").policy()
    assert statement["Principal"] == {"AWS": [f"arn:aws:iam::{account}:root" for account in ACCOUNTS]}
    assert (statement["Action"], statement["Resource"]) == ("events:PutEvents", recording.named(BUS, "hub").arn)


def test_the_bus_admits_both(deploy):
    recording = deploy(Hub, "hub", {"organization_id": ORGANIZATION, "member_accounts": ACCOUNTS})

    statements = recording.named(BUS_POLICY, "hub").policy()
    assert [statement["Sid"] for statement in statements] == ["Organization", "Members"]


@pytest.mark.parametrize("name", DESTINATIONS)
def test_each_event_goes_where_it_belongs(hub, recorded, name):
    assert destinations(hub, recorded(name)) == DESTINATIONS[name]


@pytest.mark.parametrize("name", [name for name, targets in DESTINATIONS.items() if targets])
def test_a_redelivered_event_goes_to_the_trail_and_notifies_nobody(hub, recorded, name):
    assert destinations(hub, wrap(recorded(name))) == {"hub-trail-events"}


@pytest.mark.parametrize("name", ["opened", "retried", "recovered", "escalated", "held", "resolved"])
def test_a_transition_of_an_incident_goes_to_the_reports_first_or_again(hub, name):
    event = transition_event(name)

    assert destinations(hub, event) == destinations(hub, wrap(event)) == {"hub-reports"}


@pytest.mark.parametrize("detail_type", ["Secret Status Changed", "Rotation Audit Finished"])
def test_what_an_audit_found_goes_to_the_reports_first_or_again(hub, detail_type):
    event = {**transition_event("opened"), "detail-type": detail_type}

    assert destinations(hub, event) == destinations(hub, wrap(event)) == {"hub-reports"}


@pytest.mark.parametrize("source", ["rotation-guard.drill", "custom.app"])
def test_no_other_source_is_heard_unless_drills_are_on(deploy, hub, recorded, source):
    event = {**recorded("rotation-failed"), "source": source}
    with_drills = deploy(Hub, "hub", {"organization_id": ORGANIZATION, "drill": True})

    assert destinations(hub, event) == destinations(hub, wrap(event)) == set()
    assert bool(destinations(with_drills, event)) == (source == "rotation-guard.drill")
    assert bool(destinations(with_drills, wrap(event))) == (source == "rotation-guard.drill")


@pytest.mark.parametrize("is_late", [False, True])
def test_a_drill_matches_one_rule_at_once_or_late(deploy, recorded, is_late):
    with_drills = deploy(Hub, "hub", {"organization_id": ORGANIZATION, "drill": True})
    drill = {**recorded("rotation-failed"), "source": "rotation-guard.drill"}

    assert count_matching_rules(with_drills, wrap(drill) if is_late else drill) == 1


def test_every_rule_is_on_the_hubs_bus_and_every_target_has_dead_letters_that_admit_its_rule(hub):
    bus = hub.named(BUS, "hub").outputs["name"]
    dead_letters = hub.named(QUEUE, "hub-dead-letters")
    admission = hub.named(QUEUE_POLICY, "hub-dead-letters")
    [statement] = admission.policy()
    rules, targets = hub.of_type(RULE), hub.of_type(TARGET)

    assert len(rules) == 8
    assert {rule.inputs["eventBusName"] for rule in rules} == {bus}
    assert {target.inputs["rule"] for target in targets} == {rule.outputs["name"] for rule in rules}
    for target in targets:
        assert target.inputs["eventBusName"] == bus
        assert target.inputs["deadLetterConfig"] == {"arn": dead_letters.arn}
        assert admission.urn in target.depends_on
    assert set(statement["Condition"]["ArnEquals"]["aws:SourceArn"]) == {rule.arn for rule in rules}


@pytest.mark.parametrize(("policy", "queue"), [("hub-trail", "hub-trail-events"), ("hub-reports", "hub-reports")])
def test_a_queue_admits_the_rules_that_feed_it_and_no_other(hub, policy, queue):
    arn = hub.named(QUEUE, queue).arn
    [statement] = hub.named(QUEUE_POLICY, policy).policy()
    fed_by = {target.inputs["rule"] for target in hub.of_type(TARGET) if target.inputs["arn"] == arn}
    rules = {rule.arn for rule in hub.of_type(RULE) if rule.outputs["name"] in fed_by}

    assert statement["Principal"] == {"Service": "events.amazonaws.com"}
    assert (statement["Action"], statement["Resource"]) == ("sqs:SendMessage", arn)
    assert set(statement["Condition"]["ArnEquals"]["aws:SourceArn"]) == rules
    assert rules


def test_rows_are_keyed_by_arns_or_names_that_say_account_and_region_and_are_indexed_by_account(hub):
    keys = {
        "hub-incidents": ("secret_arn", "opened_at", {"account"}),
        "hub-status": ("secret_arn", None, {"account", "attention"}),
        "hub-runs": ("audit", "run_id", {"account"}),
    }
    for name, (hash_key, range_key, indexes) in keys.items():
        table = hub.named(TABLE, name).inputs
        assert (table["hashKey"], table.get("rangeKey")) == (hash_key, range_key)
        assert {index["name"] for index in table["globalSecondaryIndexes"]} == indexes
        declared = {attribute["name"] for attribute in table["attributes"]}
        used = {index[key] for index in table["globalSecondaryIndexes"] for key in ("hashKey", "rangeKey")}
        assert declared == used | {hash_key} | ({range_key} - {None})
        assert table["deletionProtectionEnabled"] is True


def test_the_writer_reads_events_of_all_accounts_and_no_secret(hub):
    variables = hub.named(FUNCTION, "hub-trail-writer").inputs["environment"]["variables"]

    assert variables["EVENT_ACCOUNTS"] == "all"
    assert {action.partition(":")[0] for action in actions(hub.named(ROLE_POLICY, "hub-trail-writer").policy())} == {
        "logs",
        "dynamodb",
        "sqs",
    }


def test_no_role_of_the_hub_may_touch_a_secret(hub):
    for policy in hub.of_type(ROLE_POLICY):
        assert not [action for action in actions(policy.policy()) if action.startswith("secretsmanager")]


def test_the_recorder_may_write_its_tables_and_publish_to_its_topics_and_no_more(hub):
    _, *rest = hub.named(ROLE_POLICY, "hub-record").policy()
    topics = [hub.named(TOPIC, f"hub-{topic}").arn for topic in ("critical", "remediation")]

    assert rest == [
        {
            "Effect": "Allow",
            "Action": ["dynamodb:GetItem", "dynamodb:UpdateItem"],
            "Resource": hub.named(TABLE, "hub-incidents").arn,
        },
        {
            "Effect": "Allow",
            "Action": "dynamodb:PutItem",
            "Resource": [hub.named(TABLE, "hub-status").arn, hub.named(TABLE, "hub-runs").arn],
        },
        {"Effect": "Allow", "Action": "sns:Publish", "Resource": topics},
        {
            "Effect": "Allow",
            "Action": ["sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes"],
            "Resource": hub.named(QUEUE, "hub-reports").arn,
        },
    ]


def test_a_bad_report_fails_alone_and_ends_as_a_dead_letter(hub):
    mapping, queue = hub.named(MAPPING, "hub-reports").inputs, hub.named(QUEUE, "hub-reports")

    assert mapping["eventSourceArn"] == queue.arn
    assert mapping["functionName"] == hub.named(FUNCTION, "hub-record").arn
    assert mapping["functionResponseTypes"] == ["ReportBatchItemFailures"]
    redrive = json.loads(queue.inputs["redrivePolicy"])
    assert redrive["deadLetterTargetArn"] == hub.named(QUEUE, "hub-reports-dead-letters").arn
    # https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-configure.html
    assert queue.inputs["visibilityTimeoutSeconds"] >= 6 * hub.named(FUNCTION, "hub-record").inputs["timeout"]


def test_every_dead_letter_queue_and_every_rule_has_an_alarm_that_pages(hub):
    alarms = {resource.outputs["name"]: resource.inputs for resource in hub.of_type(ALARM)}
    [page] = hub.of_type(COMPOSITE)
    watched = {
        (alarm["metricName"], alarm["dimensions"].get("QueueName") or alarm["dimensions"].get("RuleName"))
        for alarm in alarms.values()
    }

    for name in ("hub-dead-letters", "hub-trail-dead-letters", "hub-reports-dead-letters"):
        assert ("ApproximateNumberOfMessagesVisible", hub.named(QUEUE, name).outputs["name"]) in watched
    for rule in hub.of_type(RULE):
        assert ("InvocationsFailedToBeSentToDlq", rule.outputs["name"]) in watched
    assert all(f'ALARM("{name}")' in page.inputs["alarmRule"] for name in alarms)
    assert page.inputs["alarmActions"] == [hub.named(TOPIC, "hub-critical").arn]


@pytest.mark.parametrize("queue", ["hub-trail-events", "hub-reports"])
def test_an_alarm_on_waiting_messages_rings_before_sqs_leaves_them_out_of_the_metric(hub, queue):
    """It leaves out those that were received three times, at once and after each visibility timeout.

    (https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-available-cloudwatch-metrics.html)
    """
    inputs = hub.named(QUEUE, queue).inputs
    [alarm] = [
        alarm.inputs
        for alarm in hub.of_type(ALARM)
        if alarm.inputs["metricName"] == "ApproximateAgeOfOldestMessage"
        and alarm.inputs["dimensions"] == {"QueueName": hub.named(QUEUE, queue).outputs["name"]}
    ]

    seconds = inputs["visibilityTimeoutSeconds"]
    assert seconds < alarm["threshold"] <= 2 * seconds - alarm["period"]


def test_subscriptions_and_a_customer_key_reach_the_topics_and_the_roles(deploy):
    key = "arn:aws:kms:eu-west-1:111122223333:key/0f4c2a1e-6a55-4f0e-9f53-1f1f9f3d2b11"
    subscription = {"topic": "critical", "protocol": "https", "endpoint": "https://example.com/page"}
    recording = deploy(
        Hub, "hub", {"organization_id": ORGANIZATION, "subscriptions": [subscription], "kms_key_arn": key}
    )

    assert recording.of_type("aws:sns/topicSubscription:TopicSubscription")
    assert {queue.inputs["kmsMasterKeyId"] for queue in recording.of_type(QUEUE)} == {key}
    for name in ("hub-record", "hub-trail-writer"):
        statements = recording.named(ROLE_POLICY, name).policy()
        assert [s["Resource"] for s in statements if "kms:Decrypt" in as_list(s["Action"])] == [key]
    [page] = recording.of_type(COMPOSITE)
    assert page.inputs["alarmActions"] == [recording.named(TOPIC, "hub-alarms").arn]
    # One is that of the rules, the other that of the subscriptions.
    urls = {queue.outputs["url"] for queue in recording.of_type(QUEUE) if queue.name == "hub-dead-letters"}
    outputs = ("undelivered_events_dead_letters_url", "undelivered_notices_dead_letters_url")
    assert {recording.outputs[output] for output in outputs} == urls


def test_the_outputs_lead_to_what_a_member_or_a_reader_needs(hub):
    optional = {
        "receiver_rule_names",
        "undelivered_incidents_dead_letters_url",
        "undelivered_notices_dead_letters_url",
    }
    assert set(hub.outputs) == set(Hub.__annotations__) - optional
    assert hub.outputs["event_bus_arn"] == hub.named(BUS, "hub").arn
    assert hub.outputs["incidents_table_name"] == hub.named(TABLE, "hub-incidents").outputs["name"]


@pytest.mark.parametrize("preview", [False, True])
def test_it_can_be_previewed(deploy, preview):
    assert deploy(Hub, "hub", {"organization_id": ORGANIZATION}, preview=preview).custom()


BAD = {
    "neither": (
        {},
        "organization_id must be given, or member_accounts, to say which accounts may send events, got neither",
    ),
    "an empty list": ({"member_accounts": []}, "organization_id must be given, or member_accounts, to"),
    "an ARN of an organisation": (
        {"organization_id": "arn:aws:organizations::1:organization/o-a"},
        'organization_id must be the id of an organisation, such as o-a1b2c3d4e5, got "arn:aws:organizations::1',
    ),
    "everybody": (
        {"organization_id": "*"},
        'organization_id must be the id of an organisation, such as o-a1b2c3d4e5, got "*"',
    ),
    "a number": (
        {"member_accounts": [111122223333]},
        "member_accounts[0] must be text, got 111122223333",
    ),
    "everybody in a list": (
        {"member_accounts": ["*"]},
        'member_accounts[0] must be an account of 12 digits, in quotes, got "*"',
    ),
    "the same account twice": (
        {"member_accounts": ["111122223333", "111122223333"]},
        'member_accounts[1] must be there once, got "111122223333" again',
    ),
    "no list": ({"member_accounts": "111122223333"}, 'member_accounts must be a list, got "111122223333"'),
    "too many accounts": (
        {"member_accounts": [f"{number:012d}" for number in range(201)]},
        "member_accounts must be at most 200 accounts, as a bus's policy holds them; organization_id admits any "
        "number, got 201",
    ),
    "an unknown argument": (
        {"organization_id": ORGANIZATION, "organisation": "x"},
        "organisation is not an argument of Hub; did you mean organization_id?",
    ),
    "dead letters that are gone before their source": (
        {"organization_id": ORGANIZATION, "dead_letter_retention_days": 3},
        "dead_letter_retention_days must be at least queue_retention_days, 7, because ",
    ),
    "a wrong setting": (
        {"organization_id": ORGANIZATION, "history_days": -1},
        "history_days must be an integer from 0 to 3650, got -1",
    ),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_input_is_refused_in_one_sentence_before_anything_is_created(deploy, case):
    args, sentence = BAD[case]

    with pytest.raises(InvalidSettings) as refusal:
        deploy(Hub, "hub", args)

    [complaint] = refusal.value.complaints
    assert complaint.startswith(sentence)


@pytest.mark.parametrize(
    ("args", "sentence"),
    [
        (
            {"kms_key_arn": "arn:aws:kms:us-east-1:111122223333:key/0f4c2a1e-6a55-4f0e-9f53-1f1f9f3d2b11"},
            "kms_key_arn must be in the stack's Region, eu-west-1, as ",
        ),
        (
            {
                "subscriptions": [
                    {"topic": "critical", "protocol": "sqs", "endpoint": "arn:aws:sqs:us-east-1:111122223333:pager"}
                ]
            },
            "subscriptions[0].endpoint must be in the stack's Region, eu-west-1, because ",
        ),
    ],
)
def test_what_has_to_be_in_the_hubs_region_is_refused_elsewhere(deploy, args, sentence):
    with pytest.raises(InvalidSettings) as refusal:
        deploy(Hub, "hub", {"organization_id": ORGANIZATION, **args}, config={"aws:region": "eu-west-1"})

    [complaint] = refusal.value.complaints
    assert complaint.startswith(sentence)


@pytest.mark.parametrize("region", ["eu-west-1", "us-gov-west-1"])
def test_the_policy_of_two_hundred_accounts_fits_the_limit_of_a_bus(deploy, region):
    accounts = [f"{number:012d}" for number in range(200)]
    recording = deploy(Hub, "h" * 41, {"organization_id": "o-" + "a" * 32, "member_accounts": accounts}, region=region)

    # https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_PutPermission.html
    assert len(recording.of_type(BUS_POLICY)[0].inputs["policy"]) < 10_240
