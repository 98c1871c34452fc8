"""Rows in DynamoDB's own notation, and back."""

from collections.abc import Mapping
from typing import Any

from boto3.dynamodb.types import TypeDeserializer, TypeSerializer

_to_dynamodb = TypeSerializer()
_from_dynamodb = TypeDeserializer()

Item = dict[str, Any]


def item(row: Mapping[str, Any]) -> Item:
    """A row as DynamoDB takes it; attributes that are None are left out, as an absent one costs nothing."""
    return {name: _to_dynamodb.serialize(value) for name, value in row.items() if value is not None}


def row(stored: Mapping[str, Any]) -> dict[str, Any]:
    """A stored item as a plain row."""
    return {name: _from_dynamodb.deserialize(value) for name, value in stored.items()}
