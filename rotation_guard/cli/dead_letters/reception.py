"""Receives the messages of a dead-letter queue, and gives back those that are not deleted.

SQS has no way to look at a message without receiving it: that raises its receive count, and hides it from others until
the visibility timeout is over
(https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-visibility-timeout.html). So every
message that is not deleted becomes visible again at once, also when the command is interrupted.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from types import TracebackType
from typing import Any, Self

from rotation_guard.domain.dead_letters.dead_letter import DeadLetter, parse

from ..aws import translate_aws_errors
from ..deployment import Deployment
from ..errors import Unreachable
from ..parsing import utc_now
from ..terminal import progress
from .queues import DeadLetterQueue

VISIBILITY_SECONDS = 120
"""How long a received message is hidden from others if the command is killed: longer than ten messages take."""
BATCH = 10
"""Maximum of one call
(https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_ReceiveMessage.html)."""
IN_FLIGHT = 120_000
"""Maximum number of messages of a standard queue that are received and not deleted
(https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/quotas-messages.html)."""
MAX_LIMIT = 100_000
"""The most messages of one queue that a command receives: fewer than may be in flight."""
WAIT_SECONDS = 1
"""Long polling asks all servers of SQS, so that an empty response means an empty queue
(https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-short-and-long-polling.html)."""
_REPEATS = 3
"""Responses in a row with nothing new, after which a queue is read."""
_COUNTS = ("ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible", "ApproximateNumberOfMessagesDelayed")
_RETENTION = "MessageRetentionPeriod"


@dataclass(frozen=True)
class QueueState:
    """What SQS says of a queue; the counts are approximate."""

    visible: int
    in_flight: int
    """Received by somebody, and hidden until then."""
    delayed: int
    retention: timedelta | None
    at: datetime
    """When, by the clock of SQS."""

    @property
    def total(self) -> int:
        """All messages."""
        return self.visible + self.in_flight + self.delayed


class Reception:
    """The messages of one queue that a command has received, until its context ends."""

    def __init__(self, deployment: Deployment, sqs: Any, queue: DeadLetterQueue) -> None:
        self._deployment, self._sqs, self.queue = deployment, sqs, queue
        self._handles: dict[str, str] = {}
        """Message id -> the receipt handle of its last receipt."""
        self.still_hidden = 0
        """Messages that could not be made visible again."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, error_type: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._release()

    def state(self) -> QueueState:
        """Count the messages. Raises Unreachable."""
        response = self._call("get_queue_attributes", AttributeNames=[*_COUNTS, _RETENTION])
        attributes = response["Attributes"]
        seconds = attributes.get(_RETENTION)
        return QueueState(
            *(int(attributes.get(count, 0)) for count in _COUNTS),
            retention=timedelta(seconds=int(seconds)) if seconds else None,
            at=_read_date(response),
        )

    def messages(self, limit: int, *, expected: int | None = None) -> Iterator[DeadLetter]:
        """Receive messages, each once; stop after `limit`, and early once as many as `expected` were received.

        Raises Unreachable.
        """
        seen: set[str] = set()
        repeats = 0
        while len(seen) < limit and repeats < _REPEATS and (expected is None or len(seen) < expected):
            progress.update(f"Reading {self.queue.name}: {len(seen)}")
            batch = self._receive(min(BATCH, limit - len(seen)))
            if not batch:
                return
            new = []
            for message in batch:
                letter = parse(message, self.queue.name, self.queue.purpose.sender)
                # It was received again, because it was received long ago, or because SQS delivers at least once.
                self._handles[letter.message_id] = message["ReceiptHandle"]
                if letter.message_id not in seen:
                    seen.add(letter.message_id)
                    new.append(letter)
            repeats = 0 if new else repeats + 1
            yield from new

    def delete(self, letter: DeadLetter) -> None:
        """Delete a message for good. Raises Unreachable."""
        self._call("delete_message", ReceiptHandle=self._handles[letter.message_id])
        del self._handles[letter.message_id]

    def _receive(self, count: int) -> list[Mapping[str, Any]]:
        response = self._call(
            "receive_message",
            MaxNumberOfMessages=count,
            VisibilityTimeout=VISIBILITY_SECONDS,
            WaitTimeSeconds=WAIT_SECONDS,
            MessageSystemAttributeNames=["All"],
            MessageAttributeNames=["All"],
        )
        return response.get("Messages", [])

    def _release(self) -> None:
        """Make what was received and not deleted visible again."""
        waiting = [*self._handles.items()]
        for start in range(0, len(waiting), BATCH):
            entries = [
                {"Id": str(number), "ReceiptHandle": handle, "VisibilityTimeout": 0}
                for number, (_, handle) in enumerate(waiting[start : start + BATCH])
            ]
            try:
                response = self._call("change_message_visibility_batch", Entries=entries)
                self.still_hidden += len(response.get("Failed", []))
            except Unreachable:
                self.still_hidden += len(entries)
        self._handles.clear()

    def _call(self, operation: str, **parameters: Any) -> Any:
        with translate_aws_errors(self._deployment.session, f"Queue {self.queue.name} ({self.queue.queue_name})"):
            return getattr(self._sqs, operation)(QueueUrl=self.queue.url, **parameters)


def _read_date(response: Mapping[str, Any]) -> datetime:
    """When SQS answered; this machine's clock may be wrong."""
    date = response.get("ResponseMetadata", {}).get("HTTPHeaders", {}).get("date")
    try:
        return parsedate_to_datetime(date).astimezone(UTC) if date else utc_now()
    except ValueError:
        return utc_now()
