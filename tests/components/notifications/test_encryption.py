"""Notifications with and without a customer managed key."""

import pulumi
import pytest

from components.notifications.notifications import Notifications
from tests.components.notifications.subscriptions import (
    ACCOUNT,
    ENDPOINTS,
    PERMISSION,
    QUEUE,
    QUEUE_POLICY,
    SUBSCRIPTION,
    TOPIC,
    TOPIC_POLICY,
    TOPICS,
    subscription,
)


@pytest.fixture(scope="module")
def all_protocols(deploy):
    return deploy(Notifications, "alerts", {"subscriptions": [subscription(protocol) for protocol in ENDPOINTS]})


@pytest.mark.parametrize("is_output", [False, True])
def test_a_key_encrypts_the_topics_and_the_dead_letter_queue(deploy, is_output):
    key = f"arn:aws:kms:{ACCOUNT}:key/7d0e"

    def args():
        key_arn = pulumi.Output.from_input(key) if is_output else key
        return {"kms_key_arn": key_arn, "subscriptions": [subscription("https")]}

    recording = deploy(Notifications, "alerts", args)

    keys = {topic.name: topic.inputs.get("kmsMasterKeyId") for topic in recording.of_type(TOPIC)}
    assert keys == {**{f"alerts-{topic}": key for topic in TOPICS}, "alerts-alarms": None}
    queue = recording.named(QUEUE, "alerts-dead-letters").inputs
    assert queue["kmsMasterKeyId"] == key
    assert "sqsManagedSseEnabled" not in queue


ON_CALL = {
    protocol: subscription(protocol, "critical", filter_policy={"owner": ["shop"]}) for protocol in ("email", "lambda")
}


@pytest.fixture(scope="module")
def with_key(deploy):
    subscriptions = [
        *ON_CALL.values(),
        subscription("email", "failures"),
        subscription("sqs", "critical", name="pager"),
    ]
    return deploy(
        Notifications, "alerts", {"kms_key_arn": f"arn:aws:kms:{ACCOUNT}:key/7d0e", "subscriptions": subscriptions}
    )


def test_with_a_key_only_alarms_may_publish_to_an_unencrypted_topic(with_key):
    topic, policy = with_key.named(TOPIC, "alerts-alarms"), with_key.named(TOPIC_POLICY, "alerts-alarms")

    assert policy.inputs["arn"] == topic.arn
    assert policy.policy() == [
        {
            "Effect": "Allow",
            "Principal": {"Service": "cloudwatch.amazonaws.com"},
            "Action": "sns:Publish",
            "Resource": topic.arn,
            "Condition": {"StringEquals": {"aws:SourceAccount": "111122223333"}},
        }
    ]
    assert with_key.outputs["alarms_topic_arn"] == topic.arn


def test_with_a_key_subscribers_of_the_critical_topic_get_alarms_too(with_key):
    subscribed = {topic: {} for topic in ("critical", "alarms")}
    for resource in with_key.of_type(SUBSCRIPTION):
        topic, _, rest = resource.name.removeprefix("alerts-").partition("-")
        if topic in subscribed:
            subscribed[topic][rest] = resource

    assert subscribed["critical"].keys() == subscribed["alarms"].keys()
    assert len(subscribed["alarms"]) == 3
    for rest, alarm in subscribed["alarms"].items():
        same = {key: value for key, value in subscribed["critical"][rest].inputs.items() if "filterPolicy" not in key}
        # No alarm would match a filter for notifications.
        assert alarm.inputs == {**same, "topic": with_key.named(TOPIC, "alerts-alarms").arn}
        assert alarm.delete_before_replace
    sources = {resource.inputs["sourceArn"] for resource in with_key.of_type(PERMISSION)}
    assert sources == {with_key.named(TOPIC, f"alerts-{topic}").arn for topic in subscribed}
    admitted = with_key.named(QUEUE_POLICY, "alerts-dead-letters").policy()[0]["Condition"]["ArnEquals"]
    assert with_key.named(TOPIC, "alerts-alarms").arn in admitted["aws:SourceArn"]


def test_without_a_key_alarms_use_the_critical_topic(all_protocols):
    assert all_protocols.outputs["alarms_topic_arn"] == all_protocols.outputs["critical_topic_arn"]


def test_without_a_key_queues_have_sse_and_topics_are_unencrypted(all_protocols):
    assert all("kmsMasterKeyId" not in topic.inputs for topic in all_protocols.of_type(TOPIC))
    queue = all_protocols.named(QUEUE, "alerts-dead-letters").inputs
    assert queue["sqsManagedSseEnabled"] is True
    assert "kmsMasterKeyId" not in queue
