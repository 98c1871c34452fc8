"""The queue that events wait in until they are recorded."""

from .clients import client

ACTIONS = frozenset({"sqs:ChangeMessageVisibility"})


class AuditQueue:
    """The queue of this URL."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._sqs = client("sqs")

    def bring_again_at_once(self, receipt_handle: str) -> None:
        """Lets a message come again now and not when its visibility timeout is over.

        For what can never be recorded: it uses up its receives in seconds, and lies in the dead letters while someone
        still wonders where it is.
        """
        self._sqs.change_message_visibility(QueueUrl=self._url, ReceiptHandle=receipt_handle, VisibilityTimeout=0)
