"""Triggers AWS's own retry of a failed rotation, which the embedded AWS never starts by itself.

So scenarios can run both with and without such a retry, and need not wait for it.
"""

from ..aws import Aws
from ..errors import LocalError
from . import api

RETRY = "RotationGuardRetry"
"""An action of the embedded AWS only: retries a secret's unfinished rotation."""


def retry(aws: Aws, secret_id: str) -> None:
    """Let AWS retry the failed rotation of this secret, by ARN or name, in the background.

    Raises LocalError when no rotation of it has failed, or its rotation is off.
    """
    if not api.call_action(aws, RETRY, {"SecretId": secret_id})["Retried"]:
        raise LocalError(f"AWS has no rotation of {secret_id} to retry: none has failed, or its rotation is off.")
