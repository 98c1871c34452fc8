"""SNS, for those who tell people."""

from ..domain.notices import Notice
from .clients import client

ACTIONS = frozenset({"sns:Publish"})


class Topic:
    """The topic of this ARN."""

    def __init__(self, arn: str) -> None:
        self._arn = arn
        self._sns = client("sns")

    def publish(self, notice: Notice) -> str:
        """Tells its subscribers, and answers SNS's message id."""
        return self._sns.publish(TopicArn=self._arn, Subject=notice.subject, Message=notice.text)["MessageId"]
