"""Rows in DynamoDB's own notation, and back."""

from collections.abc import Mapping
from typing import Any

from boto3.dynamodb.types import TypeDeserializer, TypeSerializer

_to_dynamodb = TypeSerializer()
_from_dynamodb = TypeDeserializer()

Item = dict[str, Any]


def to_item(from_item: Mapping[str, Any]) -> Item:
    """A row as DynamoDB takes it; attributes that are None are left out, as an absent one costs nothing.

    boto3's serializer takes as long for a row as everything else that is done for it: texts, which most values are,
    go past it.
    """
    return {
        name: {"S": value} if type(value) is str else _to_dynamodb.serialize(value)
        for name, value in from_item.items()
        if value is not None
    }


def from_item(stored: Mapping[str, Any]) -> dict[str, Any]:
    """A stored item as a plain row."""
    return {
        name: value["S"] if "S" in value else _from_dynamodb.deserialize(dict(value)) for name, value in stored.items()
    }
