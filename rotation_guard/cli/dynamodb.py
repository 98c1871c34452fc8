"""Tables of the deployment, read page by page into plain rows."""

import json
import time
from collections.abc import Iterable, Iterator, Mapping
from http import HTTPStatus
from typing import Any

from .aws import said
from .deployment import Deployment

Record = dict[str, Any]


class DynamoDB:
    """The tables of one deployment."""

    def __init__(self, deployment: Deployment) -> None:
        self._deployment = deployment
        self._client = deployment.way.client("dynamodb")
        for operation in ("Scan", "Query", "BatchGetItem"):
            self._client.meta.events.register(f"before-parse.dynamodb.{operation}", _take_rows)

    def ask(self, table: str, operation: str, **asked: Any) -> Any:
        """The answer to one call that is about this table."""
        with said(self._deployment.way, f"{self._deployment.description}, table {table}"):
            return getattr(self._client, operation)(**asked)

    def pages(self, operation: str, **asked: Any) -> Iterator[Record]:
        """Every row of a `query` or a `scan`, page by page; read as far as they are looked at."""
        position: Mapping[str, Any] = {}
        while True:
            page = self.ask(asked["TableName"], operation, **asked, **position)
            yield from kept(page["Items"])
            if "LastEvaluatedKey" not in page:
                return
            position = {"ExclusiveStartKey": page["LastEvaluatedKey"]}


def kept(items: Iterable[Mapping[str, Any]]) -> Iterator[Record]:
    """Items as plain rows, without those that have expired: DynamoDB takes days to delete them."""
    now = time.time()
    for item in items:
        record = {name: _value(value) for name, value in item.items()}
        if record.get("expires_at", now) >= now:
            yield record


def _take_rows(response_dict: dict[str, Any], customized_response_dict: dict[str, Any], **_: object) -> None:
    """Keeps the rows of an answer from botocore's parser, which looks up the shape of every value in them.

    Reading 5 000 rows takes a second with it, and a tenth without. This event of botocore is there for it.
    """
    if response_dict["status_code"] != HTTPStatus.OK:
        return
    answer = json.loads(response_dict["body"])
    customized_response_dict.update({name: answer.pop(name) for name in ("Items", "Responses") if name in answer})
    response_dict["body"] = json.dumps(answer).encode()


def _value(stored: Mapping[str, Any]) -> Any:
    if "S" in stored:
        return stored["S"]
    if "BOOL" in stored:
        return stored["BOOL"]
    if "N" in stored:
        number = float(stored["N"])
        return int(number) if number.is_integer() else number
    if "M" in stored:
        return {name: _value(value) for name, value in stored["M"].items()}
    if "L" in stored:
        return [_value(value) for value in stored["L"]]
    if "SS" in stored:
        return sorted(stored["SS"])
    return None
