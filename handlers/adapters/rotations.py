"""The two repairs: start a rotation again, or move AWSCURRENT. Neither reads or writes a value."""

from dataclasses import dataclass

from botocore.exceptions import ClientError

from rotation_guard.domain.secret import DENIED

from .clients import client

ROTATING_ACTIONS = frozenset({"secretsmanager:RotateSecret", "lambda:InvokeFunction"})
"""RotateSecret also asks for permission to invoke the rotation function
(https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_RotateSecret.html)."""
MOVING_ACTIONS = frozenset({"secretsmanager:UpdateSecretVersionStage"})
STARTED = ("started", "reattempted")
"""Results of `rotate` when AWS runs a rotation."""
_UNFINISHED = "previous rotation isn't complete"
_REFUSALS = {
    "InvalidRequestException": "Secrets Manager does not allow it in the secret's current state",
    "InvalidParameterException": "Secrets Manager rejects the request",
    "ResourceNotFoundException": "the secret or its version does not exist",
    **dict.fromkeys(
        DENIED, "access denied: by its own policy, its tags, or a rotation function not in rotationFunctions"
    ),
}


@dataclass(frozen=True)
class Refusal:
    """AWS refused the call, and a retry would not help."""

    code: str
    reason: str
    """Why, without AWS's message."""


def rotate(secret_arn: str) -> str | Refusal:
    """Start a rotation: returns `started`, or `reattempted` if AWS retries an unfinished one.

    The request has the secret's id alone, because rules would change the schedule. Raises ClientError for transient
    errors.
    (https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_RotateSecret.html)
    """
    try:
        client("secretsmanager").rotate_secret(SecretId=secret_arn)
    except ClientError as error:
        if _UNFINISHED in error.response["Error"].get("Message", ""):
            return "reattempted"
        return _translate_refusal(error)
    return "started"


def move_current(secret_arn: str, to: str, away_from: str) -> Refusal | None:
    """Move AWSCURRENT between two versions if it is on the expected one; AWSPREVIOUS follows automatically.

    Raises ClientError for transient errors.
    (https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_UpdateSecretVersionStage.html)
    """
    try:
        client("secretsmanager").update_secret_version_stage(
            SecretId=secret_arn, VersionStage="AWSCURRENT", MoveToVersionId=to, RemoveFromVersionId=away_from
        )
    except ClientError as error:
        return _translate_refusal(error)
    return None


def _translate_refusal(error: ClientError) -> Refusal:
    code = error.response["Error"]["Code"]
    if code not in _REFUSALS:
        raise error
    return Refusal(code, f"{_REFUSALS[code]} ({code})")
