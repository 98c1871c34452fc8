"""What is remembered of a secret between its incidents: when it last got a new value, and whether it is left alone."""

from dataclasses import dataclass

from .clients import client
from .items import item, row
from .updates import update

READING_ACTIONS = frozenset({"dynamodb:GetItem"})
WRITING_ACTIONS = frozenset({"dynamodb:UpdateItem"})


@dataclass(frozen=True)
class Standing:
    """One secret's; every moment is ISO 8601, and empty where there was none."""

    succeeded_at: str = ""
    """When it last got a new value, as far as events and repairs tell."""
    orphaned_at: str = ""
    """When the breaker opened."""
    released_at: str = ""
    """When somebody has closed it again."""

    @property
    def is_orphaned(self) -> bool:
        """Whether it is told and not touched, until somebody releases it."""
        return bool(self.orphaned_at) and self.released_at < self.orphaned_at

    @property
    def fresh_since(self) -> str:
        """Since when incidents count against it."""
        return max(self.succeeded_at, self.released_at)


class Standings:
    """The rows of that kind, in the table of the incidents."""

    def __init__(self, table_name: str) -> None:
        self._table_name = table_name

    def of(self, secret_arn: str) -> Standing:
        """What is remembered of this secret."""
        answer = client("dynamodb").get_item(
            TableName=self._table_name, Key=item(_key(secret_arn)), ConsistentRead=True
        )
        known = row(answer.get("Item", {}))
        return Standing(**{name: known[name] for name in Standing.__annotations__ if name in known})

    def succeeded(self, secret_arn: str, at: str) -> None:
        """Remembers that it got a new value then, unless a later one is known."""
        update(
            self._table_name,
            item(_key(secret_arn)),
            {"succeeded_at": at},
            condition="attribute_not_exists(#succeeded_at) OR #succeeded_at < :succeeded_at",
        )

    def orphan(self, secret_arn: str, at: str) -> None:
        """Leaves it alone from then on."""
        update(self._table_name, item(_key(secret_arn)), {"orphaned_at": at})


def _key(secret_arn: str) -> dict[str, str]:
    return {"secret_arn": f"secret#{secret_arn}", "opened_at": "standing"}
