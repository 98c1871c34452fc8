"""Links of closed and resolved incidents: added by the step that closes one, and by the notification that follows.

Evidence is worth less than a repair: an error is logged and fails no step. The notification after it tries again; if
that fails too, the incident stays listed as unfinished, and the execution that resumes it tries again.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from aws_lambda_powertools import Logger

from rotation_guard.domain.control_characters import serialize_log_record
from rotation_guard.domain.evidence.chained_tables import RESOLUTION_LINK
from rotation_guard.domain.evidence.links import LINK, MalformedLink
from rotation_guard.domain.remediation.incidents import CLOSED

from ..adapters import clients, incident_chain

logger = Logger(json_serializer=serialize_log_record)


def are_due(incident: Mapping[str, Any]) -> bool:
    """Whether the row of an incident lacks a link."""
    is_resolved = "resolved_at" in incident
    return incident["state"] == CLOSED and not (LINK in incident and (not is_resolved or RESOLUTION_LINK in incident))


def add(table_name: str, secret_arn: str, opened_at: str, now: datetime) -> bool:
    """Add the links that this incident is due for; False if a later attempt may add one that is missing."""
    extra = {"secret_arn": secret_arn, "opened_at": opened_at}
    try:
        return incident_chain.IncidentChain(table_name).add_links(secret_arn, opened_at, now)
    except clients.CALL_ERRORS as error:
        logger.warning("link not added", extra={**extra, "error": type(error).__name__})
        return False
    except MalformedLink as error:
        # Somebody damaged the head of the chain, so no attempt succeeds; `rotation-guard verify` names it.
        logger.warning("link not added", extra={**extra, "error": str(error)})
        return True
