"""Diagnoses the secret of an incident: labels, dates and tags, and never a value."""

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from aws_lambda_powertools import Logger
from aws_lambda_powertools.utilities.typing import LambdaContext

from rotation_guard.domain.control_characters import serialize_log_record
from rotation_guard.domain.remediation import restarts
from rotation_guard.domain.remediation.diagnosis import (
    DescribedSecret,
    Diagnosis,
    UnreadableSecret,
    diagnose,
    diagnose_unreadable,
    has_recovered,
)
from rotation_guard.domain.remediation.incidents import OPEN
from rotation_guard.domain.remediation.step_results import (
    DiagnoseState,
    DiagnoseStepResult,
    RetriedRotation,
    to_payload,
)
from rotation_guard.domain.secret_filter import SecretFilter
from rotation_guard.domain.tags import RESTART_TAG

from ..adapters import clients, incidents, secrets
from ..environment import RemediationDiagnoseSettings

ACTIONS = secrets.DESCRIBING_ACTIONS | secrets.VERSION_ACTIONS | incidents.READING_ACTIONS | incidents.WRITING_ACTIONS

logger = Logger(json_serializer=serialize_log_record)

Row = dict[str, Any]


@logger.inject_lambda_context
@clients.bounded_by_timeout
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Diagnoses the secret of the `incident`, if this `execution` works on it.

    A step that only polls a retried rotation (`is_look`) reads no dates, because AWS's quota for those is the lowest.
    """
    settings = RemediationDiagnoseSettings.from_env()
    arn, opened_at = event["incident"]["secret_arn"], event["incident"]["opened_at"]
    incidents_table = incidents.Incidents(settings.incidents_table_name)
    row = incidents_table.read_owned(arn, opened_at, event["execution"])
    if row is None:
        return to_payload(DiagnoseStepResult(DiagnoseState.NOT_OPEN))
    secrets_manager = secrets.Secrets()
    secret = secrets_manager.describe(arn)
    is_poll = event.get("is_look") or isinstance(secret, UnreadableSecret)
    created = {} if is_poll else secrets_manager.read_creation_dates(arn)
    diagnosis = _diagnose(secret, row, settings, created)
    recovered = isinstance(secret, DescribedSecret) and has_recovered(
        secret.secret, row.get("current_version_id"), row["last_failure_at"]
    )
    incidents_table.update(
        arn,
        opened_at,
        {
            "versions": diagnosis.versions,
            "mode": diagnosis.mode,
            "users": diagnosis.rotation_strategy,
            **_build_secret_attributes(secret),
            "created": diagnosis.created or None,
            "pending_has_value": diagnosis.pending_has_value if diagnosis.pending else None,
        },
        remove=[] if isinstance(secret, UnreadableSecret) else ["unreadable"],
        condition="#state = :open",
        values={":open": OPEN},
        names=["state"],
    )
    logger.info("diagnosed", extra={"secret_arn": arn, "recovered": recovered, "pending": diagnosis.pending})
    return to_payload(
        DiagnoseStepResult(
            DiagnoseState.OWNED,
            recovered=recovered,
            rotation=_assess_retried_rotation(row, recovered),
            probe=diagnosis.probe,
            diagnosis=diagnosis.to_payload(),
        )
    )


def _diagnose(
    secret: DescribedSecret | UnreadableSecret,
    row: Row,
    settings: RemediationDiagnoseSettings,
    created: Mapping[str, datetime],
) -> Diagnosis:
    if isinstance(secret, UnreadableSecret):
        return diagnose_unreadable(row["secret_arn"], secret)
    tag, targets = secret.secret.tags.get(RESTART_TAG, ""), json.loads(settings.restart_targets)
    return diagnose(
        secret,
        kind=row["event_type"],
        failed_step=row.get("failed_step"),
        cap=settings.remediation_mode,
        probes=json.loads(settings.probe_functions),
        restarts=restarts.plan_restarts(tag, secret.secret.arn, targets),
        created=created,
        scope=SecretFilter.from_setting(json.loads(settings.remediation_scope)),
    )


def _build_secret_attributes(secret: DescribedSecret | UnreadableSecret) -> Row:
    """The attributes of the secret that notifications use, and that may have changed since the incident was opened."""
    if isinstance(secret, UnreadableSecret):
        return {"unreadable": secret.reason}
    return {
        "owner": secret.secret.owner,
        "rotation_function": secret.rotation_function,
        "rotation_on": secret.secret.rotation_enabled,
    }


def _assess_retried_rotation(row: Row, recovered: bool) -> RetriedRotation:
    """The state of the last retry; a failure since then is taken for its own."""
    if recovered:
        return RetriedRotation.SUCCEEDED
    has_failed = row["failures"] > row.get("failures_when_asked", row["failures"])
    return RetriedRotation.FAILED if has_failed else RetriedRotation.RUNNING
