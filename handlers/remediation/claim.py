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
    RESTART_TAG,
    DescribedSecret,
    UnreadableSecret,
    restarts_on_rotation,
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
from rotation_guard.domain.rotation_event import INCIDENT_STALLED, TEST_ROTATION_FAILED, RotationSignal
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
_SPREAD, _SPREAD_SECONDS = 0.2, 120
"""Jitter on the first wait, of itself and at most: what fails at once is not to be looked at all at once, and yet be
gathered in one notice where it is rate limited."""

logger = Logger(json_serializer=serialize_log_record)

Answer = dict[str, Any]


@logger.inject_lambda_context
@clients.bounded_by_timeout
def handler(event: dict[str, Any], context: LambdaContext) -> Answer:
    """Takes what was `heard`, the `execution` and when that `started_at`, and answers the `outcome`.

    `opened` a new incident, whose opening time is when the execution started, so that a step that runs twice claims the
    same one twice; `known`, one is open; `late`, it tells of what is over; `reminder`, what was escalated still fails;
    `recovered`, a new value ends the open one; `moved`, a new value whose dependents are to be restarted; `quiet`, a
    new value; `resumed`, an unfinished incident is taken over, to go on at `resume_at`; `unidentified`, no secret is
    named. With `missing`, an incident whose row is gone: it can only be told.
    """
    settings = RemediationClaimSettings.from_env()
    heard, execution, opened_at = RotationSignal(**event["heard"]), event["execution"], event["started_at"]
    arn = heard.secret_arn
    if arn is None:
        return _answer("unidentified")
    # What says that it comes from the future would make everything until then old news.
    heard = replace(heard, occurred_at=min(heard.occurred_at, to_iso(datetime.fromisoformat(opened_at))))
    register = incidents.Incidents(settings.incidents_table_name)
    described = secrets.Secrets().described(arn)
    step = _Claim(
        settings,
        register,
        heard,
        execution,
        opened_at,
        described,
        state_entered_at(event, datetime.now(UTC)),
    )
    for attempt in range(ATTEMPTS):
        try:
            answer = step.run(is_last_attempt=attempt == ATTEMPTS - 1)
        except incidents.LostRace:
            continue
        logger.info("claimed", extra={"outcome": answer["outcome"], "incident": answer["incident"]})
        incident_metrics.emit(step.counts, context.function_name)
        return answer
    raise incidents.LostRace(f"{ATTEMPTS} attempts to claim the incident of {arn} lost to others")


class _Claim:
    """One event's claim, with what it rests on."""

    def __init__(
        self,
        settings: RemediationClaimSettings,
        register: incidents.Incidents,
        heard: RotationSignal,
        execution: str,
        opened_at: str,
        described: DescribedSecret | UnreadableSecret,
        now: datetime,
    ) -> None:
        self._settings, self._register, self._heard = settings, register, heard
        self._execution, self._opened_at, self._seen = execution, opened_at, described
        self._described = described if isinstance(described, DescribedSecret) else None
        self._arn = heard.secret_arn or ""
        self._standings = remediation_states.RemediationStates(settings.incidents_table_name)
        self._unfinished = unfinished_incidents.UnfinishedIncidents(settings.incidents_table_name)
        self._now = now
        self._seconds = int(now.timestamp())
        self._missing: unfinished_incidents.Stalled | None = None
        self.counts: Counter[str] = Counter()
        """What it has done to incidents, by the names of metrics; a step that runs twice has done it once."""

    def run(self, *, is_last_attempt: bool) -> Answer:
        """The answer to this event. Raises LostRace where another execution was faster."""
        if self._heard.kind == INCIDENT_STALLED:
            return self._resumed(is_last_attempt)
        before = self._again()
        if before is None:
            self._open_incident = self._claimed_incident(is_last_attempt)
            before = self._failure() if self._heard.is_failure else self._new_value()
        # Another execution goes on with what nobody works on: this one has an event of its own.
        stalled_incidents.report(self._unfinished, self._seconds, self._arn, but=self._missing)
        return before if self._missing is None else {**before, "missing": self._missing._asdict()}

    def _again(self) -> Answer | None:
        """The answer of this step when it has written its row before and died, whatever has become of that since."""
        begun = self._register.row(self._arn, self._opened_at)
        if begun is None or begun["execution"] != self._execution:
            return None
        if begun["failures"]:
            return self._opened()
        return self._moved(begun["restarts"], begun["current_version_id"])

    def _claimed_incident(self, is_last_attempt: bool) -> Incident | None:
        """The open incident of this secret, its claim and its row agreeing; what a crash of neither leaves is mended.

        Raises LostRace where the two are not of one moment, or another invocation of this step has opened it since.
        """
        opened_at = self._register.claimed_at(self._arn)
        if opened_at is None:
            latest = next(self._register.of_secret(self._arn), None)
            if latest and latest.state == OPEN:
                # Opened in between, or its claim was deleted by hand, which a look at the claim cannot tell apart.
                self._register.restore_claim(self._arn, latest.opened_at, self._execution)
                return latest
            return None
        known = self._register.row(self._arn, opened_at)
        if known is None and is_last_attempt and self._register.release_claim(self._arn, opened_at):
            # Deleted by hand, or lost with a table that was restored: it would keep every later failure from opening.
            self._missing = unfinished_incidents.Stalled(self._arn, opened_at)
            return None
        if known is None or known["state"] != OPEN or known["execution"] == self._execution:
            raise incidents.LostRace("the incident was opened or closed in between")
        return Incident.of(known)

    def _resumed(self, is_last_attempt: bool) -> Answer:
        """Takes over an incident that nobody has been heard of in time, where it is still so."""
        opened_at = self._heard.opened_at
        if opened_at is None:
            return _answer("quiet")  # Whoever put this on the bus did not say which incident it is about.
        known = self._register.row(self._arn, opened_at)
        if known is None and not is_last_attempt:
            raise incidents.LostRace("the incident has no row")
        if known is None:
            self._register.release_claim(self._arn, opened_at)
            return {**_answer("quiet"), "missing": {"secret_arn": self._arn, "opened_at": opened_at}}
        if known.get("resumed_by") != self._execution and not self._register.resume(
            known, self._execution, self._seconds, self._seconds + ALIVE_SECONDS
        ):
            return _answer("known", Incident.of(known))
        ending = {
            "outcome": known.get("outcome", ""),
            "reason": known.get("reason", ""),
            "restarts": known.get("restarts", []),
            "version": known.get("restart_version") or known.get("current_version_id") or "",
        }
        resume_at = {OPEN: "diagnose", RESTARTING: "restart"}.get(known["state"], "tell")
        return _answer("resumed", Incident.of(known), ending=ending, resume_at=resume_at)

    def _failure(self) -> Answer:
        """A failure opens an incident, or belongs to one that is open or over."""
        before = self._open_incident
        latest = None if before else self._latest()
        standing = self._standings.of(self._arn)
        if latest and latest.is_released_for(self._heard, standing.released_at):
            latest = None
        claimed = claim_failure(before, latest, self._heard, self._new_value_at(standing), self._now)
        incident = claimed.incident
        if claimed.does is ClaimEffect.JOINS and incident:
            self._join(incident)
            return _answer("known", incident)
        if claimed.does is ClaimEffect.REMINDS and incident:
            # Of a closed incident nothing else is written down about it.
            failure = {"reminded_at": self._heard.occurred_at, "reminded_step": self._heard.failed_step}
            self._register.change(self._arn, incident.opened_at, failure)
            return _answer("reminder", incident)
        if claimed.does is ClaimEffect.IS_LATE:
            return _answer("late", incident)
        alive_until = self._seconds + self._settings.settle_minutes * 120 + ALIVE_SECONDS
        self._register.open(self._heard, self._seen, self._execution, self._opened_at, alive_until)
        self.counts[incident_metrics.OPENED] += 1
        return self._opened()

    def _latest(self) -> Incident | None:
        """The last incident that this failure may belong to: a test that failed since, or a restart, hides no rotation.

        Raises LostRace where another execution has opened one.
        """
        for incident in self._register.of_secret(self._arn):
            if incident.state == OPEN:
                raise incidents.LostRace("another execution opened the incident in between")
            if incident.is_about_rotation or (incident.failures and self._heard.kind == TEST_ROTATION_FAILED):
                return incident
        return None

    def _new_value(self) -> Answer:
        """A new value ends what is open and resolves what was escalated; dependents may be waiting for it."""
        self._standings.succeeded(self._arn, self._heard.occurred_at, is_verified=self._is_verified())
        self._resolve()
        secret = self._described.secret if self._described else None
        # What cannot be read may be stuck.
        is_stuck = secret is None or secret.pending_version_id is not None
        claimed = claim_success(self._open_incident, self._heard, is_stuck)
        if claimed.does is ClaimEffect.ENDS and claimed.incident:
            return self._recovered(claimed, claimed.incident)
        if claimed.does is ClaimEffect.JOINS and claimed.incident:
            self._join(claimed.incident)
            return _answer("known", claimed.incident)
        return self._passed()

    def _join(self, incident: Incident) -> None:
        self._register.add(incident, self._heard)
        if incident.alive_until < self._seconds:
            # One that was opened by an earlier version of this product is not listed yet.
            self._unfinished.add(self._arn, incident.opened_at)

    def _is_verified(self) -> bool:
        """Whether AWS has completed a rotation, which tests the new value: a label that moved proves nothing."""
        rotated = self._described.secret.last_rotated_at if self._described else None
        is_rotated = rotated is not None and to_iso(rotated) >= self._heard.occurred_at
        return self._heard.kind == "RotationSucceeded" or is_rotated

    def _resolve(self) -> None:
        """Marks what was escalated or held, and has a new value now; each is told by an execution of its own."""
        current = self._described.secret.current_version_id if self._described else None
        for incident in self._register.of_secret(self._arn):
            if incident.is_resolved_by(self._heard, current):
                self._register.resolve(incident, self._heard.occurred_at, self._heard.kind, self._described)
                self.counts[incident_metrics.name_of_outcome(Outcome.RESOLVED)] += 1
            elif incident.outcome == Outcome.RESOLVED and incident.resolved_at < self._heard.occurred_at:
                return  # Whatever came before that was resolved then. One that recovered has resolved none but itself.

    def _opened(self) -> Answer:
        return _answer("opened", Incident(self._arn, self._opened_at), wait_seconds=self._wait())

    def _recovered(self, claimed: ClaimResult, incident: Incident) -> Answer:
        if self._described:
            seen = incidents.list_labels(self._described)
            labels = {"versions": seen, "new_value_versions": seen}
            # What a probe said belongs to the labels of before.
            self._register.change(self._arn, incident.opened_at, labels, remove=["evidence"])
        ours = claimed.outcome is Outcome.RECOVERED_BY_RETRY
        wanted = self._plan() if ours or self._restarts_on_rotation() else []
        ending = {
            "outcome": claimed.outcome,
            "reason": f"A new value is in use since {self._heard.occurred_at} ({self._heard.kind}).",
            "restarts": wanted,
            "version": self._version(),
        }
        return _answer("recovered", incident, ending=ending)

    def _passed(self) -> Answer:
        """Restarts dependents once for each version, whichever of its two events comes first."""
        version, planned = self._version(), self._plan()
        if not (self._restarts_on_rotation() and self._described and version and planned):
            return _answer("quiet")
        if not self._register.take_version(self._arn, version, self._execution):
            return _answer("quiet")
        self._register.begin_restarts(
            self._heard,
            self._described,
            self._execution,
            self._opened_at,
            planned,
            int(self._now.timestamp() * 1000),
            self._seconds + ALIVE_SECONDS,
        )
        return self._moved(planned, version)

    def _moved(self, restarts: list[dict[str, Any]], version: str) -> Answer:
        ending = {
            "outcome": Outcome.RESTARTED,
            "reason": f"A new value is in use since {self._heard.occurred_at}.",
            "restarts": restarts,
            "version": version,
        }
        return _answer("moved", Incident(self._arn, self._opened_at), ending=ending)

    def _new_value_at(self, standing: RemediationState) -> str:
        """When the secret last got a new value: by what was heard, or by what AWS says of its rotation."""
        rotated = self._described.secret.last_rotated_at if self._described else None
        return max(standing.succeeded_at, to_iso(rotated) if rotated else "")

    def _version(self) -> str | None:
        return self._described.secret.current_version_id if self._described else self._heard.current_version_id

    def _restarts_on_rotation(self) -> bool:
        return self._described is not None and restarts_on_rotation(self._described.secret)

    def _plan(self) -> list[dict[str, str]]:
        tag = self._described.secret.tags.get(RESTART_TAG, "") if self._described else ""
        return restarts.plan(tag, self._arn, json.loads(self._settings.restart_targets))

    def _wait(self) -> int:
        settle = self._settings.settle_minutes * 60
        spread = min(settle * _SPREAD, _SPREAD_SECONDS)
        return settle + int(spread * random.random())  # noqa: S311 - a spread, not a secret


def _answer(outcome: str, incident: Incident | None = None, **more: Any) -> Answer:
    key = {"secret_arn": incident.secret_arn, "opened_at": incident.opened_at} if incident else None
    return {"outcome": outcome, "incident": key, "wait_seconds": 0, "ending": {}, **more}
