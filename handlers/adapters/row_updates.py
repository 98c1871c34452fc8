"""Updates single rows in DynamoDB."""

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
    """Set, extend and remove attributes of a row; False if the condition does not hold.

    Changes to None are ignored. The condition refers to changed attributes, and to those in `names`, with a `#`; its
    parameters are in `values`. `answers_within` is the client's read timeout.
    """
    dynamodb = client("dynamodb", answers_within)
    present = {name: value for name, value in changes.items() if value is not None}
    appended = dict(append or {})
    sets = [f"#{name} = :{name}" for name in present]
    sets += [f"#{name} = list_append(if_not_exists(#{name}, :nothing), :{name})" for name in appended]
    removed = f" REMOVE {', '.join(f'#{name}' for name in remove)}" if remove else ""
    parameters = {f":{name}": value for name, value in {**present, **appended}.items()}
    try:
        dynamodb.update_item(
            TableName=table,
            Key=key,
            UpdateExpression=f"SET {', '.join(sets)}{removed}",
            ExpressionAttributeNames={f"#{name}": name for name in (*present, *appended, *remove, *names)},
            ExpressionAttributeValues=to_item(
                {**(values or {}), **parameters, **({":nothing": []} if appended else {})}
            ),
            **({"ConditionExpression": condition} if condition else {}),
        )
    except dynamodb.exceptions.ConditionalCheckFailedException:
        return False
    return True
