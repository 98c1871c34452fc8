"""Who is told: topics, who may publish to them, and their subscribers."""

import json

import pulumi
import pytest

from components.notifications.notifications import Notifications

TOPIC, TOPIC_POLICY = "aws:sns/topic:Topic", "aws:sns/topicPolicy:TopicPolicy"
SUBSCRIPTION, QUEUE, QUEUE_POLICY = (
    "aws:sns/topicSubscription:TopicSubscription",
    "aws:sqs/queue:Queue",
    "aws:sqs/queuePolicy:QueuePolicy",
)
PERMISSION = "aws:lambda/permission:Permission"
TOPICS = ["failures", "remediation", "critical"]
ACCOUNT = "eu-west-1:111122223333"
ROLE = "arn:aws:iam::111122223333:role/sns-to-firehose"
ENDPOINTS = {
    "http": "http://example.com/hook",
    "https": "https://example.com/hook",
    "email": "team@example.com",
    "email-json": "robot@example.com",
    "sms": "+15551234567",
    "sqs": f"arn:aws:sqs:{ACCOUNT}:inbox",
    "lambda": f"arn:aws:lambda:{ACCOUNT}:function:pager",
    "application": f"arn:aws:sns:{ACCOUNT}:endpoint/GCM/app/5e3e9847",
    "firehose": f"arn:aws:firehose:{ACCOUNT}:deliverystream/archive",
}
HEARD_BY_A_MACHINE = sorted(set(ENDPOINTS) - {"email", "email-json", "sms"})


def subscription(protocol, topic="failures", **more):
    role = {"subscription_role_arn": ROLE} if protocol == "firehose" else {}
    return {"topic": topic, "protocol": protocol, "endpoint": ENDPOINTS[protocol], **role, **more}


def subscribed(recording):
    [one] = recording.of_type(SUBSCRIPTION)
    return one


@pytest.fixture(scope="module")
def everyone(deploy):
    return deploy(Notifications, "told", {"subscriptions": [subscription(protocol) for protocol in ENDPOINTS]})


def test_there_is_a_topic_for_each_kind_of_notice(deploy):
    recording = deploy(Notifications, "told")

    assert [topic.name for topic in recording.of_type(TOPIC)] == [f"told-{topic}" for topic in TOPICS]
    assert recording.of_type(SUBSCRIPTION) == []
    for topic in TOPICS:
        assert recording.outputs[f"{topic}_topic_arn"] == recording.named(TOPIC, f"told-{topic}").arn


def test_eventbridge_may_publish_failures_without_a_condition(everyone):
    topic = everyone.named(TOPIC, "told-failures")
    policy = everyone.named(TOPIC_POLICY, "told-failures")

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


def test_only_roles_of_the_account_publish_to_the_topic_of_remediation(everyone):
    topic = everyone.named(TOPIC, "told-remediation")
    policy = everyone.named(TOPIC_POLICY, "told-remediation")

    assert policy.inputs["arn"] == topic.arn
    assert policy.policy() == [by_roles(topic)]


def test_only_roles_and_alarms_of_the_account_publish_to_the_critical_topic(everyone):
    topic = everyone.named(TOPIC, "told-critical")
    policy = everyone.named(TOPIC_POLICY, "told-critical")

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
def test_a_subscriber_of_each_protocol_hears_its_topic(deploy, protocol):
    recording = deploy(Notifications, "told", {"subscriptions": [subscription(protocol, "critical")]})

    one = subscribed(recording)
    assert one.inputs["topic"] == recording.named(TOPIC, "told-critical").arn
    assert (one.inputs["protocol"], one.inputs["endpoint"]) == (protocol, ENDPOINTS[protocol])
    assert one.name.startswith(f"told-critical-{protocol}-")
    assert {"filterPolicy", "filterPolicyScope", "rawMessageDelivery"}.isdisjoint(one.inputs)
    assert one.inputs.get("subscriptionRoleArn") == (ROLE if protocol == "firehose" else None)


@pytest.mark.parametrize("protocol", HEARD_BY_A_MACHINE)
def test_what_a_machine_cannot_take_goes_to_dead_letters(everyone, protocol):
    [one] = [resource for resource in everyone.of_type(SUBSCRIPTION) if resource.inputs["protocol"] == protocol]

    dead_letters = everyone.named(QUEUE, "told-dead-letters")
    assert json.loads(one.inputs["redrivePolicy"]) == {"deadLetterTargetArn": dead_letters.arn}
    assert everyone.named(QUEUE_POLICY, "told-dead-letters").urn in one.depends_on


@pytest.mark.parametrize("protocol", ["email", "email-json", "sms"])
def test_what_a_person_does_not_get_has_no_dead_letters(everyone, protocol):
    [one] = [resource for resource in everyone.of_type(SUBSCRIPTION) if resource.inputs["protocol"] == protocol]

    assert "redrivePolicy" not in one.inputs


def test_dead_letters_admit_exactly_the_topics(everyone):
    queue = everyone.named(QUEUE, "told-dead-letters")
    policy = everyone.named(QUEUE_POLICY, "told-dead-letters")

    assert policy.inputs["queueUrl"] == queue.outputs["url"]
    assert policy.policy() == [
        {
            "Effect": "Allow",
            "Principal": {"Service": "sns.amazonaws.com"},
            "Action": "sqs:SendMessage",
            "Resource": queue.arn,
            "Condition": {"ArnEquals": {"aws:SourceArn": [topic.arn for topic in everyone.of_type(TOPIC)]}},
        }
    ]


def test_a_subscribed_function_lets_its_topic_and_nobody_else_call_it(everyone):
    [permission] = everyone.of_type(PERMISSION)

    assert permission.inputs == {
        "action": "lambda:InvokeFunction",
        "function": ENDPOINTS["lambda"],
        "principal": "sns.amazonaws.com",
        "sourceArn": everyone.named(TOPIC, "told-failures").arn,
    }


def test_a_filter_reads_the_body_because_eventbridge_sets_no_attributes(deploy):
    policy = {"detail": {"eventName": ["RotationFailed"]}, "account": ["111122223333"]}

    recording = deploy(Notifications, "told", {"subscriptions": [subscription("sqs", filter_policy=policy)]})

    assert json.loads(subscribed(recording).inputs["filterPolicy"]) == policy
    assert subscribed(recording).inputs["filterPolicyScope"] == "MessageBody"


@pytest.mark.parametrize("topic", ["failures", "remediation", "critical"])
@pytest.mark.parametrize("protocol", ENDPOINTS)
def test_a_filter_reads_what_its_subscriber_gets_as_json_and_else_the_attributes(deploy, topic, protocol):
    policy = {"severity": ["OUTAGE"]}

    recording = deploy(Notifications, "told", {"subscriptions": [subscription(protocol, topic, filter_policy=policy)]})

    # Text is no JSON, so that no filter on the body would let it through; EventBridge sets no attributes.
    is_text = protocol in ("email", "email-json", "sms", "application") and topic != "failures"
    expected = "MessageAttributes" if is_text else "MessageBody"
    assert subscribed(recording).inputs["filterPolicyScope"] == expected


@pytest.mark.parametrize("raw", [True, False])
def test_raw_delivery_is_passed_on_as_it_was_said(deploy, raw):
    recording = deploy(Notifications, "told", {"subscriptions": [subscription("https", raw_message_delivery=raw)]})

    assert subscribed(recording).inputs["rawMessageDelivery"] is raw


def test_reordering_subscribers_renames_none_of_them(deploy):
    subscriptions = [subscription(protocol) for protocol in ENDPOINTS] + [subscription("email", "critical")]

    before = deploy(Notifications, "told", {"subscriptions": subscriptions})
    after = deploy(Notifications, "told", {"subscriptions": [*reversed(subscriptions)]})

    assert len(before.of_type(SUBSCRIPTION)) == len(subscriptions)
    assert before.shape() == after.shape()


def test_a_subscriber_more_leaves_the_others_as_they_were(deploy):
    one, other = subscription("email"), {**subscription("email"), "endpoint": "other@example.com"}

    before = deploy(Notifications, "told", {"subscriptions": [one]}).shape()
    after = deploy(Notifications, "told", {"subscriptions": [other, one]}).shape()

    assert before.items() <= after.items()
    assert len(after) == len(before) + 1


HOOK = "https://example.com/token-1234"
HOOK_SHA = "c7603f9f"
"""`printf %s https://example.com/token-1234 | sha256sum | cut -c -8`"""


def hook(endpoint=HOOK, **more):
    return {"topic": "critical", "protocol": "https", "endpoint": endpoint, **more}


def test_a_secret_endpoint_stays_secret_and_shows_in_no_name(deploy):
    one = subscribed(deploy(Notifications, "told", lambda: {"subscriptions": [hook(pulumi.Output.secret(HOOK))]}))

    assert one.secret_inputs == {"endpoint"}
    assert one.inputs["endpoint"] == HOOK
    assert one.name == "told-critical-https"


def test_a_secret_filter_stays_secret(deploy):
    policy = {"account": ["111122223333"]}

    def args():
        return {"subscriptions": [hook(filter_policy=pulumi.Output.secret(policy))]}

    one = subscribed(deploy(Notifications, "told", args))

    assert "filterPolicy" in one.secret_inputs
    assert json.loads(one.inputs["filterPolicy"]) == policy


def test_a_name_stands_where_the_hash_of_the_endpoint_would(deploy):
    def named():
        return {"subscriptions": [hook(pulumi.Output.secret(HOOK), name="pager"), hook("https://example.com/x")]}

    names = [resource.name for resource in deploy(Notifications, "told", named).of_type(SUBSCRIPTION)]

    assert "told-critical-https-pager" in names
    assert (
        subscribed(deploy(Notifications, "told", {"subscriptions": [hook()]})).name == f"told-critical-https-{HOOK_SHA}"
    )


@pytest.mark.parametrize("protocol", ENDPOINTS)
@pytest.mark.parametrize("position", [0, 2])
def test_a_subscription_that_was_named_by_its_position_is_recognized(deploy, protocol, position):
    others = [subscription("email", "remediation"), subscription("sms", "remediation")]
    listed = [*others[:position], subscription(protocol, "critical")]

    recording = deploy(Notifications, "told", {"subscriptions": listed})

    found = [
        resource
        for resource in recording.of_type(SUBSCRIPTION) + recording.of_type(PERMISSION)
        if "critical" in resource.name
    ]
    assert len(found) == (2 if protocol == "lambda" else 1)
    assert all(f"told-critical-{protocol}-{position}" in one.aliases for one in found)


def test_a_subscription_that_gets_a_name_or_becomes_secret_is_recognized(deploy):
    hashed = f"told-critical-https-{HOOK_SHA}"

    def secret(**more):
        return lambda: {"subscriptions": [hook(pulumi.Output.secret(HOOK), **more)]}

    for args in ({"subscriptions": [hook(name="pager")]}, secret(name="pager"), secret()):
        assert hashed in subscribed(deploy(Notifications, "told", args)).aliases


def test_no_alias_is_a_subscription_of_its_own(deploy):
    """The engine refuses two resources that claim one of the state."""
    recording = deploy(Notifications, "told", {"subscriptions": [subscription(protocol) for protocol in ENDPOINTS]})

    subscriptions = recording.of_type(SUBSCRIPTION)
    names = {subscription.name for subscription in subscriptions}
    claimed = [alias for subscription in subscriptions for alias in subscription.aliases]
    assert len(claimed) == len(ENDPOINTS)
    assert names.isdisjoint(claimed)
    assert len(set(claimed)) == len(claimed)


def test_a_replaced_subscription_is_ended_before_its_successor_is_asked_for(everyone):
    """SNS would answer with the one that is about to be ended."""
    assert all(resource.delete_before_replace for resource in everyone.of_type(SUBSCRIPTION))


def test_an_update_that_would_rename_a_subscription_is_looked_at_before_it_runs(everyone, deploy):
    component = "rotation-guard:index:Notifications"

    assert everyone.named(component, "told").has_update_check
    assert not deploy(Notifications, "told").named(component, "told").has_update_check


@pytest.mark.parametrize("known_later", [False, True])
def test_a_key_encrypts_the_topics_and_the_dead_letters(deploy, known_later):
    key = f"arn:aws:kms:{ACCOUNT}:key/7d0e"

    def args():
        given = pulumi.Output.from_input(key) if known_later else key
        return {"kms_key_arn": given, "subscriptions": [subscription("https")]}

    recording = deploy(Notifications, "told", args)

    keys = {topic.name: topic.inputs.get("kmsMasterKeyId") for topic in recording.of_type(TOPIC)}
    assert keys == {**{f"told-{topic}": key for topic in TOPICS}, "told-alarms": None}
    queue = recording.named(QUEUE, "told-dead-letters").inputs
    assert queue["kmsMasterKeyId"] == key
    assert "sqsManagedSseEnabled" not in queue


ON_CALL = {
    protocol: subscription(protocol, "critical", filter_policy={"owner": ["shop"]}) for protocol in ("email", "lambda")
}


@pytest.fixture(scope="module")
def with_key(deploy):
    heard = [*ON_CALL.values(), subscription("email", "failures"), subscription("sqs", "critical", name="pager")]
    return deploy(Notifications, "told", {"kms_key_arn": f"arn:aws:kms:{ACCOUNT}:key/7d0e", "subscriptions": heard})


def test_with_a_key_alarms_alone_publish_to_a_topic_that_needs_none(with_key):
    topic, policy = with_key.named(TOPIC, "told-alarms"), with_key.named(TOPIC_POLICY, "told-alarms")

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


def test_with_a_key_whoever_hears_what_is_critical_hears_alarms_too(with_key):
    subscribed = {topic: {} for topic in ("critical", "alarms")}
    for resource in with_key.of_type(SUBSCRIPTION):
        topic, _, rest = resource.name.removeprefix("told-").partition("-")
        if topic in subscribed:
            subscribed[topic][rest] = resource

    assert subscribed["critical"].keys() == subscribed["alarms"].keys()
    assert len(subscribed["alarms"]) == 3
    for rest, alarm in subscribed["alarms"].items():
        same = {key: value for key, value in subscribed["critical"][rest].inputs.items() if "filterPolicy" not in key}
        # No alarm would pass a filter that is about notices.
        assert alarm.inputs == {**same, "topic": with_key.named(TOPIC, "told-alarms").arn}
        assert alarm.delete_before_replace
    sources = {resource.inputs["sourceArn"] for resource in with_key.of_type(PERMISSION)}
    assert sources == {with_key.named(TOPIC, f"told-{topic}").arn for topic in subscribed}
    admitted = with_key.named(QUEUE_POLICY, "told-dead-letters").policy()[0]["Condition"]["ArnEquals"]
    assert with_key.named(TOPIC, "told-alarms").arn in admitted["aws:SourceArn"]


def test_without_a_key_alarms_ring_the_critical_topic(everyone):
    assert everyone.outputs["alarms_topic_arn"] == everyone.outputs["critical_topic_arn"]


def test_without_a_key_queues_have_sse_and_topics_stay_reachable(everyone):
    assert all("kmsMasterKeyId" not in topic.inputs for topic in everyone.of_type(TOPIC))
    queue = everyone.named(QUEUE, "told-dead-letters").inputs
    assert queue["sqsManagedSseEnabled"] is True
    assert "kmsMasterKeyId" not in queue


@pytest.mark.parametrize(("given", "seconds"), [({}, 14 * 86400), ({"dead_letter_retention_days": 1}, 86400)])
def test_dead_letters_are_kept_as_long_as_said(deploy, given, seconds):
    recording = deploy(Notifications, "told", {**given, "subscriptions": [subscription("https")]})

    assert recording.named(QUEUE, "told-dead-letters").inputs["messageRetentionSeconds"] == seconds


def test_dead_letters_that_would_serve_nobody_are_not_made(deploy):
    person = {"topic": "critical", "protocol": "email", "endpoint": "on-call@example.com"}

    for subscriptions in ([], [person]):
        recording = deploy(Notifications, "told", {"subscriptions": subscriptions})

        assert recording.of_type(QUEUE) + recording.of_type(QUEUE_POLICY) == []


def test_a_preview_of_an_unknown_endpoint_works(deploy):
    def args():
        endpoint = pulumi.Output.from_input(pulumi.output.Unknown())
        return {"subscriptions": [{"topic": "critical", "protocol": "lambda", "endpoint": endpoint}]}

    recording = deploy(Notifications, "told", args, preview=True)

    assert {"endpoint", "topic"} <= subscribed(recording).unknown_inputs
    assert len(recording.of_type(PERMISSION)) == 1
