"""DynamoDB tables."""

from collections.abc import Iterable, Mapping
from typing import Any

from ...aws import Aws
from .entry import CreatedResource, Entry, Inputs, build_tag_list, select_inputs, supported_inputs


def _build_key_schema(holder: Mapping[str, Any]) -> list[dict[str, str]]:
    kinds = (("hashKey", "HASH"), ("rangeKey", "RANGE"))
    return [{"AttributeName": holder[key], "KeyType": kind} for key, kind in kinds if holder.get(key)]


def _build_index(index: Mapping[str, Any]) -> dict[str, Any]:
    projection = {"ProjectionType": index["projectionType"]}
    return {"IndexName": index["name"], "KeySchema": _build_key_schema(index), "Projection": projection}


def _create_table(aws: Aws, inputs: Inputs) -> CreatedResource:
    name, client = inputs["name"], aws.client("dynamodb")
    indexes = [_build_index(index) for index in inputs.get("globalSecondaryIndexes") or []]
    more: dict[str, Any] = select_inputs(inputs, DeletionProtectionEnabled="deletionProtectionEnabled")
    if indexes:
        more["GlobalSecondaryIndexes"] = indexes
    table = client.create_table(
        TableName=name,
        AttributeDefinitions=[
            {"AttributeName": attribute["name"], "AttributeType": attribute["type"]}
            for attribute in inputs["attributes"]
        ],
        KeySchema=_build_key_schema(inputs),
        BillingMode=inputs.get("billingMode") or "PROVISIONED",
        Tags=build_tag_list(inputs),
        **more,
    )["TableDescription"]
    if (recovery := inputs.get("pointInTimeRecovery")) and recovery["enabled"]:
        specification: dict[str, Any] = {"PointInTimeRecoveryEnabled": True}
        client.update_continuous_backups(TableName=name, PointInTimeRecoverySpecification=specification)
    if (ttl := inputs.get("ttl")) and ttl.get("enabled"):
        specification = {"Enabled": True, "AttributeName": ttl["attributeName"]}
        client.update_time_to_live(TableName=name, TimeToLiveSpecification=specification)
    return CreatedResource(name, {"arn": table["TableArn"]})


def _delete_table(aws: Aws, table: CreatedResource) -> None:
    """Delete a table, even one with deletion protection: the local deployment created it."""
    client = aws.client("dynamodb")
    client.update_table(TableName=table.id, DeletionProtectionEnabled=False)
    client.delete_table(TableName=table.id)


def _list_tables(aws: Aws) -> Iterable[str]:
    pages = aws.client("dynamodb").get_paginator("list_tables").paginate()
    return (name for page in pages for name in page["TableNames"])


ENTRIES = (
    Entry(
        "aws:dynamodb/table:Table",
        supported_inputs(
            "name",
            "attributes.name",
            "attributes.type",
            "hashKey",
            "rangeKey",
            "billingMode",
            "globalSecondaryIndexes.name",
            "globalSecondaryIndexes.hashKey",
            "globalSecondaryIndexes.rangeKey",
            "globalSecondaryIndexes.projectionType",
            "pointInTimeRecovery.enabled",
            "ttl.attributeName",
            "ttl.enabled",
            "deletionProtectionEnabled",
            "tags",
        ),
        _create_table,
        _delete_table,
        name_input="name",
        list_names=_list_tables,
    ),
)
