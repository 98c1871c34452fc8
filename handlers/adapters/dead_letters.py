"""The dead-letter queue of a member's rules: events that did not reach the hub."""

from collections.abc import Iterable
from dataclasses import dataclass

from .clients import client

ACTIONS = frozenset({"sqs:ReceiveMessage", "sqs:DeleteMessage"})
BATCH = 10
"""Maximum number of messages of one call
(https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_ReceiveMessage.html)."""
_WAIT_SECONDS = 2
"""Long polling asks all servers of SQS, so that an empty answer means an empty queue
(https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-short-and-long-polling.html)."""


@dataclass(frozen=True)
class DeadLetter:
    """One message: the event as EventBridge would have delivered it."""

    message_id: str
    receipt_handle: str
    body: str


class DeadLetterQueue:
    """The queue of this URL."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._sqs = client("sqs")

    def receive(self) -> list[DeadLetter]:
        """Up to ten messages, which others do not see before the queue's visibility timeout is over."""
        response = self._sqs.receive_message(
            QueueUrl=self._url, MaxNumberOfMessages=BATCH, WaitTimeSeconds=_WAIT_SECONDS
        )
        return [
            DeadLetter(message["MessageId"], message["ReceiptHandle"], message["Body"])
            for message in response.get("Messages", [])
        ]

    def delete(self, letters: Iterable[DeadLetter]) -> None:
        """Delete messages. One that cannot be deleted comes back, and its event is delivered once more."""
        for letter in letters:
            self._sqs.delete_message(QueueUrl=self._url, ReceiptHandle=letter.receipt_handle)
