"""AWS's event shapes in domain words: the only file that knows CloudTrail's field names.

Secrets Manager speaks in three shapes, and none keeps the secret in the place the tutorials say
(https://docs.aws.amazon.com/secretsmanager/latest/userguide/cloudtrail_log_entries.html): service events carry it in
`detail.additionalEventData.SecretId`, with `requestParameters` null and `resources` empty; API calls carry it in their
request or their answer; `Secret Label Updated` in `resources`. Other events are recorded under what they are about.

An API call may name its secret by name or by partial ARN, and the response has the complete ARN
(https://docs.aws.amazon.com/secretsmanager/latest/userguide/troubleshoot.html#ARN_secretnamehyphen). So the response
takes precedence over the request, and a complete ARN over a partial one.
"""

import hashlib
import json
import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

from .rotation_event import (
    FAILED_CALL,
    FAILURES,
    INCIDENT_STALLED,
    OTHER_LABELS,
    ROTATION_STUCK,
    SOURCES,
    STEPS,
    RotationEvent,
    RotationSignal,
    is_complete_arn,
    reports_new_value,
)
from .secret import CURRENT
from .timestamps import to_iso

_SECRET_ARN = re.compile(r"arn:[\w-]+:secretsmanager:[\w-]*:\d*:secret:\S+")
_ROTATION_REQUEST = re.compile(r"Rotation-arn:.+-([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})", re.IGNORECASE)
_FAILED_STEP = re.compile(rf"during ({'|'.join(STEPS)}) step")
_UUID = r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}"
_PLAIN = re.compile(rf"(?:rotation-stuck-)?{_UUID}", re.IGNORECASE | re.ASCII)
"""What AWS's ids look like, and the audit's; a looser form would let a password through."""
_OPENING = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,6})?Z", re.ASCII)
"""When an execution started, as Step Functions writes it: that is what incidents go by."""
_PLAIN_ARN = re.compile(r"arn:aws[\w-]*:secretsmanager:[a-z0-9-]{1,40}:\d{12}:secret:[\w/+=.@!-]{1,540}", re.ASCII)

_DEEPEST = 100
"""Levels of nesting that are parsed: far more than AWS's events have, and far fewer than Python's parser supports."""
_STRING_OR_BRACKET = re.compile(r'"[^"\\]*+(?:\\.[^"\\]*+)*+"|[\[{\]}]', re.DOTALL)


class MalformedEvent(ValueError):
    """What arrived is not an event as EventBridge delivers it; the message says what it lacks."""


def parse_text(text: str) -> RotationEvent:
    """The event in this JSON text, however deep its nesting or long its numbers.

    Raises MalformedEvent as `parse` does, and for text that is not JSON.
    """
    try:
        try:
            event = _load_json(text)
        except RecursionError:
            event = _load_json(_drop_deep_values(text))
    except json.JSONDecodeError as error:
        raise MalformedEvent(f"an event is a JSON object, got text that is not JSON: {error}") from None
    return parse(event)


def _load_json(text: str) -> Any:
    # Python refuses integers of more than 4300 digits, but no float. No number in an event is used.
    return json.loads(text, parse_int=float)


def _drop_deep_values(text: str) -> str:
    """The same JSON with null in place of each value that is nested too deeply to be parsed."""
    kept: list[str] = []
    depth = start = 0
    for match in _STRING_OR_BRACKET.finditer(text):
        if match[0] in ("[", "{"):
            depth += 1
            if depth == _DEEPEST + 1:
                kept += [text[start : match.start()], "null"]
        elif match[0] in ("]", "}"):
            if depth == _DEEPEST + 1:
                start = match.end()
            depth -= 1
    # If a deep bracket is never closed, neither is the object around it: the parser will reject the text.
    return "".join(kept) if depth > _DEEPEST else "".join([*kept, text[start:]])


def parse(event: Any) -> RotationEvent:
    """The event in domain words. Raises MalformedEvent for what has no identity or no time, and for nothing else."""
    if not isinstance(event, Mapping):
        raise MalformedEvent(f"an event is a JSON object, got {type(event).__name__}")
    detail = _mapping(event.get("detail"))
    # CloudTrail's own id is the same in every copy, where each delivery may have an envelope of its own.
    identity = _text(detail.get("eventID")) or _text(event.get("id"))
    if identity is None:
        raise MalformedEvent("the event has neither detail.eventID nor id")
    arns = [text for text in _secret_names(event, detail) if _SECRET_ARN.fullmatch(text)]
    # If there is only a partial ARN, it is used as it is: a call without a response failed and changed nothing.
    secret_arn = next(filter(is_complete_arn, arns), next(iter(arns), None))
    error_message = _text(detail.get("errorMessage"))
    return RotationEvent(
        kind=_text(detail.get("eventName")) or _text(event.get("detail-type")) or "unknown",
        source=_text(event.get("source")) or "unknown",
        identity=identity,
        occurred_at=_time(detail.get("eventTime")) or _required_time(event.get("time")),
        region=_text(event.get("region")) or "",
        secret_arn=secret_arn,
        subject=secret_arn or _subject(event, detail),
        rotation_id=_rotation_id(detail.get("requestID")),
        failed_step=_failed_step(error_message),
        error_message=error_message,
        current_version_id=_text(detail.get("versionId")) if detail.get("labelUpdated") == CURRENT else None,
        pending_version_id=_text(detail.get("versionId")) if event.get("detail-type") == ROTATION_STUCK else None,
        opened_at=_text(detail.get("opened_at")) if event.get("detail-type") == INCIDENT_STALLED else None,
        without_effect=_without_effect(detail),
    )


def parse_signal(event: Any) -> RotationSignal | None:
    """What remediation is told of an event, in its own words; None where it has nothing to do with it.

    Raises MalformedEvent as `parse` does, and for a stalled incident that does not say which. AWS writes no value of a
    secret into an event; what others put on the bus may hold anything, so every word is one of ours or has a form of
    its own.
    """
    told = parse(event)
    if told.kind not in (*FAILURES, INCIDENT_STALLED) and not reports_new_value(told):
        return None
    opened_at = told.opened_at if _OPENING.fullmatch(told.opened_at or "") else None
    if told.kind == INCIDENT_STALLED and opened_at is None:
        raise MalformedEvent("a stalled incident's event has no detail.opened_at as Step Functions writes times")
    return RotationSignal(
        kind=told.kind if told.kind in (*FAILURES, INCIDENT_STALLED, "RotationSucceeded") else "Secret Label Updated",
        source=told.source if told.source in SOURCES else "unknown",
        identity=_plain(told.identity),
        occurred_at=_utc(told.occurred_at),
        secret_arn=told.secret_arn if _PLAIN_ARN.fullmatch(told.secret_arn or "") else None,
        rotation_id=told.rotation_id,
        failed_step=told.failed_step,
        current_version_id=_plain(told.current_version_id) if told.current_version_id else None,
        pending_version_id=_plain(told.pending_version_id) if told.pending_version_id else None,
        opened_at=opened_at,
    )


def _plain(text: str) -> str:
    """An identifier as it is, and anything else as its hash: still the same in every copy."""
    return text if _PLAIN.fullmatch(text) else hashlib.sha256(text.encode(errors="surrogatepass")).hexdigest()


def _utc(time: str) -> str:
    moment = datetime.fromisoformat(time)
    try:
        return to_iso(moment if moment.tzinfo else moment.replace(tzinfo=UTC))
    except OverflowError:
        raise MalformedEvent("the event's time is beyond the years that there are") from None


def _secret_names(event: Mapping[str, Any], detail: Mapping[str, Any]) -> Iterator[str]:
    """Every place where Secrets Manager is known to name the secret, in order of precedence."""
    answer = _mapping(detail.get("responseElements"))
    places = [
        _mapping(detail.get("additionalEventData")).get("SecretId"),
        # One public report, for secrets that RDS manages.
        _mapping(detail.get("serviceEventDetails")).get("secretId"),
        answer.get("arn"),
        answer.get("aRN"),  # as it was written before February 2024
        _mapping(detail.get("requestParameters")).get("secretId"),
        *_resources(event),
    ]
    yield from (text for text in map(_text, places) if text)


def _subject(event: Mapping[str, Any], detail: Mapping[str, Any]) -> str:
    """What an event without a secret's ARN is about: the secret's name, the first resource, or else its source."""
    names = [*_secret_names(event, detail), _text(event.get("source"))]
    return next((name for name in names if name), "unknown")


def _resources(event: Mapping[str, Any]) -> list[Any]:
    resources = event.get("resources")
    return resources if isinstance(resources, list) else []


def _rotation_id(request_id: Any) -> str | None:
    """The uuid that the events of one rotation share: there is no field for it, only `Rotation-<arn>-<uuid>`."""
    match = _ROTATION_REQUEST.fullmatch(_text(request_id) or "")
    return match[1].lower() if match else None


def _failed_step(error_message: str | None) -> str | None:
    match = _FAILED_STEP.search(error_message or "")
    return match[1] if match else None


def _without_effect(detail: Mapping[str, Any]) -> str | None:
    """Whether a call failed, which CloudTrail reports as well, or names labels and AWSCURRENT is not among them.

    createSecret of every rotation function puts its value under AWSPENDING alone
    (https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_PutSecretValue.html).
    """
    asked = _mapping(detail.get("requestParameters"))
    several = asked.get("versionStages")
    named = [detail.get("labelUpdated"), asked.get("versionStage"), *(several if isinstance(several, list) else ())]
    labels = [label for label in map(_text, named) if label]
    if _text(detail.get("errorCode")):
        return FAILED_CALL
    return OTHER_LABELS if labels and CURRENT not in labels else None


def _required_time(value: Any) -> str:
    time = _time(value)
    if time is None:
        raise MalformedEvent("the event has neither detail.eventTime nor time in ISO 8601")
    return time


def _time(value: Any) -> str | None:
    text = _text(value)
    if text is None:
        return None
    try:
        datetime.fromisoformat(text)
    except ValueError:
        return None
    return text


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) and value else None
