"""Tables as this stack wants them: paid per request, restorable to any second, their history expiring by itself."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import pulumi
from pulumi_aws import dynamodb

EXPIRY = "expires_at"
"""Attribute, epoch seconds, after which DynamoDB deletes a row, within some two days."""


class TableReference(NamedTuple):
    """A table that exists already."""

    name: pulumi.Output[str]
    arn: pulumi.Output[str]


def find_table(arn: pulumi.Input[str]) -> TableReference:
    """The table with this ARN, which ends with its name
    (https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazondynamodb.html)."""
    known = pulumi.Output.from_input(arn)
    return TableReference(known.apply(lambda text: text.rpartition("/")[2]), known)


def table(
    name: str,
    *,
    hash_key: str,
    range_key: str | None = None,
    more_keys: tuple[str, ...] = (),
    deletion_protection: bool,
    tags: Mapping[str, str] | None,
    opts: pulumi.ResourceOptions,
    **more: Any,
) -> dynamodb.Table:
    """A table whose keys are all strings; `more_keys` are those that only its indexes use."""
    keys = [key for key in (hash_key, range_key, *more_keys) if key is not None]
    return dynamodb.Table(
        name,
        attributes=[{"name": key, "type": "S"} for key in keys],
        hash_key=hash_key,
        range_key=range_key,
        billing_mode="PAY_PER_REQUEST",
        point_in_time_recovery={"enabled": True},
        ttl={"attribute_name": EXPIRY, "enabled": True},
        deletion_protection_enabled=deletion_protection,
        tags=tags,
        opts=opts,
        **more,
    )
