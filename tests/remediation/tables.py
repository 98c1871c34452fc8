"""DynamoDB's tables in memory: fast enough for hundreds of histories, and held to moto's by a test."""

import json
import marshal
from collections.abc import Mapping
from typing import Any

from tests.remediation.expressions import Expression, Item, check_words
from tests.remediation.refusals import refusal, refused

KEY = ("secret_arn", "opened_at")
Asked = Mapping[str, Any]


class Tables:
    """Every table has the keys of the incidents; items are kept in DynamoDB's own notation, and copied out."""

    def __init__(self) -> None:
        self.items: dict[str, dict[tuple[str, str], Item]] = {}

    def get_item(self, asked: Asked) -> dict[str, Any]:
        found = self._table(asked).get(_key_of(asked["Key"]))
        if found is None:
            return {}
        names = asked.get("ProjectionExpression", "").replace(",", " ").split() or found
        return {"Item": _copy({name: found[name] for name in names if name in found})}

    def put_item(self, asked: Asked) -> dict[str, Any]:
        self._write("Put", asked)()
        return {}

    def update_item(self, asked: Asked) -> dict[str, Any]:
        self._write("Update", asked)()
        if asked.get("ReturnValues") == "ALL_NEW":
            return {"Attributes": _copy(self._table(asked)[_key_of(asked["Key"])])}
        return {}

    def delete_item(self, asked: Asked) -> dict[str, Any]:
        self._write("Delete", asked)()
        return {}

    def transact_write_items(self, asked: Asked) -> dict[str, Any]:
        """All or nothing: https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_TransactWriteItems.html."""
        writes, reasons = [], []
        for one in asked["TransactItems"]:
            [(kind, write)] = one.items()
            try:
                writes.append(self._write(kind, write))
                reasons.append({"Code": "None"})
            except refusal("ConditionalCheckFailedException"):
                reasons.append({"Code": "ConditionalCheckFailed"})
        keys = [
            _key_of(write.get("Key") or write["Item"])
            for TransactItem in asked["TransactItems"]
            for write in TransactItem.values()
        ]
        if len(set(keys)) < len(keys):
            raise refused("ValidationException", "a transaction may write an item only once")
        if len(writes) < len(reasons):
            raise refused("TransactionCanceledException", "cancelled", CancellationReasons=reasons)
        for write in writes:
            write()
        return {}

    def query(self, asked: Asked) -> dict[str, Any]:
        """A page is full at the limit, before the filter, and then says where another would begin, though none may.

        https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Query.Pagination.html
        """
        check_words(asked)
        is_backward, limit = not asked.get("ScanIndexForward", True), asked.get("Limit")
        start = _key_of(asked["ExclusiveStartKey"]) if "ExclusiveStartKey" in asked else None
        keys = []
        for key in sorted(self._table(asked), reverse=is_backward):
            is_ahead = start is None or (key < start if is_backward else key > start)
            if is_ahead and self._holds(asked, self._table(asked)[key], "KeyConditionExpression"):
                keys.append(key)
        keys = keys[:limit]
        found = [_copy(self._table(asked)[key]) for key in keys]
        if "FilterExpression" in asked:
            found = [stored for stored in found if self._holds(asked, stored, "FilterExpression")]
        page = {"Items": found, "Count": len(found)}
        if limit is not None and len(keys) == limit:
            page["LastEvaluatedKey"] = {name: {"S": value} for name, value in zip(KEY, keys[-1], strict=True)}
        return page

    def _write(self, kind: str, asked: Asked) -> Any:
        """What carries the write out, once its condition has been found to hold."""
        table = self._table(asked)
        key = _key_of(asked["Item"] if kind == "Put" else asked["Key"])
        stored = table.get(key)
        check_words(asked)
        if "ConditionExpression" in asked and not self._holds(asked, stored or {}, "ConditionExpression"):
            raise refused("ConditionalCheckFailedException", "the condition does not hold")
        match kind:
            case "Put":
                new = _sent(dict(asked["Item"]))
            case "Update":
                base = stored or _sent(asked["Key"])
                values = _sent(asked.get("ExpressionAttributeValues", {}))
                new = self._expression(
                    {**asked, "ExpressionAttributeValues": values}, base, "UpdateExpression"
                ).updated()
            case "Delete":
                return lambda: table.pop(key, None)
            case _:
                return lambda: None
        return lambda: table.__setitem__(key, new)

    def _table(self, asked: Asked) -> dict[tuple[str, str], Item]:
        return self.items.setdefault(asked["TableName"], {})

    def _holds(self, asked: Asked, stored: Item, expression: str) -> bool:
        return self._expression(asked, stored, expression).holds()

    def _expression(self, asked: Asked, stored: Item, name: str) -> Expression:
        return Expression(
            asked[name],
            stored,
            asked.get("ExpressionAttributeNames", {}),
            asked.get("ExpressionAttributeValues", {}),
        )


def _sent(item: Item) -> Item:
    """As it is after it went over the wire."""
    return json.loads(json.dumps(item))


def _copy(stored: Item) -> Item:
    """A copy of what has gone over the wire before, in a third of the time that JSON takes."""
    return marshal.loads(marshal.dumps(stored))  # noqa: S302 - dumped right here


def _key_of(item: Item) -> tuple[str, str]:
    hash_key, range_key = KEY
    return item[hash_key]["S"], item[range_key]["S"]
