"""The probe of the demo secret: tests whether a version's password works in the demo's database.

Probes in examples/probe/ log in to real systems.
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
    """Tests the version in `{"SecretId", "VersionId", "VersionStage"}`.

    Raises ClientError if it cannot be read, which proves nothing.
    """
    password = rotating_secret.read_password(event["SecretId"], event["VersionId"], event["VersionStage"])
    database = demo_database.DemoDatabase(DemoDatabaseSettings.from_env().demo_database_parameter_name)
    works = database.accepts(password)
    logger.info("tested", extra={"label": event["VersionStage"], "works": works})
    return {"works": works}
