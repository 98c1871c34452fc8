"""Takes names apart: what an ARN or a queue's URL says about the resource it stands for."""

import re

_SERVICES = {
    "cloudwatch/event": "events",
    "cloudwatch/log": "logs",
    "kinesis/firehose": "firehose",
    "msk/": "kafka",
    "sfn/": "states",
}
"""Where the service in a Pulumi type is not the one in an ARN: by what the type begins with."""
_FUNCTION = re.compile(r"(arn:[^:]+:lambda:[^:]*:[^:]*:function:|\d{12}:function:)?([\w-]+)(?::(\$LATEST|[\w-]+))?")


def service_of(resource_type: str) -> str:
    """The service part of the ARNs that resources of this type have."""
    name = resource_type.removeprefix("aws:")
    return next((service for start, service in _SERVICES.items() if name.startswith(start)), name.partition("/")[0])


def parts(arn: str) -> tuple[str, str, str, str, str] | None:
    """Partition, service, Region, account and resource of an ARN; None for what is none."""
    if not arn.startswith("arn:") or arn.count(":") < 5:
        return None
    _, partition, service, region, account, resource = arn.split(":", 5)
    return partition, service, region, account, resource


def function(value: str) -> tuple[str, str | None] | None:
    """What a function is called by here, its ARN or its name, and the version or alias that is meant.

    Lambda takes `name`, `account:function:name` and the ARN, each with `:qualifier` behind it
    (https://docs.aws.amazon.com/lambda/latest/api/API_AddPermission.html).
    """
    match = _FUNCTION.fullmatch(value)
    if match is None:
        return None
    start, name, qualifier = match.groups()
    return (start if start and start.startswith("arn:") else "") + name, None if qualifier == "$LATEST" else qualifier


def name_in(value: str) -> str | None:
    """The name that an ARN or a queue's URL ends with."""
    if arn := parts(value):
        resource = arn[4]
        return resource.split(":")[1] if resource.startswith("function:") else re.split("[:/]", resource)[-1]
    if re.match(r"https?://", value):
        return value.rstrip("/").rpartition("/")[2]
    return None


def may_name(value: str, resource_type: str) -> bool:
    """Whether an ARN or a queue's URL can stand for a resource of this type at all."""
    arn = parts(value)
    return service_of(resource_type) == (arn[1] if arn else "sqs")
