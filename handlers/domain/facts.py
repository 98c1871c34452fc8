"""What is known of an incident at one of its turns, for machines; what people read is made of this and nothing else.

Whatever an event, a probe or a row holds, only what has the form of its kind comes through: one of our words, a name,
the id of a version, a moment, a sentence of ours. All of it is printable ASCII on one line, without what JSON escapes.
"""

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from .decisions import Mode, Proof
from .incidents import RECOVERIES, Outcome
from .links import execution_link, runbook_link, secret_link
from .restarts import State
from .rotation import FAILURES, STEPS, name_of
from .secrets import CURRENT, PENDING, PREVIOUS

SCHEMA = "rotation-guard/1"
OPENED, RETRIED, RECOVERED, RESTARTED = "opened", "retried", "recovered", "restarted"
ESCALATED, HELD, HELD_BURST, UNIDENTIFIED = "escalated", "held", "held_burst", "unidentified"
REMINDER, RESOLVED, MISSING = "reminder", "resolved", "missing"
NEW_VALUES = ("RotationSucceeded", "Secret Label Updated")
NAMED = 20
"""How many of the secrets in a burst are named."""
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
_CAPPED = "This account's maxActionsPerHour are used up."
_MISSING = "Its row is missing from the Incidents table, so what was done about it is not known."
_PROVEN = ("current", "pending", "previous")
_FOREIGN = re.compile(r"[^ !#-\[\]-~]")
_VERSION = re.compile(r"[\w-]{1,64}", re.ASCII)
_ERROR = re.compile(r"[\w.]{1,80}", re.ASCII)
_MOMENT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,6})?(?:Z|[+-]\d\d:\d\d)", re.ASCII)
_NAME_LENGTH, _ARN_LENGTH, _SENTENCE_LENGTH = 512, 700, 300
"""A secret's name is at most as long as that
(https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_CreateSecret.html)."""


def facts_of(
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
    - `secret_arn`, `secret_name`, `opened_at`: the incident. `execution`: an ARN, the one that tells.
    - `outcome`: how it ended, one of `incidents.Outcome`, and `reason`: why so, in a sentence. `closed_at`.
    - `kind`: what opened it, such as `RotationFailed`; `occurred_at`, `failed_step`; `failures`: how many there were,
      `last_failure_at`.
    - `mode`: `notify`, `retry` or `repair`. `attempts`: calls of RotateSecret. `error`: as above.
    - `actions`: the latest, in order. Each has `action` (`decide`, `retry`, `rolled forward`, `fallen back` or
      `restart`), `at`, `outcome`, and what it has of `reason`, `rule`, `number`, `from`, `to`, `target`, `evidence`.
    - `now`: version ids at `current`, `pending` (unfinished) and `previous`, and `evidence`: for the same three what a
      probe said, `works`, `broken`, `unknown` or `absent`, with sentences in `notes`. All null when a new value was
      heard of and nobody has looked since.
    - `restarts`: `target`, `arn`, `state` (`restarts.State`), `why`.
    - `held`: in a burst, `count`, and `secrets`, the first 20: `secret_arn`, `secret_name`, `opened_at`.
    - `links`: `execution`, `secret`, `runbook`. `next`: what to do, in a sentence or some; added by `notices`.
    """
    opening = heard or {}
    arn = _text(incident.get("secret_arn"), _ARN_LENGTH) or _text(opening.get("secret_arn"), _ARN_LENGTH)
    name = _text(incident.get("secret_name"), _NAME_LENGTH) or (name_of(arn) if arn else None)
    outcome = _ENDED.get(turn) or (_one_of(RECOVERIES, incident.get("outcome")) if turn == RECOVERED else None)
    return {
        "schema": SCHEMA,
        "turn": turn,
        "secret_arn": arn,
        "secret_name": name,
        "opened_at": _moment(incident.get("opened_at")),
        "execution": _text(execution, _ARN_LENGTH),
        "outcome": str(outcome) if outcome else None,
        "reason": _reason(turn, incident, held),
        "closed_at": _moment(incident.get("closed_at")),
        "kind": _one_of(_KINDS, incident.get("event_type") or opening.get("kind")),
        "occurred_at": _moment(incident.get("occurred_at") or opening.get("occurred_at")),
        "failed_step": _one_of(STEPS, incident.get("failed_step") or opening.get("failed_step")),
        "failures": _number(incident.get("failures")),
        "last_failure_at": _moment(incident.get("last_failure_at")),
        "mode": _one_of(Mode, incident.get("mode")),
        "attempts": _number(incident.get("attempts")),
        "error": _error(error) if error else None,
        "actions": _latest(_actions(incident), ACTIONS_LENGTH),
        "now": _now(incident, outcome),
        "restarts": _latest(_restarts(incident), RESTARTS_LENGTH),
        "held": _burst(held) if held else None,
        "links": {
            "execution": execution_link(execution),
            "secret": secret_link(arn) if arn else "",
            "runbook": runbook_link(runbook_url, turn if turn == MISSING else outcome or turn),
        },
        "next": None,
    }


def _reason(turn: str, incident: Mapping[str, Any], held: Sequence[Mapping[str, Any]]) -> str | None:
    if turn == RESOLVED and (at := _moment(incident.get("resolved_at"))):
        by = _one_of(_KINDS, incident.get("resolved_by"))
        return f"A new value is in use since {at}{f' ({by})' if by else ''}."
    if turn == MISSING:
        return _MISSING
    return _CAPPED if held else _text(incident.get("reason"), _SENTENCE_LENGTH)


def _actions(incident: Mapping[str, Any]) -> list[Facts]:
    """What was done, but for the telling of it."""
    found = []
    for action in map(_mapping, _list(incident.get("actions"))):
        if action.get("action") not in _ACTIONS:
            continue
        known = {
            "action": str(action["action"]),
            "at": _moment(action.get("at")),
            "outcome": _text(action.get("outcome"), _SENTENCE_LENGTH),
            "reason": _text(action.get("reason"), _SENTENCE_LENGTH),
            "rule": _text(action.get("rule"), 40),
            "number": _number(action.get("number")),
            "from": _version(action.get("from")),
            "to": _version(action.get("to")),
            "target": _text(action.get("target"), _SENTENCE_LENGTH),
            "evidence": _evidence(action.get("evidence")),
        }
        given = {name: value for name, value in known.items() if value is not None}
        found.append({"at": None, "outcome": None, **given})
    return found


def _restarts(incident: Mapping[str, Any]) -> list[Facts]:
    return [
        {
            "target": _text(entry.get("target"), _SENTENCE_LENGTH),
            "arn": _text(entry.get("arn"), _ARN_LENGTH),
            "state": _one_of(State, entry.get("state")),
            "why": _text(entry.get("why"), _SENTENCE_LENGTH),
        }
        for entry in map(_mapping, _list(incident.get("restarts")))
    ]


def _now(incident: Mapping[str, Any], outcome: str | None) -> Facts:
    """Which version holds which label, and what the probe said of it, as last looked at.

    An incident that an event has ended was not looked at since: its labels show a rotation that was still under way.
    """
    versions = _mapping(incident.get("versions"))
    held = {str(label): _version(version) for version, labels in versions.items() for label in _list(labels)}
    current, pending = held.get(CURRENT), held.get(PENDING)
    pending = None if pending == current else pending
    if outcome == Outcome.RESOLVED or (pending and outcome in (Outcome.RECOVERED_BY_AWS, Outcome.RECOVERED_BY_RETRY)):
        return dict.fromkeys((*_PROVEN, "evidence"))
    evidence = _evidence(incident.get("evidence"))
    return {"current": current, "pending": pending, "previous": held.get(PREVIOUS), "evidence": evidence}


def _evidence(proofs: Any) -> Facts | None:
    said = _mapping(proofs)
    known = {label: str(proof) for label in _PROVEN if (proof := _one_of(Proof, said.get(label)))}
    if not known:
        return None
    notes = (_text(note, _SENTENCE_LENGTH) for note in _list(said.get("notes"))[:3])
    return {**dict.fromkeys(_PROVEN), **known, "notes": [note for note in notes if note]}


def _burst(held: Sequence[Mapping[str, Any]]) -> Facts:
    named = [
        {
            "secret_arn": _text(one.get("secret_arn"), _ARN_LENGTH),
            "secret_name": _text(one.get("secret_name"), _NAME_LENGTH),
            "opened_at": _moment(one.get("opened_at")),
        }
        for one in held[:NAMED]
    ]
    return {"count": len(held), "secrets": named}


def _latest(entries: Sequence[Facts], length: int) -> list[Facts]:
    """As many of the last of these as fit."""
    kept: list[Facts] = []
    for entry in reversed(entries):
        length -= len(json.dumps(entry)) + 2
        if length < 0:
            break
        kept.insert(0, entry)
    return kept


def _text(value: Any, length: int) -> str | None:
    """A text on one line that every protocol takes; None for what is none."""
    return _FOREIGN.sub("?", value[:length]) if isinstance(value, str) and value else None


def _one_of(words: Iterable[str], value: Any) -> str | None:
    return next((word for word in words if word == value), None)


def _error(value: Any) -> str:
    return value if isinstance(value, str) and _ERROR.fullmatch(value) else "unknown"


def _version(value: Any) -> str | None:
    return value if isinstance(value, str) and _VERSION.fullmatch(value) else None


def _moment(value: Any) -> str | None:
    return value if isinstance(value, str) and _MOMENT.fullmatch(value) else None


def _number(value: Any) -> int | None:
    """A count; DynamoDB's are decimals."""
    try:
        return None if value is None else int(value)
    except (TypeError, ValueError, OverflowError):
        return None


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _list(value: Any) -> Sequence[Any]:
    return value if isinstance(value, list | tuple) else []
