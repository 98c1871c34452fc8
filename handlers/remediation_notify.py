"""Tells people about an incident, once, in words."""

from datetime import UTC, datetime
from typing import Any

from aws_lambda_powertools import Logger
from aws_lambda_powertools.utilities.typing import LambdaContext

from .adapters import incidents, topics
from .domain.history import iso
from .domain.notices import failure_notice
from .events import parse
from .settings import RemediationNotifySettings

ACTIONS = topics.ACTIONS | incidents.NOTING_ACTIONS

logger = Logger()


@logger.inject_lambda_context
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Publishes the notice for the `event`, notes that in the `incident`, and answers the `outcome` `told`."""
    settings = RemediationNotifySettings.from_env()
    failure, incident = parse(event["event"]), event["incident"]

    notice = failure_notice(
        failure, incident["versions"], event["execution"], incident["opened_at"], settings.remediation_mode
    )
    message_id = topics.Topic(settings.remediation_topic_arn).publish(notice)
    logger.info("told people", extra={"subject": notice.subject, "message_id": message_id})
    if failure.secret_arn and incident["opened_at"]:
        action = {"action": "notify", "at": iso(datetime.now(UTC)), "outcome": "told", "message_id": message_id}
        incidents.Incidents(settings.incidents_table_name).note(failure.secret_arn, incident["opened_at"], action)
    return {"outcome": "told", "incident": incident}
