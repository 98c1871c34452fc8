"""Claims the incident of a failed rotation: the first step of remediation."""

from datetime import UTC, datetime
from typing import Any

from aws_lambda_powertools import Logger
from aws_lambda_powertools.utilities.typing import LambdaContext

from .adapters import incidents, secrets
from .domain.history import expires_at
from .domain.incidents import Add, OpenNew, Resume, Supersede, claim
from .events import parse
from .settings import RemediationClaimSettings

ACTIONS = secrets.DESCRIBING_ACTIONS | incidents.CLAIMING_ACTIONS
ATTEMPTS = 5
"""How often to look again when another execution was faster: each loss means that one of them won."""

logger = Logger()


@logger.inject_lambda_context
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Answers the `outcome`: `opened`, `known` when people were told already, or `unidentified` without a secret.

    The input is the `event`, the `execution` and when that `started_at`, which becomes the incident's opening time, so
    that a step that runs twice claims the same incident twice.
    """
    settings = RemediationClaimSettings.from_env()
    failure = parse(event["event"])
    execution, opened_at = event["execution"], event["started_at"]
    if failure.secret_arn is None:
        return {"outcome": "unidentified", "incident": {"opened_at": None, "versions": None}}
    register = incidents.Incidents(settings.incidents_table_name)
    secret = secrets.Secrets().state(failure.secret_arn)
    versions = {version: list(labels) for version, labels in secret.versions.items()} if secret else None

    for _ in range(ATTEMPTS):
        try:
            match claim(register.open_for(failure.secret_arn), execution, failure, secret):
                case OpenNew():
                    register.open(failure, secret, execution, opened_at)
                case Supersede(before):
                    now = datetime.now(UTC)
                    expiry = expires_at(now, settings.history_days)
                    register.supersede(before, failure, secret, execution, opened_at, now, expiry)
                case Resume():
                    logger.info("claimed by this execution before")
                case Add(before):
                    is_new = register.add(before, failure)
                    logger.info("incident is open already", extra={"opened_at": before.opened_at, "counted": is_new})
                    return {"outcome": "known", "incident": {"opened_at": before.opened_at, "versions": versions}}
        except incidents.LostRace:
            continue
        logger.info("incident opened", extra={"secret_arn": failure.secret_arn, "opened_at": opened_at})
        return {"outcome": "opened", "incident": {"opened_at": opened_at, "versions": versions}}
    raise incidents.LostRace(f"{ATTEMPTS} attempts to claim the incident of {failure.secret_arn} lost to others")
