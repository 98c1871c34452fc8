"""The probe of the demo secret: tells which version opens what the demo takes for a database.

It is what a user's own probe would be; those in examples/probe/ log in to something real.
"""

from typing import Any

from aws_lambda_powertools import Logger
from aws_lambda_powertools.utilities.typing import LambdaContext

from rotation_guard.domain.control_characters import serialize_log_record

from ..adapters import clients, demo_database, rotating_secret
from ..environment import DemoDatabaseSettings

ACTIONS = rotating_secret.READING_ACTIONS | demo_database.READING_ACTIONS

logger = Logger(json_serializer=serialize_log_record)


@logger.inject_lambda_context
@clients.bounded_by_timeout
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, bool]:
    """Whether the version works that `{"SecretId", "VersionId", "VersionStage"}` name.

    Raises ClientError where it cannot be read, which says neither yes nor no.
    """
    password = rotating_secret.password(event["SecretId"], event["VersionId"], event["VersionStage"])
    database = demo_database.DemoDatabase(DemoDatabaseSettings.from_env().demo_database_parameter_name)
    works = database.takes(password)
    logger.info("looked", extra={"label": event["VersionStage"], "works": works})
    return {"works": works}
