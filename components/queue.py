"""Queues as this stack wants them: kept for a stated time and encrypted in a way that EventBridge and SNS can use."""

import json
from collections.abc import Mapping
from typing import Any, NamedTuple

import pulumi
from pulumi_aws import sqs

from rotation_guard.domain.tags import AUDIT_TAG

DAY = 86_400
MAXIMUM_MESSAGE_BYTES = 1_048_576
"""As much as SQS and EventBridge take since January 2026
(https://aws.amazon.com/blogs/compute/more-room-to-build-serverless-services-now-support-payloads-up-to-1-mb/). The
provider's own default is 262144: a queue would refuse larger events, and so would the dead-letter queue behind it.
"""


class QueueReference(NamedTuple):
    """A queue that exists already."""

    name: pulumi.Output[str]
    arn: pulumi.Output[str]
    url: pulumi.Output[str]


def find_queue(arn: pulumi.Input[str], url: pulumi.Input[str]) -> QueueReference:
    """The queue with this ARN, which ends with its name
    (https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazonsqs.html)."""
    known = pulumi.Output.from_input(arn)
    return QueueReference(known.apply(lambda text: text.rpartition(":")[2]), known, pulumi.Output.from_input(url))


def queue(
    name: str,
    *,
    retention_days: int,
    kms_key_arn: pulumi.Input[str] | None,
    tags: Mapping[str, str] | None,
    opts: pulumi.ResourceOptions,
    **more: Any,
) -> sqs.Queue:
    """A standard queue, encrypted by SQS itself, or with the customer key when one is given.

    Never with the key that AWS manages for SQS, which shuts EventBridge and SNS out
    (https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-key-management.html).
    """
    return sqs.Queue(
        name,
        message_retention_seconds=retention_days * DAY,
        max_message_size=MAXIMUM_MESSAGE_BYTES,
        kms_master_key_id=kms_key_arn,
        sqs_managed_sse_enabled=None if kms_key_arn else True,
        tags=tags,
        opts=opts,
        **more,
    )


def queue_of_events(
    name: str,
    dead_letters_name: str,
    *,
    retention_days: int,
    dead_letter_retention_days: int,
    visibility_seconds: int,
    maximum_receives: int,
    kms_key_arn: pulumi.Input[str] | None,
    tags: Mapping[str, str] | None,
    opts: pulumi.ResourceOptions,
) -> tuple[sqs.Queue, sqs.Queue]:
    """A queue that a function reads events from, and its dead letters. Its tag says that nothing may be filtered."""
    dead_letters = queue(
        dead_letters_name, retention_days=dead_letter_retention_days, kms_key_arn=kms_key_arn, tags=tags, opts=opts
    )
    events = queue(
        name,
        retention_days=retention_days,
        kms_key_arn=kms_key_arn,
        tags={**(tags or {}), AUDIT_TAG: "true"},
        visibility_timeout_seconds=visibility_seconds,
        redrive_policy=dead_letters.arn.apply(
            lambda arn: json.dumps({"deadLetterTargetArn": arn, "maxReceiveCount": maximum_receives})
        ),
        opts=opts,
    )
    return events, dead_letters
