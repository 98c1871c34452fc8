"""The rotation function of the demo secret, which breaks where it is told to.

It follows AWS's template for a rotation function
(https://docs.aws.amazon.com/secretsmanager/latest/userguide/rotate-secrets_lambda-functions.html); there is no database
behind it, so two of its four steps have nothing to do.
"""

from typing import Any

from aws_lambda_powertools import Logger
from aws_lambda_powertools.utilities.typing import LambdaContext

from .adapters import rotating_secret

ACTIONS = rotating_secret.ACTIONS
BREAK_TAG = "rotation-guard:demo-break-at"
"""Tag on the secret that names the step to break at."""

logger = Logger()


class DemoBreak(RuntimeError):
    """The rotation was told to break here."""


@logger.inject_lambda_context
def handler(event: dict[str, Any], context: LambdaContext) -> None:
    """One step of a rotation: `{"Step", "SecretId", "ClientRequestToken"}`. Raises DemoBreak where told to."""
    step, token = event["Step"], event["ClientRequestToken"]
    secret = rotating_secret.RotatingSecret(event["SecretId"], token)
    if "AWSCURRENT" in secret.labels():
        return
    if "AWSPENDING" not in secret.labels():
        raise ValueError(f"version {token} must hold AWSPENDING to be rotated to, it holds {secret.labels()}")
    if secret.tags.get(BREAK_TAG) == step:
        raise DemoBreak(f"told to break at {step} by the tag {BREAK_TAG}")

    logger.info("rotation step", extra={"step": step})
    match step:
        case "createSecret":
            secret.make_pending_value()
        case "finishSecret":
            secret.make_current()
