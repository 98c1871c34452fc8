"""Dead letters of targets that are really broken, and what becomes of them once their cause is repaired."""

import json
import uuid
from collections.abc import Callable, Generator
from contextlib import contextmanager
from typing import Any

import pytest
from typer.testing import CliRunner

from local.deploy.deployment import RunningStack
from local.waiting import eventually
from rotation_guard.cli.application import app

from .test_alarms import break_trail_writer


@pytest.fixture
def command(stack: RunningStack, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Any]:
    """Runs `rotation-guard dead-letters` beside the deployment; returns the JSON of its report."""
    monkeypatch.chdir(stack.directory.parent)

    def run(*words: str) -> Any:
        result = CliRunner().invoke(app, ["dead-letters", *words, "--format", "json"])
        assert result.exit_code == 0, result.stderr
        return json.loads(result.stdout)

    return run


@pytest.fixture
def wait_for_letter(command: Callable[..., Any]) -> Callable[[str], dict[str, Any]]:
    """The only dead letter about a secret, once there is one."""
    return lambda secret: eventually(
        lambda: command("list", "--secret", secret)["messages"], f"a dead letter about {secret}", seconds=60.0
    )[0]


@contextmanager
def deny_start(stack: RunningStack) -> Generator[None]:
    """Let the function that starts remediation start nothing."""
    functions = stack.client("lambda").get_paginator("list_functions").paginate()
    handlers = {function["Handler"]: function for page in functions for function in page["Functions"]}
    role = handlers["handlers.remediation.start.handler"]["Role"].rpartition("/")[2]
    statement = {"Effect": "Deny", "Action": "states:*", "Resource": "*"}
    document = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    stack.client("iam").put_role_policy(RoleName=role, PolicyName="broken", PolicyDocument=document)
    try:
        yield
    finally:
        stack.client("iam").delete_role_policy(RoleName=role, PolicyName="broken")


@contextmanager
def missing_queue(stack: RunningStack) -> Generator[str]:
    """A queue that does not exist, as another target of a rule of the stack; yields its name."""
    events, name = stack.client("events"), f"missing-{uuid.uuid4()}"
    rule = next(rule["Name"] for rule in events.list_rules()["Rules"] if "anything-but" in rule.get("EventPattern", ""))
    letters = events.list_targets_by_rule(Rule=rule)["Targets"][0]["DeadLetterConfig"]
    arn = f"arn:aws:sqs:{stack.region}:{stack.account_id}:{name}"
    events.put_targets(Rule=rule, Targets=[{"Id": "missing", "Arn": arn, "DeadLetterConfig": letters}])
    try:
        yield name
    finally:
        events.remove_targets(Rule=rule, Ids=["missing"])


def test_without_options_the_queues_of_the_local_deployment_are_listed(command):
    queues = command()["queues"]

    assert {"undelivered-events", "unrecorded-events", "unstarted-remediations", "failed-audits"} <= {
        queue["queue"] for queue in queues
    }
    assert [queue["error"] for queue in queues] == [None] * len(queues)


def test_an_event_whose_target_was_missing_reaches_it_alone(scenario, stack, command, wait_for_letter):
    secret = scenario.create_arn()
    sqs = stack.client("sqs")
    with missing_queue(stack) as name:
        scenario.put_events(scenario.build_event("rotation-succeeded", secret))
        letter = wait_for_letter(secret)
    assert (letter["queue"], letter["cause"], letter["event"]) == (
        "undelivered-events",
        "NO_RESOURCE",
        "RotationSucceeded",
    )
    url = sqs.create_queue(QueueName=name)["QueueUrl"]

    answer = command("redrive", "--secret", secret, "--yes", "--local")

    assert answer["summary"] == {"sent": 1}
    [message] = sqs.receive_message(QueueUrl=url)["Messages"]
    assert json.loads(message["Body"])["detail"]["additionalEventData"]["SecretId"] == secret
    assert len(scenario.read_rows("audit_trail_table_name", secret)) == 1
    assert command("list", "--secret", secret)["messages"] == []


def test_an_event_for_which_remediation_could_not_be_started_opens_its_incident(
    scenario, stack, command, wait_for_letter
):
    secret = scenario.create_arn()
    with deny_start(stack):
        scenario.put_events(scenario.build_event("rotation-failed", secret))
        letter = wait_for_letter(secret)
    assert (letter["queue"], letter["cause"]) == ("unstarted-remediations", "Unhandled")
    assert "AccessDenied" in letter["error_message"]
    assert scenario.read_rows("incidents_table_name", secret) == []

    assert command("redrive", "--id", letter["message_id"], "--yes", "--local")["summary"] == {"sent": 1}

    assert len(scenario.wait_for_rows("incidents_table_name", secret)) == 1


def test_an_event_that_could_not_be_recorded_becomes_one_row(scenario, stack, command, wait_for_letter):
    secret = scenario.create_arn()
    with break_trail_writer(stack):
        scenario.put_events(scenario.build_event("rotation-succeeded", secret))
        letter = wait_for_letter(secret)
    assert (letter["queue"], letter["cause"], letter["sender"]) == ("unrecorded-events", "maxReceiveCount", "SQS")

    assert command("redrive", "--secret", secret, "--yes", "--local")["summary"] == {"sent": 1}

    assert len(scenario.wait_for_rows("audit_trail_table_name", secret)) == 1


def test_a_message_that_can_never_be_recorded_is_sent_once_and_discarded(scenario, stack, command, tmp_path):
    text = f"this is not JSON {uuid.uuid4()}"
    stack.client("sqs").send_message(QueueUrl=stack.outputs["audit_queue_url"], MessageBody=text)

    def find() -> dict[str, Any] | None:
        messages = command("list", "--queue", "unrecorded-events")["messages"]
        shown = (command("show", message["message_id"])["message"] for message in messages)
        return next((message for message in shown if message["body"] == text), None)

    letter = eventually(find, "the dead letter")
    command("redrive", "--id", letter["message_id"], "--yes", "--local")
    again = eventually(find, "its return")
    file = tmp_path / "saved.jsonl"

    command("discard", "--id", again["message_id"], "--yes", "--reason", "No event.", "--save", str(file), "--local")

    assert json.loads(file.read_text())["body"] == text
    assert find() is None
