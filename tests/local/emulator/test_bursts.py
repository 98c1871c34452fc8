"""Bursts above the concurrency limits: each event arrives once or goes to a dead-letter queue; none is lost.

The functions write their events to files, so the tests do not rely on the embedded AWS.
"""

import io
import json
import time
import uuid
import zipfile
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from local.aws import Aws
from local.emulator.worker_limit import WORKERS_PER_FUNCTION
from local.waiting import eventually
from tests.local.conftest import ACCOUNT_CONCURRENCY

AT_ONCE = ACCOUNT_CONCURRENCY + 100
CODE = """
import json, os, time

FOLDER = {folder!r}


def handler(event, context):
    while not os.path.exists(os.path.join(FOLDER, "open")):
        time.sleep(0.01)
    with open(os.path.join(FOLDER, "seen"), "a") as seen:
        seen.write(json.dumps(event) + "\\n")
    print("seen")  # MiniStack waits 50 ms for a function that says nothing.
    if os.path.exists(os.path.join(FOLDER, "broken")):
        raise RuntimeError("failed on request")
    return event
"""


@dataclass
class Gated:
    """A function that waits until its gate opens, and then writes its event to a file."""

    name: str
    arn: str
    folder: Path

    def open(self) -> None:
        (self.folder / "open").touch()

    def read_events(self) -> list[Any]:
        """Return its events, in the order of writing."""
        file = self.folder / "seen"
        return [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []


@pytest.fixture(scope="module")
def role(aws: Aws) -> str:
    """A role for functions and workflows, without any permission."""
    trust = {"Effect": "Allow", "Principal": {"Service": ["lambda.amazonaws.com", "states.amazonaws.com"]}}
    document = json.dumps({"Version": "2012-10-17", "Statement": [{**trust, "Action": "sts:AssumeRole"}]})
    return aws.client("iam").create_role(RoleName=f"gated-{uuid.uuid4().hex[:8]}", AssumeRolePolicyDocument=document)[
        "Role"
    ]["Arn"]


@pytest.fixture
def gated(aws: Aws, role: str, tmp_path: Path) -> Iterator[Gated]:
    name = f"gated-{uuid.uuid4().hex[:8]}"
    code = io.BytesIO()
    with zipfile.ZipFile(code, "w") as archive:
        archive.writestr("gated.py", CODE.format(folder=str(tmp_path)))
    function = aws.client("lambda").create_function(
        FunctionName=name,
        Runtime="python3.13",
        Handler="gated.handler",
        Role=role,
        Code={"ZipFile": code.getvalue()},
        Timeout=60,
    )
    yield Gated(name, function["FunctionArn"], tmp_path)
    (tmp_path / "open").touch()  # Let the function end when a test has failed.
    aws.client("lambda").delete_function(FunctionName=name)


@pytest.fixture
def queue(aws: Aws) -> Callable[[], tuple[str, str]]:
    """Creates a queue that SNS may send to; returns its URL and ARN."""
    sqs = aws.client("sqs")

    def make() -> tuple[str, str]:
        name = f"queue-{uuid.uuid4().hex[:8]}"
        arn = f"arn:aws:sqs:{aws.region}:{aws.account_id}:{name}"
        may = {"Effect": "Allow", "Principal": "*", "Action": "sqs:SendMessage", "Resource": arn}
        policy = json.dumps({"Version": "2012-10-17", "Statement": [may]})
        return sqs.create_queue(QueueName=name, Attributes={"Policy": policy})["QueueUrl"], arn

    return make


@pytest.fixture
def rule(aws: Aws) -> Iterator[Callable[..., str]]:
    """Creates a rule with these targets for a unique source; returns the source."""
    rules: list[tuple[str, list[str]]] = []
    client = aws.client("events")

    def make(*targets: dict[str, Any]) -> str:
        name = f"rule-{uuid.uuid4().hex[:8]}"
        client.put_rule(Name=name, EventPattern=json.dumps({"source": [name]}))
        client.put_targets(Rule=name, Targets=[{"Id": str(n), **target} for n, target in enumerate(targets)])
        rules.append((name, [str(n) for n in range(len(targets))]))
        return name

    yield make
    for name, ids in rules:
        client.remove_targets(Rule=name, Ids=ids)
        client.delete_rule(Name=name)


def put(aws: Aws, source: str, count: int) -> None:
    """Put this many events, numbered from 0, ten per call."""
    entries = [{"Source": source, "DetailType": "t", "Detail": json.dumps({"number": n})} for n in range(count)]
    for start in range(0, count, 10):
        answer = aws.client("events").put_events(Entries=entries[start : start + 10])
        assert answer["FailedEntryCount"] == 0


def receive_messages(aws: Aws, url: str, count: int) -> list[dict[str, Any]]:
    """Receive messages of a queue until there are this many."""
    sqs, received = aws.client("sqs"), []

    def all_there() -> bool:
        while more := sqs.receive_message(
            QueueUrl=url, MaxNumberOfMessages=10, MessageAttributeNames=["All"], VisibilityTimeout=600
        ).get("Messages"):
            received.extend(more)
        return len(received) >= count

    eventually(all_there, f"{count} messages in {url}", 30)
    return received


def attributes(message: dict[str, Any]) -> dict[str, str]:
    return {name: value["StringValue"] for name, value in message["MessageAttributes"].items()}


def numbers(events: list[dict[str, Any]]) -> Counter[int]:
    return Counter(event["detail"]["number"] for event in events)


def test_events_beyond_the_accounts_concurrency_reach_every_target_once(aws, gated, rule, queue):
    url, arn = queue()
    source = rule({"Arn": gated.arn}, {"Arn": arn})
    put(aws, source, AT_ONCE)
    gated.open()
    eventually(lambda: len(gated.read_events()) >= AT_ONCE, f"{AT_ONCE} events", 60, 0.1)
    assert numbers(gated.read_events()) == Counter(range(AT_ONCE))
    assert numbers([json.loads(message["Body"]) for message in receive_messages(aws, url, AT_ONCE)]) == Counter(
        range(AT_ONCE)
    )


def test_an_asynchronous_invocation_beyond_a_functions_limit_is_accepted_and_runs_later(aws, gated):
    client = aws.client("lambda")
    client.put_function_concurrency(FunctionName=gated.name, ReservedConcurrentExecutions=1)
    for number in range(10):
        answer = client.invoke(FunctionName=gated.name, InvocationType="Event", Payload=json.dumps(number))
        assert answer["StatusCode"] == 202
    gated.open()
    eventually(lambda: len(gated.read_events()) >= 10, "ten invocations", 60, 0.1)
    assert sorted(gated.read_events()) == list(range(10))


def test_a_synchronous_invocation_beyond_a_functions_limit_is_refused(aws, gated):
    gated.open()
    client = aws.client("lambda")
    client.put_function_concurrency(FunctionName=gated.name, ReservedConcurrentExecutions=0)
    with pytest.raises(client.exceptions.TooManyRequestsException) as refused:
        client.invoke(FunctionName=gated.name, Payload=b"1")
    assert refused.value.response["Reason"] == "ReservedFunctionConcurrentInvocationLimitExceeded"
    client.delete_function_concurrency(FunctionName=gated.name)
    assert json.load(client.invoke(FunctionName=gated.name, Payload=b"2")["Payload"]) == 2


def test_queued_events_run_once_the_function_may_run_again(aws, gated, rule):
    gated.open()
    aws.client("lambda").put_function_concurrency(FunctionName=gated.name, ReservedConcurrentExecutions=0)
    put(aws, rule({"Arn": gated.arn}), 5)
    aws.client("lambda").delete_function_concurrency(FunctionName=gated.name)
    eventually(lambda: len(gated.read_events()) >= 5, "five events", 30)
    assert numbers(gated.read_events()) == Counter(range(5))


def test_an_event_whose_function_fails_three_times_goes_to_the_failure_destination(aws, gated, rule, queue):
    (gated.folder / "broken").touch()
    gated.open()
    url, arn = queue()
    aws.client("lambda").put_function_event_invoke_config(
        FunctionName=gated.name, DestinationConfig={"OnFailure": {"Destination": arn}}
    )
    put(aws, rule({"Arn": gated.arn}), 1)
    [message] = receive_messages(aws, url, 1)
    record = json.loads(message["Body"])
    assert record["requestPayload"]["detail"] == {"number": 0}
    assert record["requestContext"]["condition"] == "RetriesExhausted"
    assert record["requestContext"]["approximateInvokeCount"] == 3
    assert record["responsePayload"]["errorMessage"] == "failed on request"
    assert numbers(gated.read_events()) == {0: 3}


def test_a_notification_to_a_function_is_retried_as_any_asynchronous_invocation(aws, gated):
    aws.client("lambda").put_function_concurrency(FunctionName=gated.name, ReservedConcurrentExecutions=0)
    topic = aws.client("sns").create_topic(Name=f"topic-{uuid.uuid4().hex[:8]}")["TopicArn"]
    aws.client("sns").subscribe(TopicArn=topic, Protocol="lambda", Endpoint=gated.arn)
    gated.open()
    aws.client("sns").publish(TopicArn=topic, Message="heard")
    aws.client("lambda").delete_function_concurrency(FunctionName=gated.name)
    eventually(gated.read_events, "the notice", 30)
    assert [record["Sns"]["Message"] for event in gated.read_events() for record in event["Records"]] == ["heard"]


@pytest.mark.parametrize("service", ["lambda", "sqs", "sns", "states"])
def test_events_for_a_missing_target_go_to_its_dead_letter_queue(aws, rule, queue, service):
    gone = {"lambda": "function:gone", "sqs": "gone", "sns": "gone", "states": "stateMachine:gone"}[service]
    arn = f"arn:aws:{service}:{aws.region}:{aws.account_id}:{gone}"
    url, dead_letters = queue()
    source = rule({"Arn": arn, "DeadLetterConfig": {"Arn": dead_letters}})
    put(aws, source, 2)
    received = receive_messages(aws, url, 2)
    assert numbers([json.loads(message["Body"]) for message in received]) == Counter(range(2))
    for message in received:
        sent_attributes = attributes(message)
        assert sent_attributes["TARGET_ARN"] == arn
        assert sent_attributes["RULE_ARN"].endswith(f":rule/{source}")
        assert (sent_attributes["ERROR_CODE"], sent_attributes["RETRY_ATTEMPTS"]) == ("NO_RESOURCE", "0")


def test_a_missing_target_does_not_affect_the_other_targets(aws, rule, queue):
    gone = f"arn:aws:sqs:{aws.region}:{aws.account_id}:gone"
    url, arn = queue()
    put(aws, rule({"Arn": gone}, {"Arn": arn}), 3)
    assert numbers([json.loads(message["Body"]) for message in receive_messages(aws, url, 3)]) == Counter(range(3))


@pytest.mark.parametrize("protocol", ["sqs", "lambda"])
def test_a_notification_to_a_missing_endpoint_goes_to_the_dead_letter_queue(aws, queue, protocol):
    kind = {"sqs": "gone", "lambda": "function:gone"}[protocol]
    endpoint = f"arn:aws:{protocol}:{aws.region}:{aws.account_id}:{kind}"
    url, dead_letters = queue()
    topic = aws.client("sns").create_topic(Name=f"topic-{uuid.uuid4().hex[:8]}")["TopicArn"]
    aws.client("sns").subscribe(
        TopicArn=topic,
        Protocol=protocol,
        Endpoint=endpoint,
        Attributes={"RedrivePolicy": json.dumps({"deadLetterTargetArn": dead_letters})},
    )
    aws.client("sns").publish(TopicArn=topic, Message="heard")
    [message] = receive_messages(aws, url, 1)
    assert json.loads(message["Body"])["Message"] == "heard"


def test_a_notification_to_a_closed_queue_goes_to_the_dead_letter_queue(aws, queue):
    url, dead_letters = queue()
    closed = aws.client("sqs").create_queue(QueueName=f"closed-{uuid.uuid4().hex[:8]}")["QueueUrl"]
    topic = aws.client("sns").create_topic(Name=f"topic-{uuid.uuid4().hex[:8]}")["TopicArn"]
    aws.client("sns").subscribe(
        TopicArn=topic,
        Protocol="sqs",
        Endpoint=f"arn:aws:sqs:{aws.region}:{aws.account_id}:{closed.rpartition('/')[2]}",
        Attributes={"RedrivePolicy": json.dumps({"deadLetterTargetArn": dead_letters})},
    )
    aws.client("sns").publish(TopicArn=topic, Message="heard")
    [message] = receive_messages(aws, url, 1)
    assert json.loads(message["Body"])["Message"] == "heard"


@pytest.fixture
def execution(aws: Aws, role: str, gated: Gated) -> Callable[[int], Callable[[], dict[str, Any]]]:
    """Starts a workflow that calls the function, with this timeout; returns a function that describes its execution."""
    client = aws.client("stepfunctions")

    def start(seconds: int) -> Callable[[], dict[str, Any]]:
        state = {"Type": "Task", "Resource": gated.arn, "TimeoutSeconds": seconds, "End": True}
        definition = json.dumps({"StartAt": "Call", "States": {"Call": state}})
        name = f"machine-{uuid.uuid4().hex[:8]}"
        machine = client.create_state_machine(name=name, definition=definition, roleArn=role)["stateMachineArn"]
        arn = client.start_execution(stateMachineArn=machine)["executionArn"]
        return lambda: client.describe_execution(executionArn=arn)

    return start


def ended(describe: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """Return the execution once it has ended."""
    eventually(lambda: describe()["status"] != "RUNNING", "the end of the execution", 30)
    return describe()


def test_a_throttled_task_of_a_workflow_fails_by_the_name_that_workflows_retry(aws, gated, execution):
    """(https://docs.aws.amazon.com/step-functions/latest/dg/sfn-best-practices.html)"""
    aws.client("lambda").put_function_concurrency(FunctionName=gated.name, ReservedConcurrentExecutions=0)
    assert ended(execution(30))["error"] == "Lambda.TooManyRequestsException"


def test_the_wait_for_a_worker_does_not_count_as_a_tasks_time(aws, gated, execution, rule):
    put(aws, rule({"Arn": gated.arn}), WORKERS_PER_FUNCTION)  # They use every worker until the gate opens.
    describe = execution(1)
    time.sleep(1.5)
    assert describe()["status"] == "RUNNING"
    gated.open()
    assert ended(describe)["status"] == "SUCCEEDED"


def test_a_task_that_exceeds_its_time_limit_fails_with_a_timeout(gated, execution):
    assert ended(execution(1))["error"] == "States.Timeout"
