"""Scans of a table, for whoever reports on all of it."""

from collections.abc import Iterator
from typing import Any

from .clients import client
from .items import from_item, with_plain_numbers

ACTIONS = frozenset({"dynamodb:Scan"})


def scan_rows(table_name: str, **options: Any) -> Iterator[dict[str, Any]]:
    """The rows of this table with plain numbers, a page at a time; `options` are those of the API, such as a filter."""
    for page in client("dynamodb").get_paginator("scan").paginate(TableName=table_name, **options):
        yield from (with_plain_numbers(from_item(stored)) for stored in page["Items"])
