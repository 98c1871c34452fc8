"""Queues as this stack wants them: kept for a stated time and encrypted in a way that EventBridge and SNS can use."""

import json
from collections.abc import Mapping
from typing import Any, NamedTuple

import pulumi
from pulumi_aws import lambda_, sqs

from rotation_guard.domain.tags import AUDIT_TAG

from .settings.declarations import value_of

DAY = 86_400
MAXIMUM_MESSAGE_BYTES = 1_048_576
"""As much as SQS and EventBridge take since January 2026
(https://aws.amazon.com/blogs/compute/more-room-to-build-serverless-services-now-support-payloads-up-to-1-mb/). The
provider's own default is 262144: a queue would refuse larger events, and so would the dead-letter queue behind it.
"""
MAXIMUM_RECEIVES = 20
"""Enough to outlast an hour without a working function, or hours of errors, after which the audit trail's writer delays
retries. Messages that can never be recorded use up all receives within seconds.
"""
BATCH_SIZE = 10


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


def dead_letter_queue(name: str, args: Mapping[str, Any], opts: pulumi.ResourceOptions, **more: Any) -> sqs.Queue:
    """A queue of dead letters, kept, encrypted and tagged as these arguments of a component say."""
    return queue(
        name,
        retention_days=value_of(args, "dead_letter_retention_days"),
        kms_key_arn=args.get("kms_key_arn"),
        tags=args.get("tags"),
        opts=opts,
        **more,
    )


def queue_of_events(
    name: str,
    dead_letters_name: str,
    args: Mapping[str, Any],
    *,
    visibility_seconds: int,
    opts: pulumi.ResourceOptions,
) -> tuple[sqs.Queue, sqs.Queue]:
    """A queue that a function reads events from, and its dead letters. Its tag says that nothing may be filtered."""
    dead_letters = dead_letter_queue(dead_letters_name, args, opts)
    events = queue(
        name,
        retention_days=value_of(args, "queue_retention_days"),
        kms_key_arn=args.get("kms_key_arn"),
        tags={**(args.get("tags") or {}), AUDIT_TAG: "true"},
        visibility_timeout_seconds=visibility_seconds,
        redrive_policy=dead_letters.arn.apply(
            lambda arn: json.dumps({"deadLetterTargetArn": arn, "maxReceiveCount": MAXIMUM_RECEIVES})
        ),
        opts=opts,
    )
    return events, dead_letters


def read_by_function(
    name: str,
    queue_arn: pulumi.Input[str],
    function_arn: pulumi.Input[str],
    tags: Mapping[str, str] | None,
    opts: pulumi.ResourceOptions,
) -> lambda_.EventSourceMapping:
    """Has a function read a queue of events: one bad message fails alone, and nothing is filtered, as that deletes."""
    return lambda_.EventSourceMapping(
        name,
        event_source_arn=queue_arn,
        function_name=function_arn,
        batch_size=BATCH_SIZE,
        function_response_types=["ReportBatchItemFailures"],
        scaling_config={"maximum_concurrency": 10},
        tags=tags,
        opts=opts,
    )
