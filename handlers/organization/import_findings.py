"""Imports what the audit and remediation report into AWS Security Hub, as findings.

Events arrive repeatedly and in any order. Of the events of one finding in a batch the latest is imported; Security Hub
itself keeps what was updated last.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from aws_lambda_powertools import Logger
from aws_lambda_powertools.utilities.typing import LambdaContext

from rotation_guard.domain.control_characters import serialize_log_record
from rotation_guard.domain.event_parser import MalformedEvent, load
from rotation_guard.domain.organization.deliveries import read_delivery
from rotation_guard.domain.organization.findings import Finding, build_finding

from ..adapters import clients, security_hub
from ..environment import ImportFindingsSettings

ACTIONS = security_hub.ACTIONS

logger = Logger(json_serializer=serialize_log_record)


@logger.inject_lambda_context
@clients.bounded_by_timeout
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Returns which messages of the batch failed; SQS retries them, and then moves them to the dead-letter queue."""
    settings = ImportFindingsSettings.from_env()
    messages: dict[str, Finding] = {}
    failed: list[str] = []
    for record in event["Records"]:
        try:
            finding = build_finding(read_delivery(load(record["body"])), settings.runbook_url)
        except MalformedEvent as error:
            logger.error("cannot make a finding of an event", extra={"problem": str(error)})
            failed.append(record["messageId"])
            continue
        if finding is not None:
            messages[record["messageId"]] = finding
    errors = security_hub.import_findings(_select_latest(list(messages.values()))) if messages else {}
    for message_id, finding in messages.items():
        if finding["Id"] in errors:
            logger.error("a finding was not imported", extra={"id": finding["Id"], "code": errors[finding["Id"]]})
            failed.append(message_id)
    return {"batchItemFailures": [{"itemIdentifier": message_id} for message_id in failed]}


def _select_latest(findings: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Of each finding what was updated last."""
    latest: dict[str, Mapping[str, Any]] = {}
    for finding in findings:
        known = latest.get(finding["Id"])
        if known is None or known["UpdatedAt"] <= finding["UpdatedAt"]:
            latest[finding["Id"]] = finding
    return list(latest.values())
