"""What may be done to a rotation: asked for again, or a label moved. Nothing else, and never with a value."""

from dataclasses import dataclass

from botocore.exceptions import ClientError

from rotation_guard.domain.secret import DENIED

from .clients import client

ROTATING_ACTIONS = frozenset({"secretsmanager:RotateSecret", "lambda:InvokeFunction"})
"""RotateSecret also asks for permission to invoke the rotation function
(https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_RotateSecret.html)."""
MOVING_ACTIONS = frozenset({"secretsmanager:UpdateSecretVersionStage"})
STARTED = ("started", "reattempted")
"""What `rotate` answers where AWS carries a rotation out."""
_UNFINISHED = "previous rotation isn't complete"
_REFUSALS = {
    "InvalidRequestException": "Secrets Manager cannot do it to this secret as it is now",
    "InvalidParameterException": "Secrets Manager does not take the request",
    "ResourceNotFoundException": "the secret or its version is gone",
    **dict.fromkeys(
        DENIED, "access denied: by its own policy, its tags, or a rotation function not in rotationFunctions"
    ),
}


@dataclass(frozen=True)
class Refused:
    """AWS says no, and would say so again."""

    code: str
    reason: str
    """Why, in words of ours."""


def rotate(secret_arn: str) -> str | Refused:
    """Asks for a rotation: `started`, or `reattempted` where one was unfinished, which AWS then tries again.

    With the secret's id alone: any rule would change the schedule. Raises ClientError for passing troubles.
    (https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_RotateSecret.html)
    """
    try:
        client("secretsmanager").rotate_secret(SecretId=secret_arn)
    except ClientError as error:
        if _UNFINISHED in error.response["Error"].get("Message", ""):
            return "reattempted"
        return _refused(error)
    return "started"


def move_current(secret_arn: str, to: str, away_from: str) -> Refused | None:
    """Moves AWSCURRENT between two versions, if it is where it is thought to be; AWSPREVIOUS follows by itself.

    Raises ClientError for passing troubles.
    (https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_UpdateSecretVersionStage.html)
    """
    try:
        client("secretsmanager").update_secret_version_stage(
            SecretId=secret_arn, VersionStage="AWSCURRENT", MoveToVersionId=to, RemoveFromVersionId=away_from
        )
    except ClientError as error:
        return _refused(error)
    return None


def _refused(error: ClientError) -> Refused:
    code = error.response["Error"]["Code"]
    if code not in _REFUSALS:
        raise error
    return Refused(code, f"{_REFUSALS[code]} ({code})")
