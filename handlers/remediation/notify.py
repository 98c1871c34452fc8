"""Tells of an incident at one of its turns: people by a notice, programs by an event, each once."""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

from aws_lambda_powertools import Logger
from aws_lambda_powertools.utilities.typing import LambdaContext

from rotation_guard.domain.control_characters import serialize_log_record
from rotation_guard.domain.remediation.notification_payload import (
    ESCALATED,
    HELD,
    HELD_BURST,
    MISSING,
    OPENED,
    RECOVERED,
    REMINDER,
    RESOLVED,
    RESTARTED,
    RETRIED,
    UNIDENTIFIED,
    build_payload,
)
from rotation_guard.domain.remediation.notifications import Notification, build_notification
from rotation_guard.domain.timestamps import to_iso

from ..adapters import clients, digest_buffer, event_bus, incidents, topics, unfinished_incidents
from ..environment import RemediationNotifySettings

ACTIONS = (
    topics.ACTIONS
    | event_bus.ACTIONS
    | digest_buffer.ACTIONS
    | incidents.LOOKING_ACTIONS
    | incidents.NOTING_ACTIONS
    | unfinished_incidents.LOOKING_ACTIONS
    | unfinished_incidents.REMOVING_ACTIONS
)
CRITICAL, REMEDIATION, BUS, BURST = "critical topic", "remediation topic", "event bus", "held burst"
WAYS = {
    OPENED: (REMEDIATION, BUS),
    RETRIED: (BUS,),
    RECOVERED: (REMEDIATION, BUS),
    RESTARTED: (REMEDIATION,),
    ESCALATED: (CRITICAL, REMEDIATION, BUS),
    HELD: (BURST, BUS),
    HELD_BURST: (CRITICAL, REMEDIATION),
    REMINDER: (CRITICAL, REMEDIATION),
    RESOLVED: (CRITICAL, REMEDIATION, BUS),
    MISSING: (CRITICAL, REMEDIATION),
    UNIDENTIFIED: (REMEDIATION,),
}
"""A turn -> who is told, people first."""
FINAL = (RECOVERED, RESTARTED, ESCALATED, RESOLVED, MISSING)
"""Turns after which an incident is finished; one that is held is so when the burst is told."""

logger = Logger(json_serializer=serialize_log_record)

Row = dict[str, Any]


@logger.inject_lambda_context
@clients.bounded_by_timeout
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Tells of this `turn` of the `incident`, in the `execution`; `heard` opened it, and an `error` broke a step of it.

    Answers the `outcome` `told`, and `teller`: whether this execution is the one to tell of all that are held. Whoever
    was told of this turn is noted in the incident, and not told again when the step runs again.
    """
    settings = RemediationNotifySettings.from_env()
    turn, execution, key = event["turn"], event["execution"], event.get("incident") or {}
    register, burst = (
        incidents.Incidents(settings.incidents_table_name),
        digest_buffer.DigestBuffer(settings.incidents_table_name),
    )
    unfinished = unfinished_incidents.UnfinishedIncidents(settings.incidents_table_name)
    incident = _read(register, key)
    gathered = burst.gather(execution) if turn == HELD_BURST else []
    if turn == HELD_BURST and not gathered:
        return {"outcome": "told", "teller": False}
    notice = build_notification(
        build_payload(
            turn,
            execution,
            {} if gathered else incident or key,
            heard=event.get("heard"),
            error=event.get("error"),
            held=gathered,
            runbook_url=settings.runbook_url,
        )
    )
    ways, about = _ways(settings, burst, notice, key), _about(notice, event)
    # A burst is what is there to be told: whoever has joined since the last attempt was not in it.
    told = {way for way in WAYS[turn] if not gathered and _is_told(incident, about, way)}
    if BURST in told and unfinished.lists(key["secret_arn"], key["opened_at"]):
        told.remove(BURST)  # What has joined is listed until the burst is told; its row may be gone.
    troubles: list[Exception] = []
    for way in [way for way in WAYS[turn] if way not in told]:
        try:
            sent = ways[way]()
        except Exception as trouble:  # noqa: BLE001 - raised below, once everybody else was told
            logger.warning("not told", extra={"turn": turn, "to": way, "error": type(trouble).__name__})
            troubles.append(trouble)
            continue
        logger.info("told", extra={"turn": turn, "to": way, **sent, "subject": notice.subject})
        if incident:
            action = {"action": "notify", **about, "to": way, "at": to_iso(datetime.now(UTC)), "outcome": "told"}
            _note(register, key, {**action, **sent})
    if troubles:
        raise troubles[0]
    burst.forget(gathered)
    if turn in FINAL:
        _finish(unfinished, key, turn)
    is_teller = turn == HELD and burst.becomes_teller(execution, int(datetime.now(UTC).timestamp()))
    return {"outcome": "told", "teller": is_teller}


def _read(register: incidents.Incidents, key: Mapping[str, Any]) -> Row | None:
    """The incident's row; None where it cannot be read, which keeps nobody from being told what is known without it."""
    if not key:
        return None
    try:
        return register.row(key["secret_arn"], key["opened_at"])
    except Exception as error:  # noqa: BLE001 - whatever it is, it is no reason for silence
        logger.warning("the incident cannot be read", extra={"error": type(error).__name__})
        return None


def _note(register: incidents.Incidents, key: Mapping[str, Any], action: Row) -> None:
    """Notes that somebody was told. Where that cannot be written, to be told once is worth more than the note."""
    try:
        register.note(key["secret_arn"], key["opened_at"], action)
    except Exception as error:  # noqa: BLE001 - another try of the step would tell it again
        logger.warning("what was told cannot be noted", extra={"error": type(error).__name__, "to": action["to"]})


def _finish(unfinished: unfinished_incidents.UnfinishedIncidents, key: Mapping[str, Any], turn: str) -> None:
    """Takes the incident from the list of unfinished ones. Where that fails, the next audit finds it, already told."""
    try:
        unfinished.remove(key["secret_arn"], key["opened_at"], is_resolution_told=turn in (RESOLVED, MISSING))
    except Exception as error:  # noqa: BLE001 - another try of the step might tell it again
        logger.warning("the incident is still listed as unfinished", extra={"error": type(error).__name__})


def _ways(
    settings: RemediationNotifySettings, burst: digest_buffer.DigestBuffer, notice: Notification, key: Mapping[str, Any]
) -> dict[str, Callable[[], Row]]:
    """How each is told; the answer is what the message goes by there."""

    def publish(topic_arn: str) -> Row:
        return {"message_id": topics.Topic(topic_arn).publish(notice)}

    def join() -> Row:
        facts = notice.facts
        burst.join(
            key["secret_arn"], key["opened_at"], facts["secret_name"], owner=facts["owner"], severity=facts["severity"]
        )
        return {}

    return {
        CRITICAL: lambda: publish(settings.critical_topic_arn),
        REMEDIATION: lambda: publish(settings.remediation_topic_arn),
        BUS: lambda: {"event_id": event_bus.put_turn(notice.facts)},
        BURST: join,
    }


def _about(notice: Notification, event: Mapping[str, Any]) -> Row:
    """Which turn this is, of the retries which one, and of the reminders whose."""
    facts = notice.facts
    if facts["turn"] == REMINDER:
        return {"turn": REMINDER, "execution": event["execution"]}
    return {"turn": facts["turn"], **({"number": facts["attempts"]} if facts["turn"] == RETRIED else {})}


def _is_told(incident: Row | None, about: Row, way: str) -> bool:
    wanted = {"action": "notify", **about, "to": way}
    return any(wanted.items() <= action.items() for action in (incident or {}).get("actions", []))
