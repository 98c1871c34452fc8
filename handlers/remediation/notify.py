"""Publishes one incident transition: notifications for people, an event for programs, each once."""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

from aws_lambda_powertools import Logger
from aws_lambda_powertools.utilities.typing import LambdaContext

from rotation_guard.domain.control_characters import serialize_log_record
from rotation_guard.domain.remediation.notification_payload import (
    DIGEST,
    ESCALATED,
    MISSING,
    OPENED,
    RATE_LIMITED,
    RECOVERED,
    REMINDER,
    RESOLVED,
    RESTARTED,
    RETRIED,
    UNIDENTIFIED,
    build_payload,
)
from rotation_guard.domain.remediation.notifications import Notification, build_notification
from rotation_guard.domain.remediation.step_results import NotifyStepResult, to_payload
from rotation_guard.domain.timestamps import to_iso

from ..adapters import clients, digest_buffer, event_bus, incident_chain, incidents, topics, unfinished_incidents
from ..environment import RemediationNotifySettings
from . import chain_links

ACTIONS = (
    topics.ACTIONS
    | event_bus.ACTIONS
    | digest_buffer.ACTIONS
    | incident_chain.ACTIONS
    | incidents.READING_ACTIONS
    | incidents.WRITING_ACTIONS
    | unfinished_incidents.READING_ACTIONS
    | unfinished_incidents.REMOVING_ACTIONS
)
# The names of channels are stored in rows.
CRITICAL_TOPIC, REMEDIATION_TOPIC, EVENT_BUS = "critical topic", "remediation topic", "event bus"
DIGEST_BUFFER = "held burst"
CHANNELS = {
    OPENED: (REMEDIATION_TOPIC, EVENT_BUS),
    RETRIED: (EVENT_BUS,),
    RECOVERED: (REMEDIATION_TOPIC, EVENT_BUS),
    RESTARTED: (REMEDIATION_TOPIC,),
    ESCALATED: (CRITICAL_TOPIC, REMEDIATION_TOPIC, EVENT_BUS),
    RATE_LIMITED: (DIGEST_BUFFER, EVENT_BUS),
    DIGEST: (CRITICAL_TOPIC, REMEDIATION_TOPIC),
    REMINDER: (CRITICAL_TOPIC, REMEDIATION_TOPIC),
    RESOLVED: (CRITICAL_TOPIC, REMEDIATION_TOPIC, EVENT_BUS),
    MISSING: (CRITICAL_TOPIC, REMEDIATION_TOPIC),
    UNIDENTIFIED: (REMEDIATION_TOPIC,),
}
"""Transition -> its channels, those for people first."""
FINAL = (RECOVERED, RESTARTED, ESCALATED, RESOLVED, MISSING)
"""Transitions after which an incident is finished. A rate-limited one is finished when its digest is published."""
_PUBLISHED = "told"
"""Outcome of an action of this step."""

logger = Logger(json_serializer=serialize_log_record)

Row = dict[str, Any]


@logger.inject_lambda_context
@clients.bounded_by_timeout
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Publishes a transition (`turn`) of the `incident`; `heard` is its signal, `error` the error of a failed step.

    Each publication is recorded in the incident, and is not repeated when the step runs again. If one channel fails,
    the others are still used; then the step fails and is retried.
    """
    settings = RemediationNotifySettings.from_env()
    transition, execution, key = event["turn"], event["execution"], event.get("incident") or {}
    incidents_table = incidents.Incidents(settings.incidents_table_name)
    buffer = digest_buffer.DigestBuffer(settings.incidents_table_name)
    unfinished = unfinished_incidents.UnfinishedIncidents(settings.incidents_table_name)
    incident = _read_incident(incidents_table, key)
    digest = buffer.read_and_release(execution) if transition == DIGEST else []
    if transition == DIGEST and not digest:
        return to_payload(NotifyStepResult())
    notification = build_notification(
        build_payload(
            transition,
            execution,
            {} if digest else incident or key,
            signal=event.get("heard"),
            error=event.get("error"),
            digest=digest,
            runbook_url=settings.runbook_url,
        )
    )
    occurrence = _identify_occurrence(notification, event)
    # A digest has new rows since the last attempt, so it is published again.
    published = {
        channel for channel in CHANNELS[transition] if not digest and _is_published(incident, occurrence, channel)
    }
    if DIGEST_BUFFER in published and unfinished.contains(key["secret_arn"], key["opened_at"]):
        published.remove(DIGEST_BUFFER)  # It is unfinished until its digest is published; its row may be missing.
    publishers = _build_publishers(settings, buffer, notification, key)
    errors: list[Exception] = []
    for channel in [channel for channel in CHANNELS[transition] if channel not in published]:
        try:
            ids = publishers[channel]()
        except Exception as error:  # noqa: BLE001 - raised after the other channels
            logger.warning("not published", extra={"turn": transition, "to": channel, "error": type(error).__name__})
            errors.append(error)
            continue
        logger.info("published", extra={"turn": transition, "to": channel, **ids, "subject": notification.subject})
        if incident:
            now = to_iso(datetime.now(UTC))
            action = {"action": "notify", **occurrence, "to": channel, "at": now, "outcome": _PUBLISHED}
            _record(incidents_table, key, {**action, **ids})
    if errors:
        raise errors[0]
    buffer.delete(digest)
    is_linked = (
        incident is None
        or not chain_links.are_due(incident)
        or chain_links.add(settings.incidents_table_name, key["secret_arn"], key["opened_at"], datetime.now(UTC))
    )
    if transition in FINAL and is_linked:
        _finish(unfinished, key, transition)
    owns_digest = transition == RATE_LIMITED and buffer.claim_ownership(execution, int(datetime.now(UTC).timestamp()))
    return to_payload(NotifyStepResult(owns_digest=owns_digest))


def _read_incident(incidents_table: incidents.Incidents, key: Mapping[str, Any]) -> Row | None:
    """The incident's row; None if it cannot be read, so that the rest is still published."""
    if not key:
        return None
    try:
        return incidents_table.read(key["secret_arn"], key["opened_at"])
    except Exception as error:  # noqa: BLE001 - no error may prevent the notification
        logger.warning("the incident cannot be read", extra={"error": type(error).__name__})
        return None


def _record(incidents_table: incidents.Incidents, key: Mapping[str, Any], action: Row) -> None:
    """Record a publication. An error is only logged, because a retry of the step would publish again."""
    try:
        incidents_table.append_actions(key["secret_arn"], key["opened_at"], action)
    except Exception as error:  # noqa: BLE001 - see above
        logger.warning("publication not recorded", extra={"error": type(error).__name__, "to": action["to"]})


def _finish(unfinished: unfinished_incidents.UnfinishedIncidents, key: Mapping[str, Any], transition: str) -> None:
    """Remove the incident from the list of unfinished ones. After an error, the next audit removes it."""
    is_resolution_published = transition in (RESOLVED, MISSING)
    try:
        unfinished.remove(key["secret_arn"], key["opened_at"], is_resolution_published=is_resolution_published)
    except Exception as error:  # noqa: BLE001 - a retry of the step might publish again
        logger.warning("the incident is still listed as unfinished", extra={"error": type(error).__name__})


def _build_publishers(
    settings: RemediationNotifySettings,
    buffer: digest_buffer.DigestBuffer,
    notification: Notification,
    key: Mapping[str, Any],
) -> dict[str, Callable[[], Row]]:
    """Channel -> a function that publishes there and returns the message's id."""
    payload = notification.payload

    def publish(topic_arn: str) -> Row:
        return {"message_id": topics.Topic(topic_arn).publish(notification)}

    def add_to_digest() -> Row:
        name, owner, severity = payload["secret_name"], payload["owner"], payload["severity"]
        buffer.add(key["secret_arn"], key["opened_at"], name, owner=owner, severity=severity)
        return {}

    return {
        CRITICAL_TOPIC: lambda: publish(settings.critical_topic_arn),
        REMEDIATION_TOPIC: lambda: publish(settings.remediation_topic_arn),
        EVENT_BUS: lambda: {"event_id": event_bus.publish_transition(notification, settings.incidents_table_name)},
        DIGEST_BUFFER: add_to_digest,
    }


def _identify_occurrence(notification: Notification, event: Mapping[str, Any]) -> Row:
    """The transition, with the number of a retry, or the execution of a reminder: both occur more than once."""
    payload = notification.payload
    if payload["turn"] == REMINDER:
        return {"turn": REMINDER, "execution": event["execution"]}
    return {"turn": payload["turn"], **({"number": payload["attempts"]} if payload["turn"] == RETRIED else {})}


def _is_published(incident: Row | None, occurrence: Row, channel: str) -> bool:
    publication = {"action": "notify", **occurrence, "to": channel}
    return any(publication.items() <= action.items() for action in (incident or {}).get("actions", []))
