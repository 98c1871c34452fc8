"""Everything that is heard and written of incidents on a running stack, kept by secret."""

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
PATIENCE_SECONDS = 60.0
GLANCE_SECONDS = 0.05
QUIET_SECONDS = 0.1
"""How long a message may be on its way: several times what it takes."""
_READ = TypeDeserializer().deserialize

Row = dict[str, Any]


@dataclass(frozen=True)
class PublishedNotification:
    """One notice, as it came to a queue."""

    topic: str
    subject: str
    told: dict[str, Any]
    """The twin for machines."""
    body: str
    """The whole message, envelope and all."""


@dataclass
class EndedIncident:
    """An incident that is over, with all that was heard of it."""

    row: Row
    notices: list[PublishedNotification]
    events: list[dict[str, Any]]
    """What was on the bus about it."""
    executions: dict[str, str]
    """Execution -> how it ended."""

    @property
    def turns(self) -> list[str]:
        """What its notices were about, in their order."""
        return [notice.told["turn"] for notice in self.notices]

    @property
    def detail_types(self) -> list[str]:
        """What its events were about, in their order."""
        return [event["detail-type"].removeprefix("Rotation Incident ") for event in self.events]

    @property
    def done(self) -> list[str]:
        """What was done to the secret, in the row's words."""
        return [action["action"] for action in self.row["actions"] if action["action"] not in ("notify", "decide")]


@dataclass
class NotificationListener:
    """Hears two topics and the bus of a running stack: made before what it is to hear."""

    stack: RunningStack
    notices: list[PublishedNotification] = field(default_factory=list)
    events: list[dict[str, Any]] = field(default_factory=list)

    def __post_init__(self) -> None:
        sqs, events = self.stack.client("sqs"), self.stack.client("events")
        self._bus = sqs.create_queue(QueueName="story-incidents")["QueueUrl"]
        arn = sqs.get_queue_attributes(QueueUrl=self._bus, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
        events.put_rule(Name="story-incidents", EventPattern=json.dumps({"source": ["rotation-guard"]}))
        events.put_targets(Rule="story-incidents", Targets=[{"Id": "queue", "Arn": arn}])

    def listen(self) -> None:
        """Takes in what has come since."""
        for topic in TOPICS:
            for body in self._drain(self.stack.inbox[topic]):
                envelope = json.loads(body)
                self.notices.append(
                    PublishedNotification(topic, envelope["Subject"], _parse_payload(envelope["Message"]), body)
                )
        self.events += [json.loads(body) for body in self._drain(self._bus)]

    def of(self, arn: str) -> list[PublishedNotification]:
        """The notices about a secret alone."""
        return [notice for notice in self.notices if notice.told.get("secret_arn") == arn]

    def on_the_bus(self, arn: str) -> list[dict[str, Any]]:
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

    def row(self, arn: str, is_there: Callable[[Row], Any] = bool, seconds: float = PATIENCE_SECONDS) -> Row:
        """The latest incident of a secret, once it is as it should be."""

        def look() -> Row | None:
            rows = self.rows(arn)
            return rows[-1] if rows and is_there(rows[-1]) else None

        return eventually(look, f"the incident of {arn} to be as it should", seconds, GLANCE_SECONDS)

    def ended(self, arn: str, number: int = 1) -> EndedIncident:
        """The incident of this number of a secret, once it is over and nobody is at work on it."""
        return self.all_ended([arn], number)[0]

    def all_ended(self, arns: Sequence[str], number: int = 1, *, by: Sequence[str] = EXECUTIONS) -> list[EndedIncident]:
        """The incidents of this number of these secrets, once all are over and nothing more is heard.

        So are the executions that the rows name under `by`: the one that opened it, and the one that ended it.
        """
        rows = [self._closed(arn, number) for arn in arns]
        executions = [{name: self._end_of(name) for name in {row[key] for key in by}} for row in rows]
        self._listen_until_quiet()
        return [self._read_ended_incident(row, ends) for row, ends in zip(rows, executions, strict=True)]

    def _closed(self, arn: str, number: int) -> Row:
        def closed() -> Row | None:
            rows = self.rows(arn)
            return rows[number - 1] if len(rows) >= number and rows[number - 1]["state"] == "closed" else None

        return eventually(closed, f"the end of incident {number} of {arn}", PATIENCE_SECONDS, GLANCE_SECONDS)

    def _read_ended_incident(self, row: Row, executions: dict[str, str]) -> EndedIncident:
        arn, opened_at = row["secret_arn"], row["opened_at"]
        [row] = [again for again in self.rows(arn) if again["opened_at"] == opened_at]
        notices = [notice for notice in self.of(arn) if notice.told["opened_at"] == opened_at]
        events = [event for event in self.on_the_bus(arn) if event["detail"]["opened_at"] == opened_at]
        return EndedIncident(row, notices, events, executions)

    def _listen_until_quiet(self) -> None:
        heard = -1
        while heard != (heard := len(self.notices) + len(self.events)):
            time.sleep(QUIET_SECONDS)
            self.listen()

    def _end_of(self, execution: str) -> str:
        states = self.stack.client("stepfunctions")

        def ended() -> str | None:
            status = states.describe_execution(executionArn=execution)["status"]
            return None if status == "RUNNING" else status

        return eventually(ended, f"the end of execution {execution}", PATIENCE_SECONDS, GLANCE_SECONDS)

    def _drain(self, queue_url: str) -> list[str]:
        sqs = self.stack.client("sqs")
        bodies: list[str] = []
        while messages := sqs.receive_message(QueueUrl=queue_url, MaxNumberOfMessages=10).get("Messages"):
            entries = [{"Id": str(i), "ReceiptHandle": each["ReceiptHandle"]} for i, each in enumerate(messages)]
            sqs.delete_message_batch(QueueUrl=queue_url, Entries=entries)
            bodies += [message["Body"] for message in messages]
        return bodies


def _parse_payload(message: str) -> dict[str, Any]:
    """The twin for machines; nothing for what only people are told."""
    try:
        return json.loads(message)
    except ValueError:
        return {}
