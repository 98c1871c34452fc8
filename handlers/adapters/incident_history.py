"""The incidents of a period, and the states of their secrets, for whoever reports on them."""

import time
from collections.abc import Iterator
from datetime import datetime
from typing import Any

from rotation_guard.domain.remediation.incident_scan import find_since, separate
from rotation_guard.domain.remediation.remediation_state import RemediationState
from rotation_guard.domain.timestamps import has_expired

from .clients import client
from .items import from_item, to_item, with_plain_numbers

READING_ACTIONS = frozenset({"dynamodb:Scan"})


class IncidentHistory:
    """The Incidents table of this name."""

    def __init__(self, table_name: str) -> None:
        self._table_name = table_name

    def read_since(self, since: datetime) -> tuple[list[dict[str, Any]], dict[str, RemediationState]]:
        """The incidents that are open or were opened, closed or resolved since; and all states of secrets, by ARN.

        Numbers are plain. Rows that have expired are left out.
        """
        return separate(self._scan(since))

    def _scan(self, since: datetime) -> Iterator[dict[str, Any]]:
        expression, values, names = find_since(since)
        pages = (
            client("dynamodb")
            .get_paginator("scan")
            .paginate(
                TableName=self._table_name,
                FilterExpression=expression,
                ExpressionAttributeValues=to_item(values),
                ExpressionAttributeNames=dict(names),
            )
        )
        now = time.time()
        for page in pages:
            rows = (with_plain_numbers(from_item(stored)) for stored in page["Items"])
            yield from (row for row in rows if not has_expired(row, now))
