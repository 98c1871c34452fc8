"""One local deployment of the dev stack for all stories, and the words that the stories are told in."""

import json
import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import boto3
import pytest
from boto3.dynamodb.conditions import Key

from local.deploy import deployment
from local.waiting import eventually

UNHURRIED = 1.0
"""How long a second of the workflow's waits takes where incidents are looked at while they are open."""
QUIET_SECONDS = 0.6
"""How long to listen before calling something silent: several times what a delivery takes."""


@pytest.fixture(scope="session")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[deployment.RunningStack]:
    """The dev stack on this machine, deployed once."""
    running = deployment.up(tmp_path_factory.mktemp("deployment") / ".local", wait_scale=UNHURRIED)
    yield running
    # Its end is all that is asked here: other stories hold `down` to leaving nothing behind.
    if emulator := running.emulator:
        emulator.stop()


@dataclass
class Story:
    """What a story does and sees, on secrets of its own."""

    stack: deployment.RunningStack
    recorded: Callable[[str], dict[str, Any]]

    def secret(self) -> str:
        """The ARN of a secret that no other story speaks of."""
        return f"arn:aws:secretsmanager:{self.stack.region}:{self.stack.account_id}:secret:story/{uuid.uuid4()}-Ab12Cd"

    def event(self, name: str, secret_arn: str) -> dict[str, Any]:
        """A recorded event, as if it had happened now to this secret."""
        now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        text = json.dumps(self.recorded(name))
        known = "arn:aws:secretsmanager:eu-west-1:111122223333:secret:orders/db-Ab12Cd"
        event = json.loads(text.replace(known, secret_arn))
        event["time"] = now
        if "eventTime" in event["detail"]:
            event["detail"] |= {"eventTime": now, "eventID": str(uuid.uuid4())}
        return event

    def put(self, *events: dict[str, Any]) -> None:
        """Puts events on the default bus, from the drill source where AWS alone may be the source."""
        entries = [
            {
                "Source": "rotation-guard.drill" if event["source"].startswith("aws.") else event["source"],
                "DetailType": event["detail-type"],
                "Detail": json.dumps(event["detail"]),
                "Resources": event["resources"],
            }
            for event in events
        ]
        answer = self.stack.client("events").put_events(Entries=entries)
        assert answer["FailedEntryCount"] == 0, answer

    def rows(self, output: str, secret_arn: str) -> list[dict[str, Any]]:
        """The rows of a table for this secret."""
        table = self._table(output)
        key = Key("secret_arn").eq(secret_arn)
        return table.query(KeyConditionExpression=key, ConsistentRead=True)["Items"]

    def all_rows(self, output: str) -> list[dict[str, Any]]:
        """Every row of a table."""
        return self._table(output).scan(ConsistentRead=True)["Items"]

    def eventually_rows(self, output: str, secret_arn: str) -> list[dict[str, Any]]:
        """The rows of a table for this secret, once there are any."""
        return eventually(lambda: self.rows(output, secret_arn), f"a row for {secret_arn} in {output}")

    def heard(self, topic: str, secret_arn: str, seconds: float = 60.0) -> list[dict[str, Any]]:
        """The notices about this secret on a topic: waits for the first, then listens whether there are more.

        Answers an empty list when none came in time.
        """
        sqs, inbox = self.stack.client("sqs"), {"QueueUrl": self.stack.inbox[topic]}
        found: list[dict[str, Any]] = []
        others: list[str] = []
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            # Hidden until the end: SQS hands out ten at a time, and what comes back at once hides what is behind it.
            answer = sqs.receive_message(**inbox, MaxNumberOfMessages=10, VisibilityTimeout=int(seconds) + 60)
            for message in answer.get("Messages", []):
                notice = json.loads(message["Body"])
                if secret_arn in notice["Message"]:
                    found.append(notice)
                    sqs.delete_message(**inbox, ReceiptHandle=message["ReceiptHandle"])
                    deadline = min(deadline, time.monotonic() + QUIET_SECONDS)
                else:
                    others.append(message["ReceiptHandle"])
            time.sleep(0.02)
        for handle in others:
            sqs.change_message_visibility(**inbox, ReceiptHandle=handle, VisibilityTimeout=0)
        return found

    def _table(self, output: str) -> Any:
        environment = self.stack
        resource = boto3.resource(
            "dynamodb",
            endpoint_url=environment.endpoint_url,
            region_name=environment.region,
            aws_access_key_id=environment.access_key_id,
            aws_secret_access_key=environment.secret_access_key,
        )
        return resource.Table(environment.outputs[output])


@pytest.fixture
def story(stack: deployment.RunningStack, recorded: Callable[[str], dict[str, Any]]) -> Story:
    """A story on the deployment."""
    return Story(stack, recorded)
