"""The rotation function of the demo secret, which fails at the step that a tag names.

It follows AWS's template for a rotation function
(https://docs.aws.amazon.com/secretsmanager/latest/userguide/rotate-secrets_lambda-functions.html), for a single user:
after setSecret, the password in AWSCURRENT does not work until the rotation is complete.
"""

from typing import Any

from aws_lambda_powertools import Logger
from aws_lambda_powertools.utilities.typing import LambdaContext

from rotation_guard.domain.control_characters import serialize_log_record
from rotation_guard.domain.tags import BREAK_TAG

from ..adapters import clients, demo_database, rotating_secret
from ..environment import DemoDatabaseSettings

ACTIONS = rotating_secret.ACTIONS | demo_database.READING_ACTIONS | demo_database.WRITING_ACTIONS

logger = Logger(json_serializer=serialize_log_record)


class DemoBreak(RuntimeError):
    """The secret's tag makes this step fail."""


class LoginRefused(RuntimeError):
    """The database rejects the password that was set."""


@logger.inject_lambda_context
@clients.bounded_by_timeout
def handler(event: dict[str, Any], context: LambdaContext) -> None:
    """Runs one step of a rotation: `{"Step", "SecretId", "ClientRequestToken"}`.

    Raises DemoBreak at the step in the tag, and LoginRefused if the pending password does not work.
    """
    step, token = event["Step"], event["ClientRequestToken"]
    secret = rotating_secret.RotatingSecret(event["SecretId"], token)
    if "AWSCURRENT" in secret.labels():
        return
    if "AWSPENDING" not in secret.labels():
        raise ValueError(f"version {token} must have AWSPENDING to be rotated to, got {secret.labels()}")
    if secret.tags.get(BREAK_TAG) == step:
        raise DemoBreak(f"the tag {BREAK_TAG} makes {step} fail")

    logger.info("rotation step", extra={"step": step})
    database = demo_database.DemoDatabase(DemoDatabaseSettings.from_env().demo_database_parameter_name)
    match step:
        case "createSecret":
            secret.make_pending_value()
        case "setSecret":
            database.set_password(secret.pending_password())
        case "testSecret":
            if not database.accepts(secret.pending_password()):
                raise LoginRefused("the database rejects the pending password")
        case "finishSecret":
            secret.make_current()
