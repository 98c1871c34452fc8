"""DynamoDB as commands read it: rows as plain values, page by page, and errors in sentences."""

import json
import time
from collections.abc import Iterable, Iterator, Mapping
from http import HTTPStatus
from typing import Any

from botocore.exceptions import ClientError

from rotation_guard.domain.timestamps import has_expired

from .aws import require_field, translate_aws_errors
from .deployment import Deployment
from .errors import Unreachable
from .terminal import progress

_ROWS = {"scan": "Items", "query": "Items", "batch_get_item": "Responses"}
"""What the response to an operation always has."""
Record = dict[str, Any]


class ConditionFailed(Unreachable):
    """A row is not as a conditional write expected it."""


class DynamoDB:
    """The tables of one deployment."""

    def __init__(self, deployment: Deployment) -> None:
        self._deployment = deployment
        self._client = deployment.session.client("dynamodb")
        for operation in ("Scan", "Query", "BatchGetItem", "GetItem"):
            self._client.meta.events.register(f"before-parse.dynamodb.{operation}", _keep_raw_rows)

    def call(self, table: str, operation: str, **parameters: Any) -> Any:
        """The response to one call on this table."""
        progress.update(f"Waiting for table {table}")
        with translate_aws_errors(self._deployment.session, f"{self._deployment.description}, table {table}"):
            try:
                return require_field(getattr(self._client, operation)(**parameters), _ROWS.get(operation))
            except ClientError as error:
                if error.response["Error"]["Code"] != "ConditionalCheckFailedException":
                    raise
                message = error.response["Error"]["Message"]
                raise ConditionFailed(
                    f"{self._deployment.description}, table {table}: {error.operation_name} was refused: {message}"
                ) from None

    def pages(self, operation: str, **parameters: Any) -> Iterator[Record]:
        """Every row of a `query` or a `scan`; a page is read only when it is needed."""
        position: Mapping[str, Any] = {}
        while True:
            page = self.call(parameters["TableName"], operation, **parameters, **position)
            yield from unexpired_rows(page["Items"])
            if "LastEvaluatedKey" not in page:
                return
            position = {"ExclusiveStartKey": page["LastEvaluatedKey"]}

    def needing_attention(self, table: str) -> Iterator[Record]:
        """The statuses in the sparse index of a status table: those of the secrets that need attention."""
        return self.pages(
            "query",
            TableName=table,
            IndexName="attention",
            KeyConditionExpression="attention = :yes",
            ExpressionAttributeValues={":yes": {"S": "yes"}},
        )


def unexpired_rows(items: Iterable[Mapping[str, Any]]) -> Iterator[Record]:
    """Items as plain rows, without expired ones, which DynamoDB takes days to delete."""
    now = time.time()
    for item in items:
        record = {name: _to_python(value) for name, value in item.items()}
        if not has_expired(record, now):
            yield record


def _keep_raw_rows(response_dict: dict[str, Any], customized_response_dict: dict[str, Any], **_: object) -> None:
    """Keep the rows of a response from botocore's parser, which looks up the shape of every value.

    Reading 5 000 rows takes a second with it, and a tenth of a second without. botocore has this event for the purpose.
    """
    if response_dict["status_code"] != HTTPStatus.OK:
        return
    try:
        response = json.loads(response_dict["body"])
    except ValueError:
        return
    if not isinstance(response, dict):
        return
    customized_response_dict.update(
        {name: response.pop(name) for name in ("Items", "Responses", "Item") if name in response}
    )
    response_dict["body"] = json.dumps(response).encode()


def _to_python(stored: Mapping[str, Any]) -> Any:
    if "S" in stored:
        return stored["S"]
    if "BOOL" in stored:
        return stored["BOOL"]
    if "N" in stored:
        number = float(stored["N"])
        return int(number) if number.is_integer() else number
    if "M" in stored:
        return {name: _to_python(value) for name, value in stored["M"].items()}
    if "L" in stored:
        return [_to_python(value) for value in stored["L"]]
    if "SS" in stored:
        return sorted(stored["SS"])
    return None
