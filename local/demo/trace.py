"""What became of one rotation that was broken on purpose: all that was heard, done and written, as plain data."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

AWS = "rotation-guard.drill"
"""Source of the events that AWS sends, in the embedded AWS."""
OURS = "rotation-guard"
"""Source of the workflow's own events."""
REMEDIATION, CRITICAL = "remediation", "critical"
"""The topics that it listens to."""
_ROLE = re.compile(r"assumed-role/(.+?)(?:-[0-9a-f]{7})?/")

Row = dict[str, Any]


@dataclass(frozen=True)
class Message:
    """A notice of a topic, or an event of the bus."""

    at: float
    """When it arrived, in seconds of the clock of this machine, to the millisecond."""
    source: str
    """A topic's name, or the event's source."""
    subject: str
    """A notice's, or the event's name."""
    body: Row
    """The notice's twin for machines, or the event's detail."""
    raw: str = field(default="", repr=False)
    """All of it, envelope and all."""

    @property
    def caller(self) -> str:
        """Which role called, without the hash behind its name; `somebody` for the account's root user."""
        found = _ROLE.search((self.body.get("userIdentity") or {}).get("arn") or "")
        return found[1] if found else "somebody"

    @property
    def request(self) -> Row:
        """What was asked for, of a call."""
        return self.body.get("requestParameters") or {}

    @property
    def opened_at(self) -> float | None:
        """When the incident was opened that this is about; None where it names none."""
        opened_at = self.body.get("opened_at")
        return datetime.fromisoformat(opened_at).timestamp() if opened_at else None


@dataclass(frozen=True)
class Left:
    """A state that an execution has left, and the execution's data then.

    Nothing is sure to be in it: a state that failed has the error in the place of its answer, and a history may leave
    out or cut off what is large
    (https://docs.aws.amazon.com/step-functions/latest/apireference/API_StateExitedEventDetails.html).
    """

    at: float
    state: str
    data: Any = None
    """None where the history does not say, or not whole."""

    def row(self, *path: str) -> Row:
        """The map at this path; empty where there is none."""
        found = self._find(path)
        return found if isinstance(found, dict) else {}

    def word(self, *path: str) -> str:
        """What is at this path, as text; empty where there is nothing."""
        found = self._find(path)
        return "" if found is None else str(found)

    def _find(self, path: Sequence[str]) -> Any:
        found = self.data
        for name in path:
            found = found.get(name) if isinstance(found, dict) else None
        return found


@dataclass(frozen=True)
class Ended:
    """How an execution ended that did not succeed."""

    at: float
    how: str
    """Failed, aborted or timed out."""
    error: str = ""
    """Its name and cause, as far as the history knows them."""


@dataclass(frozen=True)
class Execution:
    """An execution of the workflow about the secret."""

    arn: str
    status: str
    left: tuple[Left, ...] = ()
    raw: str = field(default="", repr=False)
    """Its whole history."""
    ended: Ended | None = None
    """None while it runs, and where it succeeded."""

    @property
    def name(self) -> str:
        """Its name, by which the console knows it."""
        return self.arn.rpartition(":")[2]

    @property
    def failed_step(self) -> str:
        """The first state that failed for good, with its error; empty where none did.

        The execution may have succeeded nevertheless: it does once people were told.
        """
        return next((f"{left.state}: {error}" for left in self.left if (error := left.word("error", "Error"))), "")


@dataclass(frozen=True)
class Trace:
    """Everything about the secret since a rotation was asked for that was to break."""

    step: str
    secret_arn: str
    began_at: float
    before: str
    """The version that held AWSCURRENT."""
    versions: Mapping[str, list[str]]
    """The labels now."""
    works: bool
    """Whether the database takes what is AWSCURRENT now."""
    healed_at: float | None = None
    """When AWSCURRENT was first seen on another version that works, and no rotation unfinished."""
    mended_at: float | None = None
    """When what broke the rotation was taken away, if it was before the end."""
    messages: tuple[Message, ...] = ()
    executions: tuple[Execution, ...] = ()
    rows: tuple[Row, ...] = ()
    """The incidents that were opened."""
    values: frozenset[str] = field(default=frozenset(), repr=False)
    """Every value and password that a version of the secret has had."""
    logs: Mapping[str, str] = field(default_factory=dict, repr=False)
    """Log group -> what its function has logged."""
    texts: Mapping[str, str] = field(default_factory=dict, repr=False)
    """Where else a value might turn up -> all that is written there."""

    @property
    def current(self) -> list[str]:
        """The versions that hold AWSCURRENT: one, if all is well."""
        return [version for version, labels in self.versions.items() if "AWSCURRENT" in labels]

    @property
    def is_stuck(self) -> bool:
        """Whether AWSPENDING is on a version that is not AWSCURRENT."""
        return any("AWSPENDING" in labels and "AWSCURRENT" not in labels for labels in self.versions.values())

    @property
    def is_healed(self) -> bool:
        """Whether AWSCURRENT is on a new version that works, and no rotation unfinished."""
        return self.works and not self.is_stuck and len(self.current) == 1 and self.current != [self.before]

    @property
    def failure(self) -> Message | None:
        """AWS's RotationFailed, once it was sent."""
        return next(iter(self.of(AWS, "RotationFailed")), None)

    def of(self, source: str, subject: str | None = None) -> list[Message]:
        """What was heard from this source, and by this name if one is given."""
        heard = [message for message in self.messages if message.source == source]
        return [message for message in heard if subject in (None, message.subject)]

    def about_it(self, source: str) -> list[Message]:
        """What was heard from this source, but for what is about an incident from before this rotation."""
        return [message for message in self.of(source) if (message.opened_at or self.began_at) >= self.began_at]
