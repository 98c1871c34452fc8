"""Reads the emulator's log of the events that AWS would have sent."""

import json
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class SentEvent:
    """An event that was put on the bus."""

    put_at: float
    """Epoch seconds, by the clock of this machine."""
    event: str
    secret_arn: str
    id: str
    """CloudTrail's eventID."""


class EventLog:
    """The events that are logged from now on."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._offset = path.stat().st_size if path.exists() else 0

    def find(self, event: str, secret_arn: str) -> SentEvent | None:
        """Return the first event of this name about this secret."""
        if not self._path.exists():
            return None
        with self._path.open("rb") as file:
            file.seek(self._offset)
            # The last line may be incomplete: the next call reads all of it.
            lines = [line for line in file.read().splitlines(keepends=True) if line.endswith(b"\n")]
        for line in lines:
            sent_event = SentEvent(**json.loads(line))
            if (sent_event.event, sent_event.secret_arn) == (event, secret_arn):
                return sent_event
        return None
