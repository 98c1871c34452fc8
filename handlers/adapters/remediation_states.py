"""Remediation states of secrets, in the Incidents table."""

from rotation_guard.domain.remediation.remediation_state import RemediationState, build_key

from .clients import client
from .items import from_item, to_item
from .row_updates import update_row

READING_ACTIONS = frozenset({"dynamodb:GetItem"})
WRITING_ACTIONS = frozenset({"dynamodb:UpdateItem"})


class RemediationStates:
    """The remediation states in the table of this name."""

    def __init__(self, table_name: str) -> None:
        self._table_name = table_name

    def read(self, secret_arn: str) -> RemediationState:
        """Read the state of this secret."""
        response = client("dynamodb").get_item(
            TableName=self._table_name, Key=to_item(build_key(secret_arn)), ConsistentRead=True
        )
        return RemediationState.from_row(secret_arn, from_item(response.get("Item", {})))

    def record_success(self, secret_arn: str, at: str, *, is_verified: bool) -> None:
        """Record when the secret got a new value and whether it was verified, unless a later value is known."""
        for name in ("succeeded_at", *(["verified_at"] if is_verified else [])):
            update_row(
                self._table_name,
                to_item(build_key(secret_arn)),
                {name: at},
                condition=f"attribute_not_exists(#{name}) OR #{name} < :{name}",
            )

    def suspend(self, secret_arn: str, at: str) -> None:
        """Suspend repairs of this secret."""
        update_row(self._table_name, to_item(build_key(secret_arn)), {"orphaned_at": at})
