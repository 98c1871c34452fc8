"""Claims the incident of an event: the first step of remediation."""

import json
import random
from datetime import UTC, datetime
from typing import Any

from aws_lambda_powertools import Logger
from aws_lambda_powertools.utilities.typing import LambdaContext

from .adapters import clients, incidents, secrets, standings
from .domain import restarts
from .domain.diagnosis import RESTART_TAG, Described, restarts_on_rotation
from .domain.history import expires_at, iso
from .domain.incidents import OPEN, Claimed, Does, Incident, Outcome, claim_failure, claim_success
from .domain.patience import WORKFLOW_SECONDS
from .domain.rotation import Heard
from .settings import RemediationClaimSettings

ACTIONS = (
    secrets.DESCRIBING_ACTIONS | incidents.CLAIMING_ACTIONS | standings.READING_ACTIONS | standings.WRITING_ACTIONS
)
ATTEMPTS = 5
"""How often to look again when another execution was faster: each loss means that one of them won."""
_SPREAD, _SPREAD_SECONDS = 0.2, 120
"""By how much the first wait is spread, of itself and at most: what fails at once is not to be looked at all at once,
and yet be gathered in one notice where it is held."""

logger = Logger()

Answer = dict[str, Any]


@logger.inject_lambda_context
@clients.bounded_by_timeout
def handler(event: dict[str, Any], context: LambdaContext) -> Answer:
    """Takes what was `heard`, the `execution` and when that `started_at`, and answers the `outcome`.

    `opened` a new incident, whose opening time is when the execution started, so that a step that runs twice claims the
    same one twice; `known`, one is open; `late`, it tells of what is over; `recovered`, a new value ends the open one;
    `moved`, a new value whose dependents are to be restarted; `quiet`, a new value; `unidentified`, no secret is named.
    """
    settings = RemediationClaimSettings.from_env()
    heard, execution, opened_at = Heard(**event["heard"]), event["execution"], event["started_at"]
    if heard.secret_arn is None:
        return _answer("unidentified")
    register = incidents.Incidents(settings.incidents_table_name)
    described = secrets.Secrets().described(heard.secret_arn)
    step = _Claim(
        settings, register, heard, execution, opened_at, described if isinstance(described, Described) else None
    )
    for _ in range(ATTEMPTS):
        try:
            answer = step.again() or (step.failure() if heard.is_failure else step.new_value())
        except incidents.LostRace:
            continue
        logger.info("claimed", extra={"outcome": answer["outcome"], "incident": answer["incident"]})
        return answer
    raise incidents.LostRace(f"{ATTEMPTS} attempts to claim the incident of {heard.secret_arn} lost to others")


class _Claim:
    """One event's claim, with what it rests on."""

    def __init__(
        self,
        settings: RemediationClaimSettings,
        register: incidents.Incidents,
        heard: Heard,
        execution: str,
        opened_at: str,
        described: Described | None,
    ) -> None:
        self._settings, self._register, self._heard = settings, register, heard
        self._execution, self._opened_at, self._described = execution, opened_at, described
        self._arn = heard.secret_arn or ""
        self._standings = standings.Standings(settings.incidents_table_name)
        self._now = datetime.now(UTC)
        self._seconds = int(self._now.timestamp())

    def again(self) -> Answer | None:
        """The answer of this step when it has written its row before and died, whatever has become of that since."""
        begun = self._register.row(self._arn, self._opened_at)
        if begun is None or begun["execution"] != self._execution:
            return None
        if begun["failures"]:
            return self._opened(begun.get("replaces"))
        return self._moved(begun["restarts"], begun["current_version_id"])

    def failure(self) -> Answer:
        """A failure opens an incident, or belongs to one that is open or over."""
        before = self._register.open_for(self._arn)
        latest = None if before else self._register.latest(self._arn)
        if latest and latest.state == OPEN:
            raise incidents.LostRace("another execution opened the incident in between")
        claimed = claim_failure(before, latest, self._heard, self._new_value_at(), self._seconds)
        if claimed.does in (Does.OPENS, Does.REPLACES):
            return self._open(claimed.incident)
        incident = claimed.incident
        if claimed.does is Does.JOINS and incident:
            self._register.add(incident, self._heard)
        return {
            Does.JOINS: lambda: _answer("known", incident),
            Does.IS_LATE: lambda: _answer("late", incident),
        }[claimed.does]()

    def new_value(self) -> Answer:
        """A new value ends what is open; dependents may be waiting for it all the same."""
        self._standings.succeeded(self._arn, self._heard.occurred_at)
        is_stuck = self._described is not None and self._described.secret.pending_version_id is not None
        claimed = claim_success(self._register.open_for(self._arn), self._heard, is_stuck, self._seconds)
        if claimed.does is Does.ENDS and claimed.incident:
            return self._recovered(claimed, claimed.incident)
        if claimed.does is Does.JOINS and claimed.incident:
            self._register.add(claimed.incident, self._heard)
            return _answer("known", claimed.incident)
        return self._passed()

    def _open(self, replaced: Incident | None) -> Answer:
        alive_until = self._seconds + self._settings.settle_minutes * 120 + WORKFLOW_SECONDS
        self._register.open(
            self._heard,
            self._described,
            self._execution,
            self._opened_at,
            alive_until,
            replaced=replaced,
            now=self._now,
            keep_until=expires_at(self._now, self._settings.history_days),
        )
        return self._opened(replaced.opened_at if replaced else None)

    def _opened(self, replaces: str | None) -> Answer:
        """With `replaced`, where there is one: that its workflow died is still to be told."""
        replaced = {"replaced": {"secret_arn": self._arn, "opened_at": replaces}} if replaces else {}
        return _answer("opened", Incident(self._arn, self._opened_at), wait_seconds=self._wait(), **replaced)

    def _recovered(self, claimed: Claimed, incident: Incident) -> Answer:
        if self._described:
            seen = {version: list(labels) for version, labels in self._described.versions.items()}
            # What a probe said belongs to the labels of before.
            self._register.change(self._arn, incident.opened_at, {"versions": seen}, remove=["evidence"])
        ours = claimed.outcome is Outcome.RECOVERED_BY_RETRY
        wanted = self._plan() if ours or self._restarts_on_rotation() else []
        ending = {
            "outcome": claimed.outcome,
            "reason": f"A new value is in use since {self._heard.occurred_at} ({self._heard.kind}).",
            "restarts": wanted,
            "version": self._version(),
        }
        return _answer("recovered", incident, ending=ending)

    def _passed(self) -> Answer:
        """Restarts dependents once for each version, whichever of its two events comes first."""
        version, planned = self._version(), self._plan()
        if not (self._restarts_on_rotation() and self._described and version and planned):
            return _answer("quiet")
        if not self._register.take_version(self._arn, version, self._execution):
            return _answer("quiet")
        moment = int(self._now.timestamp() * 1000)
        self._register.begin_restarts(self._heard, self._described, self._execution, self._opened_at, planned, moment)
        return self._moved(planned, version)

    def _moved(self, restarts: list[dict[str, Any]], version: str) -> Answer:
        ending = {
            "outcome": Outcome.RESTARTED,
            "reason": f"A new value is in use since {self._heard.occurred_at}.",
            "restarts": restarts,
            "version": version,
        }
        return _answer("moved", Incident(self._arn, self._opened_at), ending=ending)

    def _new_value_at(self) -> str:
        """When the secret last got a new value: by what was heard, or by what AWS says of its rotation."""
        rotated = self._described.secret.last_rotated_at if self._described else None
        return max(self._standings.of(self._arn).succeeded_at, iso(rotated) if rotated else "")

    def _version(self) -> str | None:
        return self._described.secret.current_version_id if self._described else self._heard.current_version_id

    def _restarts_on_rotation(self) -> bool:
        return self._described is not None and restarts_on_rotation(self._described.secret)

    def _plan(self) -> list[dict[str, str]]:
        tag = self._described.secret.tags.get(RESTART_TAG, "") if self._described else ""
        return restarts.plan(tag, self._arn, json.loads(self._settings.restart_targets))

    def _wait(self) -> int:
        settle = self._settings.settle_minutes * 60
        spread = min(settle * _SPREAD, _SPREAD_SECONDS)
        return settle + int(spread * random.random())  # noqa: S311 - a spread, not a secret


def _answer(outcome: str, incident: Incident | None = None, **more: Any) -> Answer:
    key = {"secret_arn": incident.secret_arn, "opened_at": incident.opened_at} if incident else None
    return {"outcome": outcome, "incident": key, "wait_seconds": 0, "ending": {}, **more}
