"""Adds closed and resolved incidents to the chain of their secret, in the Incidents table.

An incident changes with every step until it is closed. To keep a hash of it up to date, every step would have to read
the row before it updates it. So it gets its link when it is closed, and a second one when it is resolved.
"""

from datetime import datetime

from rotation_guard.domain.evidence.chained_tables import INCIDENTS, NewLink, list_due_links
from rotation_guard.domain.evidence.links import Item, Link

from .chains import Chains
from .clients import client
from .items import to_item

ACTIONS = frozenset({"dynamodb:GetItem", "dynamodb:PutItem", "dynamodb:UpdateItem"})


class IncidentChain:
    """The chains in the Incidents table of this name."""

    def __init__(self, table_name: str) -> None:
        self._table_name = table_name
        self._chains = Chains(table_name, INCIDENTS.sort_key)

    def add_links(self, secret_arn: str, opened_at: str, now: datetime) -> bool:
        """Add the links that an incident is due for; adding them again changes nothing. False if it has no row."""
        dynamodb = client("dynamodb")
        key = to_item({"secret_arn": secret_arn, "opened_at": opened_at})
        response = dynamodb.get_item(TableName=self._table_name, Key=key, ConsistentRead=True)
        if "Item" not in response:
            return False
        for due in list_due_links(response["Item"]):
            self._chains.append(
                dynamodb,
                secret_arn,
                due.content,
                lambda link, due=due: self._build_write(key, due, link),
                now,
                extent=due.extent,
            )
        return True

    def _build_write(self, key: Item, due: NewLink, link: Link) -> Item:
        return {
            "Update": {
                "TableName": self._table_name,
                "Key": key,
                "UpdateExpression": "SET #link = :link",
                # The row exists, and nobody has added the link since it was read.
                "ConditionExpression": "attribute_exists(secret_arn) AND attribute_not_exists(#link)",
                "ExpressionAttributeNames": {"#link": due.attribute},
                "ExpressionAttributeValues": {":link": link.to_value()},
            }
        }
