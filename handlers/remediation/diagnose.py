"""Looks at the secret of an incident: labels, dates and tags, and never a value."""

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from aws_lambda_powertools import Logger
from aws_lambda_powertools.utilities.typing import LambdaContext

from rotation_guard.domain.control_characters import serialize_log_record
from rotation_guard.domain.remediation import restarts
from rotation_guard.domain.remediation.diagnosis import (
    RESTART_TAG,
    DescribedSecret,
    Diagnosis,
    UnreadableSecret,
    diagnose,
    has_recovered,
    unreadable_diagnosis,
)
from rotation_guard.domain.remediation.incidents import OPEN

from ..adapters import clients, incidents, secrets
from ..environment import RemediationDiagnoseSettings

ACTIONS = secrets.DESCRIBING_ACTIONS | secrets.VERSION_ACTIONS | incidents.LOOKING_ACTIONS | incidents.NOTING_ACTIONS

logger = Logger(json_serializer=serialize_log_record)

Row = dict[str, Any]


@logger.inject_lambda_context
@clients.bounded_by_timeout
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Answers the `diagnosis` of the `incident`, the `probe` to ask, and whether the secret has `recovered`.

    One that is only a look at a rotation that was asked for (`is_look`) reads no dates, of which AWS gives fewer a
    second than of anything else. `state` is `over` when the incident is open no more, or another execution has taken it
    over, and then nothing else is said.
    `rotation` tells what became of the rotation that was asked for last: `succeeded`, `failed`, or `under way` as far
    as anybody has heard.
    """
    settings = RemediationDiagnoseSettings.from_env()
    arn, opened_at = event["incident"]["secret_arn"], event["incident"]["opened_at"]
    register = incidents.Incidents(settings.incidents_table_name)
    row = register.own(arn, opened_at, event["execution"])
    if row is None:
        return {"state": "over", "recovered": False, "rotation": "under way", "probe": "", "diagnosis": {}}
    shelf = secrets.Secrets()
    found = shelf.described(arn)
    created = {} if event.get("is_look") or isinstance(found, UnreadableSecret) else shelf.created(arn)
    diagnosis = _diagnosis(found, row, settings, created)
    recovered = isinstance(found, DescribedSecret) and has_recovered(
        found.secret, row.get("current_version_id"), row["last_failure_at"]
    )
    register.change(
        arn,
        opened_at,
        {
            "versions": diagnosis.versions,
            "mode": diagnosis.mode,
            "users": diagnosis.users,
            **_facts_of_secret(found),
            "created": diagnosis.created or None,
            "pending_has_value": diagnosis.pending_has_value if diagnosis.pending else None,
        },
        remove=[] if isinstance(found, UnreadableSecret) else ["unreadable"],
        condition="#state = :open",
        values={":open": OPEN},
        names=["state"],
    )
    logger.info("diagnosed", extra={"secret_arn": arn, "recovered": recovered, "pending": diagnosis.pending})
    return {
        "state": "mine",
        "recovered": recovered,
        "rotation": _rotation(row, recovered),
        "probe": diagnosis.probe,
        "diagnosis": diagnosis.as_dict(),
    }


def _diagnosis(
    found: DescribedSecret | UnreadableSecret,
    row: Row,
    settings: RemediationDiagnoseSettings,
    created: Mapping[str, datetime],
) -> Diagnosis:
    match found:
        case UnreadableSecret():
            return unreadable_diagnosis(row["secret_arn"], found)
        case DescribedSecret(secret=secret):
            targets = json.loads(settings.restart_targets)
            return diagnose(
                found,
                kind=row["event_type"],
                failed_step=row.get("failed_step"),
                cap=settings.remediation_mode,
                probes=json.loads(settings.probe_functions),
                restarts=restarts.plan(secret.tags.get(RESTART_TAG, ""), secret.arn, targets),
                created=created,
            )


def _facts_of_secret(found: DescribedSecret | UnreadableSecret) -> Row:
    """What notices tell of the secret, which may have changed since the incident was opened."""
    if isinstance(found, UnreadableSecret):
        return {"unreadable": found.reason}
    return {
        "owner": found.secret.owner,
        "rotation_function": found.rotation_function,
        "rotation_on": found.secret.rotation_enabled,
    }


def _rotation(row: Row, recovered: bool) -> str:
    """A failure that was heard since the last request is taken for its own."""
    if recovered:
        return "succeeded"
    return "failed" if row["failures"] > row.get("failures_when_asked", row["failures"]) else "under way"
