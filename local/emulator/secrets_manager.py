"""Handles Secrets Manager's calls as AWS does, where MiniStack differs.

Runs inside the emulator. MiniStack looks up a service's `handle_request` at each call, after IAM has allowed it;
`install` replaces that function by one that calls MiniStack's own for everything else.
"""

import json
import time
import uuid
from datetime import datetime
from typing import Any

from ministack.core.responses import error_response_json, json_response
from ministack.services import secretsmanager as store

from rotation_guard.domain.secret import DATE_FIELDS

from . import api_destinations, cloudtrail, rotation, rotation_model
from .rotation_model import IncompleteRotation, Rejection

Response = tuple[int, dict[str, str], bytes]
Request = dict[str, Any]
Secret = dict[str, Any]

_RECORDED_ACTIONS = {
    "RotateSecret",
    "CancelRotateSecret",
    "PutSecretValue",
    "UpdateSecret",
    "UpdateSecretVersionStage",
    "DeleteSecret",
    "RestoreSecret",
}
_FIELDS_WITH_ROTATION_ON = ("LastRotatedDate", "NextRotationDate")
_FIELDS = ("RotationLambdaARN", "RotationRules", "OwningService", "Type")

_handle_request_by_ministack = store.handle_request
_resolve_by_ministack = store._resolve
_put_by_ministack = store._put_secret_value


def install() -> None:
    """Handle Secrets Manager's calls."""
    store.handle_request = handle_request  # ty: ignore[invalid-assignment]
    store._resolve = resolve  # ty: ignore[invalid-assignment]


async def handle_request(
    method: str, path: str, headers: dict[str, str], body: bytes, query_params: dict[str, Any]
) -> Response:
    """Handle a call that IAM has allowed."""
    action = headers.get("x-amz-target", "").rpartition(".")[2]
    try:
        request = json.loads(body) if body else {}
    except json.JSONDecodeError:
        return await _handle_request_by_ministack(method, path, headers, body, query_params)

    if action in _OWN_ACTIONS:
        return _OWN_ACTIONS[action](request)
    if action == "ListSecrets":
        return _complete_listing(list_secrets(request))
    _, secret = store._resolve(request.get("SecretId"))
    if action in _REPLACED_ACTIONS and secret is not None:
        response = _REPLACED_ACTIONS[action](secret, request)
    else:
        response = _find_error(action, secret, request)
        response = response or await _handle_request_by_ministack(method, path, headers, body, query_params)

    if response[0] == 200:
        response = _EXTENDED_ACTIONS[action](response) if action in _EXTENDED_ACTIONS else response
        if action in _RECORDED_ACTIONS and secret is not None:
            cloudtrail.send_api_event(action, request, secret["ARN"], headers)
    return response


def seed(request: Request) -> Response:
    """Store secrets as they are described: no call of AWS can set their dates."""
    for entry in request["Secrets"]:
        dates = {version: _to_epoch(date) for version, date in entry["VersionCreatedDates"].items()}
        store._secrets[entry["Name"]] = {
            "ARN": entry["ARN"],
            "Name": entry["Name"],
            "Description": "",
            "Tags": entry["Tags"],
            "KmsKeyId": None,
            "RotationEnabled": entry["RotationEnabled"],
            "Versions": {
                version: {
                    "SecretString": "seeded",
                    "SecretBinary": None,
                    "CreatedDate": dates[version],
                    "Stages": labels,
                }
                for version, labels in entry["SecretVersionsToStages"].items()
            },
            "LastAccessedDate": None,
            "_PrimaryRegion": entry.get("PrimaryRegion"),
            **{name: entry[name] for name in ("RotationLambdaARN", "OwningService", "Type") if name in entry},
            **{name: _to_epoch(entry[name]) for name in DATE_FIELDS if name in entry},
        }
    return json_response({"Seeded": len(request["Secrets"])})


def retry(request: Request) -> Response:
    """Retry a failed rotation, as AWS does by itself, several times and with all steps.

    (https://docs.aws.amazon.com/secretsmanager/latest/userguide/rotate-secrets_lambda.html)
    """
    _, secret = store._resolve(request["SecretId"])
    pending = rotation.find_pending_version(secret) if secret and secret["RotationEnabled"] else None
    if secret and pending:
        rotation.retry_rotation(secret, pending)
    return json_response({"Retried": pending is not None})


def resolve(secret_id: str | None, **scope: Any) -> tuple[str | None, Secret | None]:
    """Find a secret by ARN or name. MiniStack scans all secrets for an ARN, which is slow for thousands."""
    if secret_id and secret_id.startswith("arn:"):
        name = secret_id.split(":", 6)[-1].rpartition("-")[0]
        secret = store._secrets.get(name)
        if secret and secret["ARN"] == secret_id:
            return name, secret
    return _resolve_by_ministack(secret_id, **scope)


def rotate_secret(secret: Secret, request: Request) -> Response:
    """RotateSecret: reject as AWS does, or respond at once and rotate in the background.

    While AWSPENDING is on a version that is not AWSCURRENT, the call is rejected and also triggers a retry:
    "A previous rotation isn't complete. That rotation will be reattempted." (API reference, RotateSecret).
    """
    if store._is_replica(secret):
        return store._replica_mutation_error()
    function_arn = request.get("RotationLambdaARN") or secret.get("RotationLambdaARN")
    try:
        rotation_model.check_rotation(
            rotation.read_labels(secret),
            is_deleted=bool(secret.get("DeletedDate")),
            has_function=bool(function_arn),
            may_invoke=bool(function_arn) and rotation.may_invoke(function_arn),
        )
    except IncompleteRotation as incomplete:
        secret["RotationEnabled"] = True
        rotation.retry_rotation(secret, incomplete.version)
        return _reject(incomplete)
    except Rejection as rejection:
        return _reject(rejection)

    now = int(time.time())
    secret["RotationLambdaARN"] = function_arn
    secret["RotationRules"] = request.get("RotationRules") or secret.get("RotationRules")
    secret["RotationEnabled"] = True
    secret["LastChangedDate"] = now
    secret["NextRotationDate"] = rotation.compute_next_rotation(secret, now)
    version_id = request.get("ClientRequestToken") or str(uuid.uuid4())
    if request.get("RotateImmediately", True):
        rotation.begin_rotation(secret, version_id)
    else:
        rotation.begin_test(secret, version_id)
    return json_response({"ARN": secret["ARN"], "Name": secret["Name"], "VersionId": version_id})


def cancel_rotate_secret(secret: Secret, request: Request) -> Response:
    """CancelRotateSecret: turn rotation off; a running rotation stops before its next step."""
    if error := _check_changeable(secret):
        return error
    secret["RotationEnabled"] = False
    secret["LastChangedDate"] = int(time.time())
    return json_response({"ARN": secret["ARN"], "Name": secret["Name"]})


def put_secret_value(secret: Secret, request: Request) -> Response:
    """PutSecretValue: move the labels to the new value, and never overwrite a version that has one.

    MiniStack overwrites a version with the same token, and leaves the labels on the old version as well.
    """
    version_id = request.get("ClientRequestToken") or str(uuid.uuid4())
    version = secret["Versions"].get(version_id)
    if version and _has_value(version) and not _check_changeable(secret):
        if any(version.get(key) != request.get(key) for key in ("SecretString", "SecretBinary")):
            return error_response_json(
                "ResourceExistsException",
                f"You can't use ClientRequestToken {version_id} because that value is already in use for a version "
                f"of secret {secret['ARN']}.",
            )
        return _build_put_response(secret, version_id)
    labels = list(version["Stages"]) if version else []
    response = _put_by_ministack({**request, "ClientRequestToken": version_id})
    if response[0] != 200:
        return response
    for label in request.get("VersionStages", []):
        if label != "AWSCURRENT":
            store._remove_stage_everywhere(secret, label, except_version_id=version_id)
    for label in labels:
        store._add_stage(secret, version_id, label)
    return _build_put_response(secret, version_id)


def _build_put_response(secret: Secret, version_id: str) -> Response:
    stages = list(secret["Versions"][version_id]["Stages"])
    named = {"ARN": secret["ARN"], "Name": secret["Name"]}
    return json_response({**named, "VersionId": version_id, "VersionStages": stages})


def _find_error(action: str, secret: Secret | None, request: Request) -> Response | None:
    """Return AWS's error for a call that MiniStack would accept, or None."""
    if secret is None:
        return None
    if action == "GetSecretValue" and not secret.get("DeletedDate"):
        return _check_read(secret, request)
    if action == "UpdateSecretVersionStage" and not _check_changeable(secret):
        return _check_move(secret, request)
    return None


def _check_move(secret: Secret, request: Request) -> Response | None:
    label, to, away_from = (request.get(key) for key in ("VersionStage", "MoveToVersionId", "RemoveFromVersionId"))
    if not label or not (to or away_from):
        return None  # MiniStack rejects it.
    try:
        rotation_model.check_move(rotation.read_labels(secret), secret["Versions"], label, to, away_from)
    except Rejection as rejection:
        return _reject(rejection)
    return None


def _check_read(secret: Secret, request: Request) -> Response | None:
    version_id, stage = request.get("VersionId"), request.get("VersionStage")
    if version_id:
        version, requested = secret["Versions"].get(version_id), f"VersionId: {version_id}"
    else:
        _, version = store._find_stage_version(secret, stage or "AWSCURRENT")
        requested = f"staging label: {stage or 'AWSCURRENT'}"
    if version and version_id and stage and stage not in version["Stages"]:
        return error_response_json(
            "InvalidRequestException", "You provided a VersionStage that is not associated to the provided VersionId."
        )
    if version is None or not _has_value(version):
        return error_response_json(
            "ResourceNotFoundException", f"Secrets Manager can't find the specified secret value for {requested}"
        )
    return None


def _drop_empty_version(response: Response) -> Response:
    """CreateSecret without a value creates no version; MiniStack creates an empty one with AWSCURRENT."""
    created = json.loads(response[2])
    _, secret = store._resolve(created["ARN"])
    if secret and not any(_has_value(version) for version in secret["Versions"].values()):
        secret["Versions"].clear()
        del created["VersionId"]
    return json_response(created)


def _complete_description(response: Response) -> Response:
    described = json.loads(response[2])
    return json_response(described | _read_rotation_fields(described["ARN"]))


_listings: dict[str, list[str]] = {}


def list_secrets(request: Request) -> Response:
    """ListSecrets: list the names as of the first page, so that later pages need no sorting.

    MiniStack sorts and filters all secrets again for each page, which takes 30 ms for 10 000 secrets.
    """
    listing, _, position = request.get("NextToken", "").partition(":")
    names = _listings.pop(listing, None)
    if names is None:
        known = sorted(
            name
            for name, secret in store._secrets.items()
            if request.get("IncludePlannedDeletion") or not secret.get("DeletedDate")
        )
        names = store._filter_secret_names(known, request.get("Filters", []))
    start, size = int(position or 0), min(request.get("MaxResults", 100), 100)
    known = ((name, store._secrets.get(name)) for name in names[start : start + size])
    page_secrets: Any = {name: secret for name, secret in known if secret is not None}
    all_secrets, store._secrets = store._secrets, page_secrets
    try:
        page = json.loads(store._list_secrets({"MaxResults": size, "IncludePlannedDeletion": True})[2])
    finally:
        store._secrets = all_secrets
    if start + size < len(names):
        listing = str(uuid.uuid4())
        _listings[listing] = names
        page["NextToken"] = f"{listing}:{start + size}"
    return json_response(page)


def _complete_listing(response: Response) -> Response:
    page = json.loads(response[2])
    page["SecretList"] = [entry | _read_rotation_fields(entry["Name"]) for entry in page["SecretList"]]
    return json_response(page)


def _read_rotation_fields(secret_id: str) -> dict[str, Any]:
    """Return the rotation fields that AWS also describes; dates only while rotation is on."""
    _, secret = store._resolve(secret_id)
    known = _FIELDS + (_FIELDS_WITH_ROTATION_ON if secret["RotationEnabled"] else ())
    return {key: secret[key] for key in known if secret.get(key)}


def _to_epoch(date: str) -> int:
    return int(datetime.fromisoformat(date).timestamp())


def _has_value(version: dict[str, Any]) -> bool:
    return version.get("SecretString") is not None or version.get("SecretBinary") is not None


def _check_changeable(secret: Secret) -> Response | None:
    try:
        rotation_model.check_deletion(bool(secret.get("DeletedDate")))
    except Rejection as rejection:
        return _reject(rejection)
    return store._replica_mutation_error() if store._is_replica(secret) else None


def _reject(rejection: Rejection) -> Response:
    return error_response_json(rejection.code, rejection.message)


_OWN_ACTIONS = {
    "RotationGuardSeed": seed,
    "RotationGuardRetry": retry,
    api_destinations.RECEIVERS_ACTION: api_destinations.set_receivers,
}
"""Actions of the embedded AWS only."""
_REPLACED_ACTIONS = {
    "RotateSecret": rotate_secret,
    "CancelRotateSecret": cancel_rotate_secret,
    "PutSecretValue": put_secret_value,
}
_EXTENDED_ACTIONS = {
    "CreateSecret": _drop_empty_version,
    "DescribeSecret": _complete_description,
    "ListSecrets": _complete_listing,
}
