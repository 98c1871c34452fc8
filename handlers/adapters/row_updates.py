"""Changes of one row in DynamoDB, as its attributes: reserved words and all."""

from collections.abc import Mapping, Sequence
from typing import Any

from .clients import client
from .items import Item, to_item


def update_row(
    table: str,
    key: Item,
    changes: Mapping[str, Any],
    *,
    append: Mapping[str, Sequence[Any]] | None = None,
    remove: Sequence[str] = (),
    condition: str | None = None,
    values: Mapping[str, Any] | None = None,
    names: Sequence[str] = (),
    answers_within: int | None = None,
) -> bool:
    """Set, extend and remove attributes of a row, under a condition on these `values`; False where it does not hold.

    Changes to None are none. The condition writes the attributes that are changed, and those in `names`, with a `#`.
    `answers_within` is the client's.
    """
    dynamodb = client("dynamodb", answers_within)
    given = {name: value for name, value in changes.items() if value is not None}
    added = dict(append or {})
    sets = [f"#{name} = :{name}" for name in given]
    sets += [f"#{name} = list_append(if_not_exists(#{name}, :nothing), :{name})" for name in added]
    removed = f" REMOVE {', '.join(f'#{name}' for name in remove)}" if remove else ""
    written = {f":{name}": value for name, value in {**given, **added}.items()}
    try:
        dynamodb.update_item(
            TableName=table,
            Key=key,
            UpdateExpression=f"SET {', '.join(sets)}{removed}",
            ExpressionAttributeNames={f"#{name}": name for name in (*given, *added, *remove, *names)},
            ExpressionAttributeValues=to_item({**(values or {}), **written, **({":nothing": []} if added else {})}),
            **({"ConditionExpression": condition} if condition else {}),
        )
    except dynamodb.exceptions.ConditionalCheckFailedException:
        return False
    return True
