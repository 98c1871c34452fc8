"""Incidents: one open per secret, however many failures belong to it."""

from dataclasses import dataclass

from .rotation import RotationEvent, SecretState

OPEN, CLOSED = "open", "closed"
RECOVERED = "recovered by AWS"


@dataclass(frozen=True)
class OpenIncident:
    """The incident that is open for a secret."""

    opened_at: str
    execution: str
    """The execution that opened it, which may ask twice."""
    current_version_id: str | None
    """The version that held AWSCURRENT when it was opened."""
    event_ids: frozenset[str] = frozenset()
    """The events that are in it."""
    rotation_ids: frozenset[str] = frozenset()
    """The rotations that they belong to."""

    def holds(self, failure: RotationEvent) -> bool:
        """Whether this failure, or another of its rotation, is in it already."""
        return failure.identity in self.event_ids or failure.rotation_id in self.rotation_ids


@dataclass(frozen=True)
class OpenNew:
    """Nothing is open: this failure opens an incident."""


@dataclass(frozen=True)
class Resume:
    """This execution opened it already, and its answer was lost: the answer is the same again."""

    incident: OpenIncident


@dataclass(frozen=True)
class Add:
    """An incident is open, and this failure belongs to it."""

    incident: OpenIncident


@dataclass(frozen=True)
class Supersede:
    """The open one is over, since the secret got a new value in the meantime: close it and open another."""

    incident: OpenIncident


Claim = OpenNew | Resume | Add | Supersede


def claim(incident: OpenIncident | None, execution: str, failure: RotationEvent, secret: SecretState | None) -> Claim:
    """What a failure does, given the incident that is open and the secret's labels, as far as they are known.

    Events come late and twice: one of a rotation that the incident holds is old news, whatever the labels say now.
    """
    if incident is None:
        return OpenNew()
    if incident.execution == execution:
        return Resume(incident)
    current = secret.version_with("AWSCURRENT") if secret else None
    if incident.holds(failure):
        return Add(incident)
    if current and incident.current_version_id and current != incident.current_version_id:
        return Supersede(incident)
    return Add(incident)
