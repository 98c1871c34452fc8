"""Parses ARNs, queue URLs and function names."""

import re
from typing import NamedTuple

_SERVICES = {
    "cloudwatch/event": "events",
    "cloudwatch/log": "logs",
    "kinesis/firehose": "firehose",
    "msk/": "kafka",
    "sfn/": "states",
}
"""The service in ARNs by the prefix of a Pulumi type, where the type's own service has another name."""
_FUNCTION = re.compile(r"(arn:[^:]+:lambda:[^:]*:[^:]*:function:|\d{12}:function:)?([\w-]+)(?::(\$LATEST|[\w-]+))?")


def service_of(resource_type: str) -> str:
    """The service in the ARNs of this resource type."""
    name = resource_type.removeprefix("aws:")
    return next((service for start, service in _SERVICES.items() if name.startswith(start)), name.partition("/")[0])


class Arn(NamedTuple):
    """The parts of an ARN."""

    partition: str
    service: str
    region: str
    account: str
    resource: str


def parse(arn: str) -> Arn | None:
    """Split an ARN into its parts; None for any other text."""
    if not arn.startswith("arn:") or arn.count(":") < 5:
        return None
    return Arn(*arn.split(":", 5)[1:])


def parse_function(value: str) -> tuple[str, str | None] | None:
    """Split the reference to a function into its ARN or name, and the version or alias.

    Lambda accepts `name`, `account:function:name` and the ARN, each with an optional `:qualifier`
    (https://docs.aws.amazon.com/lambda/latest/api/API_AddPermission.html).
    """
    match = _FUNCTION.fullmatch(value)
    if match is None:
        return None
    start, name, qualifier = match.groups()
    return (start if start and start.startswith("arn:") else "") + name, None if qualifier == "$LATEST" else qualifier


def name_in(value: str) -> str | None:
    """The name at the end of an ARN or a queue URL."""
    if arn := parse(value):
        resource = arn.resource
        return resource.split(":")[1] if resource.startswith("function:") else re.split("[:/]", resource)[-1]
    if re.match(r"https?://", value):
        return value.rstrip("/").rpartition("/")[2]
    return None


def may_identify(value: str, resource_type: str) -> bool:
    """Whether an ARN or a queue URL can identify a resource of this type."""
    arn = parse(value)
    return service_of(resource_type) == (arn.service if arn else "sqs")
