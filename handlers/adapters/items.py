"""Converts rows to and from DynamoDB's attribute values."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from boto3.dynamodb.types import TypeDeserializer, TypeSerializer

_to_dynamodb = TypeSerializer()
_from_dynamodb = TypeDeserializer()

Item = dict[str, Any]


def to_item(row: Mapping[str, Any]) -> Item:
    """Convert a row to DynamoDB's form, without attributes that are None.

    boto3's serializer is slow, and most values are strings, so strings bypass it.
    """
    return {
        name: {"S": value} if type(value) is str else _to_dynamodb.serialize(value)
        for name, value in row.items()
        if value is not None
    }


def from_item(item: Mapping[str, Any]) -> dict[str, Any]:
    """Convert a stored item to a plain row.

    boto3's deserializer is as slow, so strings bypass it here too, also those in lists and maps.
    """
    return {name: _to_plain(value) for name, value in item.items()}


def with_plain_numbers(value: Any) -> Any:
    """The same with integers and floats for Decimals, which neither a time span nor JSON takes."""
    if isinstance(value, Decimal):
        return int(value) if value == value.to_integral_value() else float(value)
    if isinstance(value, dict):
        return {name: with_plain_numbers(inner) for name, inner in value.items()}
    return [with_plain_numbers(inner) for inner in value] if isinstance(value, list) else value


def _to_plain(value: Mapping[str, Any]) -> Any:
    if "S" in value:
        return value["S"]
    if "M" in value:
        return from_item(value["M"])
    if "L" in value:
        return [_to_plain(inner) for inner in value["L"]]
    return _from_dynamodb.deserialize(dict(value))
