"""A local deployment of the dev stack, shared by all scenarios, and the steps that scenarios consist of."""

import json
import os
import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import boto3
import pytest
from boto3.dynamodb.conditions import Key
from typer.testing import CliRunner

from local.deploy import deployment
from local.waiting import eventually
from rotation_guard.cli.application import app

REAL_TIME = 1.0
"""The workflow waits in real time, so that its incidents are still open when tests read them."""
QUIET_SECONDS = 0.6
"""How long to wait for further notifications: several times the duration of a delivery."""


SHARES = ({"stack", "audited"}, {"repair_world"}, {"retry_world", "notify_world"})
"""Fixtures whose tests run in the same worker, as far as possible, so that each deployment is made once."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the tests of a deployment first in the share of one worker: others steal from the end of a share."""
    workers = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))
    firsts: list[list[pytest.Item]] = [[] for _ in range(workers)]
    others: list[pytest.Item] = []
    for item in items:
        fixtures = set(getattr(item, "fixturenames", ())) if Path(__file__).parent in item.path.parents else set()
        share = next((number for number, shared in enumerate(SHARES) if shared & fixtures), None)
        (others if share is None else firsts[share % workers]).append(item)
    count = len(items)
    items.clear()
    for number, first in enumerate(firsts):
        # As `--dist worksteal` divides them.
        size = (count - len(items)) // (workers - number)
        items += [*first, *others[: max(0, size - len(first))]]
        del others[: max(0, size - len(first))]
    items += others


@pytest.fixture(scope="session")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[deployment.RunningStack]:
    """The dev stack on this machine with a canary, deployed once per session."""
    directory = tmp_path_factory.mktemp("deployment") / ".local"
    config = {"canarySchedule": "rate(1 day)"}
    with deployment.deploy_temporarily(directory, config=config, wait_scale=REAL_TIME) as stack:
        yield stack


@dataclass
class Scenario:
    """The steps of a scenario, on secrets of its own."""

    stack: deployment.RunningStack
    recorded: Callable[[str], dict[str, Any]]

    def create_arn(self) -> str:
        """Return the ARN of a secret that no other scenario uses, and that does not exist."""
        scope = f"{self.stack.region}:{self.stack.account_id}"
        return f"arn:aws:secretsmanager:{scope}:secret:scenario/{uuid.uuid4()}-Ab12Cd"

    def build_event(self, name: str, secret_arn: str) -> dict[str, Any]:
        """Return a recorded event with this secret and the current time."""
        now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        text = json.dumps(self.recorded(name))
        recorded_arn = "arn:aws:secretsmanager:eu-west-1:111122223333:secret:orders/db-Ab12Cd"
        event = json.loads(text.replace(recorded_arn, secret_arn))
        event["time"] = now
        if "eventTime" in event["detail"]:
            event["detail"] |= {"eventTime": now, "eventID": str(uuid.uuid4())}
        return event

    def put_events(self, *events: dict[str, Any]) -> None:
        """Put events on the default bus, with the drill source in place of an AWS source."""
        entries = [
            {
                "Source": "rotation-guard.drill" if event["source"].startswith("aws.") else event["source"],
                "DetailType": event["detail-type"],
                "Detail": json.dumps(event["detail"]),
                "Resources": event["resources"],
            }
            for event in events
        ]
        response = self.stack.client("events").put_events(Entries=entries)
        assert response["FailedEntryCount"] == 0, response

    def read_rows(self, output: str, secret_arn: str) -> list[dict[str, Any]]:
        """Return a table's rows for this secret."""
        key = Key("secret_arn").eq(secret_arn)
        return self.open_table(output).query(KeyConditionExpression=key, ConsistentRead=True)["Items"]

    def read_all_rows(self, output: str) -> list[dict[str, Any]]:
        """Return all rows of a table."""
        return self.open_table(output).scan(ConsistentRead=True)["Items"]

    def wait_for_rows(self, output: str, secret_arn: str) -> list[dict[str, Any]]:
        """Return a table's rows for this secret, once there are any."""
        return eventually(lambda: self.read_rows(output, secret_arn), f"a row for {secret_arn} in {output}")

    def receive_notifications(self, topic: str, secret_arn: str, seconds: float = 60.0) -> list[dict[str, Any]]:
        """Return the notifications about this secret on a topic: wait for the first, and briefly for more.

        The list is empty when none arrives in time.
        """
        sqs, inbox = self.stack.client("sqs"), {"QueueUrl": self.stack.inbox[topic]}
        notifications: list[dict[str, Any]] = []
        other_handles: list[str] = []
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            # Invisible until the end: SQS returns ten messages at a time, and visible ones would hide those behind.
            response = sqs.receive_message(**inbox, MaxNumberOfMessages=10, VisibilityTimeout=int(seconds) + 60)
            for message in response.get("Messages", []):
                notification = json.loads(message["Body"])
                if secret_arn in notification["Message"]:
                    notifications.append(notification)
                    sqs.delete_message(**inbox, ReceiptHandle=message["ReceiptHandle"])
                    deadline = min(deadline, time.monotonic() + QUIET_SECONDS)
                else:
                    other_handles.append(message["ReceiptHandle"])
            time.sleep(0.02)
        for handle in other_handles:
            sqs.change_message_visibility(**inbox, ReceiptHandle=handle, VisibilityTimeout=0)
        return notifications

    def open_table(self, output: str) -> Any:
        """Return a boto3 table by the output that names it."""
        resource = boto3.resource(
            "dynamodb",
            endpoint_url=self.stack.endpoint_url,
            region_name=self.stack.region,
            aws_access_key_id=self.stack.access_key_id,
            aws_secret_access_key=self.stack.secret_access_key,
        )
        return resource.Table(self.stack.outputs[output])


@pytest.fixture
def scenario(stack: deployment.RunningStack, recorded: Callable[[str], dict[str, Any]]) -> Scenario:
    """A scenario on the shared deployment."""
    return Scenario(stack, recorded)


@pytest.fixture
def examine_own(monkeypatch: pytest.MonkeyPatch) -> Callable[[deployment.RunningStack], dict[str, str]]:
    """Runs `rotation-guard doctor` on a deployment; returns why links are not ok, by subject and name."""

    def examine(stack: deployment.RunningStack) -> dict[str, str]:
        monkeypatch.chdir(stack.directory.parent)
        result = CliRunner().invoke(app, ["doctor", "--format", "json"])
        assert result.exit_code == 0, result.output
        links = json.loads(result.stdout)["links"]
        assert len(links) > 50
        return {f"{one['subject']}: {one['link']}": one["reason"] for one in links if one["verdict"] != "ok"}

    return examine
