"""The queue of events to be recorded."""

from .clients import client

ACTIONS = frozenset({"sqs:ChangeMessageVisibility"})
CALL_SECONDS = 3
"""Maximum duration of `delay_retry`: one attempt of 2 s to connect and 2 s to read."""
_FIRST_DELAY, _LONGEST_DELAY = 180, 1800
"""Seconds."""


def choose_retry_delay(receives: int) -> int | None:
    """Seconds until a message is retried after a temporary error; None to leave it to the queue's visibility timeout.

    The delay doubles with each receive up to half an hour, so that a message's receives outlast an outage of hours.
    """
    return None if receives < 2 else min(_LONGEST_DELAY, _FIRST_DELAY << min(receives - 1, 10))


class AuditQueue:
    """The queue of this URL."""

    def __init__(self, url: str) -> None:
        self._url = url

    def delay_retry(self, receipt_handle: str, seconds: int) -> None:
        """Makes a message visible again after this many seconds.

        With 0 seconds, a message that can never be recorded reaches the dead-letter queue within seconds.
        """
        client("sqs", answers_within=2).change_message_visibility(
            QueueUrl=self._url, ReceiptHandle=receipt_handle, VisibilityTimeout=seconds
        )
