"""Decides what is done about an incident, and writes down why before anything is done."""

import json
import random
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, Literal

from aws_lambda_powertools import Logger
from aws_lambda_powertools.utilities.typing import LambdaContext

from rotation_guard.domain.control_characters import serialize_log_record
from rotation_guard.domain.remediation.decisions import Action, Decision, Mode, Proof, Situation, decide
from rotation_guard.domain.remediation.diagnosis import Diagnosis
from rotation_guard.domain.remediation.incidents import ALIVE_SECONDS, OPEN, Outcome
from rotation_guard.domain.remediation.scheduling import ChangeWindow, backoff_seconds
from rotation_guard.domain.timestamps import to_iso

from ..adapters import clients, incidents, kill_switch, rate_limiter, remediation_states
from ..environment import RemediationDecideSettings

ACTIONS = (
    incidents.LOOKING_ACTIONS
    | incidents.NOTING_ACTIONS
    | incidents.LISTING_ACTIONS
    | remediation_states.READING_ACTIONS
    | remediation_states.WRITING_ACTIONS
    | rate_limiter.ACTIONS
    | kill_switch.ACTIONS
)
ROUNDS = 10
"""Decisions about one incident beyond two for each retry: lost races and change windows are what they are for."""

logger = Logger(json_serializer=serialize_log_record)

Row = dict[str, Any]
_ACTING = (Action.RETRY, Action.ROLL_FORWARD, Action.FALL_BACK)
_MOVES = {Action.ROLL_FORWARD: Outcome.ROLLED_FORWARD, Action.FALL_BACK: Outcome.FALLEN_BACK}


@logger.inject_lambda_context
@clients.bounded_by_timeout
def handler(event: dict[str, Any], context: LambdaContext) -> Row:
    """Takes the `incident`, its `diagnosis`, whether it has `recovered`, and the `proofs` of a probe, if there is one.

    A retry that has failed leaves a back-off of so many seconds (`backoff_seconds` of the event), which is due before
    the next retry and before nothing else.

    Answers the `action`: `end` with an `outcome`, `retry`, `move`, `wait` for the change window, `back off`, or `over`
    when the incident is open no more or another execution's; the `reason`; for how many seconds to wait; and how many
    to back off once this retry has failed.
    """
    settings = RemediationDecideSettings.from_env()
    register = incidents.Incidents(settings.incidents_table_name)
    row = register.own(event["incident"]["secret_arn"], event["incident"]["opened_at"], event["execution"])
    if row is None:
        return {**_NOTHING, "action": "over"}
    diagnosis, now = Diagnosis.of(event["diagnosis"]), datetime.now(UTC)
    window = ChangeWindow.from_mapping(json.loads(settings.change_window))
    wait = window.seconds_until_open(now) if window else 0
    backoff = int(event.get("backoff_seconds", 0))  # An older workflow has waited before it asks.
    mode, recovered, proofs = Mode(diagnosis.mode), bool(event["recovered"]), event.get("proofs") or {}
    situation = Situation(
        mode=mode,
        failed_step=diagnosis.failed_step,
        users=diagnosis.users,
        recovered=recovered,
        untouchable=diagnosis.untouchable,
        test_only=diagnosis.test_only,
        rotation_on=diagnosis.rotation_on,
        fallback_allowed=diagnosis.fallback,
        attempts=int(row["attempts"]),
        max_retries=settings.max_retries,
        moved=_moved(row, diagnosis),
        stopped=kill_switch.says_stop(settings.kill_switch_parameter_name),
        orphaned=_is_orphaned(row, register, settings, diagnosis, counts=not recovered and mode is not Mode.NOTIFY),
        backing_off=backoff > 0,
        window_open=wait == 0,
        exhausted=row["rounds"] >= 2 * settings.max_retries + ROUNDS,
        current=_proof(proofs, "current", diagnosis.current),
        pending=_proof(proofs, "pending", diagnosis.pending),
        previous=_proof(proofs, "previous", diagnosis.previous),
    )
    decision = decide(situation)
    if decision.action in _ACTING and not _may_act(decision, row, settings, now):
        decision = decide(replace(situation, capped=True))
    answer = _answer(decision, row, diagnosis, settings, {Action.WAIT: wait, Action.BACK_OFF: backoff})
    is_verified = _is_verified(decision, row, diagnosis, proofs)
    if not _write_down(answer, decision, row, proofs, register, now, is_verified=is_verified):
        return {**_NOTHING, "action": "over"}
    logger.info("decided", extra={"action": answer["action"], "outcome": answer["outcome"], "rule": decision.rule})
    return answer


_NOTHING: Row = {
    "action": "",
    "outcome": "",
    "reason": "",
    "number": 0,
    "how": "",
    "from": "",
    "to": "",
    "wait_seconds": 0,
    "backoff_seconds": 0,
    "restarts": [],
    "version": "",
}


def _proof(proofs: Row, label: str, version: str | None) -> Proof:
    """What the probe said of a version; without one, nothing is proven, and what is not there is absent."""
    return Proof(proofs.get(label, Proof.UNKNOWN)) if version else Proof.ABSENT


def _moved(row: Row, diagnosis: Diagnosis) -> Literal["", "holds", "gone"]:
    """Whether this incident has moved AWSCURRENT, and it is still where it was moved to."""
    moved = row.get("moved")
    if moved is None or (moved["outcome"] == "asked" and diagnosis.current == moved["from"]):
        return ""
    return "holds" if diagnosis.current == moved["to"] else "gone"


def _is_orphaned(
    row: Row,
    register: incidents.Incidents,
    settings: RemediationDecideSettings,
    diagnosis: Diagnosis,
    *,
    counts: bool,
) -> bool:
    """Whether the circuit breaker is open for the secret, or opens with this incident, if that `counts`."""
    remembered, arn = remediation_states.RemediationStates(settings.incidents_table_name), row["secret_arn"]
    standing = remembered.of(arn)
    if standing.is_orphaned or not counts:
        return standing.is_orphaned
    verified_at = max(standing.verified_at, diagnosis.last_rotated_at or "")
    failed = 0
    for incident in register.of_secret(arn):
        if incident.opened_at == row["opened_at"]:
            continue
        if incident.opened_at <= standing.released_at or incident.last_failure_at <= verified_at:
            break
        failed += incident.is_failed_repair
        if failed >= settings.breaker_threshold:
            remembered.orphan(arn, to_iso(datetime.now(UTC)))
            return True
    return False


def _may_act(decision: Decision, row: Row, settings: RemediationDecideSettings, now: datetime) -> bool:
    """Whether the account has room for another action in this hour, which is taken with the question."""
    slots = rate_limiter.RateLimiter(settings.incidents_table_name, settings.max_actions_per_hour)
    holder = f"{row['secret_arn']}#{row['opened_at']}#{decision.action}#{row['attempts']}"
    return slots.take(holder, int(now.timestamp()))


def _answer(
    decision: Decision,
    row: Row,
    diagnosis: Diagnosis,
    settings: RemediationDecideSettings,
    waits: dict[Action, int],
) -> Row:
    number, plan = int(row["attempts"]) + 1, list(diagnosis.restarts)
    recovered = Outcome.RECOVERED_BY_RETRY if row["attempts"] else Outcome.RECOVERED_BY_AWS
    due = plan if row["attempts"] or diagnosis.restart_on_rotation else []
    does: dict[Action, Row] = {
        Action.RECOVERED: {"action": "end", "outcome": recovered, "restarts": due},
        Action.FINISH: {"action": "end", "outcome": (row.get("moved") or {}).get("how", ""), "restarts": plan},
        Action.RETRY: {
            "action": "retry",
            "number": number,
            "backoff_seconds": _backoff(number, settings),
        },
        Action.ROLL_FORWARD: {"action": "move", "from": diagnosis.current, "to": diagnosis.pending},
        Action.FALL_BACK: {"action": "move", "from": diagnosis.current, "to": diagnosis.previous},
        Action.WAIT: {"action": "wait", "wait_seconds": waits[Action.WAIT]},
        Action.BACK_OFF: {"action": "back off", "wait_seconds": waits[Action.BACK_OFF]},
        Action.HOLD: {"action": "end", "outcome": Outcome.HELD},
        Action.ESCALATE: {"action": "end", "outcome": Outcome.ESCALATED},
    }
    note = {"notify": diagnosis.mode_note, "retries used up": diagnosis.probe_note}.get(decision.rule, "")
    return {
        **_NOTHING,
        "reason": f"{decision.reason} {note}".strip(),
        "how": _MOVES.get(decision.action, ""),
        "version": diagnosis.current or "",
        **does[decision.action],
    }


def _backoff(number: int, settings: RemediationDecideSettings) -> int:
    """Seconds to wait before another retry once this one has failed; none after the last.

    An execution of an older workflow waits for them before it asks what comes next, which is then a page.
    """
    if number >= settings.max_retries:
        return 0
    chance = random.random()  # noqa: S311 - jitter, not a secret
    return backoff_seconds(number, settings.retry_base_minutes, settings.retry_cap_minutes, chance)


def _is_verified(decision: Decision, row: Row, diagnosis: Diagnosis, proofs: Row) -> bool:
    """Whether the incident ends well by a proof: the probe's, or AWS's, which has completed a rotation since."""
    if decision.action not in (Action.RECOVERED, Action.FINISH):
        return False
    is_proven = _proof(proofs, "current", diagnosis.current) is Proof.WORKS
    return is_proven or (diagnosis.last_rotated_at or "") >= row["last_failure_at"]


def _write_down(
    answer: Row,
    decision: Decision,
    row: Row,
    proofs: Row,
    register: incidents.Incidents,
    now: datetime,
    *,
    is_verified: bool,
) -> bool:
    """Notes the decision with its evidence; False when the incident was ended in between."""
    due = int(now.timestamp()) + answer["wait_seconds"] + answer["backoff_seconds"]
    return register.change(
        row["secret_arn"],
        row["opened_at"],
        {
            "rounds": int(row["rounds"]) + 1,
            "alive_until": due + ALIVE_SECONDS,
            "evidence": proofs or None,
            "rule": decision.rule,
            "verified": is_verified,
            "decided_failure_at": row["last_failure_at"],
        },
        {
            "action": "decide",
            "at": to_iso(now),
            "outcome": answer["outcome"] or answer["how"] or answer["action"],
            "rule": decision.rule,
            "reason": answer["reason"],
            "evidence": proofs,
        },
        condition="#state = :open",
        values={":open": OPEN},
        names=["state"],
    )
