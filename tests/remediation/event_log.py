"""What the product did, seen from outside: which execution made which call, and what it knew then."""

import json
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any

from tests.remediation.account import Call
from tests.remediation.secrets_manager import PENDING, Secret
from tests.remediation.states import Execution

if TYPE_CHECKING:
    from tests.remediation.world import World

EXPECTED = ("LostRace", "TransientError")
"""Exceptions that a step may raise to be retried."""

Key = tuple[str, str]
"""Secret and opening time of an incident."""


@dataclass
class Knowledge:
    """What one execution has read so far, and what it is doing."""

    step: str
    execution: str
    payload: Any = None
    incident: Key | None = None
    tags: dict[str, str] = field(default_factory=dict)
    """The secret's tags when it was last described."""
    pending: str | None = None
    """The version that had AWSPENDING then."""
    may_be_repaired: bool = False
    proofs: dict[str, bool | None] = field(default_factory=dict)
    """Version -> the result of its probe, since the secret was last described."""
    switch: str = ""
    """The last value read of the kill switch."""
    decided_at: datetime | None = None
    """When the current decision was first requested."""
    last_decision_at: datetime | None = None
    """When the current decision was last requested: a step that crashes is retried."""
    published: list[str] = field(default_factory=list)
    """Topics to which this invocation has published without recording it yet."""
    unanswered: list[str] = field(default_factory=list)
    """Topics to which it has published, but the response was lost."""


@dataclass
class Action:
    """One change of a secret that the product requested."""

    kind: str
    execution: str
    incident: Key
    at: datetime
    decided_at: datetime
    error_code: str
    request: dict[str, Any]
    number: int


@dataclass
class FailedInvocation:
    """One invocation that crashed or raised an error."""

    execution: str
    step: str
    incident: Key | None
    transition: str
    published: list[str]


@dataclass
class PublishedNotification:
    """One message on a topic."""

    topic: str
    step: str
    transition: str
    execution: str
    incidents: list[Key]
    request: dict[str, Any]
    at: datetime


class EventLog:
    """Records what happens in a world."""

    def __init__(self, world: "World") -> None:
        self._world = world
        self.actor = Knowledge("", "")
        self.knowledge_by_execution: dict[str, Knowledge] = {}
        self.actions: list[Action] = []
        self.notifications: list[PublishedNotification] = []
        self.restarts: list[tuple[str, Key, str]] = []
        """Execution, incident and target of each restart that was started."""
        self.failed_invocations: list[FailedInvocation] = []
        self.is_disturbed = False
        """Whether faults are injected, so that steps may raise any error."""
        self.violations: list[str] = []
        """Descriptions of what should never happen and did."""
        world.account.on_call = self._record_call
        world.functions.on_probe = self._record_probe
        world.ssm.on_read = self._record_switch

    def enter(self, execution: Execution, step: str, payload: Any) -> Knowledge:
        """An execution starts a step, for the first time or again."""
        knowledge = self.knowledge_by_execution.setdefault(execution.name, Knowledge(step, execution.name))
        knowledge.step, knowledge.payload, knowledge.published, knowledge.unanswered = step, payload, [], []
        incident = payload.get("incident")
        if incident and incident.get("opened_at"):
            knowledge.incident = (incident["secret_arn"], incident["opened_at"])
        if step == "decide":
            knowledge.last_decision_at = self._world.clock.now
            knowledge.decided_at = knowledge.decided_at if execution.tries else knowledge.last_decision_at
        return knowledge

    def record_repeat(self, execution: Execution, payload: Any) -> None:
        """A step is invoked once more than its execution knows, so it may publish twice to each topic."""
        incident = payload.get("incident") or {}
        key = (incident["secret_arn"], incident["opened_at"]) if incident.get("opened_at") else None
        topics = [f"arn:aws:sns:eu-west-1:123456789012:{name}" for name in ("remediation", "critical")]
        self.failed_invocations.append(
            FailedInvocation(execution.name, execution.state, key, payload.get("turn", ""), topics)
        )

    def record_failure(self, knowledge: Knowledge) -> None:
        """The current invocation has crashed."""
        published = [*knowledge.published, *knowledge.unanswered]
        self.failed_invocations.append(
            FailedInvocation(
                knowledge.execution, knowledge.step, knowledge.incident, self._transition(knowledge), published
            )
        )

    def record_error(self, knowledge: Knowledge, error: Exception) -> None:
        """The current invocation has raised an error."""
        if type(error).__name__ not in EXPECTED and not self.is_disturbed:
            self.violations.append(f"{knowledge.step} raised {error!r}")
        self.record_failure(knowledge)

    def _record_call(self, call: Call) -> None:
        knowledge = self.actor
        match call.operation:
            case "describe_secret" if knowledge.step == "diagnose":
                self._record_description(knowledge, call.request["SecretId"])
            case "rotate_secret" | "update_secret_version_stage":
                self._record_action(knowledge, call)
            case "update_item" | "transact_write_items" if knowledge.step == "notify":
                # The rows of a digest are deleted together, after it was published to all topics.
                if (self._transition(knowledge) == "held_burst") == (call.operation == "transact_write_items"):
                    knowledge.published = []
            case "publish":
                (knowledge.unanswered if call.error_code else knowledge.published).append(call.request["TopicArn"])
                incidents = _incidents_in(call.request) or ([knowledge.incident] if knowledge.incident else [])
                transition = self._transition(knowledge)
                self.notifications.append(
                    PublishedNotification(
                        call.request["TopicArn"],
                        knowledge.step,
                        transition,
                        knowledge.execution,
                        incidents,
                        call.request,
                        self._world.clock.now,
                    )
                )
            case "start_automation_execution" | "update_service" | "update_function_configuration" if (
                not call.error_code
            ):
                names = ("DocumentName", "service", "FunctionName")
                self._record_restart(knowledge, next(call.request[name] for name in names if name in call.request))

    def _record_description(self, knowledge: Knowledge, arn: str) -> None:
        secret = self._world.secrets_manager.secrets[arn]
        knowledge.tags, knowledge.may_be_repaired, knowledge.proofs = dict(secret.tags), _may_be_repaired(secret), {}
        knowledge.pending = secret.labels.get(PENDING)

    def _record_action(self, knowledge: Knowledge, call: Call) -> None:
        if knowledge.incident is None or knowledge.decided_at is None:
            self.violations.append(f"{call.operation} without a decision: {call.request}")
            return
        self.actions.append(
            Action(
                call.operation,
                knowledge.execution,
                knowledge.incident,
                self._world.clock.now,
                knowledge.decided_at,
                call.error_code,
                call.request,
                knowledge.payload["decision"]["number"],
            )
        )
        self._world.invariants.check_action(self.actions[-1], knowledge)

    def _record_restart(self, knowledge: Knowledge, target: str) -> None:
        if knowledge.incident is None or knowledge.switch != "go":
            self.violations.append(
                f"{target} is restarted for {knowledge.incident}, and the switch said {knowledge.switch}"
            )
            return
        self.restarts.append((knowledge.execution, knowledge.incident, target))

    def _record_probe(self, version: str, works: bool | None) -> None:
        self.actor.proofs[version] = works

    def _record_switch(self, value: str) -> None:
        self.actor.switch = value

    def _transition(self, knowledge: Knowledge) -> str:
        return knowledge.payload.get("turn", "") if isinstance(knowledge.payload, dict) else ""


def _incidents_in(request: dict[str, Any]) -> list[Key]:
    """The incidents that a digest is about."""
    if request.get("MessageStructure") != "json":
        return []
    payload = json.loads(json.loads(request["Message"])["lambda"])
    return [(row["secret_arn"], row["opened_at"]) for row in (payload["held"] or {}).get("secrets", [])]


def _may_be_repaired(secret: Secret) -> bool:
    return not (secret.more or secret.deleted_at or secret.is_gone)
