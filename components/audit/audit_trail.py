"""What is recorded: the queue that events wait in, the function that writes them down, and the table they stay in."""

import json
from collections.abc import Mapping
from typing import NotRequired, TypedDict

import pulumi
from pulumi import Output, ResourceOptions
from pulumi_aws import lambda_

from .. import arns, iam_policies
from ..function import Function, RuntimeArgs, describe_for_alarms
from ..queue import queue
from ..table import table

WRITER_TIMEOUT_SECONDS = 30
VISIBILITY_SECONDS = 6 * WRITER_TIMEOUT_SECONDS
"""Six times the function's timeout, as Lambda asks
(https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-configure.html)."""
MAXIMUM_RECEIVES = 20
"""Enough to outlast an hour without a working writer, or hours of errors, after which the writer delays retries.

Messages that can never be recorded use up all receives within seconds.
"""
BATCH_SIZE = 10
AUDIT_TAG = "rotation-guard:audit"
"""Says of a queue that nothing may be filtered away on the way out of it, to our policies and to whoever reads."""


class AuditTrailArgs(TypedDict):
    """How long the record and what is not yet recorded are kept."""

    status_table_name: NotRequired[pulumi.Input[str]]
    """The table of an AuditStatus, where the writer notes whose value moved for the next audit; none unless given."""
    status_table_arn: NotRequired[pulumi.Input[str]]
    """The same table; given with its name."""
    queue_retention_days: NotRequired[int]
    """Days that the queue keeps an event that is not yet recorded; 7 unless given."""
    dead_letter_retention_days: NotRequired[int]
    """Days that unrecordable messages are kept, not less than in the queue; 14 unless given."""
    history_days: NotRequired[int]
    """Days until a recorded event expires, 0 for never; 400 unless given."""
    deletion_protection: NotRequired[bool]
    """Whether AWS refuses to delete the table; it does unless given."""
    kms_key_arn: NotRequired[pulumi.Input[str]]
    """Customer key for the queues; SSE-SQS unless given."""
    runtime: NotRequired[RuntimeArgs]
    """What the writer has in common with the other functions."""
    tags: NotRequired[Mapping[str, str]]
    """Tags for everything that can carry them."""


DEFAULTS: AuditTrailArgs = {}


class AuditTrail(pulumi.ComponentResource):
    """Every event that reaches the queue becomes one row, however often it arrives."""

    queue_arn: Output[str]
    """Queue to send events to, as they are."""
    queue_url: Output[str]
    """The same queue, to set its policy."""
    dead_letters_url: Output[str]
    """Messages that could not be recorded."""
    table_name: Output[str]
    """The record."""
    table_arn: Output[str]
    """The record, for the policies of those who read it."""

    def __init__(self, name: str, args: AuditTrailArgs = DEFAULTS, opts: ResourceOptions | None = None) -> None:
        args = args or {}
        super().__init__("rotation-guard:index:AuditTrail", name, {**args}, opts)
        child = ResourceOptions(parent=self)
        tags = args.get("tags")
        key = args.get("kms_key_arn")

        dead_letters = queue(
            f"{name}-dead-letters",
            retention_days=args.get("dead_letter_retention_days", 14),
            kms_key_arn=key,
            tags=tags,
            opts=child,
        )
        events = queue(
            f"{name}-events",
            retention_days=args.get("queue_retention_days", 7),
            kms_key_arn=key,
            tags={**(tags or {}), AUDIT_TAG: "true"},
            visibility_timeout_seconds=VISIBILITY_SECONDS,
            redrive_policy=dead_letters.arn.apply(
                lambda arn: json.dumps({"deadLetterTargetArn": arn, "maxReceiveCount": MAXIMUM_RECEIVES})
            ),
            opts=child,
        )
        record = table(
            f"{name}-record",
            hash_key="secret_arn",
            range_key="recorded",
            deletion_protection=args.get("deletion_protection", True),
            tags=tags,
            opts=child,
        )
        writer = Function(
            f"{name}-writer",
            {
                "handler": "handlers.trail.writer.handler",
                "description": "Records every rotation event",
                "statements": Output.all(
                    *(arns.part(record.arn, index) for index in arns.PLACE),
                    record.arn,
                    events.arn,
                    args.get("status_table_arn"),
                ).apply(lambda known: iam_policies.audit_writer(*known) + iam_policies.queue_consumption(known[4])),
                "environment": {
                    "AUDIT_QUEUE_URL": events.url,
                    "AUDIT_TRAIL_TABLE_NAME": record.name,
                    "STATUS_TABLE_NAME": args.get("status_table_name", ""),
                    "HISTORY_DAYS": str(args.get("history_days", 400)),
                },
                "timeout_seconds": WRITER_TIMEOUT_SECONDS,
                "runtime": args.get("runtime", {}),
            },
            opts=child,
        )
        lambda_.EventSourceMapping(
            f"{name}-events",
            event_source_arn=events.arn,
            function_name=writer.arn,
            batch_size=BATCH_SIZE,
            # One bad message fails alone. No filter: what a filter turns away is deleted.
            function_response_types=["ReportBatchItemFailures"],
            scaling_config={"maximum_concurrency": 10},
            tags=tags,
            opts=child,
        )

        self.queue_arn = events.arn
        self.queue_url = events.url
        self.dead_letters_url = dead_letters.url
        self.table_name = record.name
        self.table_arn = record.arn
        # For Observability, in the same program.
        self.queue_name, self.dead_letters_name, self.writer = (
            events.name,
            dead_letters.name,
            describe_for_alarms(writer),
        )
        self.register_outputs(
            {
                "queue_arn": self.queue_arn,
                "queue_url": self.queue_url,
                "dead_letters_url": self.dead_letters_url,
                "table_name": self.table_name,
                "table_arn": self.table_arn,
            }
        )
