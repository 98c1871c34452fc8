"""Changes of one row in DynamoDB, as its attributes: reserved words and all."""

from collections.abc import Mapping, Sequence
from typing import Any

from .clients import client
from .items import Item, item


def update(
    table: str,
    key: Item,
    changes: Mapping[str, Any],
    *,
    remove: Sequence[str] = (),
    condition: str | None = None,
    values: Mapping[str, Any] | None = None,
) -> bool:
    """Set and remove attributes of a row, under a condition on these `values`; False where that does not hold.

    Changes to None are none.
    """
    dynamodb = client("dynamodb")
    given = {name: value for name, value in changes.items() if value is not None}
    removed = f" REMOVE {', '.join(f'#{name}' for name in remove)}" if remove else ""
    try:
        dynamodb.update_item(
            TableName=table,
            Key=key,
            UpdateExpression=f"SET {', '.join(f'#{name} = :{name}' for name in given)}{removed}",
            ExpressionAttributeNames={f"#{name}": name for name in (*given, *remove)},
            ExpressionAttributeValues=item({**(values or {}), **{f":{name}": given[name] for name in given}}),
            **({"ConditionExpression": condition} if condition else {}),
        )
    except dynamodb.exceptions.ConditionalCheckFailedException:
        return False
    return True
