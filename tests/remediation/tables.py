"""DynamoDB tables in memory: fast enough for hundreds of scenarios; a test compares them with moto's."""

import json
import marshal
from collections.abc import Mapping
from typing import Any

from tests.remediation.client_errors import client_error, error_class
from tests.remediation.expressions import Expression, Item, check_placeholders

KEY = ("secret_arn", "opened_at")
Request = Mapping[str, Any]


class Tables:
    """Every table has the keys of the incidents table; items are stored in DynamoDB's notation, and copied out."""

    def __init__(self) -> None:
        self.items: dict[str, dict[tuple[str, str], Item]] = {}

    def get_item(self, request: Request) -> dict[str, Any]:
        item = self._table(request).get(_key_of(request["Key"]))
        if item is None:
            return {}
        names = request.get("ProjectionExpression", "").replace(",", " ").split() or item
        return {"Item": _copy({name: item[name] for name in names if name in item})}

    def put_item(self, request: Request) -> dict[str, Any]:
        self._write("Put", request)()
        return {}

    def update_item(self, request: Request) -> dict[str, Any]:
        self._write("Update", request)()
        if request.get("ReturnValues") == "ALL_NEW":
            return {"Attributes": _copy(self._table(request)[_key_of(request["Key"])])}
        return {}

    def delete_item(self, request: Request) -> dict[str, Any]:
        self._write("Delete", request)()
        return {}

    def transact_write_items(self, request: Request) -> dict[str, Any]:
        """All or nothing: https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_TransactWriteItems.html."""
        writes, reasons = [], []
        for transact_item in request["TransactItems"]:
            [(operation, write)] = transact_item.items()
            try:
                writes.append(self._write(operation, write))
                reasons.append({"Code": "None"})
            except error_class("ConditionalCheckFailedException"):
                reasons.append({"Code": "ConditionalCheckFailed"})
        keys = [
            _key_of(write.get("Key") or write["Item"])
            for TransactItem in request["TransactItems"]
            for write in TransactItem.values()
        ]
        if len(set(keys)) < len(keys):
            raise client_error("ValidationException", "a transaction may write an item only once")
        if len(writes) < len(reasons):
            raise client_error("TransactionCanceledException", "cancelled", CancellationReasons=reasons)
        for write in writes:
            write()
        return {}

    def query(self, request: Request) -> dict[str, Any]:
        """The limit applies before the filter; a full page has a LastEvaluatedKey even if no item follows.

        https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Query.Pagination.html
        """
        check_placeholders(request)
        is_backward, limit = not request.get("ScanIndexForward", True), request.get("Limit")
        start = _key_of(request["ExclusiveStartKey"]) if "ExclusiveStartKey" in request else None
        keys = []
        for key in sorted(self._table(request), reverse=is_backward):
            is_ahead = start is None or (key < start if is_backward else key > start)
            if is_ahead and self._holds(request, self._table(request)[key], "KeyConditionExpression"):
                keys.append(key)
        keys = keys[:limit]
        items = [_copy(self._table(request)[key]) for key in keys]
        if "FilterExpression" in request:
            items = [stored for stored in items if self._holds(request, stored, "FilterExpression")]
        page = {"Items": items, "Count": len(items)}
        if limit is not None and len(keys) == limit:
            page["LastEvaluatedKey"] = {name: {"S": value} for name, value in zip(KEY, keys[-1], strict=True)}
        return page

    def _write(self, operation: str, request: Request) -> Any:
        """Checks the condition of a write; returns what carries it out."""
        table = self._table(request)
        key = _key_of(request["Item"] if operation == "Put" else request["Key"])
        stored = table.get(key)
        check_placeholders(request)
        if "ConditionExpression" in request and not self._holds(request, stored or {}, "ConditionExpression"):
            raise client_error("ConditionalCheckFailedException", "the condition does not hold")
        match operation:
            case "Put":
                new = _sent(dict(request["Item"]))
            case "Update":
                base = stored or _sent(request["Key"])
                values = _sent(request.get("ExpressionAttributeValues", {}))
                new = self._expression(
                    {**request, "ExpressionAttributeValues": values}, base, "UpdateExpression"
                ).updated()
            case "Delete":
                return lambda: table.pop(key, None)
            case _:
                return lambda: None
        return lambda: table.__setitem__(key, new)

    def _table(self, request: Request) -> dict[tuple[str, str], Item]:
        return self.items.setdefault(request["TableName"], {})

    def _holds(self, request: Request, stored: Item, expression: str) -> bool:
        return self._expression(request, stored, expression).holds()

    def _expression(self, request: Request, stored: Item, name: str) -> Expression:
        return Expression(
            request[name],
            stored,
            request.get("ExpressionAttributeNames", {}),
            request.get("ExpressionAttributeValues", {}),
        )


def _sent(item: Item) -> Item:
    """The item after a round trip through JSON."""
    return json.loads(json.dumps(item))


def _copy(stored: Item) -> Item:
    """A copy of plain JSON data, in a third of the time that JSON takes."""
    return marshal.loads(marshal.dumps(stored))  # noqa: S302 - dumped right here


def _key_of(item: Item) -> tuple[str, str]:
    hash_key, range_key = KEY
    return item[hash_key]["S"], item[range_key]["S"]
