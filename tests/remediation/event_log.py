"""What we did, as seen from outside: which execution called what, and what it had been told before."""

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
"""What a step may raise, to be run again."""

Key = tuple[str, str]
"""Secret and opening time of an incident."""


@dataclass
class Knowledge:
    """What one execution has been told so far, and what it is doing."""

    step: str
    execution: str
    payload: Any = None
    incident: Key | None = None
    tags: dict[str, str] = field(default_factory=dict)
    """Of the secret, when it was looked at last."""
    pending: str | None = None
    """The version that held AWSPENDING then."""
    is_touchable: bool = False
    proofs: dict[str, bool | None] = field(default_factory=dict)
    """Version -> what the probe said, since it was looked at last."""
    switch: str = ""
    """What the kill switch said when it was read last."""
    decided_at: datetime | None = None
    """When the decision under way was first asked for."""
    asked_at: datetime | None = None
    """When it was asked for last: a step that dies is tried again."""
    published: list[str] = field(default_factory=list)
    """Topics that this invocation has told, and not written down yet."""
    unanswered: list[str] = field(default_factory=list)
    """Topics that it has told without knowing: the response was lost."""


@dataclass
class Action:
    """One change of a secret that we asked for."""

    kind: str
    execution: str
    incident: Key
    at: datetime
    decided_at: datetime
    refused: str
    asked: dict[str, Any]
    number: int


@dataclass
class Death:
    """One invocation that died, or failed by itself."""

    execution: str
    step: str
    incident: Key | None
    turn: str
    published: list[str]


@dataclass
class PublishedNotification:
    """One message on a topic."""

    topic: str
    step: str
    turn: str
    execution: str
    about: list[Key]
    asked: dict[str, Any]
    at: datetime


class EventLog:
    """Filled while the world goes on."""

    def __init__(self, world: "World") -> None:
        self._world = world
        self.actor = Knowledge("", "")
        self.known: dict[str, Knowledge] = {}
        self.actions: list[Action] = []
        self.notices: list[PublishedNotification] = []
        self.restarts: list[tuple[str, Key, str]] = []
        """Execution, incident and target of each restart that began."""
        self.deaths: list[Death] = []
        self.is_disturbed = False
        """Whether calls fail on purpose, so that steps may fail of anything."""
        self.strange: list[str] = []
        """What should never happen, as it happened."""
        world.account.seen = self._seen
        world.functions.answered = self._answered
        world.ssm.read = self._read

    def enter(self, execution: Execution, step: str, payload: Any) -> Knowledge:
        """An execution runs a step, for the first time or again."""
        known = self.known.setdefault(execution.name, Knowledge(step, execution.name))
        known.step, known.payload, known.published, known.unanswered = step, payload, [], []
        incident = payload.get("incident")
        if incident and incident.get("opened_at"):
            known.incident = (incident["secret_arn"], incident["opened_at"])
        if step == "decide":
            known.asked_at = self._world.clock.now
            known.decided_at = known.decided_at if execution.tries else known.asked_at
        return known

    def repeated(self, execution: Execution, payload: Any) -> None:
        """A step is invoked once more than its execution knows: what it does to each topic may be there twice."""
        incident = payload.get("incident") or {}
        key = (incident["secret_arn"], incident["opened_at"]) if incident.get("opened_at") else None
        topics = [f"arn:aws:sns:eu-west-1:123456789012:{name}" for name in ("remediation", "critical")]
        self.deaths.append(Death(execution.name, execution.state, key, payload.get("turn", ""), topics))

    def died(self, known: Knowledge) -> None:
        """The invocation under way has died."""
        published = [*known.published, *known.unanswered]
        self.deaths.append(Death(known.execution, known.step, known.incident, self._turn(known), published))

    def raised(self, known: Knowledge, error: Exception) -> None:
        """The invocation under way has failed by itself."""
        if type(error).__name__ not in EXPECTED and not self.is_disturbed:
            self.strange.append(f"{known.step} raised {error!r}")
        self.died(known)

    def _seen(self, call: Call) -> None:
        known = self.actor
        match call.operation:
            case "describe_secret" if known.step == "diagnose":
                self._looked(known, call.asked["SecretId"])
            case "rotate_secret" | "update_secret_version_stage":
                self._acted(known, call)
            case "update_item" | "transact_write_items" if known.step == "notify":
                # Those in a burst are forgotten together, after all topics have heard of them.
                if (self._turn(known) == "held_burst") == (call.operation == "transact_write_items"):
                    known.published = []
            case "publish":
                (known.unanswered if call.refused else known.published).append(call.asked["TopicArn"])
                about = _about(call.asked) or ([known.incident] if known.incident else [])
                turn = self._turn(known)
                self.notices.append(
                    PublishedNotification(
                        call.asked["TopicArn"],
                        known.step,
                        turn,
                        known.execution,
                        about,
                        call.asked,
                        self._world.clock.now,
                    )
                )
            case "start_automation_execution" | "update_service" | "update_function_configuration" if not call.refused:
                names = ("DocumentName", "service", "FunctionName")
                self._restarted(known, next(call.asked[name] for name in names if name in call.asked))

    def _looked(self, known: Knowledge, arn: str) -> None:
        secret = self._world.secrets_manager.secrets[arn]
        known.tags, known.is_touchable, known.proofs = dict(secret.tags), _is_touchable(secret), {}
        known.pending = secret.labels.get(PENDING)

    def _acted(self, known: Knowledge, call: Call) -> None:
        if known.incident is None or known.decided_at is None:
            self.strange.append(f"{call.operation} without a decision: {call.asked}")
            return
        self.actions.append(
            Action(
                call.operation,
                known.execution,
                known.incident,
                self._world.clock.now,
                known.decided_at,
                call.refused,
                call.asked,
                known.payload["decision"]["number"],
            )
        )
        self._world.invariants.acted(self.actions[-1], known)

    def _restarted(self, known: Knowledge, target: str) -> None:
        if known.incident is None or known.switch != "go":
            self.strange.append(f"{target} is restarted for {known.incident}, and the switch said {known.switch}")
            return
        self.restarts.append((known.execution, known.incident, target))

    def _answered(self, version: str, works: bool | None) -> None:
        self.actor.proofs[version] = works

    def _read(self, value: str) -> None:
        self.actor.switch = value

    def _turn(self, known: Knowledge) -> str:
        return known.payload.get("turn", "") if isinstance(known.payload, dict) else ""


def _about(asked: dict[str, Any]) -> list[Key]:
    """The incidents that a burst is about."""
    if asked.get("MessageStructure") != "json":
        return []
    facts = json.loads(json.loads(asked["Message"])["lambda"])
    return [(each["secret_arn"], each["opened_at"]) for each in (facts["held"] or {}).get("secrets", [])]


def _is_touchable(secret: Secret) -> bool:
    return not (secret.more or secret.deleted_at or secret.is_gone)
