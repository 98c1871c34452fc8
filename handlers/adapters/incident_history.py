"""The incidents of a period, and the states of their secrets, for whoever reports on them."""

import time
from datetime import datetime
from typing import Any

from rotation_guard.domain.remediation.incident_scan import find_since, separate
from rotation_guard.domain.remediation.remediation_state import RemediationState
from rotation_guard.domain.timestamps import has_expired

from . import scans
from .items import to_item
from .scans import scan_rows

READING_ACTIONS = scans.ACTIONS


class IncidentHistory:
    """The Incidents table of this name."""

    def __init__(self, table_name: str) -> None:
        self._table_name = table_name

    def read_since(self, since: datetime) -> tuple[list[dict[str, Any]], dict[str, RemediationState]]:
        """The incidents that are open or were opened, closed or resolved since; and all states of secrets, by ARN.

        Numbers are plain. Rows that have expired are left out.
        """
        expression, values, names = find_since(since)
        rows = scan_rows(
            self._table_name,
            FilterExpression=expression,
            ExpressionAttributeValues=to_item(values),
            ExpressionAttributeNames=dict(names),
        )
        now = time.time()
        return separate(row for row in rows if not has_expired(row, now))
