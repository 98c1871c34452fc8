"""Puts the events that AWS sends about secrets through CloudTrail on the default bus of the embedded AWS.

Runs inside the emulator. The source is `rotation-guard.drill`, since PutEvents rejects `aws.*`; the shapes are AWS's
own, as recorded in tests/events. Each event is also appended to the event log with its exact time: CloudTrail's
`eventTime` has a resolution of one second.
"""

import json
import os
import time
import uuid
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from ministack.core.iam_evaluator import resolve_caller_identity
from ministack.core.responses import get_account_id, get_region
from ministack.core.router import extract_access_key_id
from ministack.services import eventbridge

SOURCE = "rotation-guard.drill"
EVENT_LOG_VARIABLE = "ROTATION_GUARD_EVENT_LOG"
_SERVICE = "secretsmanager.amazonaws.com"
_NEVER_RECORDED = {"SecretString", "SecretBinary", "RotationToken"}


def send_service_event(name: str, secret_arn: str, rotation_id: str, error: str | None = None) -> None:
    """Send an `AWS Service Event via CloudTrail` about an action of Secrets Manager itself.

    The secret is in `additionalEventData`, the request id is `Rotation-<arn>-<uuid>` and there is no other rotation id
    (AWS Secrets Manager user guide, "Log AWS Secrets Manager events with CloudTrail").
    """
    detail = _build_detail(name, "AwsServiceEvent")
    detail["userIdentity"] = {"accountId": get_account_id(), "invokedBy": _SERVICE}
    detail["sourceIPAddress"] = detail["userAgent"] = _SERVICE
    detail |= {"requestParameters": None, "responseElements": None}
    detail["additionalEventData"] = {"SecretId": secret_arn}
    detail["requestID"] = f"Rotation-{secret_arn}-{rotation_id}"
    if error:
        detail["errorMessage"] = error
    _put("AWS Service Event via CloudTrail", detail, secret_arn)


def send_api_event(action: str, request: dict[str, Any], secret_arn: str, headers: dict[str, str]) -> None:
    """Send an `AWS API Call via CloudTrail` about a call to Secrets Manager, without secret values."""
    identity = resolve_caller_identity(extract_access_key_id(headers, {}) or "") or {}
    detail = _build_detail(action, "AwsApiCall")
    detail["userIdentity"] = {"arn": identity.get("userArn"), "accountId": get_account_id()}
    detail["sourceIPAddress"] = "127.0.0.1"
    detail["userAgent"] = headers.get("user-agent", "")
    detail["requestParameters"] = _to_lower_camel({k: v for k, v in request.items() if k not in _NEVER_RECORDED})
    detail["responseElements"] = {"arn": secret_arn}
    detail["requestID"] = str(uuid.uuid4())
    _put("AWS API Call via CloudTrail", detail, secret_arn)


def _build_detail(name: str, event_type: str) -> dict[str, Any]:
    return {
        "eventVersion": "1.08",
        "eventTime": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "eventSource": _SERVICE,
        "eventName": name,
        "awsRegion": get_region(),
        "eventID": str(uuid.uuid4()),
        "readOnly": False,
        "eventType": event_type,
        "managementEvent": True,
        "recipientAccountId": get_account_id(),
        "eventCategory": "Management",
    }


def _to_lower_camel(value: Any) -> Any:
    if isinstance(value, dict):
        return {key[:1].lower() + key[1:]: _to_lower_camel(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_to_lower_camel(inner) for inner in value]
    return value


def _put(detail_type: str, detail: dict[str, Any], secret_arn: str) -> None:
    path = os.environ.get(EVENT_LOG_VARIABLE)
    if path:
        record = {
            "put_at": time.time(),
            "event": detail["eventName"],
            "secret_arn": secret_arn,
            "id": detail["eventID"],
        }
        with Path(path).open("a", encoding="utf-8") as file:
            file.write(json.dumps(record) + "\n")
    entry = {"Source": SOURCE, "DetailType": detail_type, "Detail": json.dumps(detail), "Resources": []}
    eventbridge._put_events({"Entries": [entry]})
