"""Parses events of AWS: the only module that knows CloudTrail's field names.

Events of Secrets Manager have three shapes, which name the secret in different places
(https://docs.aws.amazon.com/secretsmanager/latest/userguide/cloudtrail_log_entries.html): service events have it in
`detail.additionalEventData.SecretId`, with `requestParameters` null and `resources` empty; API calls have it in their
request or response; `Secret Label Updated` has it in `resources`.

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

from .canary import CANARY
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
_STRICT_ID = re.compile(rf"(?:rotation-stuck-)?{_UUID}", re.IGNORECASE | re.ASCII)
"""The form of AWS's ids and of the audit's; a looser pattern could accept a password."""
_OPENING = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,6})?Z", re.ASCII)
"""The start time of an execution, as Step Functions writes it; an incident's opening time is one."""
_STRICT_ARN = re.compile(r"arn:aws[\w-]*:secretsmanager:[a-z0-9-]{1,40}:\d{12}:secret:[\w/+=.@!-]{1,540}", re.ASCII)

_DEEPEST = 100
"""Levels of nesting that are parsed: far more than AWS's events have, and far fewer than Python's parser supports."""
_STRING_OR_BRACKET = re.compile(r'"[^"\\]*+(?:\\.[^"\\]*+)*+"|[\[{\]}]', re.DOTALL)


class MalformedEvent(ValueError):
    """The input is not an event as EventBridge delivers it; the message says what is missing."""


def parse_text(text: str) -> RotationEvent:
    """Parse the JSON text of an event, with any nesting depth and any length of numbers.

    Raises MalformedEvent as `parse` does, and for text that is not JSON.
    """
    return parse(load(text))


def load(text: str) -> Any:
    """Load the JSON text of an event, with null for values that are nested too deeply. Raises MalformedEvent."""
    try:
        try:
            return _load_json(text)
        except RecursionError:
            return _load_json(_drop_deep_values(text))
    except json.JSONDecodeError as error:
        raise MalformedEvent(f"an event is a JSON object, got text that is not JSON: {error}") from None


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
    """Parse an event. Raises MalformedEvent only if it has no identity or no time."""
    if not isinstance(event, Mapping):
        raise MalformedEvent(f"an event is a JSON object, got {type(event).__name__}")
    detail = _read_mapping(event.get("detail"))
    # CloudTrail's own id is the same in every copy; the envelope's id may differ per delivery.
    identity = _read_text(detail.get("eventID")) or _read_text(event.get("id"))
    if identity is None:
        raise MalformedEvent("the event has neither detail.eventID nor id")
    source = _read_text(event.get("source")) or "unknown"
    # A canary is about no secret, whatever Scheduler adds to its resources.
    names = [] if source == CANARY else [*_iterate_secret_names(event, detail)]
    arns = [text for text in names if _SECRET_ARN.fullmatch(text)]
    # If there is only a partial ARN, it is used as it is: a call without a response failed and changed nothing. The
    # subject of an event without an ARN is the secret's name, its first resource, or its source.
    secret_arn = next(filter(is_complete_arn, arns), next(iter(arns), None))
    error_message = _read_text(detail.get("errorMessage"))
    return RotationEvent(
        kind=_read_text(detail.get("eventName")) or _read_text(event.get("detail-type")) or "unknown",
        source=source,
        identity=identity,
        occurred_at=_read_time(detail.get("eventTime")) or _require_time(event.get("time")),
        region=_read_text(event.get("region")) or "",
        secret_arn=secret_arn,
        subject=secret_arn or next(iter(names), source),
        rotation_id=_parse_rotation_id(detail.get("requestID")),
        failed_step=_parse_failed_step(error_message),
        error_message=error_message,
        current_version_id=_read_text(detail.get("versionId")) if detail.get("labelUpdated") == CURRENT else None,
        pending_version_id=_read_text(detail.get("versionId")) if event.get("detail-type") == ROTATION_STUCK else None,
        opened_at=_read_text(detail.get("opened_at")) if event.get("detail-type") == INCIDENT_STALLED else None,
        without_effect=_explain_no_effect(detail),
    )


def parse_signal(event: Any) -> RotationSignal | None:
    """Parse the signal that an event has for remediation; None if the event is irrelevant.

    Raises MalformedEvent as `parse` does, and for a stalled incident without its opening time. AWS puts no value of a
    secret into an event, but events of others may contain anything: every field is a known word or matches a strict
    pattern.
    """
    parsed = parse(event)
    if parsed.kind not in (*FAILURES, INCIDENT_STALLED) and not reports_new_value(parsed):
        return None
    opened_at = parsed.opened_at if _OPENING.fullmatch(parsed.opened_at or "") else None
    if parsed.kind == INCIDENT_STALLED and opened_at is None:
        raise MalformedEvent("a stalled incident's event has no detail.opened_at as Step Functions writes times")
    return RotationSignal(
        kind=parsed.kind
        if parsed.kind in (*FAILURES, INCIDENT_STALLED, "RotationSucceeded")
        else "Secret Label Updated",
        source=parsed.source if parsed.source in SOURCES else "unknown",
        identity=_sanitize_id(parsed.identity),
        occurred_at=_to_utc(parsed.occurred_at),
        secret_arn=parsed.secret_arn if is_secret_arn(parsed.secret_arn) else None,
        rotation_id=parsed.rotation_id,
        failed_step=parsed.failed_step,
        current_version_id=_sanitize_id(parsed.current_version_id) if parsed.current_version_id else None,
        pending_version_id=_sanitize_id(parsed.pending_version_id) if parsed.pending_version_id else None,
        opened_at=opened_at,
    )


def is_secret_arn(value: Any) -> bool:
    """Whether a value is the ARN of a secret, made of the characters that AWS allows and no others."""
    return isinstance(value, str) and _STRICT_ARN.fullmatch(value) is not None


def _sanitize_id(text: str) -> str:
    """An id of a known form unchanged, anything else as its hash: the same in every copy."""
    return text if _STRICT_ID.fullmatch(text) else hashlib.sha256(text.encode(errors="surrogatepass")).hexdigest()


def _to_utc(time: str) -> str:
    parsed = datetime.fromisoformat(time)
    try:
        return to_iso(parsed if parsed.tzinfo else parsed.replace(tzinfo=UTC))
    except OverflowError:
        raise MalformedEvent("the event's time is outside the years 1 to 9999") from None


def _iterate_secret_names(event: Mapping[str, Any], detail: Mapping[str, Any]) -> Iterator[str]:
    """Every field in which Secrets Manager may name the secret, in order of precedence."""
    response = _read_mapping(detail.get("responseElements"))
    candidates = [
        _read_mapping(detail.get("additionalEventData")).get("SecretId"),
        # One public report, for secrets that RDS manages.
        _read_mapping(detail.get("serviceEventDetails")).get("secretId"),
        response.get("arn"),
        response.get("aRN"),  # the spelling before February 2024
        _read_mapping(detail.get("requestParameters")).get("secretId"),
        *_list_resources(event),
    ]
    yield from (text for text in map(_read_text, candidates) if text)


def _list_resources(event: Mapping[str, Any]) -> list[Any]:
    resources = event.get("resources")
    return resources if isinstance(resources, list) else []


def _parse_rotation_id(request_id: Any) -> str | None:
    """The UUID that the events of one rotation share; it is only part of the request id, `Rotation-<arn>-<uuid>`."""
    match = _ROTATION_REQUEST.fullmatch(_read_text(request_id) or "")
    return match[1].lower() if match else None


def _parse_failed_step(error_message: str | None) -> str | None:
    match = _FAILED_STEP.search(error_message or "")
    return match[1] if match else None


def _explain_no_effect(detail: Mapping[str, Any]) -> str | None:
    """Why an event changed no value: the call failed, or it names labels without AWSCURRENT.

    createSecret of every rotation function stores its value under AWSPENDING alone
    (https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_PutSecretValue.html).
    """
    parameters = _read_mapping(detail.get("requestParameters"))
    several = parameters.get("versionStages")
    named = [
        detail.get("labelUpdated"),
        parameters.get("versionStage"),
        *(several if isinstance(several, list) else ()),
    ]
    labels = [label for label in map(_read_text, named) if label]
    if _read_text(detail.get("errorCode")):
        return FAILED_CALL
    return OTHER_LABELS if labels and CURRENT not in labels else None


def _require_time(value: Any) -> str:
    time = _read_time(value)
    if time is None:
        raise MalformedEvent("the event has neither detail.eventTime nor time in ISO 8601")
    return time


def _read_time(value: Any) -> str | None:
    text = _read_text(value)
    if text is None:
        return None
    try:
        datetime.fromisoformat(text)
    except ValueError:
        return None
    return text


def _read_mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _read_text(value: Any) -> str | None:
    return value if isinstance(value, str) and value else None
