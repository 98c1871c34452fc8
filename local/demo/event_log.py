"""The emulator's journal of what AWS would have sent, read from outside of the emulator."""

import json
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Sent:
    """An event that was put on the bus."""

    put_at: float
    """When, in seconds of the clock of this machine, to the millisecond and better."""
    event: str
    secret_arn: str
    id: str
    """CloudTrail's eventID."""


class Journal:
    """What is written into the journal from now on."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._offset = path.stat().st_size if path.exists() else 0

    def find(self, event: str, secret_arn: str) -> Sent | None:
        """The first event of this name about this secret."""
        if not self._path.exists():
            return None
        with self._path.open("rb") as file:
            file.seek(self._offset)
            # The last line may be half written: it is whole at the next look.
            lines = [line for line in file.read().splitlines(keepends=True) if line.endswith(b"\n")]
        for line in lines:
            sent = Sent(**json.loads(line))
            if (sent.event, sent.secret_arn) == (event, secret_arn):
                return sent
        return None
