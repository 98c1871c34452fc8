"""Integrations: what EventBridge sends to chats and pagers, how, and what is secret of it."""

import json
from dataclasses import replace

import pulumi
import pytest

from components.integrations.integrations import Integrations
from components.notifications.notifications import Notifications
from components.organization.hub import Hub
from components.rotation_guard import RotationGuard
from components.settings.validation import InvalidSettings
from local.check_own_stack import read_resources
from policies.model.evaluation import check
from tests.components.integrations.receivers import (
    CONNECTION,
    DESTINATION,
    ENDPOINTS,
    KEY,
    QUEUE,
    QUEUE_POLICY,
    ROLE,
    ROLE_POLICY,
    RULE,
    SLACK,
    TARGET,
    subscription,
)

ADDED = {CONNECTION, DESTINATION}


def only(recording, type_):
    [resource] = recording.of_type(type_)
    return resource


@pytest.fixture(scope="module")
def all_receivers(deploy):
    """A subscription to the critical topic for each receiver."""
    return deploy(
        Integrations,
        "incidents",
        {"subscriptions": [subscription(protocol) for protocol in ENDPOINTS], "incidents_table_name": "incidents"},
    )


@pytest.fixture
def single(deploy):
    """Deploys one subscription."""

    def deploy_single(protocol, topic="critical", **more):
        args = {"subscriptions": [subscription(protocol, topic, **more)], "incidents_table_name": "incidents"}
        return deploy(Integrations, "incidents", args)

    return deploy_single


def read_pattern(recording):
    return json.loads(only(recording, RULE).inputs["eventPattern"])


def test_each_receiver_has_a_rule_a_connection_and_a_destination_of_its_own(all_receivers):
    for protocol in ENDPOINTS:
        (target,) = [one for one in all_receivers.of_type(TARGET) if one.inputs["targetId"] == protocol]
        rule = all_receivers.named(RULE, target.name)
        destination = all_receivers.named(DESTINATION, target.name)
        assert target.inputs["rule"] == rule.outputs["name"]
        assert target.inputs["arn"] == destination.arn
        assert destination.inputs["connectionArn"] == all_receivers.named(CONNECTION, target.name).arn
        assert destination.inputs["httpMethod"] == "POST"


def test_a_role_invokes_one_destination_for_one_rule(all_receivers):
    for destination in all_receivers.of_type(DESTINATION):
        role, rule = all_receivers.named(ROLE, destination.name), all_receivers.named(RULE, destination.name)
        (trust,) = role.policy("assumeRolePolicy")
        assert trust["Principal"] == {"Service": "events.amazonaws.com"}
        assert trust["Condition"] == {
            "StringEquals": {"aws:SourceAccount": "111122223333"},
            "ArnEquals": {"aws:SourceArn": [rule.arn]},
        }
        assert all_receivers.named(ROLE_POLICY, destination.name).policy() == [
            {"Effect": "Allow", "Action": "events:InvokeApiDestination", "Resource": destination.arn}
        ]


def test_what_a_receiver_does_not_take_is_retried_for_an_hour_and_kept(all_receivers):
    queue, policy = only(all_receivers, QUEUE), only(all_receivers, QUEUE_POLICY)

    assert queue.inputs["sqsManagedSseEnabled"] is True
    (statement,) = policy.policy()
    assert sorted(statement["Condition"]["ArnEquals"]["aws:SourceArn"]) == sorted(
        rule.arn for rule in all_receivers.of_type(RULE)
    )
    for target in all_receivers.of_type(TARGET):
        assert target.inputs["deadLetterConfig"] == {"arn": queue.arn}
        assert target.inputs["retryPolicy"] == {"maximumEventAgeInSeconds": 3600, "maximumRetryAttempts": 24}
        assert policy.urn in target.depends_on


def test_the_key_of_the_stack_encrypts_dead_letters_and_connections(deploy):
    key = "arn:aws:kms:eu-west-1:111122223333:key/1234abcd"

    recording = deploy(Integrations, "incidents", {"subscriptions": [subscription("slack")], "kms_key_arn": key})

    assert only(recording, QUEUE).inputs["kmsMasterKeyId"] == key
    assert only(recording, CONNECTION).inputs["kmsKeyIdentifier"] == key


@pytest.mark.parametrize("protocol", ENDPOINTS)
def test_addresses_and_keys_are_secrets_of_pulumi_even_where_they_are_given_as_text(single, protocol):
    recording = single(protocol)

    assert "authParameters" in only(recording, CONNECTION).secret_inputs
    assert "invocationEndpoint" in only(recording, DESTINATION).secret_inputs
    for resource in recording.resources:
        shown = {name: value for name, value in resource.inputs.items() if name not in resource.secret_inputs}
        if resource.custom:
            assert "sEcReT" not in json.dumps(shown), resource.urn
            assert KEY not in json.dumps(shown), resource.urn


def test_the_query_of_an_address_is_kept_by_the_connection(single):
    recording = single("teams")

    assert only(recording, DESTINATION).inputs["invocationEndpoint"] == (
        "https://prod-1.westeurope.logic.azure.com:443/workflows/abc/triggers/manual/paths/invoke"
    )
    assert only(recording, CONNECTION).inputs["authParameters"]["invocationHttpParameters"] == {
        "queryStrings": [
            {"key": "api-version", "value": "2016-06-01", "isValueSecret": True},
            {"key": "sp", "value": "/triggers/manual/run", "isValueSecret": True},
            {"key": "sv", "value": "1.0", "isValueSecret": True},
            {"key": "sig", "value": "sEcReT-sig_1", "isValueSecret": True},
        ]
    }


def test_the_connection_adds_the_routing_key_to_the_body(single):
    recording = single("pagerduty")

    assert only(recording, DESTINATION).inputs["invocationEndpoint"] == "https://events.pagerduty.com/v2/enqueue"
    parameters = only(recording, CONNECTION).inputs["authParameters"]
    assert parameters["apiKey"] == {"key": "X-Sent-By", "value": "rotation-guard"}
    assert parameters["invocationHttpParameters"] == {
        "bodies": [{"key": "routing_key", "value": KEY, "isValueSecret": True}]
    }


def test_an_account_of_pagerduty_may_be_in_europe(single):
    recording = single("pagerduty", service_region="eu")

    assert only(recording, DESTINATION).inputs["invocationEndpoint"] == "https://events.eu.pagerduty.com/v2/enqueue"


def test_a_slack_webhook_needs_no_parameters(single):
    recording = single("slack")

    assert only(recording, DESTINATION).inputs["invocationEndpoint"] == SLACK
    assert only(recording, CONNECTION).inputs["authParameters"].get("invocationHttpParameters") is None


def test_headers_of_a_webhook_are_kept_by_the_connection(single):
    recording = single("webhook", headers={"X-Api-Key": "k", "Authorization": "Bearer t"})

    assert only(recording, CONNECTION).inputs["authParameters"] == {
        "apiKey": {"key": "Authorization", "value": "Bearer t"},
        "invocationHttpParameters": {
            "headers": [{"key": "X-Api-Key", "value": "k", "isValueSecret": True}],
            "queryStrings": [{"key": "token", "value": "sEcReT", "isValueSecret": True}],
        },
    }


def test_a_webhook_gets_the_detail_of_the_event(single):
    target = only(single("webhook"), TARGET)

    assert target.inputs["inputPath"] == "$.detail"
    assert "inputTransformer" not in target.inputs


@pytest.mark.parametrize("protocol", ["slack", "teams", "pagerduty"])
def test_templates_have_the_limits_of_input_transformers(single, protocol):
    transformer = only(single(protocol), TARGET).inputs["inputTransformer"]

    assert len(transformer["inputTemplate"]) <= 8192
    assert 0 < len(transformer["inputPaths"]) <= 100
    assert all(path.startswith("$.") for path in transformer["inputPaths"].values())
    assert json.loads(transformer["inputTemplate"])


@pytest.mark.parametrize(
    ("protocol", "topic", "transitions"),
    [
        ("slack", "critical", ["Escalated", "Held", "Resolved"]),
        ("teams", "remediation", ["Opened", "Retried", "Recovered", "Escalated", "Held", "Resolved"]),
        ("webhook", "remediation", ["Opened", "Retried", "Recovered", "Escalated", "Held", "Resolved"]),
        ("pagerduty", "critical", ["Escalated", "Held", "Resolved", "Recovered"]),
    ],
)
def test_a_topic_stands_for_transitions_of_the_stacks_own_incidents(single, protocol, topic, transitions):
    pattern = read_pattern(single(protocol, topic))

    assert pattern["source"] == ["rotation-guard"]
    assert pattern["detail-type"] == [f"Rotation Incident {transition}" for transition in transitions]
    assert pattern["detail"]["incidents_table"] == ["incidents"]


def test_owners_select_incidents_as_the_event_writes_owners(single):
    assert read_pattern(single("slack", owners=["payments", "Müller & Co"]))["detail"]["owner"] == [
        "payments",
        "M?ller & Co",
    ]


def test_the_default_route_gets_what_no_other_subscription_names(deploy):
    recording = deploy(
        Integrations,
        "incidents",
        {
            "subscriptions": [
                subscription("slack", name="payments", owners=["payments"]),
                subscription("slack", name="rest", endpoint=f"{SLACK}2", owners=["*"]),
                subscription("slack", "remediation", name="other", owners=["orders"]),
            ]
        },
    )

    pattern = json.loads(recording.named(RULE, "incidents-critical-slack-rest").inputs["eventPattern"])
    assert pattern["detail"]["owner"] == [None, {"anything-but": ["payments"]}]
    assert "incidents_table" not in pattern["detail"]


def test_a_pager_gets_the_end_of_an_incident_whatever_the_filter(single):
    detail = read_pattern(single("pagerduty", filter_policy={"severity": ["OUTAGE"]}, owners=["payments"]))["detail"]

    assert detail["$or"] == [
        {"turn": ["recovered", "resolved"]},
        {"severity": ["OUTAGE"], "owner": ["payments"]},
    ]


def test_a_filter_may_be_known_only_later(deploy):
    def args():
        policy = pulumi.Output.from_input({"severity": ["OUTAGE"]})
        return {"subscriptions": [subscription("slack", filter_policy=policy)]}

    assert read_pattern(deploy(Integrations, "incidents", args))["detail"]["severity"] == ["OUTAGE"]


def test_an_address_that_is_wrong_once_it_is_known_is_not_repeated(deploy):
    def args():
        return {"subscriptions": [subscription("slack", endpoint=pulumi.Output.from_input("https://evil.example"))]}

    with pytest.raises(pulumi.RunError) as raised:
        deploy(Integrations, "incidents", args)

    assert "the endpoint of incidents-critical-slack must be the URL of an incoming webhook" in str(raised.value)
    assert "evil" not in str(raised.value)


@pytest.mark.parametrize(
    ("component", "entry", "protocols"),
    [
        (Notifications, subscription("slack"), "http, https, email"),
        (Integrations, {"topic": "critical", "protocol": "email", "endpoint": "a@example.com"}, "slack, teams"),
    ],
)
def test_a_component_placed_by_itself_refuses_what_the_other_one_serves(deploy, component, entry, protocols):
    with pytest.raises(InvalidSettings) as raised:
        deploy(component, "alone", {"subscriptions": [entry]})

    assert f"subscriptions[0].protocol must be one of {protocols}" in str(raised.value)


def test_a_stack_without_receivers_has_none_of_these_resources(deploy):
    recording = deploy(RotationGuard, "guard", {"subscriptions": [{**subscription("slack"), "protocol": "https"}]})

    assert not ADDED & {resource.type for resource in recording.resources}
    assert not [one for one in recording.resources if one.type == "rotation-guard:index:Integrations"]
    assert "undelivered_incidents_dead_letters_url" not in recording.outputs


def test_the_stack_watches_the_rules_and_dead_letters_of_receivers(deploy):
    entries = [subscription("slack"), {"topic": "critical", "protocol": "email", "endpoint": "a@example.com"}]

    recording = deploy(RotationGuard, "guard", {"subscriptions": entries})

    alarms = {
        (alarm.inputs["metricName"], dimension)
        for alarm in recording.of_type("aws:cloudwatch/metricAlarm:MetricAlarm")
        for dimension in (alarm.inputs.get("dimensions") or {}).values()
    }
    rule = next(one for one in recording.of_type(RULE) if "slack" in one.name)
    queue = recording.named(QUEUE, "guard-integrations-dead-letters")
    for metric in ("FailedInvocations", "InvocationsFailedToBeSentToDlq"):
        assert (metric, rule.outputs["name"]) in alarms
    assert ("ApproximateNumberOfMessagesVisible", queue.outputs["name"]) in alarms
    assert recording.outputs["undelivered_incidents_dead_letters_url"] == queue.outputs["url"]
    assert [one.inputs["protocol"] for one in recording.of_type("aws:sns/topicSubscription:TopicSubscription")] == [
        "email"
    ]


def test_a_stack_with_receivers_passes_the_policy_pack(deploy):
    entries = [subscription(protocol, owners=["payments"]) for protocol in ENDPOINTS]

    recording = deploy(RotationGuard, "guard", {"subscriptions": entries})

    assert check(read_resources(recording)).complaints == ()


@pytest.mark.parametrize(
    ("field", "rules"),
    [
        ("deadLetterConfig", {"event-target-has-dead-letters", "dead-letter-queue-is-used"}),
        ("roleArn", {"event-target-is-permitted"}),
    ],
)
def test_the_policy_pack_says_what_a_receiver_lacks(deploy, field, rules):
    recording = deploy(RotationGuard, "guard", {"subscriptions": [subscription("slack")]})

    resources = [
        replace(one, props={name: value for name, value in one.props.items() if name != field})
        if one.type == TARGET and "-slack-" in one.name
        else one
        for one in read_resources(recording)
    ]

    assert {complaint.policy for complaint in check(resources).complaints} == rules


def test_a_hub_sends_the_incidents_of_all_members(deploy):
    args = {"organization_id": "o-a1b2c3d4e5", "subscriptions": [subscription("slack"), subscription("pagerduty")]}

    recording = deploy(Hub, "hub", args)

    bus = only(recording, "aws:cloudwatch/eventBus:EventBus")
    rules = [rule for rule in recording.of_type(RULE) if "-critical-" in rule.name]
    assert len(rules) == 2
    for rule in rules:
        assert rule.inputs["eventBusName"] == bus.outputs["name"]
        assert "incidents_table" not in json.loads(rule.inputs["eventPattern"])["detail"]
    queue = recording.named(QUEUE, "hub-integrations-dead-letters")
    assert recording.outputs["undelivered_incidents_dead_letters_url"] == queue.outputs["url"]
    watched = [alarm.inputs["dimensions"] for alarm in recording.of_type("aws:cloudwatch/metricAlarm:MetricAlarm")]
    assert {"QueueName": queue.outputs["name"]} in watched
    for rule in rules:
        assert {"EventBusName": bus.outputs["name"], "RuleName": rule.outputs["name"]} in watched


def test_a_hub_refuses_a_name_that_is_too_long_for_a_rule(deploy):
    entry = subscription("slack", name="n" * 24)

    with pytest.raises(InvalidSettings) as raised:
        deploy(Hub, "h" * 30, {"organization_id": "o-a1b2c3d4e5", "subscriptions": [entry]})

    assert "subscriptions[0].name must be at most 10 characters in the component" in str(raised.value)
