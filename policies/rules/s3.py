"""S3 notifications: they are delivered, and a bucket sends the events that a rule matches."""

from collections.abc import Iterator
from typing import Any

from ..aws import arns, delivery
from ..aws.function_permissions import Caller
from ..aws.iam import resource_access
from ..model import resource_types, values
from ..model.finding import Complaints, Finding
from ..model.rule import check_each, stack_rule
from ..model.stack import Resource, Stack
from ..model.values import Mark, Undecided

SERVICE = "s3.amazonaws.com"
_DESTINATIONS = (
    ("queues.queueArn", (resource_types.QUEUE,)),
    ("topics.topicArn", (resource_types.TOPIC,)),
    ("lambdaFunctions.lambdaFunctionArn", (resource_types.FUNCTION, resource_types.FUNCTION_ALIAS)),
)
"""Properties with the destinations of a notification, and their types."""
NOT_FIFO = Finding("S3 does not notify FIFO queues and topics.", "Use a standard queue or topic.")
_API_CALL = "AWS API Call via CloudTrail"

_GUIDE = "https://docs.aws.amazon.com/AmazonS3/latest/userguide"


@stack_rule(
    resource_types.BUCKET_NOTIFICATION,
    severity="high",
    enforcement="mandatory",
    link=f"{_GUIDE}/grant-destinations-permissions-to-s3.html",
)
def bucket_notification_reaches_its_destination(notification: Resource, stack: Stack) -> Complaints:
    """S3 may deliver a bucket's notifications to their queue, topic or function, which is not FIFO.

    Allow s3.amazonaws.com to send in the destination's policy, with a condition on the bucket's ARN.
    """
    bucket, arn = _bucket(stack, notification)
    caller = Caller(SERVICE, "s3", "bucket", bucket, arn)

    def check(destination: tuple[Any, Resource]) -> Complaints:
        value, to = destination
        if to.type in (resource_types.QUEUE, resource_types.TOPIC) and delivery.is_fifo(to):
            obstacle: Finding | None = NOT_FIFO
        else:
            obstacle = delivery.find_obstacle(stack, value, to, caller)
        return obstacle and obstacle.prefix(f"The bucket notification {notification.name} cannot reach {to.name}: ")

    yield from check_each(_destinations(stack, notification), check)
    for path, _ in _DESTINATIONS:
        for value in _texts(notification, path):
            if value.endswith(".fifo") and stack.find(value, resource_types.QUEUE, resource_types.TOPIC) is None:
                yield NOT_FIFO.prefix(f"The bucket notification {notification.name} cannot reach {value}: ")


@stack_rule(
    resource_types.EVENT_RULE,
    severity="high",
    enforcement="mandatory",
    link=f"{_GUIDE}/enable-event-notifications-eventbridge.html",
)
def bucket_sends_the_events_of_its_rule(event_rule: Resource, stack: Stack) -> Complaints:
    """A bucket whose events a rule matches sends them to EventBridge, which is off by default.

    Set eventbridge to true in the bucket's BucketNotification.
    """
    pattern = event_rule.document("eventPattern") or {}
    if pattern.get("source") != ["aws.s3"] or _API_CALL in values.items(pattern.get("detail-type")):
        return
    for name in values.items(values.get_path(pattern, "detail.bucket.name")):
        bucket = stack.find(name, *resource_types.BUCKETS) if isinstance(name, str) else None
        if bucket is None or bucket.external:
            continue
        notifications = stack.referring(bucket, "bucket", resource_types.BUCKET_NOTIFICATION)
        if values.any_of(notifications.all(), lambda notification: notification.flag("eventbridge", absent=False)):
            continue
        yield Finding(
            f"The rule {event_rule.name} matches events that the bucket {bucket.name} does not send: no "
            "BucketNotification of the bucket has eventbridge.",
            "Set eventbridge to true in the bucket's BucketNotification.",
        )


def _destinations(stack: Stack, notification: Resource) -> Iterator[tuple[str | Mark, Resource]]:
    for path, types in _DESTINATIONS:
        yield from stack.targets(notification, path, *types)


def _texts(notification: Resource, path: str) -> list[str]:
    try:
        return [value for value in values.get_all(notification.props, path) if isinstance(value, str)]
    except Undecided:
        return []


def _bucket(stack: Stack, notification: Resource) -> tuple[Resource | None, str | None]:
    """The known bucket and ARN of a notification; the ARN follows from the bucket's name."""
    try:
        bucket = stack.target(notification, "bucket", *resource_types.BUCKETS)
    except Undecided:
        bucket = None
    name = notification.value("bucket")
    partitions = (
        parts.partition
        for path, _ in _DESTINATIONS
        for value in _texts(notification, path)
        if (parts := arns.parse(value))
    )
    derived_arn = f"arn:{next(partitions, 'aws')}:s3:::{name}" if isinstance(name, str) and name else None
    return bucket, resource_access.known_arn(bucket) or (derived_arn if bucket is None else None)
