"""Notifications: topics, who may publish to them, and their subscriptions."""

import json

import pulumi
import pytest

from components.notifications.notifications import Notifications
from tests.components.notifications.subscriptions import (
    ENDPOINTS,
    PERMISSION,
    QUEUE,
    QUEUE_POLICY,
    ROLE,
    SUBSCRIPTION,
    TOPIC,
    TOPIC_POLICY,
    TOPICS,
    subscription,
)

MACHINE_PROTOCOLS = sorted(set(ENDPOINTS) - {"email", "email-json", "sms"})


def subscribed(recording):
    [resource] = recording.of_type(SUBSCRIPTION)
    return resource


@pytest.fixture(scope="module")
def all_protocols(deploy):
    return deploy(Notifications, "alerts", {"subscriptions": [subscription(protocol) for protocol in ENDPOINTS]})


def test_there_is_a_topic_for_each_kind_of_notification(deploy):
    recording = deploy(Notifications, "alerts")

    assert [topic.name for topic in recording.of_type(TOPIC)] == [f"alerts-{topic}" for topic in TOPICS]
    assert recording.of_type(SUBSCRIPTION) == []
    for topic in TOPICS:
        assert recording.outputs[f"{topic}_topic_arn"] == recording.named(TOPIC, f"alerts-{topic}").arn


def test_eventbridge_may_publish_failures_without_a_condition(all_protocols):
    topic = all_protocols.named(TOPIC, "alerts-failures")
    policy = all_protocols.named(TOPIC_POLICY, "alerts-failures")

    assert policy.inputs["arn"] == topic.arn
    assert policy.policy() == [
        {
            "Effect": "Allow",
            "Principal": {"Service": "events.amazonaws.com"},
            "Action": "sns:Publish",
            "Resource": topic.arn,
        }
    ]


def by_roles(topic):
    return {
        "Effect": "Allow",
        "Principal": {"AWS": "arn:aws:iam::111122223333:root"},
        "Action": "sns:Publish",
        "Resource": topic.arn,
    }


def test_only_roles_of_the_account_may_publish_to_the_remediation_topic(all_protocols):
    topic = all_protocols.named(TOPIC, "alerts-remediation")
    policy = all_protocols.named(TOPIC_POLICY, "alerts-remediation")

    assert policy.inputs["arn"] == topic.arn
    assert policy.policy() == [by_roles(topic)]


def test_only_roles_and_alarms_of_the_account_may_publish_to_the_critical_topic(all_protocols):
    topic = all_protocols.named(TOPIC, "alerts-critical")
    policy = all_protocols.named(TOPIC_POLICY, "alerts-critical")

    assert policy.inputs["arn"] == topic.arn
    assert policy.policy() == [
        by_roles(topic),
        {
            "Effect": "Allow",
            "Principal": {"Service": "cloudwatch.amazonaws.com"},
            "Action": "sns:Publish",
            "Resource": topic.arn,
            "Condition": {"StringEquals": {"aws:SourceAccount": "111122223333"}},
        },
    ]


@pytest.mark.parametrize("protocol", ENDPOINTS)
def test_each_protocol_can_subscribe_to_a_topic(deploy, protocol):
    recording = deploy(Notifications, "alerts", {"subscriptions": [subscription(protocol, "critical")]})

    resource = subscribed(recording)
    assert resource.inputs["topic"] == recording.named(TOPIC, "alerts-critical").arn
    assert (resource.inputs["protocol"], resource.inputs["endpoint"]) == (protocol, ENDPOINTS[protocol])
    assert resource.name.startswith(f"alerts-critical-{protocol}-")
    assert {"filterPolicy", "filterPolicyScope", "rawMessageDelivery"}.isdisjoint(resource.inputs)
    assert resource.inputs.get("subscriptionRoleArn") == (ROLE if protocol == "firehose" else None)


@pytest.mark.parametrize("protocol", MACHINE_PROTOCOLS)
def test_a_machine_subscription_has_a_dead_letter_queue(all_protocols, protocol):
    [resource] = [
        resource for resource in all_protocols.of_type(SUBSCRIPTION) if resource.inputs["protocol"] == protocol
    ]

    dead_letters = all_protocols.named(QUEUE, "alerts-dead-letters")
    assert json.loads(resource.inputs["redrivePolicy"]) == {"deadLetterTargetArn": dead_letters.arn}
    assert all_protocols.named(QUEUE_POLICY, "alerts-dead-letters").urn in resource.depends_on


@pytest.mark.parametrize("protocol", ["email", "email-json", "sms"])
def test_a_subscription_of_a_person_has_no_dead_letter_queue(all_protocols, protocol):
    [resource] = [
        resource for resource in all_protocols.of_type(SUBSCRIPTION) if resource.inputs["protocol"] == protocol
    ]

    assert "redrivePolicy" not in resource.inputs


def test_the_dead_letter_queue_admits_exactly_the_topics(all_protocols):
    queue = all_protocols.named(QUEUE, "alerts-dead-letters")
    policy = all_protocols.named(QUEUE_POLICY, "alerts-dead-letters")

    assert policy.inputs["queueUrl"] == queue.outputs["url"]
    assert policy.policy() == [
        {
            "Effect": "Allow",
            "Principal": {"Service": "sns.amazonaws.com"},
            "Action": "sqs:SendMessage",
            "Resource": queue.arn,
            "Condition": {"ArnEquals": {"aws:SourceArn": [topic.arn for topic in all_protocols.of_type(TOPIC)]}},
        }
    ]


def test_only_its_topic_may_invoke_a_subscribed_function(all_protocols):
    [permission] = all_protocols.of_type(PERMISSION)

    assert permission.inputs == {
        "action": "lambda:InvokeFunction",
        "function": ENDPOINTS["lambda"],
        "principal": "sns.amazonaws.com",
        "sourceArn": all_protocols.named(TOPIC, "alerts-failures").arn,
    }


def test_a_filter_matches_the_body_because_eventbridge_sets_no_attributes(deploy):
    policy = {"detail": {"eventName": ["RotationFailed"]}, "account": ["111122223333"]}

    recording = deploy(Notifications, "alerts", {"subscriptions": [subscription("sqs", filter_policy=policy)]})

    assert json.loads(subscribed(recording).inputs["filterPolicy"]) == policy
    assert subscribed(recording).inputs["filterPolicyScope"] == "MessageBody"


@pytest.mark.parametrize("topic", ["failures", "remediation", "critical"])
@pytest.mark.parametrize("protocol", ENDPOINTS)
def test_a_filter_matches_the_body_where_it_is_json_and_else_the_attributes(deploy, topic, protocol):
    policy = {"severity": ["OUTAGE"]}

    recording = deploy(
        Notifications, "alerts", {"subscriptions": [subscription(protocol, topic, filter_policy=policy)]}
    )

    # Text is not JSON, so a filter on the body would match nothing; EventBridge sets no attributes.
    is_text = protocol in ("email", "email-json", "sms", "application") and topic != "failures"
    expected = "MessageAttributes" if is_text else "MessageBody"
    assert subscribed(recording).inputs["filterPolicyScope"] == expected


@pytest.mark.parametrize("raw", [True, False])
def test_raw_message_delivery_is_what_is_configured(deploy, raw):
    recording = deploy(Notifications, "alerts", {"subscriptions": [subscription("https", raw_message_delivery=raw)]})

    assert subscribed(recording).inputs["rawMessageDelivery"] is raw


def test_reordering_subscriptions_renames_none_of_them(deploy):
    subscriptions = [subscription(protocol) for protocol in ENDPOINTS] + [subscription("email", "critical")]

    before = deploy(Notifications, "alerts", {"subscriptions": subscriptions})
    after = deploy(Notifications, "alerts", {"subscriptions": [*reversed(subscriptions)]})

    assert len(before.of_type(SUBSCRIPTION)) == len(subscriptions)
    assert before.shape() == after.shape()


def test_an_additional_subscription_leaves_the_others_unchanged(deploy):
    first, second = subscription("email"), {**subscription("email"), "endpoint": "other@example.com"}

    before = deploy(Notifications, "alerts", {"subscriptions": [first]}).shape()
    after = deploy(Notifications, "alerts", {"subscriptions": [second, first]}).shape()

    assert before.items() <= after.items()
    assert len(after) == len(before) + 1


HOOK = "https://example.com/token-1234"
HOOK_SHA = "c7603f9f"
"""`printf %s https://example.com/token-1234 | sha256sum | cut -c -8`"""


def hook(endpoint=HOOK, **more):
    return {"topic": "critical", "protocol": "https", "endpoint": endpoint, **more}


def test_a_secret_endpoint_stays_secret_and_appears_in_no_name(deploy):
    resource = subscribed(
        deploy(Notifications, "alerts", lambda: {"subscriptions": [hook(pulumi.Output.secret(HOOK))]})
    )

    assert resource.secret_inputs == {"endpoint"}
    assert resource.inputs["endpoint"] == HOOK
    assert resource.name == "alerts-critical-https"


def test_a_secret_filter_stays_secret(deploy):
    policy = {"account": ["111122223333"]}

    def args():
        return {"subscriptions": [hook(filter_policy=pulumi.Output.secret(policy))]}

    resource = subscribed(deploy(Notifications, "alerts", args))

    assert "filterPolicy" in resource.secret_inputs
    assert json.loads(resource.inputs["filterPolicy"]) == policy


def test_a_configured_name_replaces_the_hash_of_the_endpoint(deploy):
    def args():
        return {"subscriptions": [hook(pulumi.Output.secret(HOOK), name="pager"), hook("https://example.com/x")]}

    names = [resource.name for resource in deploy(Notifications, "alerts", args).of_type(SUBSCRIPTION)]

    assert "alerts-critical-https-pager" in names
    assert (
        subscribed(deploy(Notifications, "alerts", {"subscriptions": [hook()]})).name
        == f"alerts-critical-https-{HOOK_SHA}"
    )


@pytest.mark.parametrize("protocol", ENDPOINTS)
@pytest.mark.parametrize("position", [0, 2])
def test_a_subscription_formerly_named_by_its_position_has_that_alias(deploy, protocol, position):
    others = [subscription("email", "remediation"), subscription("sms", "remediation")]
    listed = [*others[:position], subscription(protocol, "critical")]

    recording = deploy(Notifications, "alerts", {"subscriptions": listed})

    resources = [
        resource
        for resource in recording.of_type(SUBSCRIPTION) + recording.of_type(PERMISSION)
        if "critical" in resource.name
    ]
    assert len(resources) == (2 if protocol == "lambda" else 1)
    assert all(f"alerts-critical-{protocol}-{position}" in resource.aliases for resource in resources)


def test_a_subscription_that_gets_a_name_or_becomes_secret_has_its_former_alias(deploy):
    hashed = f"alerts-critical-https-{HOOK_SHA}"

    def secret(**more):
        return lambda: {"subscriptions": [hook(pulumi.Output.secret(HOOK), **more)]}

    for args in ({"subscriptions": [hook(name="pager")]}, secret(name="pager"), secret()):
        assert hashed in subscribed(deploy(Notifications, "alerts", args)).aliases


def test_no_alias_is_the_name_of_another_subscription(deploy):
    """The engine rejects two resources that claim the same one of the state."""
    recording = deploy(Notifications, "alerts", {"subscriptions": [subscription(protocol) for protocol in ENDPOINTS]})

    subscriptions = recording.of_type(SUBSCRIPTION)
    names = {subscription.name for subscription in subscriptions}
    aliases = [alias for subscription in subscriptions for alias in subscription.aliases]
    assert len(aliases) == len(ENDPOINTS)
    assert names.isdisjoint(aliases)
    assert len(set(aliases)) == len(aliases)


def test_a_subscription_is_deleted_before_it_is_replaced(all_protocols):
    """Otherwise SNS would return the subscription that is about to be deleted."""
    assert all(resource.delete_before_replace for resource in all_protocols.of_type(SUBSCRIPTION))


def test_a_component_with_subscriptions_checks_updates_for_renames(all_protocols, deploy):
    component = "rotation-guard:index:Notifications"

    assert all_protocols.named(component, "alerts").has_update_check
    assert not deploy(Notifications, "alerts").named(component, "alerts").has_update_check


@pytest.mark.parametrize(("args", "seconds"), [({}, 14 * 86400), ({"dead_letter_retention_days": 1}, 86400)])
def test_dead_letters_are_kept_for_the_configured_days(deploy, args, seconds):
    recording = deploy(Notifications, "alerts", {**args, "subscriptions": [subscription("https")]})

    assert recording.named(QUEUE, "alerts-dead-letters").inputs["messageRetentionSeconds"] == seconds


def test_without_machine_subscriptions_there_is_no_dead_letter_queue(deploy):
    person = {"topic": "critical", "protocol": "email", "endpoint": "on-call@example.com"}

    for subscriptions in ([], [person]):
        recording = deploy(Notifications, "alerts", {"subscriptions": subscriptions})

        assert recording.of_type(QUEUE) + recording.of_type(QUEUE_POLICY) == []


def test_a_preview_of_an_unknown_endpoint_works(deploy):
    def args():
        endpoint = pulumi.Output.from_input(pulumi.output.Unknown())
        return {"subscriptions": [{"topic": "critical", "protocol": "lambda", "endpoint": endpoint}]}

    recording = deploy(Notifications, "alerts", args, preview=True)

    assert {"endpoint", "topic"} <= subscribed(recording).unknown_inputs
    assert len(recording.of_type(PERMISSION)) == 1
