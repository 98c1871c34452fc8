"""What must hold whatever happens, said about the model and what was asked of it, and not about our code."""

import json
from collections import Counter, defaultdict
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from tests.remediation.clock import stamp
from tests.remediation.event_log import Action, Key, Knowledge
from tests.remediation.events import Happened
from tests.remediation.secrets_manager import CURRENT
from tests.remediation.states import Execution

if TYPE_CHECKING:
    from tests.remediation.world import World

RECOVERED = ("recovered by AWS", "recovered by retry")
OUTCOMES = (*RECOVERED, "rolled forward", "fallen back", "escalated", "held", "restarted", "resolved")
TURNS = {"escalated": "escalated", "held": "held_burst", "restarted": "restarted", "resolved": "resolved"}
"""Outcome -> the turn at which people are told of it, where that is not `recovered`."""
NOTICES, CRITICAL = (f"arn:aws:sns:eu-west-1:123456789012:{name}" for name in ("remediation", "critical"))
HOUR = timedelta(hours=1)
DECISIONS_BEYOND_RETRIES = 12
UNTRIED = ("notify", "untouchable", "stopped", "held", "test only", "orphaned")
"""Rules by which an incident ends without a try."""
ROTATION_WINDOW = timedelta(days=1)


class Invariants:
    """Each method raises AssertionError for a promise that was broken."""

    def __init__(self, world: "World") -> None:
        self._world = world

    # --- at each change of a secret that we ask for ---

    def acted(self, action: Action, known: Knowledge) -> None:
        """An action is based on what its execution has read: tags, proofs, the switch."""
        secret = self._world.secrets_manager.secrets[action.incident[0]]
        asked, tag = action.asked, known.tags.get("rotation-guard:remediation", "")
        assert asked["SecretId"] == secret.arn
        assert known.is_touchable, f"untouchable: {action}"
        assert known.switch == "go", f"the switch said {known.switch}: {action}"
        assert self._is_open_at(known.asked_at), f"outside the change window: {action}"
        assert not self._is_of_a_test(action), f"nothing was rotated: {action}"
        assert self._failed_before(action) < self._world.settings.breaker_threshold, f"given up: {action}"
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
        is_allowed = asked["MoveToVersionId"] == known.pending or known.tags.get("rotation-guard:fallback") == "allowed"
        assert is_allowed, f"fell back: {action}"

    def _is_open_at(self, moment: datetime | None) -> bool:
        """Whether the change window is open; on which days is left to its own tests."""
        window = self._world.settings.change_window
        if moment is None or not window or "days" in window:
            return moment is not None
        now, start, end = f"{moment:%H:%M}", window["start"], window["end"]
        return start <= now < end if start < end else now >= start or now < end

    def _is_of_a_test(self, action: Action) -> bool:
        """Whether nothing was heard but that tests of a rotation failed."""
        [row] = [each for each in self._world.rows() if (each["secret_arn"], each["opened_at"]) == action.incident]
        own = [event for event in self._world.events if event.identity in row["event_ids"] and event.is_failure]
        return all(event.kind == "TestRotationFailed" for event in own)

    def _failed_before(self, action: Action) -> int:
        """How many incidents in a row came to nothing before this one, though tried, without a verified success.

        What is verified is known by the database and by AWS, whatever anybody was told. A probe that says of a broken
        version that it works is beyond what can be noticed.
        """
        world, (arn, opened_at) = self._world, action.incident
        if arn in world.functions.lies:
            return 0
        verified = [*world.secrets_manager.secrets[arn].verified_at, *filter(None, [world.released.get(arn)])]
        # What is written down of a success is some seconds later, and has whole seconds.
        since = stamp(max(verified) + timedelta(seconds=5)) if verified else ""
        escalated = [row for row in world.rows() if row["secret_arn"] == arn and was_escalated(row)]
        failed = [row for row in escalated if row["failures"] and row.get("rule", UNTRIED[0]) not in UNTRIED]
        return sum(since < row["last_failure_at"] and row["opened_at"] < opened_at for row in failed)

    # --- after every step ---

    def always(self) -> None:
        """What holds at any moment."""
        assert not self._world.event_log.strange, self._world.event_log.strange
        for secret in self._world.secrets_manager.secrets.values():
            assert secret.labels[CURRENT] in secret.versions
        self._one_open_incident()
        self._listed_as_unfinished()
        self._few_actions()

    def _listed_as_unfinished(self) -> None:
        """Whatever is not closed is found by the next audit, should everybody die now."""
        items = self._world.tables.items.get("incidents", {})
        listed = {row["opened_at"]["S"] for (arn, _), row in items.items() if arn == "unfinished"}
        states = {f"{arn}#{opened_at}": row["state"]["S"] for (arn, opened_at), row in items.items() if "state" in row}
        assert {key for key, state in states.items() if state != "closed"} <= listed

    def _one_open_incident(self) -> None:
        items = self._world.tables.items.get("incidents", {})
        rows = [arn for (arn, _), stored in items.items() if stored.get("state") == {"S": "open"}]
        claims = [arn.removeprefix("open#") for arn, _ in items if arn.startswith("open#")]
        assert sorted(rows) == sorted(claims)
        assert len(set(rows)) == len(rows), rows

    def _few_actions(self) -> None:
        event_log, settings = self._world.event_log, self._world.settings
        if not event_log.actions:
            return
        deaths = Counter((death.incident, death.step) for death in event_log.deaths)
        by_incident: dict[Key, list[Action]] = defaultdict(list)
        for action in event_log.actions:
            by_incident[action.incident].append(action)
        for incident, actions in by_incident.items():
            moves = [each for each in actions if each.kind != "rotate_secret" and not each.refused]
            assert len(moves) <= 1, moves
            rotations = [each for each in actions if each.kind == "rotate_secret"]
            assert len({rotation.number for rotation in rotations}) <= settings.max_retries
            assert len(rotations) <= settings.max_retries + deaths[incident, "retry"]
        # One that is repeated because its function died is the same action.
        decided = {(each.incident, each.kind, each.number): each.decided_at for each in event_log.actions}
        moments = sorted(moment.replace(microsecond=0) for moment in decided.values())
        for moment in moments:
            within = [each for each in moments if moment <= each < moment + HOUR]
            assert len(within) <= settings.max_actions_per_hour, within

    # --- when everything is over ---

    def at_the_end(self) -> None:
        """What holds once no execution runs any more, and audits have found whatever was left behind."""
        self.always()
        assert not self._world.running
        self._world.audit_until_finished()
        self.always()
        items = self._world.tables.items.get("incidents", {})
        assert not [key for arn, key in items if arn == "unfinished"]
        for execution in self._world.executions.values():
            self._ended(execution)
        for row in self._world.rows():
            self._closed(row)
        self._heard()
        self._restarted()
        self._kept_to_itself()

    def _ended(self, execution: Execution) -> None:
        # One that was told ends well: an alarm on those that failed would page for it once more.
        assert execution.error in ("", "StepFailed", "Aborted"), execution
        most = self._world.settings.max_retries + DECISIONS_BEYOND_RETRIES
        assert execution.trail.count("Move") + execution.trail.count("Retry") <= 3 * most
        if execution.error == "StepFailed":
            published = self._critical(execution) or self._shares_notice(execution)
            assert published or self._is_doomed(execution), "a step failed for good, and nobody heard"

    def _closed(self, row: dict[str, Any]) -> None:
        """An incident has ended, and was told of when it began and when it ended."""
        assert row["state"] == "closed", row
        assert row["outcome"] in OUTCOMES, row
        if row["failures"]:
            self._check_published_once(row, "opened", NOTICES)
        if row["outcome"] in RECOVERED:
            # A failure after the new value is news, however late the step came that closed the incident.
            values = self._new_values(self._world.secrets_manager.secrets[row["secret_arn"]])
            assert any(stamp(moment) >= row["last_failure_at"] for moment in values), row
        if was_escalated(row):
            self._check_published_once(row, "escalated", CRITICAL)
            self._check_published_once(row, "escalated", NOTICES)
        self._check_published_once(row, TURNS.get(row["outcome"], "recovered"), NOTICES)
        if row["outcome"] == "resolved":
            self._check_published_once(row, "resolved", CRITICAL)

    def _check_published_once(self, row: dict[str, Any], turn: str, topic: str) -> None:
        """A transition is published once, and at most once more for each time that the function died afterwards."""
        incident = (row["secret_arn"], row["opened_at"])
        event_log = self._world.event_log
        published = [
            notice
            for notice in event_log.notices
            if notice.topic == topic and notice.turn == turn and incident in notice.about
        ]
        deaths = [death for death in event_log.deaths if death.turn == turn and topic in death.published]
        repeats = [death for death in deaths if turn == "held_burst" or death.incident == incident]
        assert self._least(row, turn) <= len(published) <= 1 + len(repeats), (turn, topic, published, row)

    def _least(self, row: dict[str, Any], turn: str) -> int:
        """How often it has to be told: its end always, and not what was overtaken by it before it could be told."""
        if turn != "opened" and (turn != "escalated" or row["outcome"] != "resolved"):
            return 1
        incident = (row["secret_arn"], row["opened_at"])
        died = any(death.incident == incident and death.turn == turn for death in self._world.event_log.deaths)
        gave_up = any(
            teller.error in ("Aborted", "StepFailed") or "PublishLastResort" in teller.trail
            for teller in self._tellers(row)
        )
        return 0 if died or gave_up else 1

    def _tellers(self, row: dict[str, Any]) -> list[Execution]:
        """The executions that have something to tell of an incident: its own, and who ended it."""
        arns = {row["execution"], row.get("ended_by")}
        return [execution for execution in self._world.executions.values() if execution.arn in arns]

    def _critical(self, execution: Execution) -> bool:
        notices = self._world.event_log.notices
        return any(notice.execution == execution.name and notice.topic == CRITICAL for notice in notices)

    def _shares_notice(self, execution: Execution) -> bool:
        """Whether another execution has told, within an hour, that there may be more of its kind."""
        notices = [
            notice for notice in self._world.event_log.notices if notice.topic == CRITICAL and notice.step == "publish"
        ]
        # Whoever fails at the end of the hour looks for the notice of its beginning a little later.
        near = HOUR + timedelta(minutes=5)
        return any(
            abs(notice.at - execution.due) < near and "list-executions" in notice.asked["Message"] for notice in notices
        )

    def _is_doomed(self, execution: Execution) -> bool:
        """Whether not even the last resort could publish."""
        return (execution.name, "publish") in self._world.died_for_good

    def _heard(self) -> None:
        """A failure that was delivered is in an incident, or in what an incident or a new value is about."""
        for event in self._world.events:
            if not event.is_failure or not event.deliveries:
                continue
            secret = self._world.secrets_manager.secrets[event.secret_arn]
            if any(event.occurred_at < stamp(moment) for moment in self._new_values(secret)):
                continue
            rows = self._world.rows(secret)
            is_heard = any(self._is_reported_in(event, row) for row in rows if row["failures"])
            executions = [
                execution for execution in self._world.executions.values() if event.identity in execution.given
            ]
            is_told = any(
                execution.error in ("StepFailed", "Aborted") or "PublishLastResort" in execution.trail
                for execution in executions
            )
            assert is_heard or is_told, (event, rows)

    def _is_reported_in(self, event: Happened, row: dict[str, Any]) -> bool:
        """Whether people know of this failure from what they were told of an incident."""
        if event.identity in row["event_ids"]:
            return True
        if row["event_type"] == "TestRotationFailed" != event.kind:
            return False
        if event.occurred_at < row["last_failure_at"]:
            return True
        if row.get("outcome") in (*RECOVERED, "held"):
            return False  # They were told that all is well, or that nothing was done.
        if row.get("outcome") == "resolved":
            return event.occurred_at <= row["resolved_at"]
        if row.get("outcome") == "escalated" and event.occurred_at < row["closed_at"]:
            return True
        last = datetime.fromisoformat(row["last_failure_at"])
        is_unresolved = row.get("outcome") == "escalated" and row.get("rule") != "stopped"
        is_repeat = event.rotation in row.get("rotation_ids", ())
        if event.kind == "Rotation Stuck":
            # Of a secret that could not be described nobody knows which version is pending.
            version = event.body["detail"]["versionId"]
            is_repeat = not row["versions"] or "AWSPENDING" in row["versions"].get(version, ())
        return is_repeat and (is_unresolved or datetime.fromisoformat(event.occurred_at) < last + ROTATION_WINDOW)

    def _new_values(self, secret: Any) -> list[datetime]:
        return [*secret.moved_at, *([secret.last_rotated_at] if secret.last_rotated_at else [])]

    def _restarted(self) -> None:
        """Dependents were restarted once for an incident, and only when AWSCURRENT has moved."""
        began = Counter((incident, target) for _, incident, target in self._world.event_log.restarts)
        for (incident, target), number in began.items():
            if target.startswith("restart-"):
                continue  # An automation is one by its token, however often it is asked for.
            # ECS takes no token: two invocations in one instant may ask for two deployments, one in place of the other.
            at_once = sum(
                death.incident == incident and death.step == "Restart" for death in self._world.event_log.deaths
            )
            assert 1 <= number <= 1 + at_once, (incident, target, number)
        for (arn, _), _ in began:
            assert self._world.secrets_manager.secrets[arn].moved_at
        starts = Counter(target for target in self._world.ssm.started.values())
        incidents = {
            incident for _, incident, target in self._world.event_log.restarts if target.startswith("restart-")
        }
        assert starts.total() <= len(incidents)

    def _kept_to_itself(self) -> None:
        """No value of a secret, and no text of others, is anywhere that we write to."""
        world = self._world
        written = [world.topics.published, world.bus.put, list(world.tables.items.get("incidents", {}).values())]
        written.append([execution.given for execution in world.executions.values()])
        assert "CANARY" not in json.dumps(written)

    def nothing_changes(self) -> "Unchanged":
        """Holds what comes within it to changing nothing and telling nobody."""
        return Unchanged(self._world)


def was_escalated(row: dict[str, Any]) -> bool:
    """Whether somebody was paged for an incident, whatever has become of it since."""
    return "escalated" in (row.get("outcome"), row.get("resolved_outcome"))


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
        done = [world.topics.published, world.bus.put, world.event_log.actions, world.event_log.restarts]
        return json.dumps([rows, list(map(len, done))], sort_keys=True)
