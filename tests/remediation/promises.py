"""What must hold whatever happens, said about the model and what was asked of it, and not about our code."""

import json
from collections import Counter, defaultdict
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from tests.remediation.clock import stamp
from tests.remediation.journal import Action, Key, Knowledge
from tests.remediation.secrets_manager import CURRENT
from tests.remediation.states import FAILED, Execution

if TYPE_CHECKING:
    from tests.remediation.world import World

RECOVERED = ("recovered by AWS", "recovered by retry")
OUTCOMES = (*RECOVERED, "rolled forward", "fallen back", "escalated", "held", "restarted")
TURNS = {"escalated": "escalated", "held": "held_burst", "restarted": "restarted"}
"""Outcome -> the turn at which people are told of it, where that is not `recovered`."""
NOTICES, CRITICAL = (f"arn:aws:sns:eu-west-1:123456789012:{name}" for name in ("remediation", "critical"))
HOUR = timedelta(hours=1)
DECISIONS_BEYOND_RETRIES = 12
ROTATION_WINDOW = timedelta(days=1)


class Promises:
    """Each method raises AssertionError for a promise that was broken."""

    def __init__(self, world: "World") -> None:
        self._world = world

    # --- at each change of a secret that we ask for ---

    def acted(self, action: Action, known: Knowledge) -> None:
        """An action rests on what its execution was told: tags, proofs, the switch."""
        secret = self._world.secrets_manager.secrets[action.incident[0]]
        asked, tag = action.asked, known.tags.get("rotation-guard:remediation", "")
        assert asked["SecretId"] == secret.arn
        assert known.is_touchable, f"untouchable: {action}"
        assert known.switch == "go", f"the switch said {known.switch}: {action}"
        if action.kind == "rotate_secret":
            assert set(asked) == {"SecretId"}
            assert tag in ("retry", "repair")
            assert self._world.settings.mode in ("retry", "repair")
            return
        assert tag == self._world.settings.mode == "repair"
        assert set(asked) == {"SecretId", "VersionStage", "MoveToVersionId", "RemoveFromVersionId"}
        assert asked["VersionStage"] == CURRENT
        assert known.proofs.get(asked["MoveToVersionId"]) is True, f"not proven: {action} {known.proofs}"
        assert known.proofs.get(asked["RemoveFromVersionId"]) is False, f"not disproved: {action} {known.proofs}"

    # --- after every step ---

    def always(self) -> None:
        """What holds at any moment."""
        assert not self._world.journal.strange, self._world.journal.strange
        for secret in self._world.secrets_manager.secrets.values():
            assert secret.labels[CURRENT] in secret.versions
        self._one_open_incident()
        self._few_actions()

    def _one_open_incident(self) -> None:
        still_open = Counter(row["secret_arn"] for row in self._world.rows() if row["state"] == "open")
        assert all(number == 1 for number in still_open.values()), still_open
        claims = {
            arn.removeprefix("open#") for arn, _ in self._world.tables.items.get("incidents", {}) if "open#" in arn
        }
        assert claims == set(still_open)

    def _few_actions(self) -> None:
        journal, settings = self._world.journal, self._world.settings
        deaths = Counter((death.incident, death.step) for death in journal.deaths)
        by_incident: dict[Key, list[Action]] = defaultdict(list)
        for action in journal.actions:
            by_incident[action.incident].append(action)
        for incident, actions in by_incident.items():
            moves = [one for one in actions if one.kind != "rotate_secret" and not one.refused]
            assert len(moves) <= 1, moves
            rotations = [one for one in actions if one.kind == "rotate_secret"]
            assert len({one.number for one in rotations}) <= settings.max_retries
            assert len(rotations) <= settings.max_retries + deaths[incident, "retry"]
        # One that is repeated because its function died is the same action.
        decided = {(one.incident, one.kind, one.number): one.decided_at for one in journal.actions}
        moments = sorted(moment.replace(microsecond=0) for moment in decided.values())
        for moment in moments:
            within = [one for one in moments if moment <= one < moment + HOUR]
            assert len(within) <= settings.max_actions_per_hour, within

    # --- when everything is over ---

    def at_the_end(self) -> None:
        """What holds once no execution runs any more."""
        self.always()
        assert not self._world.running
        for execution in self._world.executions.values():
            self._ended(execution)
        for row in self._world.rows():
            self._closed(row)
        self._heard()
        self._restarted()
        self._kept_to_itself()

    def _ended(self, execution: Execution) -> None:
        assert execution.error in ("", "Escalated", "StepFailed"), execution
        most = self._world.settings.max_retries + DECISIONS_BEYOND_RETRIES
        assert execution.trail.count("Move") + execution.trail.count("Retry") <= 3 * most
        if execution.error == "StepFailed":
            assert self._critical(execution) or self._is_doomed(execution), "a step failed for good, and nobody heard"

    def _closed(self, row: dict[str, Any]) -> None:
        """An incident has ended, and was told of when it began and when it ended."""
        own = [one for one in self._world.executions.values() if one.arn in (row["execution"], row.get("ended_by"))]
        gave_up = any(one.error == "StepFailed" for one in own)
        if row["state"] != "closed":
            # Who was to close it has died, and the topic was told; the next failure closes it.
            assert gave_up, row
            return
        assert row["outcome"] in OUTCOMES, row
        if row["failures"]:
            self._told_once(row, "opened", NOTICES, gave_up)
        if "ended_by" not in row:
            return  # Its workflow had died, and the next failure has closed it.
        self._told_once(row, TURNS.get(row["outcome"], "recovered"), NOTICES, gave_up)
        if row["outcome"] == "escalated":
            self._told_once(row, "escalated", CRITICAL, gave_up)
            [by] = [one for one in own if one.arn == row["ended_by"]]
            assert by.status == FAILED, (by, row)

    def _told_once(self, row: dict[str, Any], turn: str, topic: str, gave_up: bool) -> None:
        """Told once of a turn, and once more at most for each time that the function died after it had."""
        incident = (row["secret_arn"], row["opened_at"])
        journal = self._world.journal
        told = [one for one in journal.notices if one.topic == topic and one.turn == turn and incident in one.about]
        deaths = [one for one in journal.deaths if one.turn == turn and topic in one.published]
        repeats = [one for one in deaths if turn == "held_burst" or one.incident == incident]
        doomed = {execution for execution, step in self._world.doomed if step == "notify"}
        by = {one.name for one in self._world.executions.values() if one.arn in (row["execution"], row.get("ended_by"))}
        least = 0 if gave_up or doomed & by else 1
        assert least <= len(told) <= 1 + len(repeats), (turn, topic, told, row)

    def _critical(self, execution: Execution) -> bool:
        notices = self._world.journal.notices
        return any(one.execution == execution.name and one.topic == CRITICAL for one in notices)

    def _is_doomed(self, execution: Execution) -> bool:
        """Whether not even the topic could be told."""
        return (execution.name, "publish") in self._world.doomed

    def _heard(self) -> None:
        """A failure that was delivered is in an incident, or in what an incident or a new value is about."""
        for event in self._world.events:
            if not event.is_failure or not event.deliveries:
                continue
            secret = self._world.secrets_manager.secrets[event.secret_arn]
            if any(event.occurred_at < stamp(moment) for moment in self._new_values(secret)):
                continue
            rows = self._world.rows(secret)
            is_heard = any(
                event.identity in row.get("event_ids", ())
                or event.occurred_at < row.get("last_failure_at", "")
                or (event.rotation in row.get("rotation_ids", ()) and self._told(event.occurred_at, row))
                for row in rows
            )
            executions = [one for one in self._world.executions.values() if event.identity in one.given]
            assert is_heard or any(one.error == "StepFailed" for one in executions), (event, rows)

    def _told(self, occurred_at: str, row: dict[str, Any]) -> bool:
        """Whether people know of the rotation's failure: an incident that recovered by itself says that it is over."""
        if row.get("outcome") in RECOVERED:
            return False
        last = datetime.fromisoformat(row["last_failure_at"])
        return datetime.fromisoformat(occurred_at) < last + ROTATION_WINDOW

    def _new_values(self, secret: Any) -> list[datetime]:
        return [*secret.moved_at, *([secret.last_rotated_at] if secret.last_rotated_at else [])]

    def _restarted(self) -> None:
        """Dependents were restarted once for an incident, and only when AWSCURRENT has moved."""
        began = Counter((incident, target) for _, incident, target in self._world.journal.restarts)
        for (incident, target), number in began.items():
            if target.startswith("restart-"):
                continue  # An automation is one by its token, however often it is asked for.
            assert number == 1, (incident, target, number)
        for (arn, _), _ in began:
            assert self._world.secrets_manager.secrets[arn].moved_at
        starts = Counter(target for target in self._world.ssm.started.values())
        incidents = {incident for _, incident, target in self._world.journal.restarts if target.startswith("restart-")}
        assert starts.total() <= len(incidents)

    def _kept_to_itself(self) -> None:
        """No value of a secret, and no text of others, is anywhere that we write to."""
        world = self._world
        written = [world.topics.published, world.bus.put, list(world.tables.items.get("incidents", {}).values())]
        written.append([one.given for one in world.executions.values()])
        assert "CANARY" not in json.dumps(written)

    def nothing_changes(self) -> "Unchanged":
        """Holds what comes within it to changing nothing and telling nobody."""
        return Unchanged(self._world)


class Unchanged:
    """What is the same before and after."""

    def __init__(self, world: "World") -> None:
        self._world = world

    def __enter__(self) -> None:
        self._before = self._state()

    def __exit__(self, *error: object) -> None:
        if error == (None, None, None):
            assert self._state() == self._before

    def _state(self) -> str:
        world = self._world
        items = world.tables.items.get("incidents", {})
        rows = {" ".join(key): stored for key, stored in sorted(items.items())}
        counts = [len(world.topics.published), len(world.bus.put), len(world.journal.actions), len(world.executions)]
        return json.dumps([rows, counts, len(world.journal.restarts)], sort_keys=True)
