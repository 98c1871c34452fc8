"""What must always hold of the model and the requests to it, whatever the product's code looks like."""

import json
from collections import Counter, defaultdict
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from tests.incident_chains import verify_incidents
from tests.remediation.clock import stamp
from tests.remediation.event_log import Action, Key, Knowledge
from tests.remediation.events import Event
from tests.remediation.secrets_manager import CURRENT
from tests.remediation.states import Execution

if TYPE_CHECKING:
    from tests.remediation.world import World

RECOVERED = ("recovered by AWS", "recovered by retry")
OUTCOMES = (*RECOVERED, "rolled forward", "fallen back", "escalated", "held", "restarted", "resolved")
TRANSITIONS = {"escalated": "escalated", "held": "held_burst", "restarted": "restarted", "resolved": "resolved"}
"""Outcome -> the transition that notifies about it, where that is not `recovered`."""
NOTIFICATIONS, CRITICAL = (f"arn:aws:sns:eu-west-1:123456789012:{name}" for name in ("remediation", "critical"))
HOUR = timedelta(hours=1)
DECISIONS_BEYOND_RETRIES = 12
UNTRIED = ("notify", "untouchable", "stopped", "held", "test only", "orphaned")
"""Rules by which an incident ends without an attempt to repair."""
ROTATION_WINDOW = timedelta(days=1)


class Invariants:
    """Each method raises AssertionError for a violation."""

    def __init__(self, world: "World") -> None:
        self._world = world

    # --- at each change of a secret that the product requests ---

    def check_action(self, action: Action, knowledge: Knowledge) -> None:
        """An action is based on what its execution has read: tags, proofs, the switch."""
        secret = self._world.secrets_manager.secrets[action.incident[0]]
        request, tag = action.request, knowledge.tags.get("rotation-guard:remediation", "")
        assert request["SecretId"] == secret.arn
        assert knowledge.may_be_repaired, f"may not be repaired: {action}"
        assert knowledge.switch == "go", f"the switch said {knowledge.switch}: {action}"
        assert self._is_open_at(knowledge.last_decision_at), f"outside the change window: {action}"
        assert not self._is_of_a_test(action), f"nothing was rotated: {action}"
        assert self._failed_before(action) < self._world.settings.breaker_threshold, f"suspended: {action}"
        if action.kind == "rotate_secret":
            assert set(request) == {"SecretId"}
            assert tag in ("retry", "repair")
            assert self._world.settings.mode in ("retry", "repair")
            return
        assert tag == self._world.settings.mode == "repair"
        assert set(request) == {"SecretId", "VersionStage", "MoveToVersionId", "RemoveFromVersionId"}
        assert request["VersionStage"] == CURRENT
        assert knowledge.proofs.get(request["MoveToVersionId"]) is True, f"not proven: {action} {knowledge.proofs}"
        assert knowledge.proofs.get(request["RemoveFromVersionId"]) is False, (
            f"not disproved: {action} {knowledge.proofs}"
        )
        is_allowed = (
            request["MoveToVersionId"] == knowledge.pending
            or knowledge.tags.get("rotation-guard:fallback") == "allowed"
        )
        assert is_allowed, f"rolled back: {action}"

    def _is_open_at(self, time: datetime | None) -> bool:
        """Whether the change window is open; its days have their own tests."""
        window = self._world.settings.change_window
        if time is None or not window or "days" in window:
            return time is not None
        now, start, end = f"{time:%H:%M}", window["start"], window["end"]
        return start <= now < end if start < end else now >= start or now < end

    def _is_of_a_test(self, action: Action) -> bool:
        """Whether only tests of rotation settings have failed."""
        [row] = [row for row in self._world.rows() if (row["secret_arn"], row["opened_at"]) == action.incident]
        own = [event for event in self._world.events if event.identity in row["event_ids"] and event.is_failure]
        return all(event.kind == "TestRotationFailed" for event in own)

    def _failed_before(self, action: Action) -> int:
        """How many incidents since the last verified success were escalated after an attempt to repair.

        The database and AWS know what is verified. A probe that reports a broken version as working cannot be noticed.
        """
        world, (arn, opened_at) = self._world, action.incident
        if arn in world.functions.wrong_answers:
            return 0
        verified = [*world.secrets_manager.secrets[arn].verified_at, *filter(None, [world.released.get(arn)])]
        # The product records a success some seconds later, in whole seconds.
        since = stamp(max(verified) + timedelta(seconds=5)) if verified else ""
        escalated = [row for row in world.rows() if row["secret_arn"] == arn and was_escalated(row)]
        failed = [row for row in escalated if row["failures"] and row.get("rule", UNTRIED[0]) not in UNTRIED]
        return sum(since < row["last_failure_at"] and row["opened_at"] < opened_at for row in failed)

    # --- after every step ---

    def check(self) -> None:
        """What holds at any time."""
        assert not self._world.event_log.violations, self._world.event_log.violations
        for secret in self._world.secrets_manager.secrets.values():
            assert secret.labels[CURRENT] in secret.versions
        self._check_one_open_incident()
        self._check_listed_as_unfinished()
        self._check_action_limits()

    def _check_listed_as_unfinished(self) -> None:
        """The next audit finds every incident that is not closed, should all executions stop now."""
        items = self._world.tables.items.get("incidents", {})
        listed = {row["opened_at"]["S"] for (arn, _), row in items.items() if arn == "unfinished"}
        states = {f"{arn}#{opened_at}": row["state"]["S"] for (arn, opened_at), row in items.items() if "state" in row}
        assert {key for key, state in states.items() if state != "closed"} <= listed

    def _check_one_open_incident(self) -> None:
        items = self._world.tables.items.get("incidents", {})
        rows = [arn for (arn, _), stored in items.items() if stored.get("state") == {"S": "open"}]
        claims = [arn.removeprefix("open#") for arn, _ in items if arn.startswith("open#")]
        assert sorted(rows) == sorted(claims)
        assert len(set(rows)) == len(rows), rows

    def _check_action_limits(self) -> None:
        event_log, settings = self._world.event_log, self._world.settings
        if not event_log.actions:
            return
        failed_invocations = Counter(
            (invocation.incident, invocation.step) for invocation in event_log.failed_invocations
        )
        by_incident: dict[Key, list[Action]] = defaultdict(list)
        for action in event_log.actions:
            by_incident[action.incident].append(action)
        for incident, actions in by_incident.items():
            moves = [action for action in actions if action.kind != "rotate_secret" and not action.error_code]
            assert len(moves) <= 1, moves
            rotations = [action for action in actions if action.kind == "rotate_secret"]
            assert len({rotation.number for rotation in rotations}) <= settings.max_retries
            assert len(rotations) <= settings.max_retries + failed_invocations[incident, "retry"]
        # An action that is repeated because its function crashed is the same action.
        decided = {(action.incident, action.kind, action.number): action.decided_at for action in event_log.actions}
        times = sorted(time.replace(microsecond=0) for time in decided.values())
        for time in times:
            within = [other for other in times if time <= other < time + HOUR]
            assert len(within) <= settings.max_actions_per_hour, within

    # --- at the end ---

    def check_at_end(self) -> None:
        """What holds once no execution is running, and audits have found all unfinished incidents."""
        self.check()
        assert not self._world.running
        self._world.audit_until_finished()
        self.check()
        items = self._world.tables.items.get("incidents", {})
        assert not [key for arn, key in items if arn == "unfinished"]
        for execution in self._world.executions.values():
            self._check_execution(execution)
        for row in self._world.rows():
            self._check_incident(row)
        self._check_chains(items)
        self._check_failures_reported()
        self._check_restarts()
        self._check_no_secret_leaked()

    def _check_execution(self, execution: Execution) -> None:
        # An execution that has notified succeeds: an alarm on failed executions would page for it again.
        assert execution.error in ("", "StepFailed", "Aborted"), execution
        max_decisions = self._world.settings.max_retries + DECISIONS_BEYOND_RETRIES
        assert execution.trail.count("Move") + execution.trail.count("Retry") <= 3 * max_decisions
        if execution.error == "StepFailed":
            published = self._published_critical(execution) or self._is_covered_by_shared_notification(execution)
            assert published or self._is_doomed(execution), "a step failed for good, and nobody was notified"

    def _check_chains(self, items: dict[tuple[str, str], Any]) -> None:
        """Every incident is in its secret's chain, a resolved one twice, and nothing that a link covers has changed."""
        rows = [row for (arn, _), row in items.items() if arn.startswith("arn:")]
        verified = verify_incidents(items.values(), self._world.clock.now + timedelta(days=2))
        assert [found.first for found in verified.values() if found.first] == []
        links = sum(("link" in row) + ("resolution_link" in row) for row in rows)
        assert links == sum(found.rows for found in verified.values())
        assert links == len(rows) + sum("resolved_at" in row for row in rows)

    def _check_incident(self, row: dict[str, Any]) -> None:
        """An incident is closed, and its opening and its end were published."""
        assert row["state"] == "closed", row
        assert row["outcome"] in OUTCOMES, row
        if row["failures"]:
            self._check_published_once(row, "opened", NOTIFICATIONS)
        if row["outcome"] in RECOVERED:
            # A failure after the new value needs another incident, however late the step that closed this one ran.
            values = self._new_values(self._world.secrets_manager.secrets[row["secret_arn"]])
            assert any(stamp(time) >= row["last_failure_at"] for time in values), row
        if was_escalated(row):
            self._check_published_once(row, "escalated", CRITICAL)
            self._check_published_once(row, "escalated", NOTIFICATIONS)
        self._check_published_once(row, TRANSITIONS.get(row["outcome"], "recovered"), NOTIFICATIONS)
        if row["outcome"] == "resolved":
            self._check_published_once(row, "resolved", CRITICAL)

    def _check_published_once(self, row: dict[str, Any], transition: str, topic: str) -> None:
        """A transition is published once, and at most once more for each crash of the function afterwards."""
        incident = (row["secret_arn"], row["opened_at"])
        event_log = self._world.event_log
        published = [
            notification
            for notification in event_log.notifications
            if notification.topic == topic
            and notification.transition == transition
            and incident in notification.incidents
        ]
        failed_invocations = [
            invocation
            for invocation in event_log.failed_invocations
            if invocation.transition == transition and topic in invocation.published
        ]
        repeats = [
            invocation
            for invocation in failed_invocations
            if transition == "held_burst" or invocation.incident == incident
        ]
        assert self._min_published(row, transition) <= len(published) <= 1 + len(repeats), (
            transition,
            topic,
            published,
            row,
        )

    def _min_published(self, row: dict[str, Any], transition: str) -> int:
        """How often it must be published: the end always, and not what the end overtook."""
        if transition != "opened" and (transition != "escalated" or row["outcome"] != "resolved"):
            return 1
        incident = (row["secret_arn"], row["opened_at"])
        died = any(
            invocation.incident == incident and invocation.transition == transition
            for invocation in self._world.event_log.failed_invocations
        )
        gave_up = any(
            execution.error in ("Aborted", "StepFailed") or "PublishLastResort" in execution.trail
            for execution in self._notifying_executions(row)
        )
        return 0 if died or gave_up else 1

    def _notifying_executions(self, row: dict[str, Any]) -> list[Execution]:
        """The executions that notify about an incident: its own, and the one that ended it."""
        arns = {row["execution"], row.get("ended_by")}
        return [execution for execution in self._world.executions.values() if execution.arn in arns]

    def _published_critical(self, execution: Execution) -> bool:
        notifications = self._world.event_log.notifications
        return any(
            notification.execution == execution.name and notification.topic == CRITICAL
            for notification in notifications
        )

    def _is_covered_by_shared_notification(self, execution: Execution) -> bool:
        """Whether another execution has published, within an hour, that there may be more failed executions."""
        notifications = [
            notification
            for notification in self._world.event_log.notifications
            if notification.topic == CRITICAL and notification.step == "publish"
        ]
        # An execution that fails at the end of the hour looks a little later for the notification from its beginning.
        near = HOUR + timedelta(minutes=5)
        return any(
            abs(notification.at - execution.due) < near and "list-executions" in notification.request["Message"]
            for notification in notifications
        )

    def _is_doomed(self, execution: Execution) -> bool:
        """Whether not even the last resort could publish."""
        return (execution.name, "publish") in self._world.ran_while_doomed

    def _check_failures_reported(self) -> None:
        """A failure that was delivered is part of an incident, or is covered by an incident or a new value."""
        for event in self._world.events:
            if not event.is_failure or not event.deliveries:
                continue
            secret = self._world.secrets_manager.secrets[event.secret_arn]
            if any(event.occurred_at < stamp(time) for time in self._new_values(secret)):
                continue
            rows = self._world.rows(secret)
            is_reported = any(self._is_reported_in(event, row) for row in rows if row["failures"])
            executions = [
                execution for execution in self._world.executions.values() if event.identity in execution.input
            ]
            has_failed_loudly = any(
                execution.error in ("StepFailed", "Aborted") or "PublishLastResort" in execution.trail
                for execution in executions
            )
            assert is_reported or has_failed_loudly, (event, rows)

    def _is_reported_in(self, event: Event, row: dict[str, Any]) -> bool:
        """Whether people know of this failure from the notifications about an incident."""
        if event.identity in row["event_ids"]:
            return True
        if row["event_type"] == "TestRotationFailed" != event.kind:
            return False
        if event.occurred_at < row["last_failure_at"]:
            return True
        if row.get("outcome") in (*RECOVERED, "held"):
            return False  # The last notification said that all is well, or that nothing was done.
        if row.get("outcome") == "resolved":
            return event.occurred_at <= row["resolved_at"]
        if row.get("outcome") == "escalated" and event.occurred_at < row["closed_at"]:
            return True
        last = datetime.fromisoformat(row["last_failure_at"])
        is_unresolved = row.get("outcome") == "escalated" and row.get("rule") != "stopped"
        is_repeat = event.rotation in row.get("rotation_ids", ())
        if event.kind == "Rotation Stuck":
            # If the secret could not be described, the pending version is unknown.
            version = event.body["detail"]["versionId"]
            is_repeat = not row["versions"] or "AWSPENDING" in row["versions"].get(version, ())
        return is_repeat and (is_unresolved or datetime.fromisoformat(event.occurred_at) < last + ROTATION_WINDOW)

    def _new_values(self, secret: Any) -> list[datetime]:
        return [*secret.moved_at, *([secret.last_rotated_at] if secret.last_rotated_at else [])]

    def _check_restarts(self) -> None:
        """Dependents were restarted once for an incident, and only when AWSCURRENT has moved."""
        started = Counter((incident, target) for _, incident, target in self._world.event_log.restarts)
        for (incident, target), number in started.items():
            if target.startswith("restart-"):
                continue  # An automation has an idempotency token, however often it is requested.
            # ECS has no such token: two invocations at once may start two deployments, the second replacing the first.
            concurrent_tries = sum(
                invocation.incident == incident and invocation.step == "Restart"
                for invocation in self._world.event_log.failed_invocations
            )
            assert 1 <= number <= 1 + concurrent_tries, (incident, target, number)
        for (arn, _), _ in started:
            assert self._world.secrets_manager.secrets[arn].moved_at
        starts = Counter(target for target in self._world.ssm.started.values())
        incidents = {
            incident for _, incident, target in self._world.event_log.restarts if target.startswith("restart-")
        }
        assert starts.total() <= len(incidents)

    def _check_no_secret_leaked(self) -> None:
        """The product writes no value of a secret and no foreign text anywhere."""
        world = self._world
        written = [world.topics.published, world.bus.put, list(world.tables.items.get("incidents", {}).values())]
        written.append([execution.input for execution in world.executions.values()])
        assert "CANARY" not in json.dumps(written)

    def expect_no_change(self) -> "Unchanged":
        """Fails if anything is changed or published within its block."""
        return Unchanged(self._world)


def was_escalated(row: dict[str, Any]) -> bool:
    """Whether an incident was escalated, whatever its outcome now."""
    return "escalated" in (row.get("outcome"), row.get("resolved_outcome"))


class Unchanged:
    """Compares the state before and after a block."""

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
