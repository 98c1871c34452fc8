"""Moves AWSCURRENT to a version that was proven to work, away from one that was proven not to."""

from datetime import UTC, datetime
from typing import Any

from aws_lambda_powertools import Logger
from aws_lambda_powertools.utilities.typing import LambdaContext

from .adapters import clients, incidents, rotations, secrets
from .domain.diagnosis import Described
from .domain.history import iso
from .domain.incidents import OPEN
from .settings import RemediationActSettings

ACTIONS = rotations.MOVING_ACTIONS | secrets.DESCRIBING_ACTIONS | incidents.LOOKING_ACTIONS | incidents.NOTING_ACTIONS

logger = Logger()

Row = dict[str, Any]


@logger.inject_lambda_context
@clients.bounded_by_timeout
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Makes the move of the `decision`, `from` one version `to` another, once in the life of an incident.

    Answers `moved`; `lost`, when AWSCURRENT was no more where it was thought to be, and is to be diagnosed again;
    `refused` with the `reason`; or `over`. It is written down before it is done, and a step that died in between looks
    where the label is: a second move of the same kind would turn the first one round.
    """
    settings = RemediationActSettings.from_env()
    arn, opened_at = event["incident"]["secret_arn"], event["incident"]["opened_at"]
    wanted = {name: event["decision"][name] for name in ("how", "from", "to")}
    register = incidents.Incidents(settings.incidents_table_name)
    row = register.row(arn, opened_at)
    if row is None or row["state"] != OPEN:
        return {"outcome": "over", "reason": ""}
    resumed = row.get("moved")
    if resumed is not None and {name: resumed[name] for name in wanted} != wanted:
        return {"outcome": "lost", "reason": ""}  # One move in the life of an incident: another was made.
    if resumed is None and not register.change(
        arn,
        opened_at,
        {"moved": {**wanted, "outcome": "asked", "at": iso(datetime.now(UTC))}},
        {"action": wanted["how"], "at": iso(datetime.now(UTC)), **_ends(wanted), "outcome": "asked"},
        condition="#state = :open AND attribute_not_exists(#moved)",
        values={":open": OPEN},
        names=["state"],
    ):
        return {"outcome": "over", "reason": ""}
    refused = None
    if resumed is None or _current(arn) != wanted["to"]:
        refused = rotations.move_current(arn, wanted["to"], wanted["from"])
    answer = {"outcome": "moved", "reason": ""} if refused is None else _not_moved(arn, wanted, refused)
    _write_down(register, arn, opened_at, wanted, answer, resumed)
    logger.info("moved AWSCURRENT", extra={"secret_arn": arn, **_ends(wanted), "outcome": answer["outcome"]})
    return answer


def _not_moved(arn: str, wanted: Row, refused: rotations.Refused) -> dict[str, Any]:
    """What a refusal means: our own move, somebody else's, or a no."""
    current = _current(arn)
    if current == wanted["to"]:
        # An answer that is lost on the way is asked for again, by this step or by boto3, and refused as it is done.
        return {"outcome": "moved", "reason": ""}
    if current != wanted["from"]:
        return {"outcome": "lost", "reason": ""}
    return {"outcome": "refused", "reason": f"UpdateSecretVersionStage was refused: {refused.reason}."}


def _write_down(
    register: incidents.Incidents, arn: str, opened_at: str, wanted: Row, answer: dict[str, Any], resumed: Row | None
) -> None:
    """Notes what came of it. A move that may have been made, and was lost since, stays the one of this incident."""
    now = iso(datetime.now(UTC))
    outcome = answer["reason"] or {"moved": "done", "lost": "lost the race"}[answer["outcome"]]
    action = {"action": wanted["how"], "at": now, **_ends(wanted), "outcome": outcome}
    if answer["outcome"] == "moved":
        register.change(arn, opened_at, {"moved": {**wanted, "outcome": "done", "at": now}}, action)
    else:
        may_have_moved = resumed is not None and answer["outcome"] == "lost"
        register.change(arn, opened_at, {}, action, remove=[] if may_have_moved else ["moved"])


def _ends(wanted: Row) -> dict[str, str]:
    return {"from": wanted["from"], "to": wanted["to"]}


def _current(arn: str) -> str | None:
    found = secrets.Secrets().described(arn)
    return found.secret.current_version_id if isinstance(found, Described) else None
