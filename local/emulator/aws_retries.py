"""AWS tries a failed rotation again by itself; here it does so when it is told to.

Otherwise a story would have to wait for it, or could not do without it.
"""

from ..aws import Aws
from ..errors import LocalError
from . import api

RETRY = "RotationGuardRetry"
"""Action of the embedded AWS, and of no other: runs the rotation once more that a secret is stuck in."""


def retry(aws: Aws, secret_id: str) -> None:
    """Let AWS try the failed rotation of this secret, by ARN or name, once more; it does so in the background.

    Raises LocalError when no rotation of it has failed, or its rotation is off.
    """
    if not api.ask(aws, RETRY, {"SecretId": secret_id})["Retried"]:
        raise LocalError(f"AWS has no rotation of {secret_id} to try again: none has failed, or its rotation is off.")
