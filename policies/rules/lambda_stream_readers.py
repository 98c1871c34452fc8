"""Stream readers: a record that cannot be processed is kept and does not block its shard."""

from ..aws import arns
from ..model import resource_types, values
from ..model.finding import Complaints, Finding
from ..model.rule import stack_rule
from ..model.stack import Resource, Stack
from ..model.values import Mark

ON_FAILURE = "destinationConfig.onFailure.destinationArn"
PIPE_STREAMS = {
    "kinesis": "sourceParameters.kinesisStreamParameters",
    "dynamodb": "sourceParameters.dynamodbStreamParameters",
}
"""Properties with the parameters of a pipe's stream, by the service of the source."""
_SHARDED = ("kinesis", "dynamodb")
_STREAMS: dict[str, tuple[str, ...]] = {
    "kinesis": (resource_types.STREAM, "aws:kinesis/streamConsumer:StreamConsumer"),
    "dynamodb": (resource_types.TABLE,),
    "kafka": resource_types.KAFKA_CLUSTERS,
}
"""Stream resources by the service in their ARNs. For Amazon MQ and DocumentDB, Lambda supports no destination
(https://docs.aws.amazon.com/lambda/latest/api/API_CreateEventSourceMapping.html)."""
_FOREVER = -1

_GUIDE = "https://docs.aws.amazon.com/lambda/latest/dg"


@stack_rule(
    resource_types.EVENT_SOURCE_MAPPING,
    resource_types.PIPE,
    severity="high",
    enforcement="mandatory",
    link=f"{_GUIDE}/kinesis-on-failure-destination.html",
)
def stream_reader_keeps_its_failures(reader: Resource, stack: Stack) -> Complaints:
    """A function or pipe that reads a stream has a destination for failed records.

    Set the on-failure destination, or the pipe's deadLetterConfig, to the ARN of a queue or a topic.
    """
    service = stream_of(stack, reader)
    if reader.type == resource_types.PIPE:
        path = f"{PIPE_STREAMS[service]}.deadLetterConfig.arn" if service in PIPE_STREAMS else None
    else:
        path = ON_FAILURE if service else None
    if path is None or reader.has(path):
        return None
    return Finding(
        f"{reader.name} loses records when all retries fail or the records expire: {path} is absent.",
        f"Set {path} to the ARN of a queue or a topic.",
    )


@stack_rule(
    resource_types.EVENT_SOURCE_MAPPING,
    resource_types.PIPE,
    severity="medium",
    enforcement="advisory",
    link=f"{_GUIDE}/kinesis-on-failure-destination.html",
)
def stream_reader_retries_are_bounded(reader: Resource, stack: Stack) -> Complaints:
    """A reader of a stream limits its retries: by default one bad record blocks the shard until it expires.

    Set maximumRetryAttempts or maximumRecordAgeInSeconds, and bisectBatchOnFunctionError.
    """
    service = stream_of(stack, reader)
    if service not in _SHARDED:
        return None
    inside = f"{PIPE_STREAMS[service]}." if reader.type == resource_types.PIPE else ""
    bounds = [f"{inside}maximumRetryAttempts", f"{inside}maximumRecordAgeInSeconds"]
    if any(reader.number(path, absent=_FOREVER) != _FOREVER for path in bounds):
        return None
    days = "7 days" if service == "kinesis" else "a day"
    return Finding(
        f"A record that {reader.name} cannot process blocks its shard until it expires, for up to {days}: neither "
        f"{bounds[0]} nor {bounds[1]} is set.",
        "Set one of them"
        + ("." if reader.type == resource_types.PIPE else ", and bisectBatchOnFunctionError to isolate the record."),
    )


def stream_of(stack: Stack, reader: Resource) -> str | None:
    """The service of a reader's stream: `kinesis`, `dynamodb` or `kafka`; None for any other source.

    Raises Undecided where it is unknown.
    """
    if reader.has("selfManagedEventSource"):
        return "kafka"
    path = "source" if reader.type == resource_types.PIPE else "eventSourceArn"
    source = reader.value(path)
    if isinstance(source, Mark):
        for service, types in _STREAMS.items():
            if stack.target(reader, path, *types) is not None:
                return service
        return None
    parts = arns.parse(values.text(source) or "")
    return parts.service if parts and parts.service in _STREAMS else None
