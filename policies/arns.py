"""Takes names apart: what an ARN or a queue's URL says about the resource it stands for."""

import re

_SERVICES = {"sfn": "states", "cloudwatch": "events"}
"""Where the service in a Pulumi type is not the one in an ARN."""


def service_of(resource_type: str) -> str:
    """The service part of the ARNs that resources of this type have."""
    if resource_type.startswith("aws:cloudwatch/log"):
        return "logs"
    service = resource_type.removeprefix("aws:").partition("/")[0]
    return _SERVICES.get(service, service)


def parts(arn: str) -> tuple[str, str, str, str, str] | None:
    """Partition, service, Region, account and resource of an ARN; None for what is none."""
    if not arn.startswith("arn:") or arn.count(":") < 5:
        return None
    _, partition, service, region, account, resource = arn.split(":", 5)
    return partition, service, region, account, resource


def unqualified_function(value: str) -> str | None:
    """The ARN of the function that a version's or an alias's ARN belongs to."""
    found = re.fullmatch(r"(arn:[^:]+:lambda:[^:]*:[^:]*:function:[^:]+):[^:]+", value)
    return found[1] if found else None


def name_in(value: str) -> str | None:
    """The name that an ARN or a queue's URL ends with."""
    if found := parts(value):
        resource = found[4]
        return resource.split(":")[1] if resource.startswith("function:") else re.split("[:/]", resource)[-1]
    if re.match(r"https?://", value):
        return value.rstrip("/").rpartition("/")[2]
    return None


def may_name(value: str, resource_type: str) -> bool:
    """Whether an ARN or a queue's URL can stand for a resource of this type at all."""
    found = parts(value)
    return service_of(resource_type) == (found[1] if found else "sqs")
