"""The state of a secret between its incidents: when it last got a new value, and whether repairs are suspended."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

KEY_PREFIX = "secret#"
"""How the key of a row begins; the ARN of the secret follows."""


@dataclass(frozen=True)
class RemediationState:
    """One secret's state; times are ISO 8601, or empty."""

    secret_arn: str
    succeeded_at: str = ""
    """When it last got a new value, verified or not, according to events and repairs."""
    verified_at: str = ""
    """When a new value was last verified: AWS completed a rotation with its test, or a probe proved the value."""
    suspended_at: str = ""
    """When the circuit breaker opened after too many failed incidents in a row; the attribute `orphaned_at`."""
    released_at: str = ""
    """When an operator released it."""

    @classmethod
    def from_row(cls, secret_arn: str, row: Mapping[str, Any]) -> Self:
        """Parse a row of the Incidents table, which may be empty; attributes that are no texts are left out."""
        texts = {field: row.get(name) for name, field in _ATTRIBUTES.items()}
        return cls(secret_arn, **{field: text for field, text in texts.items() if isinstance(text, str)})

    @property
    def is_suspended(self) -> bool:
        """Whether repairs are suspended until an operator releases the secret."""
        return bool(self.suspended_at) and self.released_at < self.suspended_at


_ATTRIBUTES = {
    "succeeded_at": "succeeded_at",
    "verified_at": "verified_at",
    "orphaned_at": "suspended_at",
    "released_at": "released_at",
}
"""Attribute -> field."""


def build_key(secret_arn: str) -> dict[str, str]:
    """The key of this secret's row in the Incidents table."""
    return {"secret_arn": f"{KEY_PREFIX}{secret_arn}", "opened_at": "standing"}
