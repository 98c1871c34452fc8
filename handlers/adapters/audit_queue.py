"""The queue that events wait in until they are recorded."""

from .clients import client

ACTIONS = frozenset({"sqs:ChangeMessageVisibility"})
RETURN_SECONDS = 4
"""How long a `return_message` takes at most: 2 s to connect and 2 s to be answered, once."""
_FIRST_PAUSE, _LONGEST_PAUSE = 180, 1800


def pause_after(receives: int) -> int | None:
    """Seconds until a message comes again that met passing trouble at this receive; None for the queue's own time-out.

    The pauses double up to half an hour, so that the receives which a message has outlast a disturbance of hours.
    """
    return None if receives < 2 else min(_LONGEST_PAUSE, _FIRST_PAUSE << min(receives - 1, 10))


class AuditQueue:
    """The queue of this URL."""

    def __init__(self, url: str) -> None:
        self._url = url

    def return_message(self, receipt_handle: str, after_seconds: int) -> None:
        """Lets a message that failed come again after so many seconds, counted from now.

        After none for what can never be recorded: it uses up its receives in seconds, and lies in the dead letters
        while someone still wonders where it is.
        """
        client("sqs", answers_within=2).change_message_visibility(
            QueueUrl=self._url, ReceiptHandle=receipt_handle, VisibilityTimeout=after_seconds
        )
