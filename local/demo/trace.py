"""The trace of a rotation that was made to fail: all messages, executions and rows, as plain data."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

AWS = "rotation-guard.drill"
"""Source of AWS's own events in the embedded AWS."""
ROTATION_GUARD = "rotation-guard"
"""Source of the product's own events."""
REMEDIATION, CRITICAL = "remediation", "critical"
"""The topics whose messages are traced."""
_ROLE = re.compile(r"assumed-role/(.+?)(?:-[0-9a-f]{7})?/")

Row = dict[str, Any]


@dataclass(frozen=True)
class Message:
    """A notification of a topic, or an event on the bus."""

    at: float
    """When it was sent, in epoch seconds, to the millisecond."""
    source: str
    """The topic's name, or the event's source."""
    subject: str
    """The notification's subject, or the event's name."""
    body: Row
    """The notification's JSON, or the event's detail."""
    raw: str = field(default="", repr=False)
    """The whole message, including its envelope."""

    @property
    def caller(self) -> str:
        """The role that made the call, without its name's hash; `somebody` for the account's root user."""
        match = _ROLE.search((self.body.get("userIdentity") or {}).get("arn") or "")
        return match[1] if match else "somebody"

    @property
    def request(self) -> Row:
        """The request of a call."""
        return self.body.get("requestParameters") or {}

    @property
    def opened_at(self) -> float | None:
        """When the incident in the message was opened; None when there is none."""
        opened_at = self.body.get("opened_at")
        return datetime.fromisoformat(opened_at).timestamp() if opened_at else None


@dataclass(frozen=True)
class StateExit:
    """The exit of an execution from a state, with the execution's data.

    No field is certain: a failed state has an error in place of its result, and a history may omit or truncate large
    data (https://docs.aws.amazon.com/step-functions/latest/apireference/API_StateExitedEventDetails.html).
    """

    at: float
    state: str
    data: Any = None
    """None when the history omits or truncates it."""

    def get_map(self, *path: str) -> Row:
        """Return the map at this path; empty when there is none."""
        value = self._get_path(path)
        return value if isinstance(value, dict) else {}

    def get_text(self, *path: str) -> str:
        """Return the value at this path as text; empty when there is none."""
        value = self._get_path(path)
        return "" if value is None else str(value)

    def _get_path(self, path: Sequence[str]) -> Any:
        value = self.data
        for name in path:
            value = value.get(name) if isinstance(value, dict) else None
        return value


@dataclass(frozen=True)
class ExecutionFailure:
    """The end of an execution that did not succeed."""

    at: float
    kind: str
    """Failed, aborted or timed out."""
    error: str = ""
    """The error's name and cause, as far as the history has them."""


@dataclass(frozen=True)
class Execution:
    """An execution of the workflow for the secret."""

    arn: str
    status: str
    exits: tuple[StateExit, ...] = ()
    raw: str = field(default="", repr=False)
    """Its complete history."""
    failure: ExecutionFailure | None = None
    """None while it runs, and when it succeeded."""

    @property
    def name(self) -> str:
        """Its name in the console."""
        return self.arn.rpartition(":")[2]

    @property
    def failed_step(self) -> str:
        """The first state whose retries all failed, with its error; empty when there is none.

        The execution may still have succeeded: it does when its last-resort notification was sent.
        """
        errors = ((state_exit.state, state_exit.get_text("error", "Error")) for state_exit in self.exits)
        return next((f"{state}: {error}" for state, error in errors if error), "")


@dataclass(frozen=True)
class Trace:
    """Everything about the secret since the start of a rotation that was made to fail."""

    step: str
    secret_arn: str
    began_at: float
    original_version: str
    """The version that had AWSCURRENT."""
    versions: Mapping[str, list[str]]
    """The labels of each version, as of now."""
    is_working: bool
    """Whether the database accepts the current value."""
    recovered_at: float | None = None
    """When AWSCURRENT was first on a new working version, with no incomplete rotation."""
    fault_removed_at: float | None = None
    """When the fault was removed, if that was before the end."""
    messages: tuple[Message, ...] = ()
    executions: tuple[Execution, ...] = ()
    rows: tuple[Row, ...] = ()
    """The incidents that were opened, as rows of the table."""
    values: frozenset[str] = field(default=frozenset(), repr=False)
    """Every value and password of the secret's versions."""
    logs: Mapping[str, str] = field(default_factory=dict, repr=False)
    """Log group -> what its function logged."""
    texts: Mapping[str, str] = field(default_factory=dict, repr=False)
    """Any other place where a value could leak -> its text."""

    @property
    def current(self) -> list[str]:
        """The versions with AWSCURRENT: exactly one in a healthy secret."""
        return [version for version, labels in self.versions.items() if "AWSCURRENT" in labels]

    @property
    def is_stuck(self) -> bool:
        """Whether AWSPENDING is on a version that is not AWSCURRENT."""
        return any("AWSPENDING" in labels and "AWSCURRENT" not in labels for labels in self.versions.values())

    @property
    def is_recovered(self) -> bool:
        """Whether AWSCURRENT is on a new working version, with no incomplete rotation."""
        return (
            self.is_working and not self.is_stuck and len(self.current) == 1 and self.current != [self.original_version]
        )

    @property
    def failure(self) -> Message | None:
        """AWS's RotationFailed; None until it is sent."""
        return next(iter(self.select_messages(AWS, "RotationFailed")), None)

    def select_messages(self, source: str, subject: str | None = None) -> list[Message]:
        """Return the messages from this source, with this subject if one is given."""
        messages = [message for message in self.messages if message.source == source]
        return [message for message in messages if subject in (None, message.subject)]

    def select_incident_messages(self, source: str) -> list[Message]:
        """Return the messages from this source, except those about incidents from before this rotation."""
        return [
            message for message in self.select_messages(source) if (message.opened_at or self.began_at) >= self.began_at
        ]
