"""Builds the payload of a notification: all facts about one transition of an incident, for programs.

The text for people is made of the payload alone. Events, probes and rows may contain anything, so every value must be a
known word or have the expected form. Text is printable ASCII on one line, without characters that JSON escapes.
"""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from ..plain_values import (
    ARN_LENGTH,
    NAME_LENGTH,
    SENTENCE_LENGTH,
    TAG_VALUE_LENGTH,
    read_account,
    read_count,
    read_error,
    read_function_arn,
    read_list,
    read_mapping,
    read_region,
    read_set,
    read_text,
    read_time,
    read_version,
    read_word,
)
from ..rotation_event import FAILURES, STEPS, secret_name_of
from ..secret import CURRENT, PENDING, PREVIOUS
from .decisions import Mode, Proof
from .diagnosis import REWORDED
from .incidents import RECOVERIES, Outcome
from .links import build_execution_link, build_log_link, build_runbook_link, build_secret_link
from .restarts import RestartState
from .severity import Severity, assess_severity, most_severe, rank_severity

SCHEMA = "rotation-guard/1"
# Transitions: the field `turn` in the payload. `held` is rate limited, `held_burst` the digest of many.
OPENED, RETRIED, RECOVERED, RESTARTED = "opened", "retried", "recovered", "restarted"
ESCALATED, RATE_LIMITED, DIGEST, UNIDENTIFIED = "escalated", "held", "held_burst", "unidentified"
REMINDER, RESOLVED, MISSING = "reminder", "resolved", "missing"
NEW_VALUES = ("RotationSucceeded", "Secret Label Updated")
LISTED_SECRETS = 20
"""Maximum number of secrets that a digest lists."""
FILTER_LENGTH = 8_000
"""Maximum JSON length of the names, and of the owners, that subscriptions filter a digest by."""
ACTIONS_LENGTH, RESTARTS_LENGTH = 8_000, 4_000
"""Maximum JSON lengths. A message of SNS and an event of EventBridge hold 256 KB, and SNS's has the payload five times
(https://docs.aws.amazon.com/sns/latest/api/API_Publish.html,
https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_PutEvents.html)."""

Payload = dict[str, Any]

_KINDS = (*FAILURES, *NEW_VALUES)
_ACTIONS = ("decide", "retry", Outcome.ROLLED_FORWARD, Outcome.ROLLED_BACK, "restart")
_OUTCOMES = {
    ESCALATED: Outcome.ESCALATED,
    REMINDER: Outcome.ESCALATED,
    MISSING: Outcome.ESCALATED,
    RATE_LIMITED: Outcome.RATE_LIMITED,
    DIGEST: Outcome.RATE_LIMITED,
    RESOLVED: Outcome.RESOLVED,
    RESTARTED: Outcome.RESTARTED,
}
_HAS_NEW_VALUE = (RECOVERED, RESTARTED, RESOLVED)
_RATE_LIMIT_REASON = "This account has reached maxActionsPerHour."
_MISSING_REASON = "Its row is missing from the Incidents table, so it is not known what was done."
_LABELS = ("current", "pending", "previous")


def build_payload(
    transition: str,
    execution: str,
    incident: Mapping[str, Any],
    *,
    signal: Mapping[str, Any] | None = None,
    error: Any = None,
    digest: Sequence[Mapping[str, Any]] = (),
    runbook_url: str = "",
) -> Payload:
    """Build the payload for this transition of an incident.

    `incident` is its row, or only its `secret_arn` and `opened_at`. `signal` is the event that opened it, used where
    the row lacks a value; `error` the error of a failed step; `digest` the incidents of a digest. The result is a JSON
    object that always has these fields, null if unknown:

    - `schema`: `rotation-guard/1`. `turn`: the transition: `opened`, `retried`, `recovered`, `restarted`, `escalated`,
      `held` (rate limited), `held_burst` (a digest of those), `reminder` (still escalated, a day later), `resolved`
      (escalated or rate limited, and the secret has a new value since), `missing` (the incident's row is missing) or
      `unidentified`.
    - `severity`: one of `severity.Severity`. `secret`: the secret's name, and `owner`: its tag `rotation-guard:owner`;
      lists in a digest. `account`, `region`.
    - `secret_arn`, `secret_name`, `opened_at`: the incident. `execution`: the ARN of the execution that works on the
      incident, or of the one in which a step failed.
    - `outcome`: one of `incidents.Outcome`, and its `reason`, a sentence; at `opened`, why the secret is unsupported.
      `closed_at`.
    - `kind`: the event that opened it, such as `RotationFailed`; `occurred_at`, `failed_step`; `failures`, their count,
      and `last_failure_at`. In a reminder, `last_failure_at` is the failure that caused it, which is not counted.
    - `failed_steps`: every step that has failed in it.
    - `function`: the ARN of the rotation function, and `log_group`: its default log group; `is_rotation_enabled`.
      `unreadable`: why the secret could not be described.
    - `mode`: `notify`, `retry` or `repair`. `attempts`: RotateSecret calls. `error`: as above.
    - `actions`: the latest, in order. Each has `action` (`decide`, `retry`, `rolled forward`, `fallen back` or
      `restart`), `at`, `outcome`, and optionally `reason`, `rule`, `number`, `from`, `to`, `target`, `evidence`.
    - `now`: version ids at `current`, `pending` (unfinished) and `previous`, and `evidence`: the probe's result for
      each of them, `works`, `broken`, `unknown` or `absent`, with sentences in `notes`. All null if the secret has a
      new value and was not described since.
    - `restarts`: `target`, `arn`, `state` (`restarts.RestartState`), `why`.
    - `held`: in a digest, `count`, and `secrets`, the 20 most severe: `secret_arn`, `secret_name`, `opened_at`, and
      `severity` if known.
    - `links`: `execution`, `secret`, `log`, `runbook`. `next`: the next steps as text, and `commands`: their commands,
      in order; `notifications` adds both.
    """
    signal = signal or {}
    # The most severe first, because the subject and the list show the first ones.
    digest = sorted(digest, key=lambda entry: rank_severity(read_word(Severity, entry.get("severity"))))
    arn = read_text(incident.get("secret_arn"), ARN_LENGTH) or read_text(signal.get("secret_arn"), ARN_LENGTH)
    name = read_text(incident.get("secret_name"), NAME_LENGTH) or (secret_name_of(arn) if arn else None)
    outcome = _OUTCOMES.get(transition) or (
        read_word(RECOVERIES, incident.get("outcome")) if transition == RECOVERED else None
    )
    kind = read_word(_KINDS, incident.get("event_type") or signal.get("kind"))
    # The execution in which a step failed shows why; otherwise show the one that works on the incident.
    own_execution = None if error else read_text(incident.get("execution"), ARN_LENGTH)
    execution = own_execution or read_text(execution, ARN_LENGTH) or ""
    now, restarts = _build_now(incident, outcome), _build_restarts(incident)
    function = read_function_arn(incident.get("rotation_function"))
    log_group = f"/aws/lambda/{function.split(':')[6]}" if function else None
    return {
        "schema": SCHEMA,
        "turn": transition,
        "severity": str(_assess_severity(transition, kind, now, restarts, digest)),
        "secret": _list_filter_values(digest, "secret_name", NAME_LENGTH) if digest else name,
        "owner": _list_filter_values(digest, "owner", TAG_VALUE_LENGTH)
        if digest
        else read_text(incident.get("owner"), TAG_VALUE_LENGTH),
        "account": read_account(arn) or read_account(execution),
        "region": read_region(arn) or read_region(execution),
        "secret_arn": arn,
        "secret_name": name,
        "opened_at": read_time(incident.get("opened_at")),
        "execution": execution or None,
        "outcome": str(outcome) if outcome else None,
        "reason": _build_reason(transition, incident, digest),
        "closed_at": read_time(incident.get("closed_at")),
        "kind": kind,
        "occurred_at": read_time(incident.get("occurred_at") or signal.get("occurred_at")),
        **_build_failure(transition, incident, signal),
        "function": function,
        "log_group": log_group,
        "is_rotation_enabled": incident["rotation_on"] if isinstance(incident.get("rotation_on"), bool) else None,
        # A new value has arrived since.
        "unreadable": None if transition in _HAS_NEW_VALUE else _read_sentence(incident.get("unreadable")),
        "mode": read_word(Mode, incident.get("mode")),
        "attempts": read_count(incident.get("attempts")),
        "error": read_error(error) if error else None,
        "actions": _keep_latest(_build_actions(incident), ACTIONS_LENGTH),
        "now": now,
        "restarts": _keep_latest(restarts, RESTARTS_LENGTH),
        "held": _build_digest(digest) if digest else None,
        "links": {
            "execution": build_execution_link(execution),
            "secret": build_secret_link(arn) if arn else "",
            "log": build_log_link(function, log_group) if function and log_group else "",
            "runbook": build_runbook_link(runbook_url, transition if transition == MISSING else outcome or transition),
        },
        "next": None,
        "commands": [],
    }


def _assess_severity(
    transition: str,
    kind: str | None,
    now: Payload,
    restarts: Sequence[Payload],
    digest: Sequence[Mapping[str, Any]],
) -> Severity:
    if digest:
        return most_severe(read_word(Severity, read_mapping(entry).get("severity")) for entry in digest)
    return assess_severity(
        transition,
        kind=kind,
        current=(now["evidence"] or {}).get("current"),
        is_dependent_outdated=any(entry["state"] == RestartState.REFUSED for entry in restarts),
    )


def _list_filter_values(digest: Sequence[Mapping[str, Any]], field: str, length: int) -> list[str]:
    """The distinct values of a field, as many as fit, that subscriptions filter a digest by."""
    distinct = dict.fromkeys(value for entry in digest if (value := read_text(entry.get(field), length)))
    values, remaining = [], FILTER_LENGTH
    for value in distinct:
        remaining -= len(value) + 4
        if remaining < 0:
            break
        values.append(value)
    return values


def _build_failure(transition: str, incident: Mapping[str, Any], signal: Mapping[str, Any]) -> Payload:
    """The failures of an incident. A reminder is about a failure after the incident was closed."""
    step = read_word(STEPS, incident.get("failed_step") or signal.get("failed_step"))
    steps = [
        *read_set(incident.get("failed_steps")),
        incident.get("reminded_step"),
        incident.get("failed_step"),
        signal.get("failed_step"),
    ]
    known = {"failed_step": step, "failed_steps": [each for each in STEPS if each in steps]}
    if transition == REMINDER:
        latest = read_word(STEPS, incident.get("reminded_step"))
        at = read_time(incident.get("reminded_at"))
        return {**known, "failed_step": latest or step, "failures": None, "last_failure_at": at}
    return {
        **known,
        "failures": read_count(incident.get("failures")),
        "last_failure_at": read_time(incident.get("last_failure_at")),
    }


def _build_reason(transition: str, incident: Mapping[str, Any], digest: Sequence[Mapping[str, Any]]) -> str | None:
    if transition == RESOLVED and (at := read_time(incident.get("resolved_at"))):
        by = read_word(_KINDS, incident.get("resolved_by"))
        return f"A new value is in use since {at}{f' ({by})' if by else ''}."
    if transition == MISSING:
        return _MISSING_REASON
    # Before the first decision the only known reason is that the secret is unsupported.
    reason = incident.get("untouchable") if transition == OPENED else incident.get("reason")
    return _RATE_LIMIT_REASON if digest else _read_sentence(reason)


def _read_sentence(value: Any) -> str | None:
    """A sentence of a row, in its present wording."""
    text = read_text(value, SENTENCE_LENGTH)
    return REWORDED.get(text, text) if text else None


def _build_actions(incident: Mapping[str, Any]) -> list[Payload]:
    """The actions about an incident, without notifications."""
    actions = []
    for action in map(read_mapping, read_list(incident.get("actions"))):
        if action.get("action") not in _ACTIONS:
            continue
        known = {
            "action": str(action["action"]),
            "at": read_time(action.get("at")),
            "outcome": read_text(action.get("outcome"), SENTENCE_LENGTH),
            "reason": read_text(action.get("reason"), SENTENCE_LENGTH),
            "rule": read_text(action.get("rule"), 40),
            "number": read_count(action.get("number")),
            "from": read_version(action.get("from")),
            "to": read_version(action.get("to")),
            "target": read_text(action.get("target"), SENTENCE_LENGTH),
            "evidence": _build_evidence(action.get("evidence")),
        }
        present = {name: value for name, value in known.items() if value is not None}
        actions.append({"at": None, "outcome": None, **present})
    return actions


def _build_restarts(incident: Mapping[str, Any]) -> list[Payload]:
    return [
        {
            "target": read_text(entry.get("target"), SENTENCE_LENGTH),
            "arn": read_text(entry.get("arn"), ARN_LENGTH),
            "state": read_word(RestartState, entry.get("state")),
            "why": read_text(entry.get("why"), SENTENCE_LENGTH),
        }
        for entry in map(read_mapping, read_list(incident.get("restarts")))
    ]


def _build_now(incident: Mapping[str, Any], outcome: str | None) -> Payload:
    """Which version has which label, with the probe's evidence, as of the last time that the secret was described.

    An incident that a new value has ended shows the labels from then. If the secret could not be read then, the labels
    are outdated and not shown.
    """
    has_new_value = outcome == Outcome.RESOLVED or outcome in (Outcome.RECOVERED_BY_AWS, Outcome.RECOVERED_BY_RETRY)
    new_labels = read_mapping(incident.get("new_value_versions")) if has_new_value else {}
    versions = new_labels or read_mapping(incident.get("versions"))
    holders = {str(label): read_version(version) for version, labels in versions.items() for label in read_list(labels)}
    current, pending = holders.get(CURRENT), holders.get(PENDING)
    pending = None if pending == current else pending
    is_disproved = (_build_evidence(incident.get("evidence")) or {}).get("current") == Proof.BROKEN
    if has_new_value and not new_labels and (pending or is_disproved or outcome == Outcome.RESOLVED):
        return dict.fromkeys((*_LABELS, "evidence"))
    # The probe's evidence about AWSCURRENT is from before the new value.
    evidence = None if new_labels else _build_evidence(incident.get("evidence"))
    return {"current": current, "pending": pending, "previous": holders.get(PREVIOUS), "evidence": evidence}


def _build_evidence(proofs: Any) -> Payload | None:
    evidence = read_mapping(proofs)
    known = {label: str(proof) for label in _LABELS if (proof := read_word(Proof, evidence.get(label)))}
    if not known:
        return None
    notes = (read_text(note, SENTENCE_LENGTH) for note in read_list(evidence.get("notes"))[:3])
    return {**dict.fromkeys(_LABELS), **known, "notes": [note for note in notes if note]}


def _build_digest(digest: Sequence[Mapping[str, Any]]) -> Payload:
    secrets = [
        {
            "secret_arn": read_text(entry.get("secret_arn"), ARN_LENGTH),
            "secret_name": read_text(entry.get("secret_name"), NAME_LENGTH),
            "opened_at": read_time(entry.get("opened_at")),
            **_build_severity(entry),
        }
        for entry in digest[:LISTED_SECRETS]
    ]
    return {"count": len(digest), "secrets": secrets}


def _build_severity(entry: Mapping[str, Any]) -> Payload:
    severity = read_word(Severity, entry.get("severity"))
    return {"severity": str(severity)} if severity else {}


def _keep_latest(entries: Sequence[Payload], length: int) -> list[Payload]:
    """As many of the last entries as fit."""
    kept: list[Payload] = []
    for entry in reversed(entries):
        length -= len(json.dumps(entry)) + 2
        if length < 0:
            break
        kept.insert(0, entry)
    return kept
