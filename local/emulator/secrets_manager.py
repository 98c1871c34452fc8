"""Secrets Manager as AWS answers it, where MiniStack answers differently.

Runs inside the emulator. MiniStack finds a service by its module's `handle_request` at each call, after IAM has had its
say, so that function is the seam: `install` puts ours in its place and ours calls MiniStack's own.
"""

import json
import time
import uuid
from datetime import datetime
from typing import Any

from ministack.core.responses import error_response_json, json_response
from ministack.services import secretsmanager as store

from . import cloudtrail, rotation

Answer = tuple[int, dict[str, str], bytes]
Request = dict[str, Any]
Secret = dict[str, Any]

_RECORDED = {
    "RotateSecret",
    "CancelRotateSecret",
    "PutSecretValue",
    "UpdateSecret",
    "UpdateSecretVersionStage",
    "DeleteSecret",
    "RestoreSecret",
}
_DATES = ("CreatedDate", "LastChangedDate", "LastRotatedDate", "NextRotationDate", "DeletedDate")
_KNOWN_WHEN_ROTATING = ("LastRotatedDate", "NextRotationDate")
_ALWAYS_KNOWN = ("RotationLambdaARN", "RotationRules", "OwningService", "Type")

_answer_of_ministack = store.handle_request
_resolved_by_ministack = store._resolve
_put_by_ministack = store._put_secret_value


def install() -> None:
    """Answer Secrets Manager's calls from here on."""
    store.handle_request = handle_request  # ty: ignore[invalid-assignment]
    store._resolve = resolve  # ty: ignore[invalid-assignment]


async def handle_request(
    method: str, path: str, headers: dict[str, str], body: bytes, query_params: dict[str, Any]
) -> Answer:
    """Answer one call that IAM has let through."""
    action = headers.get("x-amz-target", "").rpartition(".")[2]
    try:
        request = json.loads(body) if body else {}
    except json.JSONDecodeError:
        return await _answer_of_ministack(method, path, headers, body, query_params)

    if action in _OWN:
        return _OWN[action](request)
    if action == "ListSecrets":
        return _listed(list_secrets(request))
    _, secret = store._resolve(request.get("SecretId"))
    if action in _PLAYED and secret is not None:
        answer = _PLAYED[action](secret, request)
    else:
        answer = _refusal(action, secret, request)
        answer = answer or await _answer_of_ministack(method, path, headers, body, query_params)

    if answer[0] == 200:
        answer = _COMPLETED[action](answer) if action in _COMPLETED else answer
        if action in _RECORDED and secret is not None:
            cloudtrail.send_api_event(action, request, secret["ARN"], headers)
    return answer


def seed(request: Request) -> Answer:
    """Puts secrets into the store as they are described: no call of AWS's could set their dates back."""
    for entry in request["Secrets"]:
        dates = {version: _epoch(date) for version, date in entry["VersionCreatedDates"].items()}
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
            **{name: _epoch(entry[name]) for name in _DATES if name in entry},
        }
    return json_response({"Seeded": len(request["Secrets"])})


def retry(request: Request) -> Answer:
    """Plays AWS, which tries a failed rotation again by itself, all its steps and several times.

    (https://docs.aws.amazon.com/secretsmanager/latest/userguide/rotate-secrets_lambda.html)
    """
    _, secret = store._resolve(request["SecretId"])
    pending = rotation.stuck_version(secret) if secret and secret["RotationEnabled"] else None
    if secret and pending:
        rotation.attempt_again(secret, pending)
    return json_response({"Retried": pending is not None})


def resolve(secret_id: str | None, **scope: Any) -> tuple[str | None, Secret | None]:
    """The secret of an ARN or a name; MiniStack looks at every secret for an ARN, which is long for thousands."""
    if secret_id and secret_id.startswith("arn:"):
        name = secret_id.split(":", 6)[-1].rpartition("-")[0]
        found = store._secrets.get(name)
        if found and found["ARN"] == secret_id:
            return name, found
    return _resolved_by_ministack(secret_id, **scope)


def rotate_secret(secret: Secret, request: Request) -> Answer:
    """RotateSecret: refuse as AWS does, or answer at once and rotate in the background.

    While AWSPENDING is on a version that is not AWSCURRENT the call is refused, and that refusal is also a retry:
    "A previous rotation isn't complete. That rotation will be reattempted." (API reference, RotateSecret).
    """
    if refusal := _unchangeable(secret):
        return refusal
    function_arn = request.get("RotationLambdaARN") or secret.get("RotationLambdaARN")
    if not function_arn:
        return _invalid_request("No Lambda rotation function ARN is associated with this secret.")
    if not rotation.may_invoke(function_arn):
        return error_response_json(
            "AccessDeniedException",
            "Secrets Manager cannot invoke the specified Lambda function. Ensure that the function policy grants "
            "access to the principal secretsmanager.amazonaws.com.",
        )
    if pending := rotation.stuck_version(secret):
        secret["RotationEnabled"] = True
        rotation.attempt_again(secret, pending)
        return _invalid_request("A previous rotation isn't complete. That rotation will be reattempted.")

    now = int(time.time())
    secret["RotationLambdaARN"] = function_arn
    secret["RotationRules"] = request.get("RotationRules") or secret.get("RotationRules")
    secret["RotationEnabled"] = True
    secret["LastChangedDate"] = now
    secret["NextRotationDate"] = rotation.next_rotation(secret, now)
    version_id = request.get("ClientRequestToken") or str(uuid.uuid4())
    if request.get("RotateImmediately", True):
        rotation.begin(secret, version_id)
    else:
        rotation.begin_test(secret, version_id)
    return json_response({"ARN": secret["ARN"], "Name": secret["Name"], "VersionId": version_id})


def cancel_rotate_secret(secret: Secret, request: Request) -> Answer:
    """CancelRotateSecret: automatic rotation is off, and one that is running stops before its next step."""
    if refusal := _unchangeable(secret):
        return refusal
    secret["RotationEnabled"] = False
    secret["LastChangedDate"] = int(time.time())
    return json_response({"ARN": secret["ARN"], "Name": secret["Name"]})


def put_secret_value(secret: Secret, request: Request) -> Answer:
    """PutSecretValue: a label moves to the new value, and a version that has a value is never rewritten.

    MiniStack overwrites a version under the same token, and leaves a label on its old version as well.
    """
    version_id = request.get("ClientRequestToken") or str(uuid.uuid4())
    version = secret["Versions"].get(version_id)
    if version and _has_value(version) and not _unchangeable(secret):
        if any(version.get(key) != request.get(key) for key in ("SecretString", "SecretBinary")):
            return error_response_json(
                "ResourceExistsException",
                f"You can't use ClientRequestToken {version_id} because that value is already in use for a version "
                f"of secret {secret['ARN']}.",
            )
        return _put_answer(secret, version_id)
    kept = list(version["Stages"]) if version else []
    answer = _put_by_ministack({**request, "ClientRequestToken": version_id})
    if answer[0] != 200:
        return answer
    for label in request.get("VersionStages", []):
        if label != "AWSCURRENT":
            store._remove_stage_everywhere(secret, label, except_version_id=version_id)
    for label in kept:
        store._add_stage(secret, version_id, label)
    return _put_answer(secret, version_id)


def _put_answer(secret: Secret, version_id: str) -> Answer:
    stages = list(secret["Versions"][version_id]["Stages"])
    named = {"ARN": secret["ARN"], "Name": secret["Name"]}
    return json_response({**named, "VersionId": version_id, "VersionStages": stages})


def _refusal(action: str, secret: Secret | None, request: Request) -> Answer | None:
    """AWS's refusal of a call that MiniStack would let pass, or None."""
    if secret is None:
        return None
    if action == "GetSecretValue" and not secret.get("DeletedDate"):
        return _refused_read(secret, request)
    if action == "UpdateSecretVersionStage" and not _unchangeable(secret):
        return _refused_move(secret, request)
    return None


def _refused_move(secret: Secret, request: Request) -> Answer | None:
    """A label moves only from the version that holds it, and that has to be named: compare and swap.

    (https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_UpdateSecretVersionStage.html; the words are
    those that people quote who were refused.)
    """
    label, to, away_from = (request.get(key) for key in ("VersionStage", "MoveToVersionId", "RemoveFromVersionId"))
    holder, _ = store._find_stage_version(secret, label)
    if label == "AWSCURRENT" and not to:
        refusal = (
            f"You can only move staging label {label} to a different secret version. It can't be completely removed."
        )
    elif not to or holder in (None, to, away_from) or {to, away_from} - {None, *secret["Versions"]}:
        return None
    elif not away_from:
        refusal = (
            f"The parameter RemoveFromVersionId can't be empty. Staging label {label} is currently attached to version "
            f"{holder}, so you must explicitly reference that version in RemoveFromVersionId."
        )
    else:
        refusal = (
            f"When you move staging label {label}, if you specify RemoveFromVersionId, it must be set to the version "
            f"that currently has the staging label {label}."
        )
    return error_response_json("InvalidParameterException", refusal)


def _refused_read(secret: Secret, request: Request) -> Answer | None:
    version_id, stage = request.get("VersionId"), request.get("VersionStage")
    if version_id:
        version, sought = secret["Versions"].get(version_id), f"VersionId: {version_id}"
    else:
        _, version = store._find_stage_version(secret, stage or "AWSCURRENT")
        sought = f"staging label: {stage or 'AWSCURRENT'}"
    if version and version_id and stage and stage not in version["Stages"]:
        return _invalid_request("You provided a VersionStage that is not associated to the provided VersionId.")
    if version is None or not _has_value(version):
        return error_response_json(
            "ResourceNotFoundException", f"Secrets Manager can't find the specified secret value for {sought}"
        )
    return None


def _without_empty_version(answer: Answer) -> Answer:
    """CreateSecret without a value makes no version; MiniStack makes an empty one and calls it AWSCURRENT."""
    created = json.loads(answer[2])
    _, secret = store._resolve(created["ARN"])
    if secret and not any(_has_value(version) for version in secret["Versions"].values()):
        secret["Versions"].clear()
        del created["VersionId"]
    return json_response(created)


def _described(answer: Answer) -> Answer:
    described = json.loads(answer[2])
    return json_response(described | _rotation_facts(described["ARN"]))


_listings: dict[str, list[str]] = {}


def list_secrets(request: Request) -> Answer:
    """ListSecrets: a listing goes through the names of when it began, and a page costs what is on it.

    MiniStack sorts and filters all secrets anew for each page, 30 ms of it where there are 10 000.
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
    here: Any = {name: secret for name, secret in known if secret is not None}
    everything, store._secrets = store._secrets, here
    try:
        page = json.loads(store._list_secrets({"MaxResults": size, "IncludePlannedDeletion": True})[2])
    finally:
        store._secrets = everything
    if start + size < len(names):
        listing = str(uuid.uuid4())
        _listings[listing] = names
        page["NextToken"] = f"{listing}:{start + size}"
    return json_response(page)


def _listed(answer: Answer) -> Answer:
    page = json.loads(answer[2])
    page["SecretList"] = [entry | _rotation_facts(entry["Name"]) for entry in page["SecretList"]]
    return json_response(page)


def _rotation_facts(secret_id: str) -> dict[str, Any]:
    """What AWS also tells of a secret: dates of rotation only while rotation is on."""
    _, secret = store._resolve(secret_id)
    known = _ALWAYS_KNOWN + (_KNOWN_WHEN_ROTATING if secret["RotationEnabled"] else ())
    return {key: secret[key] for key in known if secret.get(key)}


def _epoch(date: str) -> int:
    return int(datetime.fromisoformat(date).timestamp())


def _has_value(version: dict[str, Any]) -> bool:
    return version.get("SecretString") is not None or version.get("SecretBinary") is not None


def _unchangeable(secret: Secret) -> Answer | None:
    if secret.get("DeletedDate"):
        return _invalid_request(
            "You can't perform this operation on the secret because it was marked for deletion.",
        )
    return store._replica_mutation_error() if store._is_replica(secret) else None


def _invalid_request(message: str) -> Answer:
    return error_response_json("InvalidRequestException", message)


_OWN = {"RotationGuardSeed": seed, "RotationGuardRetry": retry}
"""Actions of the embedded AWS, and of no other."""
_PLAYED = {
    "RotateSecret": rotate_secret,
    "CancelRotateSecret": cancel_rotate_secret,
    "PutSecretValue": put_secret_value,
}
_COMPLETED = {"CreateSecret": _without_empty_version, "DescribeSecret": _described, "ListSecrets": _listed}
