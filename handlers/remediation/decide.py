"""Decides what to do about an incident, and records the decision before anything is done."""

import json
import random
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any, Literal

from aws_lambda_powertools import Logger
from aws_lambda_powertools.utilities.typing import LambdaContext

from rotation_guard.domain.control_characters import serialize_log_record
from rotation_guard.domain.remediation.decisions import Action, Decision, Mode, Proof, Situation, decide
from rotation_guard.domain.remediation.diagnosis import Diagnosis
from rotation_guard.domain.remediation.incidents import ALIVE_SECONDS, OPEN, Outcome
from rotation_guard.domain.remediation.scheduling import ChangeWindow, choose_backoff_seconds
from rotation_guard.domain.remediation.step_results import DecideStepResult, NextAction, to_payload
from rotation_guard.domain.timestamps import to_iso

from ..adapters import clients, incidents, kill_switch, rate_limiter, remediation_states
from ..environment import RemediationDecideSettings

ACTIONS = (
    incidents.READING_ACTIONS
    | incidents.WRITING_ACTIONS
    | incidents.LISTING_ACTIONS
    | remediation_states.READING_ACTIONS
    | remediation_states.WRITING_ACTIONS
    | rate_limiter.ACTIONS
    | kill_switch.ACTIONS
)
EXTRA_DECISIONS = 10
"""Decisions that an incident may have beyond two per retry, for lost races and change windows."""

logger = Logger(json_serializer=serialize_log_record)

Row = dict[str, Any]
_REPAIRS = (Action.RETRY, Action.ROLL_FORWARD, Action.ROLL_BACK)
_MOVES = {Action.ROLL_FORWARD: Outcome.ROLLED_FORWARD, Action.ROLL_BACK: Outcome.ROLLED_BACK}


@dataclass(frozen=True)
class _Facts:
    """Everything that a decision about one incident depends on, read before it is made."""

    row: Row
    diagnosis: Diagnosis
    proofs: Mapping[str, Any]
    situation: Situation
    now: datetime
    window_seconds: int
    """Until the change window opens."""
    backoff_seconds: int
    """Until the next retry is due."""


@logger.inject_lambda_context
@clients.bounded_by_timeout
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Decides about the `incident` by its `diagnosis`, whether it has `recovered`, and the probe's `proofs`, if any.

    After a failed retry, `backoff_seconds` are due before the next retry, and before no other action.
    """
    settings = RemediationDecideSettings.from_env()
    incidents_table = incidents.Incidents(settings.incidents_table_name)
    row = incidents_table.read_owned(
        event["incident"]["secret_arn"], event["incident"]["opened_at"], event["execution"]
    )
    if row is None:
        return to_payload(DecideStepResult(NextAction.NOT_OPEN))
    facts = _gather_facts(event, row, incidents_table, settings)

    decision = decide(facts.situation)
    if decision.action in _REPAIRS and not _acquire_slot(decision, facts, settings):
        decision = decide(replace(facts.situation, is_rate_limited=True))

    result = _build_result(decision, facts, settings)
    if not _record(result, decision, facts, incidents_table):
        return to_payload(DecideStepResult(NextAction.NOT_OPEN))
    logger.info("decided", extra={"action": result.action, "outcome": result.outcome, "rule": decision.rule})
    return to_payload(result)


def _gather_facts(
    event: Row, row: Row, incidents_table: incidents.Incidents, settings: RemediationDecideSettings
) -> _Facts:
    diagnosis, now = Diagnosis.from_payload(event["diagnosis"]), datetime.now(UTC)
    window = ChangeWindow.from_mapping(json.loads(settings.change_window))
    window_seconds = window.seconds_until_open(now) if window else 0
    backoff_seconds = int(event.get("backoff_seconds", 0))  # An older workflow has waited before this step.
    mode, recovered, proofs = Mode(diagnosis.mode), bool(event["recovered"]), event.get("proofs") or {}
    may_open_breaker = not recovered and mode is not Mode.NOTIFY
    situation = Situation(
        mode=mode,
        failed_step=diagnosis.failed_step,
        rotation_strategy=diagnosis.rotation_strategy,
        has_recovered=recovered,
        unsupported_reason=diagnosis.unsupported_reason,
        is_test_only=diagnosis.is_test_only,
        is_rotation_enabled=diagnosis.is_rotation_enabled,
        is_rollback_allowed=diagnosis.is_rollback_allowed,
        attempts=int(row["attempts"]),
        max_retries=settings.max_retries,
        move_state=_assess_move(row, diagnosis),
        is_stopped=kill_switch.is_stopped(settings.kill_switch_parameter_name),
        is_suspended=_is_suspended(row, incidents_table, settings, diagnosis, may_open_breaker=may_open_breaker),
        is_backing_off=backoff_seconds > 0,
        is_window_open=window_seconds == 0,
        is_decision_limit_reached=row["rounds"] >= 2 * settings.max_retries + EXTRA_DECISIONS,
        current=_read_proof(proofs, "current", diagnosis.current),
        pending=_read_proof(proofs, "pending", diagnosis.pending),
        previous=_read_proof(proofs, "previous", diagnosis.previous),
    )
    return _Facts(row, diagnosis, proofs, situation, now, window_seconds, backoff_seconds)


def _read_proof(proofs: Mapping[str, Any], label: str, version: str | None) -> Proof:
    """The probe's proof for a label; unknown without a probe, absent without a version."""
    return Proof(proofs.get(label, Proof.UNKNOWN)) if version else Proof.ABSENT


def _assess_move(row: Row, diagnosis: Diagnosis) -> Literal["", "holds", "gone"]:
    """Whether this incident has moved AWSCURRENT, and the label is still on that version."""
    move = row.get("moved")
    if move is None or (move["outcome"] == "asked" and diagnosis.current == move["from"]):
        return ""
    return "holds" if diagnosis.current == move["to"] else "gone"


def _is_suspended(
    row: Row,
    incidents_table: incidents.Incidents,
    settings: RemediationDecideSettings,
    diagnosis: Diagnosis,
    *,
    may_open_breaker: bool,
) -> bool:
    """Whether repairs of the secret are suspended; opens the circuit breaker after too many failed incidents."""
    states, arn = remediation_states.RemediationStates(settings.incidents_table_name), row["secret_arn"]
    state = states.read(arn)
    if state.is_suspended or not may_open_breaker:
        return state.is_suspended
    verified_at = max(state.verified_at, diagnosis.last_rotated_at or "")
    failed = 0
    for incident in incidents_table.list_for_secret(arn):
        if incident.opened_at == row["opened_at"]:
            continue
        if incident.opened_at <= state.released_at or incident.last_failure_at <= verified_at:
            break
        failed += incident.is_failed_repair
        if failed >= settings.breaker_threshold:
            states.suspend(arn, to_iso(datetime.now(UTC)))
            return True
    return False


def _acquire_slot(decision: Decision, facts: _Facts, settings: RemediationDecideSettings) -> bool:
    """Acquire a slot of the account's hourly action limit; False if the limit is reached."""
    row = facts.row
    holder = f"{row['secret_arn']}#{row['opened_at']}#{decision.action}#{row['attempts']}"
    limiter = rate_limiter.RateLimiter(settings.incidents_table_name, settings.max_actions_per_hour)
    return limiter.acquire(holder, int(facts.now.timestamp()))


def _build_result(decision: Decision, facts: _Facts, settings: RemediationDecideSettings) -> DecideStepResult:
    """What the workflow does about the decision."""
    row, diagnosis = facts.row, facts.diagnosis
    number, restarts = int(row["attempts"]) + 1, list(diagnosis.restarts)
    recovery = Outcome.RECOVERED_BY_RETRY if row["attempts"] else Outcome.RECOVERED_BY_AWS
    restarts_after_recovery = restarts if row["attempts"] or diagnosis.restart_on_rotation else []
    repair = (row.get("moved") or {}).get("how", "")
    note = {"notify": diagnosis.mode_note, "retries used up": diagnosis.probe_note}.get(decision.rule, "")
    move = {"move": _MOVES.get(decision.action, ""), "move_from": diagnosis.current}
    fields: dict[Action, dict[str, Any]] = {
        Action.RECOVERED: {"action": NextAction.END, "outcome": recovery, "restarts": restarts_after_recovery},
        Action.FINISH: {"action": NextAction.END, "outcome": repair, "restarts": restarts},
        Action.RETRY: {
            "action": NextAction.RETRY,
            "number": number,
            "backoff_seconds": _choose_backoff(number, settings),
        },
        Action.ROLL_FORWARD: {"action": NextAction.MOVE, **move, "move_to": diagnosis.pending},
        Action.ROLL_BACK: {"action": NextAction.MOVE, **move, "move_to": diagnosis.previous},
        Action.WAIT: {"action": NextAction.WAIT, "wait_seconds": facts.window_seconds},
        Action.BACK_OFF: {"action": NextAction.BACK_OFF, "wait_seconds": facts.backoff_seconds},
        Action.RATE_LIMIT: {"action": NextAction.END, "outcome": Outcome.RATE_LIMITED},
        Action.ESCALATE: {"action": NextAction.END, "outcome": Outcome.ESCALATED},
    }
    return DecideStepResult(
        reason=f"{decision.reason} {note}".strip(), version=diagnosis.current or "", **fields[decision.action]
    )


def _choose_backoff(number: int, settings: RemediationDecideSettings) -> int:
    """Seconds to wait before another retry if this one fails; none after the last.

    An execution of an older workflow waits before the next decision, which after the last retry escalates.
    """
    if number >= settings.max_retries:
        return 0
    jitter = random.random()  # noqa: S311 - jitter, not a secret
    return choose_backoff_seconds(number, settings.retry_base_minutes, settings.retry_cap_minutes, jitter)


def _is_verified(decision: Decision, facts: _Facts) -> bool:
    """Whether the incident ends well by a proof: the probe's, or a rotation that AWS has completed since."""
    if decision.action not in (Action.RECOVERED, Action.FINISH):
        return False
    is_proven = facts.situation.current is Proof.WORKS
    return is_proven or (facts.diagnosis.last_rotated_at or "") >= facts.row["last_failure_at"]


def _record(result: DecideStepResult, decision: Decision, facts: _Facts, incidents_table: incidents.Incidents) -> bool:
    """Record the decision with its evidence; False if the incident was closed in between."""
    row, now = facts.row, facts.now
    due_at = int(now.timestamp()) + result.wait_seconds + result.backoff_seconds
    return incidents_table.update(
        row["secret_arn"],
        row["opened_at"],
        {
            "rounds": int(row["rounds"]) + 1,
            "alive_until": due_at + ALIVE_SECONDS,
            "evidence": facts.proofs or None,
            "rule": decision.rule,
            "verified": _is_verified(decision, facts),
            "decided_failure_at": row["last_failure_at"],
        },
        {
            "action": "decide",
            "at": to_iso(now),
            "outcome": str(result.outcome or result.move or result.action),
            "rule": decision.rule,
            "reason": result.reason,
            "evidence": facts.proofs,
        },
        condition="#state = :open",
        values={":open": OPEN},
        names=["state"],
    )
