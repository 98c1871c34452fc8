"""Which rows of the Incidents table are incidents, and how a Scan finds those of a period.

The table has no index, and is small because rows expire.
"""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any, NamedTuple

from ..timestamps import to_iso
from .incidents import CLOSED
from .recorded_incident import restore_types
from .remediation_state import KEY_PREFIX, RemediationState

INCIDENT_PREFIX = "arn:"
"""How the key of an incident begins; rows with other keys are states of secrets, and bookkeeping."""


class Filter(NamedTuple):
    """The filter of a Scan: its expression, and the texts and names in it."""

    expression: str
    values: Mapping[str, str]
    names: Mapping[str, str]


def find_since(since: datetime | None) -> Filter:
    """Finds incidents that are open or were opened, closed or resolved since, and the states of all secrets.

    All incidents if `since` is None.
    """
    return Filter(
        "(begins_with(secret_arn, :incident) "
        "AND (#state <> :closed OR opened_at >= :since OR closed_at >= :since OR resolved_at >= :since)) "
        "OR begins_with(secret_arn, :secret)",
        {
            ":incident": INCIDENT_PREFIX,
            ":closed": CLOSED,
            ":since": to_iso(since) if since else "0",
            ":secret": KEY_PREFIX,
        },
        {"#state": "state"},
    )


def separate(rows: Iterable[dict[str, Any]]) -> tuple[list[dict[str, Any]], dict[str, RemediationState]]:
    """The incidents among these rows, and the states of secrets by their ARNs."""
    incidents: list[dict[str, Any]] = []
    states: dict[str, RemediationState] = {}
    for row in rows:
        if row["secret_arn"].startswith(KEY_PREFIX):
            state = read_state(row)
            states[state.secret_arn] = state
        else:
            incidents.append(restore_types(row))
    return incidents, states


def read_state(row: Mapping[str, Any]) -> RemediationState:
    """The state of a secret, from its row."""
    return RemediationState.from_row(row["secret_arn"].removeprefix(KEY_PREFIX), row)
