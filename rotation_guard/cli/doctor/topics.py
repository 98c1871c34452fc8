"""The topics: they exist, admit who publishes, and have subscribers who confirmed."""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any
from urllib.parse import urlsplit

from .examination import Examination
from .link import Check, Finding, Part, broken, cannot_tell, note
from .resource_policies import ALLOWED, UNKNOWN, Request, decide, parse
from .roles import EVENTS

SUBSCRIBE = "Add a subscription to `subscriptions` in the stack's configuration, and run `pulumi up`."
TOPIC_OUTPUTS = {f"{name}_topic_arn": name for name in ("failures", "remediation", "critical", "alarms", "reports")}
"""Output -> the short name of the topic."""
_PENDING = "PendingConfirmation"
"""In place of its ARN, SNS lists this of a subscription that is not confirmed, and `Deleted` of one that ended
(https://docs.aws.amazon.com/sns/latest/api/API_ListSubscriptionsByTopic.html)."""
_WITHOUT_REDRIVE = ("email", "email-json", "sms")
"""Protocols whose dead letters could not be delivered again."""
_ALARMS = "cloudwatch.amazonaws.com"


def list_checks(examination: Examination) -> Iterable[Check]:
    """One for each topic."""
    for output, name in TOPIC_OUTPUTS.items():
        if not examination.expects(output) or (name == "alarms" and not _has_own_alarms(examination)):
            continue
        yield Check(
            "topic",
            name,
            (_topic(examination, name, output), _subscribers(examination, name, output)),
        )


def find_publishers(examination: Examination, topic: str) -> Sequence[str]:
    """The AWS services that publish to a topic; roles of the account are admitted by their own policies."""
    if topic == "failures":
        return (EVENTS,)
    rings = "alarms" if _has_own_alarms(examination) else "critical"
    return (_ALARMS,) if topic == rings else ()


def _has_own_alarms(examination: Examination) -> bool:
    """Whether alarms ring another topic than the critical one."""
    outputs = examination.deployment.outputs
    return examination.has("alarms_topic_arn") and outputs["alarms_topic_arn"] != outputs.get("critical_topic_arn")


def judge_admission(topic_arn: str, policy: object, service: str, account: str) -> Iterator[Finding]:
    """Whether the policy of a topic lets a service publish.

    A delivery by EventBridge fails if the statement has a condition
    (https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-use-resource-based.html#eb-sns-permissions).
    """
    statements = parse(policy or "")
    fix = (
        f"{topic_arn} needs a policy that allows sns:Publish to {service}; `pulumi refresh` and `pulumi up` restore "
        "that of a topic of the stack."
    )
    if service == EVENTS:
        statements = [one for one in statements if one.get("Effect") != "Allow" or not one.get("Condition")]
    context = {"aws:sourceaccount": account, "aws:securetransport": "true"}
    result = decide(statements, Request("sns:Publish", topic_arn, service, context))
    if result == UNKNOWN:
        yield cannot_tell(
            f"The policy of the topic has conditions for {service} that are not evaluated here.",
            "Read the policy, or send a drill.",
        )
    elif result != ALLOWED:
        suffix = " without a condition" if service == EVENTS else ""
        yield broken(f"The policy of the topic does not admit {service}{suffix}.", fix)


def judge_subscriptions(topic: str, subscriptions: Sequence[Mapping[str, Any]]) -> Iterator[Finding]:
    """Whether a topic has subscribers, and all of them confirmed."""
    pending = [one for one in subscriptions if one.get("SubscriptionArn") == _PENDING]
    confirmed = [one for one in subscriptions if str(one.get("SubscriptionArn", "")).startswith("arn:")]
    for one in pending:
        yield broken(
            f"The subscription of {describe_endpoint(one)} ({one.get('Protocol')}) is not confirmed.",
            "Follow the link in the message of AWS; if it has expired (after two days), run `pulumi refresh` and "
            "`pulumi up`, which subscribe again.",
        )
    if confirmed:
        count = len(confirmed)
        yield note(f"{count} subscriber{'' if count == 1 else 's'}.")
    elif topic in ("critical", "alarms"):
        yield broken(f"The topic {topic} has no confirmed subscriber: nobody is notified.", SUBSCRIBE)
    elif not pending:
        yield note("No subscribers.")


def describe_endpoint(subscription: Mapping[str, Any]) -> str:
    """A subscriber by its endpoint; of a URL, whose path may be a credential, only the host."""
    endpoint = str(subscription.get("Endpoint"))
    return f"{endpoint.partition('://')[0]}://{urlsplit(endpoint).hostname}/..." if "://" in endpoint else endpoint


def judge_subscription(endpoint: str, protocol: str, attributes: Mapping[str, str]) -> Iterator[Finding]:
    """Whether a subscription filters, and where its undeliverable messages go."""
    if attributes.get("FilterPolicy"):
        scope = attributes.get("FilterPolicyScope", "MessageAttributes")
        yield note(f"{endpoint} gets only what its filter on {scope} admits.")
    if protocol not in _WITHOUT_REDRIVE and not attributes.get("RedrivePolicy"):
        yield note(f"{endpoint} has no dead-letter queue: what it does not take is lost.")


def _topic(examination: Examination, name: str, output: str) -> Part:
    def check() -> Iterator[Finding]:
        arn = examination.output(output)
        attributes = read_attributes(examination, arn)
        if attributes is None:
            yield broken(f"The topic {arn} does not exist.")
            return
        for service in find_publishers(examination, name):
            yield from judge_admission(arn, attributes.get("Policy"), service, examination.account)

    return check


def _subscribers(examination: Examination, name: str, output: str) -> Part:
    def check() -> Iterator[Finding]:
        arn = examination.output(output)
        response = examination.read("sns:ListSubscriptionsByTopic", TopicArn=arn)
        if response is None:
            return
        yield from judge_subscriptions(name, response["Subscriptions"])
        for one in response["Subscriptions"]:
            if str(one.get("SubscriptionArn", "")).startswith("arn:"):
                yield from _check_subscription(examination, one)

    return check


def _check_subscription(examination: Examination, subscription: Mapping[str, Any]) -> Iterator[Finding]:
    arn, endpoint = subscription["SubscriptionArn"], describe_endpoint(subscription)
    response = examination.read("sns:GetSubscriptionAttributes", SubscriptionArn=arn)
    if response is None:
        return
    attributes = response["Attributes"]
    yield from judge_subscription(endpoint, subscription["Protocol"], attributes)
    queue = json.loads(attributes.get("RedrivePolicy") or "{}").get("deadLetterTargetArn")
    if queue:
        *_, account, name = queue.split(":")
        if examination.read("sqs:GetQueueUrl", QueueName=name, QueueOwnerAWSAccountId=account) is None:
            yield broken(f"The dead-letter queue {queue} of {endpoint} does not exist.")


def read_attributes(examination: Examination, arn: str) -> Mapping[str, Any] | None:
    """The attributes of a topic; None if it does not exist. Raises Unanswered."""
    response = examination.read("sns:GetTopicAttributes", TopicArn=arn)
    return None if response is None else response["Attributes"]
