"""DynamoDB's batches: as many at a time as it takes, several at once, and what it left again."""

import json
import random
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from http import HTTPStatus
from typing import Any

from .clients import client
from .items import Item

WRITE_BATCH = 25
READ_BATCH = 100
"""The most that one call takes (https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_BatchWriteItem.html)."""
ATTEMPTS = 8
AT_ONCE = 8
"""Batches under way at the same time."""
_LONGEST_PAUSE_SECONDS = 5.0


class Throttled(RuntimeError):
    """DynamoDB did not take or give every row, however often it was asked."""


class Batches:
    """Reads and writes of many rows."""

    def __init__(self) -> None:
        self._dynamodb = client("dynamodb")
        self._dynamodb.meta.events.register("before-parse.dynamodb.BatchGetItem", _take_rows, unique_id="rows")
        self._threads = ThreadPoolExecutor(AT_ONCE)

    def put(self, rows: Iterable[tuple[str, Item]]) -> None:
        """Write rows, each with the table it belongs to; in one table no key may come twice.

        Raises Throttled, with some of the rows written.
        """
        list(self._threads.map(self._put, _cut(list(rows), WRITE_BATCH)))

    def get(self, table: str, keys: Iterable[Item]) -> Iterator[Item]:
        """The rows of these keys that are there: what is missing is not there. Raises Throttled.

        An eventually consistent read, which costs half, may miss a row that was written a moment ago. So those that it
        did not find are asked for again, consistently.
        """
        asked = list(keys)
        missing = {_identify(key): key for key in asked}
        for found in self._threads.map(lambda some: self._get(table, some, False), _cut(asked, READ_BATCH)):
            for row in found:
                missing.pop(_identify({name: row[name] for name in asked[0]}), None)
            yield from found
        again = _cut(list(missing.values()), READ_BATCH)
        for found in self._threads.map(lambda some: self._get(table, some, True), again):
            yield from found

    def _put(self, rows: Sequence[tuple[str, Item]]) -> None:
        pending: dict[str, list[Item]] = {}
        for table, row in rows:
            pending.setdefault(table, []).append({"PutRequest": {"Item": row}})
        for attempt in range(ATTEMPTS):
            pending = self._dynamodb.batch_write_item(RequestItems=pending).get("UnprocessedItems", {})
            if not pending:
                return
            _pause(attempt)
        raise Throttled(f"DynamoDB left rows of {', '.join(pending)} unwritten after {ATTEMPTS} attempts")

    def _get(self, table: str, keys: Sequence[Item], consistent: bool) -> list[Item]:
        found: list[Item] = []
        pending: Mapping[str, Any] = {table: {"Keys": list(keys), "ConsistentRead": consistent}}
        for attempt in range(ATTEMPTS):
            answer = self._dynamodb.batch_get_item(RequestItems=pending)
            found += answer["Responses"].get(table, [])
            pending = answer.get("UnprocessedKeys", {})
            if not pending:
                return found
            _pause(attempt)
        raise Throttled(f"DynamoDB left rows of {table} unread after {ATTEMPTS} attempts")


def _identify(key: Item) -> tuple[tuple[str, str], ...]:
    """A key as one value: the keys of our tables are strings."""
    return tuple(sorted((name, value["S"]) for name, value in key.items()))


def _cut(entries: Sequence[Any], size: int) -> Iterator[Sequence[Any]]:
    for start in range(0, len(entries), size):
        yield entries[start : start + size]


def _pause(attempt: int) -> None:
    """Full jitter, doubling, up to some seconds: what DynamoDB advises for rows it did not take."""
    time.sleep(random.uniform(0, min(_LONGEST_PAUSE_SECONDS, 0.05 * 2**attempt)))  # noqa: S311


def _take_rows(response_dict: dict[str, Any], customized_response_dict: dict[str, Any], **_: object) -> None:
    """Keeps rows from botocore's parser, which looks up the shape of every value: four fifths of a reading's time."""
    if response_dict["status_code"] != HTTPStatus.OK:
        return
    answer = json.loads(response_dict["body"])
    customized_response_dict["Responses"] = answer.pop("Responses", {})
    response_dict["body"] = json.dumps(answer).encode()
