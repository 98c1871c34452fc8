"""What is known of an incident at one of its turns, for machines; what people read is made of this and nothing else.

Whatever an event, a probe or a row holds, only what has the form of its kind comes through: one of our words, a name,
the id of a version, a moment, a sentence of ours. All of it is printable ASCII on one line, without what JSON escapes.
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
from .incidents import RECOVERIES, Outcome
from .links import execution_link, log_link, runbook_link, secret_link
from .restarts import RestartState
from .severity import Severity, most_severe, rank, severity_of

SCHEMA = "rotation-guard/1"
OPENED, RETRIED, RECOVERED, RESTARTED = "opened", "retried", "recovered", "restarted"
ESCALATED, HELD, HELD_BURST, UNIDENTIFIED = "escalated", "held", "held_burst", "unidentified"
REMINDER, RESOLVED, MISSING = "reminder", "resolved", "missing"
NEW_VALUES = ("RotationSucceeded", "Secret Label Updated")
NAMED = 20
"""How many of the secrets in a burst are named."""
FILTERED_LENGTH = 8_000
"""Characters of JSON of all names, or of all owners, in a burst, by which subscriptions filter."""
ACTIONS_LENGTH, RESTARTS_LENGTH = 8_000, 4_000
"""Characters of JSON. A message of SNS and an event of EventBridge hold 256 KB, and SNS's holds the facts five times
(https://docs.aws.amazon.com/sns/latest/api/API_Publish.html,
https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_PutEvents.html)."""

Facts = dict[str, Any]

_KINDS = (*FAILURES, *NEW_VALUES)
_ACTIONS = ("decide", "retry", Outcome.ROLLED_FORWARD, Outcome.FALLEN_BACK, "restart")
_ENDED = {
    ESCALATED: Outcome.ESCALATED,
    REMINDER: Outcome.ESCALATED,
    MISSING: Outcome.ESCALATED,
    HELD: Outcome.HELD,
    HELD_BURST: Outcome.HELD,
    RESOLVED: Outcome.RESOLVED,
    RESTARTED: Outcome.RESTARTED,
}
_OVER = (RECOVERED, RESTARTED, RESOLVED)
_CAPPED = "This account's maxActionsPerHour are used up."
_MISSING = "Its row is missing from the Incidents table, so what was done about it is not known."
_PROVEN = ("current", "pending", "previous")


def build_payload(
    turn: str,
    execution: str,
    incident: Mapping[str, Any],
    *,
    heard: Mapping[str, Any] | None = None,
    error: Any = None,
    held: Sequence[Mapping[str, Any]] = (),
    runbook_url: str = "",
) -> Facts:
    """The facts at this turn of an incident, whose row this is, or no more than its `secret_arn` and `opened_at`.

    `heard` is the event that opened it, where the row may not say; `error` the name of the error that broke a step for
    good; `held` are the incidents in a burst. A JSON object that has each of these, null where nothing is known:

    - `schema`: `rotation-guard/1`. `turn`: `opened`, `retried`, `recovered`, `restarted`, `escalated`, `held`,
      `held_burst`, `reminder` (still escalated, a day later), `resolved` (escalated or held, and a new value since),
      `missing` (the incident's row is gone) or `unidentified`.
    - `severity`: one of `severity.Severity`. `secret`: the secret's name, and `owner`: its tag `rotation-guard:owner`;
      in a burst, lists of them. `account`, `region`: where it is.
    - `secret_arn`, `secret_name`, `opened_at`: the incident. `execution`: the ARN of the one that works on the
      incident; where a step failed for good, of the one in which it did.
    - `outcome`: how it ended, one of `incidents.Outcome`, and `reason`: why so, in a sentence; at `opened`, why it
      is not to be repaired. `closed_at`.
    - `kind`: what opened it, such as `RotationFailed`; `occurred_at`, `failed_step`; `failures`: how many there were,
      `last_failure_at`. In a reminder, `last_failure_at` is the failure that it is about, which no incident counts.
    - `failed_steps`: every step that has failed in it.
    - `function`: the ARN of the rotation function, and `log_group`: where it logs unless its configuration says
      otherwise; `is_rotation_enabled`: whether AWS rotates it. `unreadable`: why the secret could not be looked at.
    - `mode`: `notify`, `retry` or `repair`. `attempts`: calls of RotateSecret. `error`: as above.
    - `actions`: the latest, in order. Each has `action` (`decide`, `retry`, `rolled forward`, `fallen back` or
      `restart`), `at`, `outcome`, and what it has of `reason`, `rule`, `number`, `from`, `to`, `target`, `evidence`.
    - `now`: version ids at `current`, `pending` (unfinished) and `previous`, and `evidence`: for the same three what a
      probe said, `works`, `broken`, `unknown` or `absent`, with sentences in `notes`. All null when a new value was
      heard of and nobody has looked since.
    - `restarts`: `target`, `arn`, `state` (`restarts.State`), `why`.
    - `held`: in a burst, `count`, and `secrets`, the 20 most severe: `secret_arn`, `secret_name`, `opened_at`,
      and the `severity` where it is known.
    - `links`: `execution`, `secret`, `log`, `runbook`. `next`: what to do, in a sentence or some, and `commands`: the
      commands for that, in order; both added by `notices`.
    """
    opening = heard or {}
    # The most severe first: they are what the subject and the list name.
    held = sorted(held, key=lambda one: rank(read_word(Severity, one.get("severity"))))
    arn = read_text(incident.get("secret_arn"), ARN_LENGTH) or read_text(opening.get("secret_arn"), ARN_LENGTH)
    name = read_text(incident.get("secret_name"), NAME_LENGTH) or (secret_name_of(arn) if arn else None)
    outcome = _ENDED.get(turn) or (read_word(RECOVERIES, incident.get("outcome")) if turn == RECOVERED else None)
    kind = read_word(_KINDS, incident.get("event_type") or opening.get("kind"))
    # What a step failed in is what shows why; everything else is in the execution that works on the incident.
    own = None if error else read_text(incident.get("execution"), ARN_LENGTH)
    execution = own or read_text(execution, ARN_LENGTH) or ""
    now, restarts = _now(incident, outcome), _restarts(incident)
    function = read_function_arn(incident.get("rotation_function"))
    log_group = f"/aws/lambda/{function.split(':')[6]}" if function else None
    return {
        "schema": SCHEMA,
        "turn": turn,
        "severity": str(_severity(turn, kind, now, restarts, held)),
        "secret": _filtered(held, "secret_name", NAME_LENGTH) if held else name,
        "owner": _filtered(held, "owner", TAG_VALUE_LENGTH)
        if held
        else read_text(incident.get("owner"), TAG_VALUE_LENGTH),
        "account": read_account(arn) or read_account(execution),
        "region": read_region(arn) or read_region(execution),
        "secret_arn": arn,
        "secret_name": name,
        "opened_at": read_time(incident.get("opened_at")),
        "execution": execution or None,
        "outcome": str(outcome) if outcome else None,
        "reason": _reason(turn, incident, held),
        "closed_at": read_time(incident.get("closed_at")),
        "kind": kind,
        "occurred_at": read_time(incident.get("occurred_at") or opening.get("occurred_at")),
        **_failure(turn, incident, opening),
        "function": function,
        "log_group": log_group,
        "is_rotation_enabled": incident["rotation_on"] if isinstance(incident.get("rotation_on"), bool) else None,
        # A new value was heard of since.
        "unreadable": None if turn in _OVER else read_text(incident.get("unreadable"), SENTENCE_LENGTH),
        "mode": read_word(Mode, incident.get("mode")),
        "attempts": read_count(incident.get("attempts")),
        "error": read_error(error) if error else None,
        "actions": _latest(_actions(incident), ACTIONS_LENGTH),
        "now": now,
        "restarts": _latest(restarts, RESTARTS_LENGTH),
        "held": _burst(held) if held else None,
        "links": {
            "execution": execution_link(execution),
            "secret": secret_link(arn) if arn else "",
            "log": log_link(function, log_group) if function and log_group else "",
            "runbook": runbook_link(runbook_url, turn if turn == MISSING else outcome or turn),
        },
        "next": None,
        "commands": [],
    }


def _severity(
    turn: str,
    kind: str | None,
    now: Facts,
    restarts: Sequence[Facts],
    held: Sequence[Mapping[str, Any]],
) -> Severity:
    if held:
        return most_severe(read_word(Severity, read_mapping(one).get("severity")) for one in held)
    return severity_of(
        turn,
        kind=kind,
        current=(now["evidence"] or {}).get("current"),
        is_dependent_outdated=any(entry["state"] == RestartState.REFUSED for entry in restarts),
    )


def _filtered(held: Sequence[Mapping[str, Any]], field: str, length: int) -> list[str]:
    """Each value once, as many as fit: what a subscription filters a burst by."""
    values = dict.fromkeys(value for one in held if (value := read_text(one.get(field), length)))
    kept, left = [], FILTERED_LENGTH
    for value in values:
        left -= len(value) + 4
        if left < 0:
            break
        kept.append(value)
    return kept


def _failure(turn: str, incident: Mapping[str, Any], opening: Mapping[str, Any]) -> Facts:
    """What failed, and when last. A reminder is about a failure that came after the incident was closed."""
    step = read_word(STEPS, incident.get("failed_step") or opening.get("failed_step"))
    steps = [
        *read_set(incident.get("failed_steps")),
        incident.get("reminded_step"),
        incident.get("failed_step"),
        opening.get("failed_step"),
    ]
    known = {"failed_step": step, "failed_steps": [one for one in STEPS if one in steps]}
    if turn == REMINDER:
        newest = read_word(STEPS, incident.get("reminded_step"))
        at = read_time(incident.get("reminded_at"))
        return {**known, "failed_step": newest or step, "failures": None, "last_failure_at": at}
    return {
        **known,
        "failures": read_count(incident.get("failures")),
        "last_failure_at": read_time(incident.get("last_failure_at")),
    }


def _reason(turn: str, incident: Mapping[str, Any], held: Sequence[Mapping[str, Any]]) -> str | None:
    if turn == RESOLVED and (at := read_time(incident.get("resolved_at"))):
        by = read_word(_KINDS, incident.get("resolved_by"))
        return f"A new value is in use since {at}{f' ({by})' if by else ''}."
    if turn == MISSING:
        return _MISSING
    # Nothing is decided yet, but what can never be repaired is known already.
    reason = incident.get("untouchable") if turn == OPENED else incident.get("reason")
    return _CAPPED if held else read_text(reason, SENTENCE_LENGTH)


def _actions(incident: Mapping[str, Any]) -> list[Facts]:
    """What was done, but for the telling of it."""
    found = []
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
            "evidence": _evidence(action.get("evidence")),
        }
        given = {name: value for name, value in known.items() if value is not None}
        found.append({"at": None, "outcome": None, **given})
    return found


def _restarts(incident: Mapping[str, Any]) -> list[Facts]:
    return [
        {
            "target": read_text(entry.get("target"), SENTENCE_LENGTH),
            "arn": read_text(entry.get("arn"), ARN_LENGTH),
            "state": read_word(RestartState, entry.get("state")),
            "why": read_text(entry.get("why"), SENTENCE_LENGTH),
        }
        for entry in map(read_mapping, read_list(incident.get("restarts")))
    ]


def _now(incident: Mapping[str, Any], outcome: str | None) -> Facts:
    """Which version holds which label, and what the probe said of it, as last looked at.

    An incident that a new value has ended shows the labels that were seen when that was heard of; where the secret
    could not be read then, its labels are those of before, and are not shown.
    """
    has_new_value = outcome == Outcome.RESOLVED or outcome in (Outcome.RECOVERED_BY_AWS, Outcome.RECOVERED_BY_RETRY)
    seen = read_mapping(incident.get("new_value_versions")) if has_new_value else {}
    versions = seen or read_mapping(incident.get("versions"))
    held = {str(label): read_version(version) for version, labels in versions.items() for label in read_list(labels)}
    current, pending = held.get(CURRENT), held.get(PENDING)
    pending = None if pending == current else pending
    is_disproved = (_evidence(incident.get("evidence")) or {}).get("current") == Proof.BROKEN
    if has_new_value and not seen and (pending or is_disproved or outcome == Outcome.RESOLVED):
        return dict.fromkeys((*_PROVEN, "evidence"))
    # What a probe said of AWSCURRENT was said before the new value.
    evidence = None if seen else _evidence(incident.get("evidence"))
    return {"current": current, "pending": pending, "previous": held.get(PREVIOUS), "evidence": evidence}


def _evidence(proofs: Any) -> Facts | None:
    said = read_mapping(proofs)
    known = {label: str(proof) for label in _PROVEN if (proof := read_word(Proof, said.get(label)))}
    if not known:
        return None
    notes = (read_text(note, SENTENCE_LENGTH) for note in read_list(said.get("notes"))[:3])
    return {**dict.fromkeys(_PROVEN), **known, "notes": [note for note in notes if note]}


def _burst(held: Sequence[Mapping[str, Any]]) -> Facts:
    named = [
        {
            "secret_arn": read_text(one.get("secret_arn"), ARN_LENGTH),
            "secret_name": read_text(one.get("secret_name"), NAME_LENGTH),
            "opened_at": read_time(one.get("opened_at")),
            **_severity_of_one(one),
        }
        for one in held[:NAMED]
    ]
    return {"count": len(held), "secrets": named}


def _severity_of_one(held: Mapping[str, Any]) -> Facts:
    severity = read_word(Severity, held.get("severity"))
    return {"severity": str(severity)} if severity else {}


def _latest(entries: Sequence[Facts], length: int) -> list[Facts]:
    """As many of the last of these as fit."""
    kept: list[Facts] = []
    for entry in reversed(entries):
        length -= len(json.dumps(entry)) + 2
        if length < 0:
            break
        kept.insert(0, entry)
    return kept
