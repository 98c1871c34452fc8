"""A stack in moto's AWS whose dead-letter queues a test fills."""

import json
from typing import Any

from moto.backends import get_backend

from tests.paths import EVENTS

from .stacks import ACCOUNT, RemediationStack

QUEUES = ("undelivered-events", "unrecorded-events", "unstarted-remediations", "failed-audits", "undelivered-notices")
AUDIT_QUEUE = "audit"


def recorded_message(name: str) -> dict[str, Any]:
    """A message of a dead-letter queue, as ReceiveMessage returns it."""
    return json.loads((EVENTS / "dead_letters" / f"{name}.json").read_text())


def get_queue(name: str) -> Any:
    """A queue of moto."""
    # Unsigned requests have no Region, so moto takes its default one.
    return get_backend("sqs")[ACCOUNT]["us-east-1"].get_queue(name)


class DeadLetterStack:
    """The queues of a stack, the outputs that name them, and what a test finds in them."""

    def __init__(self, stack: RemediationStack, client: Any) -> None:
        self.now, self.answers, self.calls, self.outputs = stack.now, stack.answers, stack.calls, stack.outputs
        self.add_outputs, self.calls_of = stack.add_outputs, stack.calls_of
        self._client, self.sqs = client, client("sqs")
        create = self.sqs.create_queue
        self.urls = {name: create(QueueName=f"guard-{name}-dead-letters")["QueueUrl"] for name in QUEUES}
        self.urls[AUDIT_QUEUE] = create(QueueName=AUDIT_QUEUE)["QueueUrl"]
        outputs = {f"{name.replace('-', '_')}_dead_letters_url": self.urls[name] for name in QUEUES}
        stack.add_outputs({**outputs, "audit_queue_url": self.urls[AUDIT_QUEUE]})

    def put(self, queue: str, name: str, body: str | None = None, **attributes: str) -> str:
        """Send a recorded message to a queue; returns its id."""
        message = recorded_message(name)
        own = {key: {"StringValue": value, "DataType": "String"} for key, value in attributes.items()}
        response = self.sqs.send_message(
            QueueUrl=self.urls[queue],
            MessageBody=message["Body"] if body is None else body,
            MessageAttributes={**message.get("MessageAttributes", {}), **own},
        )
        return response["MessageId"]

    def create_topic(self, name: str) -> str:
        """Create a topic; returns its ARN."""
        return self._client("sns").create_topic(Name=name)["TopicArn"]

    def subscribe(self, topic_arn: str, protocol: str, endpoint: str, **attributes: str) -> str:
        """Subscribe an endpoint, whose dead letters go to the queue of notices; returns the subscription's ARN."""
        redrive = json.dumps({"deadLetterTargetArn": self.arn("undelivered-notices")})
        return self._client("sns").subscribe(
            TopicArn=topic_arn,
            Protocol=protocol,
            Endpoint=endpoint,
            Attributes={"RedrivePolicy": redrive, **attributes},
            ReturnSubscriptionArn=True,
        )["SubscriptionArn"]

    def arn(self, queue: str) -> str:
        """The ARN of a queue."""
        return f"arn:aws:sqs:eu-west-1:{ACCOUNT}:{self.urls[queue].rpartition('/')[2]}"

    def create_queue(self, name: str) -> str:
        """Create another queue; returns its ARN."""
        self.urls[name] = self.sqs.create_queue(QueueName=name)["QueueUrl"]
        return self.arn(name)

    def visible(self, queue: str) -> int:
        """How many messages of a queue can be received now."""
        names = ["ApproximateNumberOfMessages"]
        return int(
            self.sqs.get_queue_attributes(QueueUrl=self.urls[queue], AttributeNames=names)["Attributes"][names[0]]
        )

    def receive(self, queue: str) -> list[dict[str, Any]]:
        """Receive what is in a queue."""
        response = self.sqs.receive_message(
            QueueUrl=self.urls[queue], MaxNumberOfMessages=10, MessageAttributeNames=["All"]
        )
        return response.get("Messages", [])

    def bodies(self, queue: str) -> list[str]:
        """The bodies of the messages of a queue."""
        return [message["Body"] for message in self.receive(queue)]

    def expire_visibility(self, queue: str) -> None:
        """Let the visibility timeout of all messages of a queue be over."""
        for message in get_queue(self.urls[queue].rpartition("/")[2])._messages:
            message.visible_at = 0
