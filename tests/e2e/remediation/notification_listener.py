"""The notifications, events and rows of incidents on a running stack, by secret."""

import json
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from boto3.dynamodb.types import TypeDeserializer

from local.deploy.deployment import RunningStack
from local.waiting import eventually

TOPICS = ("remediation", "critical")
EXECUTIONS = ("execution", "ended_by")
TIMEOUT_SECONDS = 60.0
POLL_SECONDS = 0.05
QUIET_SECONDS = 0.1
"""How long a delivery may take: several times what it does."""
_READ = TypeDeserializer().deserialize

Row = dict[str, Any]


@dataclass(frozen=True)
class PublishedNotification:
    """One notification, as it arrived in a queue."""

    topic: str
    subject: str
    payload: dict[str, Any]
    """The payload for machines."""
    body: str
    """The whole message with its envelope."""


@dataclass
class EndedIncident:
    """A closed incident, with all that was published about it."""

    row: Row
    notifications: list[PublishedNotification]
    events: list[dict[str, Any]]
    """The events about it on the bus."""
    executions: dict[str, str]
    """Execution -> how it ended."""

    @property
    def transitions(self) -> list[str]:
        """The transitions in its notifications, in order."""
        return [notification.payload["turn"] for notification in self.notifications]

    @property
    def detail_types(self) -> list[str]:
        """The detail types of its events, in order."""
        return [event["detail-type"].removeprefix("Rotation Incident ") for event in self.events]

    @property
    def done(self) -> list[str]:
        """What was done to the secret, in the words of the row."""
        return [action["action"] for action in self.row["actions"] if action["action"] not in ("notify", "decide")]


@dataclass
class NotificationListener:
    """Listens to two topics and the bus of a running stack from when it is created."""

    stack: RunningStack
    notifications: list[PublishedNotification] = field(default_factory=list)
    events: list[dict[str, Any]] = field(default_factory=list)

    def __post_init__(self) -> None:
        sqs, events = self.stack.client("sqs"), self.stack.client("events")
        self._bus = sqs.create_queue(QueueName="scenario-incidents")["QueueUrl"]
        arn = sqs.get_queue_attributes(QueueUrl=self._bus, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
        events.put_rule(Name="scenario-incidents", EventPattern=json.dumps({"source": ["rotation-guard"]}))
        events.put_targets(Rule="scenario-incidents", Targets=[{"Id": "queue", "Arn": arn}])

    def listen(self) -> None:
        """Receives what has arrived since the last call."""
        for topic in TOPICS:
            for body in self._drain(self.stack.inbox[topic]):
                envelope = json.loads(body)
                self.notifications.append(
                    PublishedNotification(topic, envelope["Subject"], _parse_payload(envelope["Message"]), body)
                )
        self.events += [json.loads(body) for body in self._drain(self._bus)]

    def notifications_about(self, arn: str) -> list[PublishedNotification]:
        """The notifications about this secret alone."""
        return [notification for notification in self.notifications if notification.payload.get("secret_arn") == arn]

    def events_about(self, arn: str) -> list[dict[str, Any]]:
        """The events about a secret."""
        return [event for event in self.events if arn in event["resources"]]

    def rows(self, arn: str) -> list[Row]:
        """The incidents of a secret, in the order in which they were opened."""
        answer = self.stack.client("dynamodb").query(
            TableName=self.stack.outputs["incidents_table_name"],
            KeyConditionExpression="secret_arn = :arn",
            ExpressionAttributeValues={":arn": {"S": arn}},
            ConsistentRead=True,
        )
        return [{name: _READ(value) for name, value in item.items()} for item in answer["Items"]]

    def row(self, arn: str, is_expected: Callable[[Row], Any] = bool, seconds: float = TIMEOUT_SECONDS) -> Row:
        """The latest incident of a secret, once it is as expected."""

        def find() -> Row | None:
            rows = self.rows(arn)
            return rows[-1] if rows and is_expected(rows[-1]) else None

        return eventually(find, f"the incident of {arn} to be as expected", seconds, POLL_SECONDS)

    def wait_for_incident(self, arn: str, number: int = 1) -> EndedIncident:
        """The incident with this number of a secret, once it is closed and its executions have ended."""
        return self.wait_for_incidents([arn], number)[0]

    def wait_for_incidents(
        self, arns: Sequence[str], number: int = 1, *, by: Sequence[str] = EXECUTIONS
    ) -> list[EndedIncident]:
        """The incidents with this number of these secrets, once all are closed and no further messages arrive.

        It also waits for the executions that the rows name under `by`: those that opened and ended the incidents.
        """
        rows = [self._wait_for_closed(arn, number) for arn in arns]
        executions = [{name: self._wait_for_end(name) for name in {row[key] for key in by}} for row in rows]
        self._listen_until_quiet()
        return [self._read_ended_incident(row, ends) for row, ends in zip(rows, executions, strict=True)]

    def _wait_for_closed(self, arn: str, number: int) -> Row:
        def closed() -> Row | None:
            rows = self.rows(arn)
            return rows[number - 1] if len(rows) >= number and rows[number - 1]["state"] == "closed" else None

        return eventually(closed, f"the end of incident {number} of {arn}", TIMEOUT_SECONDS, POLL_SECONDS)

    def _read_ended_incident(self, row: Row, executions: dict[str, str]) -> EndedIncident:
        arn, opened_at = row["secret_arn"], row["opened_at"]
        [row] = [current for current in self.rows(arn) if current["opened_at"] == opened_at]
        notifications = [
            notification
            for notification in self.notifications_about(arn)
            if notification.payload["opened_at"] == opened_at
        ]
        events = [event for event in self.events_about(arn) if event["detail"]["opened_at"] == opened_at]
        return EndedIncident(row, notifications, events, executions)

    def _listen_until_quiet(self) -> None:
        count = -1
        while count != (count := len(self.notifications) + len(self.events)):
            time.sleep(QUIET_SECONDS)
            self.listen()

    def _wait_for_end(self, execution: str) -> str:
        states = self.stack.client("stepfunctions")

        def ended() -> str | None:
            status = states.describe_execution(executionArn=execution)["status"]
            return None if status == "RUNNING" else status

        return eventually(ended, f"the end of execution {execution}", TIMEOUT_SECONDS, POLL_SECONDS)

    def _drain(self, queue_url: str) -> list[str]:
        sqs = self.stack.client("sqs")
        bodies: list[str] = []
        while messages := sqs.receive_message(QueueUrl=queue_url, MaxNumberOfMessages=10).get("Messages"):
            entries = [{"Id": str(i), "ReceiptHandle": message["ReceiptHandle"]} for i, message in enumerate(messages)]
            sqs.delete_message_batch(QueueUrl=queue_url, Entries=entries)
            bodies += [message["Body"] for message in messages]
        return bodies


def _parse_payload(message: str) -> dict[str, Any]:
    """The payload for machines; empty for a message that is for people only."""
    try:
        return json.loads(message)
    except ValueError:
        return {}
