"""Claims the incident of an event: the first step of remediation."""

import json
import random
from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from aws_lambda_powertools import Logger
from aws_lambda_powertools.utilities.typing import LambdaContext

from rotation_guard.domain.control_characters import serialize_log_record
from rotation_guard.domain.remediation import restarts
from rotation_guard.domain.remediation.diagnosis import (
    DescribedSecret,
    UnreadableSecret,
    has_restart_on_rotation,
)
from rotation_guard.domain.remediation.incidents import (
    ALIVE_SECONDS,
    OPEN,
    RESTARTING,
    ClaimEffect,
    ClaimResult,
    Incident,
    Outcome,
    claim_failure,
    claim_success,
)
from rotation_guard.domain.remediation.remediation_state import RemediationState
from rotation_guard.domain.remediation.step_results import (
    ClaimOutcome,
    ClaimStepResult,
    Ending,
    IncidentKey,
    ResumeAt,
    to_payload,
)
from rotation_guard.domain.rotation_event import INCIDENT_STALLED, TEST_ROTATION_FAILED, RotationSignal
from rotation_guard.domain.secret_filter import SecretFilter
from rotation_guard.domain.tags import RESTART_TAG
from rotation_guard.domain.timestamps import state_entered_at, to_iso

from ..adapters import clients, incidents, remediation_states, secrets, unfinished_incidents
from ..environment import RemediationClaimSettings
from . import incident_metrics, stalled_incidents

ACTIONS = (
    secrets.DESCRIBING_ACTIONS
    | incidents.CLAIMING_ACTIONS
    | remediation_states.READING_ACTIONS
    | remediation_states.WRITING_ACTIONS
    | stalled_incidents.ACTIONS
)
ATTEMPTS = 5
"""Optimistic-lock retries: every lost race means that another execution made progress."""
_JITTER, _JITTER_SECONDS = 0.2, 120
"""Jitter on the grace period: 20 %, at most 120 s. Failures at the same time are not diagnosed all at once, but close
enough for one digest where they are rate limited."""

logger = Logger(json_serializer=serialize_log_record)


@logger.inject_lambda_context
@clients.bounded_by_timeout
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Claims the incident of the signal in `heard` for the `execution`, which began at `started_at`.

    A new incident's opening time is the start of the execution, so that a step that runs twice claims the same one.
    """
    settings = RemediationClaimSettings.from_env()
    signal, execution, opened_at = RotationSignal(**event["heard"]), event["execution"], event["started_at"]
    arn = signal.secret_arn
    if arn is None:
        return to_payload(ClaimStepResult(ClaimOutcome.UNIDENTIFIED))
    # An event from the future would make every event until then look outdated.
    signal = replace(signal, occurred_at=min(signal.occurred_at, to_iso(datetime.fromisoformat(opened_at))))
    claim = _Claim(
        settings,
        signal,
        execution,
        opened_at,
        secrets.Secrets().describe(arn),
        state_entered_at(event, datetime.now(UTC)),
    )
    for attempt in range(ATTEMPTS):
        try:
            result = to_payload(claim.run(is_last_attempt=attempt == ATTEMPTS - 1))
        except incidents.LostRace:
            continue
        logger.info("claimed", extra={"outcome": result["outcome"], "incident": result["incident"]})
        incident_metrics.emit(claim.counts, context.function_name)
        return result
    raise incidents.LostRace(f"{ATTEMPTS} attempts to claim the incident of {arn} lost to others")


class _Claim:
    """The claim of one signal, with the facts that it depends on."""

    def __init__(
        self,
        settings: RemediationClaimSettings,
        signal: RotationSignal,
        execution: str,
        opened_at: str,
        secret: DescribedSecret | UnreadableSecret,
        now: datetime,
    ) -> None:
        self._settings, self._signal = settings, signal
        self._execution, self._opened_at, self._secret = execution, opened_at, secret
        self._described = secret if isinstance(secret, DescribedSecret) else None
        self._arn = signal.secret_arn or ""
        self._incidents = incidents.Incidents(settings.incidents_table_name)
        self._states = remediation_states.RemediationStates(settings.incidents_table_name)
        self._unfinished = unfinished_incidents.UnfinishedIncidents(settings.incidents_table_name)
        self._now = now
        self._seconds = int(now.timestamp())
        self._missing: unfinished_incidents.StalledIncident | None = None
        self.counts: Counter[str] = Counter()
        """Metrics of this claim, by name; a step that runs twice counts once."""

    def run(self, *, is_last_attempt: bool) -> ClaimStepResult:
        """Process the signal. Raises LostRace if another execution was faster."""
        if self._signal.kind == INCIDENT_STALLED:
            return self._resume(is_last_attempt)
        result = self._repeat_result()
        if result is None:
            self._open_incident = self._find_open_incident(is_last_attempt)
            result = self._claim_failure() if self._signal.is_failure else self._claim_new_value()
        # Other stalled incidents of the secret are resumed by executions of their own.
        stalled_incidents.report(self._unfinished, self._seconds, self._arn, except_for=self._missing)
        return result if self._missing is None else replace(result, missing=IncidentKey(*self._missing))

    def _repeat_result(self) -> ClaimStepResult | None:
        """The result of an earlier run of this step that wrote its row and died; None if there was none."""
        row = self._incidents.read(self._arn, self._opened_at)
        if row is None or row["execution"] != self._execution:
            return None
        if row["failures"]:
            return self._opened_result()
        return self._restart_result(row["restarts"], row["current_version_id"])

    def _find_open_incident(self, is_last_attempt: bool) -> Incident | None:
        """Find the open incident of this secret, and repair a claim or a row that somebody deleted.

        Raises LostRace if the claim and the row are inconsistent, or another invocation of this step opened it.
        """
        opened_at = self._incidents.read_claim_time(self._arn)
        if opened_at is None:
            latest = next(self._incidents.list_for_secret(self._arn), None)
            if latest and latest.state == OPEN:
                # It was opened in between, or somebody deleted its claim: reading the claim cannot distinguish these.
                self._incidents.restore_claim(self._arn, latest.opened_at, self._execution)
                return latest
            return None
        row = self._incidents.read(self._arn, opened_at)
        if row is None and is_last_attempt and self._incidents.release_claim(self._arn, opened_at):
            # The row was deleted or lost in a restore of the table. Its claim would block every later incident.
            self._missing = unfinished_incidents.StalledIncident(self._arn, opened_at)
            return None
        if row is None or row["state"] != OPEN or row["execution"] == self._execution:
            raise incidents.LostRace("the incident was opened or closed in between")
        return Incident.from_row(row)

    def _resume(self, is_last_attempt: bool) -> ClaimStepResult:
        """Take over an incident whose workflow is overdue, unless that has changed."""
        opened_at = self._signal.opened_at
        if opened_at is None:
            return ClaimStepResult(ClaimOutcome.NO_OP)  # The event does not say which incident it is about.
        row = self._incidents.read(self._arn, opened_at)
        if row is None and not is_last_attempt:
            raise incidents.LostRace("the incident has no row")
        if row is None:
            self._incidents.release_claim(self._arn, opened_at)
            return ClaimStepResult(ClaimOutcome.NO_OP, missing=IncidentKey(self._arn, opened_at))
        if row.get("resumed_by") != self._execution and not self._incidents.resume(
            row, self._execution, self._seconds, self._seconds + ALIVE_SECONDS
        ):
            return self._result(ClaimOutcome.JOINED, Incident.from_row(row))
        ending = Ending(
            outcome=row.get("outcome", ""),
            reason=row.get("reason", ""),
            restarts=row.get("restarts", []),
            version=row.get("restart_version") or row.get("current_version_id") or "",
        )
        resume_at = {OPEN: ResumeAt.DIAGNOSE, RESTARTING: ResumeAt.RESTART}.get(row["state"], ResumeAt.NOTIFY)
        return self._result(ClaimOutcome.RESUMED, Incident.from_row(row), ending=ending, resume_at=resume_at)

    def _claim_failure(self) -> ClaimStepResult:
        """A failure opens an incident, joins the open one, or belongs to a closed one."""
        open_incident = self._open_incident
        latest = None if open_incident else self._find_latest()
        state = self._states.read(self._arn)
        if latest and latest.is_released_for(self._signal, state.released_at):
            latest = None
        claimed = claim_failure(open_incident, latest, self._signal, self._new_value_at(state), self._now)
        incident = claimed.incident
        if claimed.effect is ClaimEffect.JOIN and incident:
            self._join(incident)
            return self._result(ClaimOutcome.JOINED, incident)
        if claimed.effect is ClaimEffect.REMIND and incident:
            # The row of a closed incident gets no other update about the failure.
            failure = {"reminded_at": self._signal.occurred_at, "reminded_step": self._signal.failed_step}
            self._incidents.update(self._arn, incident.opened_at, failure)
            return self._result(ClaimOutcome.REMINDER, incident)
        if claimed.effect is ClaimEffect.IGNORE_STALE:
            return self._result(ClaimOutcome.STALE, incident)
        alive_until = self._seconds + self._settings.settle_minutes * 120 + ALIVE_SECONDS
        self._incidents.open(self._signal, self._secret, self._execution, self._opened_at, alive_until)
        self.counts[incident_metrics.OPENED] += 1
        return self._opened_result()

    def _find_latest(self) -> Incident | None:
        """Find the last incident that this failure may belong to, ignoring later tests and restarts.

        Raises LostRace if another execution has opened one.
        """
        for incident in self._incidents.list_for_secret(self._arn):
            if incident.state == OPEN:
                raise incidents.LostRace("another execution opened the incident in between")
            if incident.is_about_rotation or (incident.failures and self._signal.kind == TEST_ROTATION_FAILED):
                return incident
        return None

    def _claim_new_value(self) -> ClaimStepResult:
        """A new value ends the open incident and resolves escalated ones; it may also restart dependents."""
        self._states.record_success(self._arn, self._signal.occurred_at, is_verified=self._is_verified())
        self._resolve()
        secret = self._described.secret if self._described else None
        # A secret that cannot be read may have an unfinished rotation.
        is_stuck = secret is None or secret.pending_version_id is not None
        claimed = claim_success(self._open_incident, self._signal, is_stuck)
        if claimed.effect is ClaimEffect.END and claimed.incident:
            return self._recover(claimed, claimed.incident)
        if claimed.effect is ClaimEffect.JOIN and claimed.incident:
            self._join(claimed.incident)
            return self._result(ClaimOutcome.JOINED, claimed.incident)
        return self._restart_dependents()

    def _join(self, incident: Incident) -> None:
        self._incidents.add_event(incident, self._signal)
        if incident.alive_until < self._seconds:
            # An incident that an earlier release opened is not in the list yet.
            self._unfinished.add(self._arn, incident.opened_at)

    def _is_verified(self) -> bool:
        """Whether AWS completed a rotation, which tests the new value; a moved label proves nothing."""
        last_rotated_at = self._described.secret.last_rotated_at if self._described else None
        is_rotated = last_rotated_at is not None and to_iso(last_rotated_at) >= self._signal.occurred_at
        return self._signal.kind == "RotationSucceeded" or is_rotated

    def _resolve(self) -> None:
        """Mark escalated and rate-limited incidents as resolved; an execution of its own publishes each."""
        current = self._described.secret.current_version_id if self._described else None
        for incident in self._incidents.list_for_secret(self._arn):
            if incident.is_resolved_by(self._signal, current):
                self._incidents.resolve(incident, self._signal.occurred_at, self._signal.kind, self._described)
                self.counts[incident_metrics.name_outcome_metric(Outcome.RESOLVED)] += 1
            elif incident.outcome == Outcome.RESOLVED and incident.resolved_at < self._signal.occurred_at:
                return  # Earlier incidents were resolved with it.

    def _recover(self, claimed: ClaimResult, incident: Incident) -> ClaimStepResult:
        if self._described:
            labels = incidents.list_labels(self._described)
            changes = {"versions": labels, "new_value_versions": labels}
            # The probe's evidence belongs to the previous labels.
            self._incidents.update(self._arn, incident.opened_at, changes, remove=["evidence"])
        is_own_retry = claimed.outcome is Outcome.RECOVERED_BY_RETRY
        ending = Ending(
            outcome=claimed.outcome or "",
            reason=f"A new value is in use since {self._signal.occurred_at} ({self._signal.kind}).",
            restarts=self._plan_restarts() if is_own_retry or self._has_restart_on_rotation() else [],
            version=self._current_version(),
        )
        return self._result(ClaimOutcome.RECOVERED, incident, ending=ending)

    def _restart_dependents(self) -> ClaimStepResult:
        """Restart dependents once per version, for whichever of its two events arrives first."""
        version, planned = self._current_version(), self._plan_restarts()
        if not (self._has_restart_on_rotation() and self._described and version and planned):
            return ClaimStepResult(ClaimOutcome.NO_OP)
        if not self._incidents.claim_version(self._arn, version, self._execution):
            return ClaimStepResult(ClaimOutcome.NO_OP)
        self._incidents.begin_restarts(
            self._signal,
            self._described,
            self._execution,
            self._opened_at,
            planned,
            int(self._now.timestamp() * 1000),
            self._seconds + ALIVE_SECONDS,
        )
        return self._restart_result(planned, version)

    def _opened_result(self) -> ClaimStepResult:
        incident = Incident(self._arn, self._opened_at)
        return self._result(ClaimOutcome.OPENED, incident, wait_seconds=self._choose_wait())

    def _restart_result(self, planned: list[dict[str, Any]], version: str) -> ClaimStepResult:
        reason = f"A new value is in use since {self._signal.occurred_at}."
        ending = Ending(outcome=Outcome.RESTARTED, reason=reason, restarts=planned, version=version)
        return self._result(ClaimOutcome.RESTART, Incident(self._arn, self._opened_at), ending=ending)

    def _result(self, outcome: ClaimOutcome, incident: Incident | None, **more: Any) -> ClaimStepResult:
        key = IncidentKey(incident.secret_arn, incident.opened_at) if incident else None
        return ClaimStepResult(outcome, key, **more)

    def _new_value_at(self, state: RemediationState) -> str:
        """When the secret last got a new value, according to events and to DescribeSecret."""
        last_rotated_at = self._described.secret.last_rotated_at if self._described else None
        return max(state.succeeded_at, to_iso(last_rotated_at) if last_rotated_at else "")

    def _current_version(self) -> str | None:
        return self._described.secret.current_version_id if self._described else self._signal.current_version_id

    def _has_restart_on_rotation(self) -> bool:
        return self._described is not None and has_restart_on_rotation(self._described.secret)

    def _plan_restarts(self) -> list[dict[str, str]]:
        scope = SecretFilter.from_setting(json.loads(self._settings.remediation_scope))
        if self._described is None or not scope.matches(self._described.secret):
            return []
        tag = self._described.secret.tags.get(RESTART_TAG, "")
        return restarts.plan_restarts(tag, self._arn, json.loads(self._settings.restart_targets))

    def _choose_wait(self) -> int:
        grace_period = self._settings.settle_minutes * 60
        jitter = min(grace_period * _JITTER, _JITTER_SECONDS)
        return grace_period + int(jitter * random.random())  # noqa: S311 - jitter, not a secret
