"""What is remembered of secrets between their incidents, in the table of the incidents."""

from rotation_guard.domain.remediation.remediation_state import RemediationState

from .clients import client
from .items import from_item, to_item
from .row_updates import update_row

READING_ACTIONS = frozenset({"dynamodb:GetItem"})
WRITING_ACTIONS = frozenset({"dynamodb:UpdateItem"})
_MOMENTS = ("succeeded_at", "verified_at", "orphaned_at", "released_at")


class RemediationStates:
    """The rows of that kind, in the table of the incidents."""

    def __init__(self, table_name: str) -> None:
        self._table_name = table_name

    def of(self, secret_arn: str) -> RemediationState:
        """What is remembered of this secret."""
        answer = client("dynamodb").get_item(
            TableName=self._table_name, Key=to_item(_key(secret_arn)), ConsistentRead=True
        )
        known = from_item(answer.get("Item", {}))
        moments = {name: known[name] for name in _MOMENTS if name in known}
        return RemediationState(secret_arn, **moments)

    def succeeded(self, secret_arn: str, at: str, *, is_verified: bool) -> None:
        """Remembers that it got a new value then, and whether that was verified, unless a later one is known."""
        for name in ("succeeded_at", *(["verified_at"] if is_verified else [])):
            update_row(
                self._table_name,
                to_item(_key(secret_arn)),
                {name: at},
                condition=f"attribute_not_exists(#{name}) OR #{name} < :{name}",
            )

    def orphan(self, secret_arn: str, at: str) -> None:
        """Leaves it alone from then on."""
        update_row(self._table_name, to_item(_key(secret_arn)), {"orphaned_at": at})


def _key(secret_arn: str) -> dict[str, str]:
    return {"secret_arn": f"secret#{secret_arn}", "opened_at": "standing"}
