"""Sends a dead letter again: the one call with which its destination accepts it."""

import json
from collections.abc import Callable, Mapping
from functools import cache
from typing import Any

from rotation_guard.domain.dead_letters.dead_letter import DeadLetter, Sender
from rotation_guard.domain.dead_letters.destinations import (
    Destination,
    DestinationKind,
    NoDestination,
    find_destination,
)
from rotation_guard.domain.organization.deliveries import REDELIVERED
from rotation_guard.domain.plain_values import read_list, read_mapping

from ..aws import translate_aws_errors
from ..deployment import Deployment
from ..errors import Unreachable
from .queues import AUDIT_QUEUE_OUTPUT, DeadLetterQueue

_LAMBDA_NAMES = {"SigningCertURL": "SigningCertUrl", "UnsubscribeURL": "UnsubscribeUrl"}
"""Fields of a notification that a function gets under other names
(https://docs.aws.amazon.com/lambda/latest/dg/with-sns.html)."""
_TOPIC_OUTPUTS = ("failures_topic_arn", "remediation_topic_arn", "critical_topic_arn", "alarms_topic_arn")
ACTIONS: Mapping[str, frozenset[str]] = {
    DestinationKind.QUEUE: frozenset({"sqs:GetQueueUrl", "sqs:SendMessage"}),
    DestinationKind.TOPIC: frozenset({"sns:Publish"}),
    DestinationKind.FUNCTION: frozenset({"lambda:InvokeFunction"}),
    DestinationKind.EVENT_BUS: frozenset({"events:PutEvents"}),
    DestinationKind.SUBSCRIPTION: frozenset(
        {
            "sns:GetSubscriptionAttributes",
            "sns:ListSubscriptionsByTopic",
            "sqs:GetQueueUrl",
            "sqs:SendMessage",
            "lambda:InvokeFunction",
        }
    ),
}
"""Permissions that redrive needs, by destination."""


class Sending:
    """Finds the destination of dead letters of a deployment, and sends them there."""

    def __init__(self, deployment: Deployment) -> None:
        self._deployment = deployment
        self._client = cache(deployment.session.client)
        self._url_of = cache(self._find_url)
        self._endpoint_of = cache(self._find_endpoint)
        self._raw_subscription_of = cache(self._find_raw_subscription)
        self._senders: Mapping[DestinationKind, Callable[[str, DeadLetter], None]] = {
            DestinationKind.QUEUE: self._send_to_queue,
            DestinationKind.TOPIC: self._publish,
            DestinationKind.FUNCTION: self._invoke,
            DestinationKind.EVENT_BUS: self._put_event,
            DestinationKind.SUBSCRIPTION: self._deliver,
        }

    def find(self, letter: DeadLetter, queue: DeadLetterQueue) -> Destination:
        """Where this message of this queue is to be sent. Raises NoDestination, and Unreachable."""
        account, region = queue.account, self._client("sqs").meta.region_name
        destination = find_destination(letter, account, region, self._source_arn(queue, region))
        if destination.kind is DestinationKind.SUBSCRIPTION:
            arn = destination.arn or self._raw_subscription_of(queue, account, region)
            self._endpoint_of(arn)
            return Destination(destination.kind, arn)
        return destination

    def describe(self, letter: DeadLetter, queue: DeadLetterQueue) -> str:
        """Where redrive sends it, or why nowhere: a sentence or a phrase."""
        try:
            return self.describe_destination(self.find(letter, queue))
        except NoDestination as reason:
            return f"not possible: {reason}"
        except Unreachable as error:
            return f"unknown: {error}"

    def describe_destination(self, destination: Destination) -> str:
        """The destination in words; of a subscription, its endpoint."""
        if destination.kind is DestinationKind.SUBSCRIPTION:
            protocol, endpoint = self._endpoint_of(destination.arn)
            return f"subscriber {protocol} {endpoint.rpartition(':')[2]}"
        return str(destination)

    def send(self, destination: Destination, letter: DeadLetter) -> None:
        """Send it; returns once the destination has accepted it. Raises Unreachable."""
        context = f"{self._deployment.description}, {destination}"
        with translate_aws_errors(self._deployment.session, context):
            self._senders[destination.kind](destination.arn, letter)

    def _source_arn(self, queue: DeadLetterQueue, region: str) -> str:
        """The queue of events to be recorded, which the outputs name, as the source of its dead-letter queue."""
        url = self._deployment.outputs.get(AUDIT_QUEUE_OUTPUT)
        if queue.name != "unrecorded-events" or not isinstance(url, str) or url.count("/") < 4:
            return ""
        account, name = url.split("/")[-2:]
        return f"arn:{self._partition(region)}:sqs:{region}:{account}:{name}"

    def _partition(self, region: str) -> str:
        arns = (value for value in self._deployment.outputs.values() if isinstance(value, str))
        known = next((value.split(":")[1] for value in arns if value.startswith("arn:")), "")
        return known or self._client("sqs").meta.partition

    def _find_url(self, queue_arn: str) -> str:
        account, name = queue_arn.split(":")[4:6]
        return self._client("sqs").get_queue_url(QueueName=name, QueueOwnerAWSAccountId=account)["QueueUrl"]

    def _send_to_queue(self, arn: str, letter: DeadLetter) -> None:
        # A queue gets its messages as they were; the attributes of EventBridge and Scheduler are theirs.
        is_original = letter.sender in (Sender.QUEUE, Sender.SUBSCRIPTION)
        attributes = {
            name: {
                part: value for part, value in attribute.items() if part in ("DataType", "StringValue", "BinaryValue")
            }
            for name, attribute in letter.raw_attributes.items()
            if is_original and not name.startswith("Error") and name != "RequestID"
        }
        self._client("sqs").send_message(
            QueueUrl=self._url_of(arn),
            MessageBody=letter.payload,
            **({"MessageAttributes": attributes} if attributes else {}),
        )

    def _publish(self, arn: str, letter: DeadLetter) -> None:
        self._client("sns").publish(TopicArn=arn, Message=letter.payload)

    def _invoke(self, arn: str, letter: DeadLetter) -> None:
        self._invoke_with(arn, letter.payload)

    def _invoke_with(self, arn: str, payload: str) -> None:
        # Lambda has accepted it once it answers; it invokes the function later, and repeats that on errors.
        self._client("lambda").invoke(FunctionName=arn, InvocationType="Event", Payload=payload.encode())

    def _put_event(self, arn: str, letter: DeadLetter) -> None:
        """Deliver an event to a bus of another account, as a member's redelivery does: wrapped.

        PutEvents refuses the sources of AWS
        (https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_PutEventsRequestEntry.html).
        """
        event = read_mapping(letter.content)
        entry = {
            "EventBusName": arn,
            "Source": REDELIVERED,
            "DetailType": str(event.get("detail-type") or "unknown"),
            "Resources": [name for name in read_list(event.get("resources")) if isinstance(name, str)],
            "Detail": letter.payload,
        }
        result = self._client("events").put_events(Entries=[entry])["Entries"][0]
        if result.get("ErrorCode"):
            raise Unreachable(
                f"{arn}: PutEvents was refused: {result['ErrorCode']}: {result.get('ErrorMessage', '')}".rstrip(": ")
            )

    def _deliver(self, subscription_arn: str, letter: DeadLetter) -> None:
        protocol, endpoint = self._endpoint_of(subscription_arn)
        if protocol == "sqs":
            self._send_to_queue(endpoint, letter)
        else:
            self._invoke_with(endpoint, json.dumps(_build_lambda_event(subscription_arn, read_mapping(letter.content))))

    def _find_endpoint(self, subscription_arn: str) -> tuple[str, str]:
        """The protocol and the endpoint of a subscription. Raises NoDestination, and Unreachable."""
        attributes = self._read_subscription(subscription_arn)
        if attributes is None:
            raise NoDestination(f"The subscription {subscription_arn} does not exist anymore.")
        endpoint = attributes.get("Endpoint", "")
        service, _, rest = endpoint.removeprefix("arn:").partition(":")[2].partition(":")
        if service not in ("sqs", "lambda") or not rest:
            raise NoDestination(
                f"SNS alone can deliver to {_name_protocol(endpoint)}, and published again it would reach all "
                "subscribers of the topic twice."
            )
        return service, endpoint

    def _read_subscription(self, arn: str) -> Mapping[str, str] | None:
        """The attributes of a subscription; None if it does not exist."""
        sns = self._client("sns")
        with translate_aws_errors(self._deployment.session, f"{self._deployment.description}, subscription {arn}"):
            try:
                return sns.get_subscription_attributes(SubscriptionArn=arn)["Attributes"]
            except sns.exceptions.NotFoundException:
                return None

    def _find_raw_subscription(self, queue: DeadLetterQueue, account: str, region: str) -> str:
        """The only subscription with raw delivery whose dead letters go to this queue.

        A raw message does not name its subscription. Raises NoDestination, and Unreachable.
        """
        queue_arn = f"arn:{self._partition(region)}:sqs:{region}:{account}:{queue.queue_name}"
        topics = dict.fromkeys(
            self._deployment.outputs[name] for name in _TOPIC_OUTPUTS if name in self._deployment.outputs
        )
        matches = [
            arn
            for topic in topics
            for arn in self._subscriptions_of(topic)
            if (attributes := self._read_subscription(arn))
            and attributes.get("RawMessageDelivery") == "true"
            and queue_arn in attributes.get("RedrivePolicy", "")
        ]
        if len(matches) != 1:
            raise NoDestination(
                "The message is raw, so it does not name its subscription, and "
                f"{len(matches) or 'no'} subscriptions have raw delivery and this dead-letter queue."
            )
        return matches[0]

    def _subscriptions_of(self, topic_arn: str) -> list[str]:
        sns = self._client("sns")
        with translate_aws_errors(self._deployment.session, f"{self._deployment.description}, topic {topic_arn}"):
            pages = sns.get_paginator("list_subscriptions_by_topic").paginate(TopicArn=topic_arn)
            found = [subscription["SubscriptionArn"] for page in pages for subscription in page["Subscriptions"]]
        # One that is not confirmed has a word in place of its ARN.
        return [arn for arn in found if arn.startswith("arn:")]


def _build_lambda_event(subscription_arn: str, envelope: Mapping[str, Any]) -> dict[str, Any]:
    """What SNS invokes a function with (https://docs.aws.amazon.com/lambda/latest/dg/with-sns.html)."""
    notification = {_LAMBDA_NAMES.get(name, name): value for name, value in envelope.items()}
    record = {
        "EventSource": "aws:sns",
        "EventVersion": "1.0",
        "EventSubscriptionArn": subscription_arn,
        "Sns": {"Subject": None, "MessageAttributes": {}, **notification},
    }
    return {"Records": [record]}


def _name_protocol(endpoint: str) -> str:
    scheme, mark, _ = endpoint.partition("://")
    return f"an {scheme} endpoint" if mark else endpoint or "this endpoint"
