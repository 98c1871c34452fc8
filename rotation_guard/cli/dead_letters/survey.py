"""Reads all dead-letter queues of a deployment, as far as they can be read."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from rotation_guard.domain.dead_letters.dead_letter import DeadLetter

from ..deployment import Deployment
from ..errors import Unreachable
from .queues import DeadLetterQueue, choose_queues, find_queues
from .reception import VISIBILITY_SECONDS, QueueState, Reception
from .selection import Selection


@dataclass
class QueueReading:
    """What was found in one queue."""

    queue: DeadLetterQueue
    state: QueueState | None = None
    """None if the queue cannot be read."""
    read: int = 0
    """How many messages were received."""
    letters: list[DeadLetter] = field(default_factory=list)
    """Those that meet the filters, the oldest first."""
    error: str = ""
    """Why the queue cannot be read, or not to its end: a sentence."""
    still_hidden: int = 0

    @property
    def total(self) -> int:
        """Messages in the queue, of which those in flight cannot be read: SQS's counts lag behind by up to a minute."""
        return max(self.read, self.state.total if self.state else 0)

    @property
    def oldest_at(self) -> datetime | None:
        """When the oldest message that was read and meets the filters was sent."""
        return min((letter.sent_at for letter in self.letters if letter.sent_at), default=None)

    def expires_at(self, sent_at: datetime | None) -> datetime | None:
        """When SQS deletes a message that was sent then."""
        retention = self.state.retention if self.state else None
        return sent_at + retention if sent_at and retention else None

    def warnings(self) -> Iterable[str]:
        """What is unknown about this queue, in sentences."""
        if self.error:
            yield self.error
        if self.state and not self.error and self.read < self.state.visible:
            yield (
                f"{self.queue.name} has about {self.state.visible} messages, of which {self.read} were read: the rest "
                "is not shown; --limit N reads more."
            )
        yield from describe_hidden(self.queue, self.still_hidden)


@dataclass(frozen=True)
class Survey:
    """All queues that a command is about."""

    readings: Sequence[QueueReading]
    warnings: Sequence[str]
    """Of the stack, and of each queue."""

    @property
    def letters(self) -> list[DeadLetter]:
        """All messages that meet the filters, queue by queue."""
        return [letter for reading in self.readings for letter in reading.letters]

    @property
    def is_incomplete(self) -> bool:
        """Whether a queue could not be read."""
        return any(reading.error for reading in self.readings)


def read_queues(deployment: Deployment, selection: Selection, now: datetime) -> Survey:
    """Read the queues that are selected; one that cannot be read does not hide the others. Raises CommandError."""
    queues, warnings = find_queues(deployment)
    sqs = deployment.session.client("sqs")
    readings = [_read(deployment, sqs, queue, selection, now) for queue in choose_queues(queues, selection.queues)]
    return Survey(readings, [*warnings, *(warning for reading in readings for warning in reading.warnings())])


def find_letter(deployment: Deployment, selection: Selection, now: datetime) -> tuple[Survey, QueueReading | None]:
    """Read queue after queue until one has the message that is selected by its id."""
    queues, warnings = find_queues(deployment)
    sqs = deployment.session.client("sqs")
    readings: list[QueueReading] = []
    found = None
    for queue in choose_queues(queues, selection.queues):
        readings.append(_read(deployment, sqs, queue, selection, now, is_enough=True))
        if readings[-1].letters:
            found = readings[-1]
            break
    errors = [reading.error for reading in readings if reading.error]
    return Survey(readings, [*warnings, *errors]), found


def describe_hidden(queue: DeadLetterQueue, count: int) -> Iterable[str]:
    """A warning if messages could not be made visible again."""
    if count:
        yield (
            f"{count} messages of {queue.name} could not be made visible again: they are hidden for up to "
            f"{VISIBILITY_SECONDS} seconds."
        )


def _read(
    deployment: Deployment,
    sqs: Any,
    queue: DeadLetterQueue,
    selection: Selection,
    now: datetime,
    *,
    is_enough: bool = False,
) -> QueueReading:
    """Read one queue; with `is_enough`, until a message meets the filters."""
    reading = QueueReading(queue)
    reception = Reception(deployment, sqs, queue)
    try:
        reading.state = reception.state()
        with reception:
            # Nothing is received from a queue that is empty: that takes a second of long polling.
            for letter in reception.messages(selection.limit, expected=reading.state.visible):
                reading.read += 1
                if selection.includes(letter, now):
                    reading.letters.append(letter)
                    if is_enough:
                        break
    except Unreachable as error:
        reading.error = str(error)
    reading.still_hidden = reception.still_hidden
    reading.letters.sort(key=lambda letter: (letter.sent_at is None, letter.sent_at, letter.message_id))
    return reading
