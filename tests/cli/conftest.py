"""The command line, run in this process: on a file, or on moto's AWS with the tables of a stack."""

import json
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

import boto3
import pytest
from typer.testing import CliRunner

from rotation_guard.cli.application import app
from rotation_guard.cli.dead_letters import reception
from tests.moto_aws import empty_account

from .chained_trail import create_trail
from .dead_letter_stack import DeadLetterStack
from .listings import NOW as NOW
from .listings import entry as entry
from .listings import tags as tags
from .portfolio import Portfolio, clean_environment, freeze
from .stacks import CALLER as CALLER
from .stacks import LOCAL_ENDPOINT, AuditStack, RemediationStack, wait_for_identity

IDENTITY_CALLS = ("GetCallerIdentity", "ListAccountAliases")
"""What every report asks to name the account and the caller."""
_TABLES = {"history": ("secret_name", "run_id"), "status": ("secret_name",), "runs": ("audit", "run_id")}
_INDEX = {
    "IndexName": "attention",
    "KeySchema": [
        {"AttributeName": "attention", "KeyType": "HASH"},
        {"AttributeName": "attention_since", "KeyType": "RANGE"},
    ],
    "Projection": {"ProjectionType": "ALL"},
}


@pytest.fixture
def run() -> Callable[..., Any]:
    """Runs a command; returns `exit_code`, `stdout` and `stderr`."""

    def invoke(*arguments: str, stdin: str | bytes | None = None, **environment: str) -> Any:
        result = CliRunner().invoke(app, arguments, input=stdin, env={"COLUMNS": "80", **environment})
        wait_for_identity()
        if result.exception and not isinstance(result.exception, SystemExit):
            raise result.exception
        return result

    return invoke


@pytest.fixture
def run_json(run: Callable[..., Any]) -> Callable[..., Any]:
    """Runs a command that succeeds; returns its JSON."""

    def read(*arguments: str, **more: Any) -> Any:
        result = run(*arguments, "--format", "json", **more)
        assert result.exit_code == 0, result.stderr
        return json.loads(result.stdout)

    return read


@pytest.fixture
def list_file(tmp_path: Path) -> Callable[..., str]:
    """Writes these entries to a file as the AWS CLI does; returns its path."""

    def write(*entries: Any, **more: Any) -> str:
        path = tmp_path / "secrets.json"
        path.write_text(json.dumps({"SecretList": entries, **more}), encoding="utf-8")
        return str(path)

    return write


@pytest.fixture(scope="session")
def shared_client() -> Callable[..., Any]:
    """Clients by service and Region: creating one takes longer than most tests, and moto serves all of them.

    The tests' own client is another than the product's, whose calls are counted.
    """
    create = boto3.Session.client

    @cache
    def client(service: str, region: str | None = None, endpoint_url: str | None = None) -> Any:
        keys = {"aws_access_key_id": "testing", "aws_secret_access_key": "testing"}
        region = region or "eu-west-1"
        return create(boto3.Session(), service, region_name=region, endpoint_url=endpoint_url, **keys)

    return client


@pytest.fixture
def aws() -> Iterator[None]:
    """An empty account."""
    with empty_account():
        yield


@pytest.fixture
def audit_stack(
    aws: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, shared_client: Callable[..., Any]
) -> Iterator[AuditStack]:
    """A stack whose tables are empty."""
    dynamodb = shared_client("dynamodb")
    for name, keys in _TABLES.items():
        attributes = [*keys, "attention", "attention_since"] if name == "status" else keys
        dynamodb.create_table(
            TableName=name,
            KeySchema=[
                {"AttributeName": key, "KeyType": kind} for key, kind in zip(keys, ("HASH", "RANGE"), strict=False)
            ],
            AttributeDefinitions=[{"AttributeName": key, "AttributeType": "S"} for key in attributes],
            BillingMode="PAY_PER_REQUEST",
            **({"GlobalSecondaryIndexes": [_INDEX]} if name == "status" else {}),
        )
    stack = AuditStack(tmp_path, dynamodb)
    used = []

    def create_watched_client(session: boto3.Session, service: str, **more: Any) -> Any:
        endpoint_url = more["endpoint_url"]
        client = shared_client(service, session.region_name, None if endpoint_url == LOCAL_ENDPOINT else endpoint_url)
        client.meta.events.register("provide-client-params", stack.note, unique_id="note")
        client.meta.events.register("before-call", stack.answer, unique_id="answer")
        used.append(client)
        return client

    monkeypatch.setattr(boto3.Session, "client", create_watched_client)
    yield stack
    for client in used:
        client.meta.events.unregister("provide-client-params", unique_id="note")
        client.meta.events.unregister("before-call", unique_id="answer")


WRITES = (("remediation", "stop"), ("remediation", "go"), ("incidents", "release"), ("incidents", "ack"))
"""Every command that writes to AWS."""
REASON = ("--reason", "Drill of the on-call team.")


@pytest.fixture
def stack(audit_stack: AuditStack, shared_client: Callable[..., Any]) -> RemediationStack:
    """A stack without incidents."""
    return RemediationStack(audit_stack, shared_client)


@pytest.fixture
def report_json(audit_stack: AuditStack, run_json: Callable[..., Any]) -> Callable[..., Any]:
    """Runs `report` on that stack with these options; returns the JSON."""
    return lambda *options: run_json("report", "--stack-outputs", str(audit_stack.outputs), *options)


@pytest.fixture
def incidents_json(stack: RemediationStack, run_json: Callable[..., Any]) -> Callable[..., Any]:
    """Runs `incidents` on that stack with these words; returns the JSON."""
    return lambda *words: run_json("incidents", *words, "--stack-outputs", str(stack.outputs))


@pytest.fixture
def run_on_stack(stack: RemediationStack, run: Callable[..., Any]) -> Callable[..., Any]:
    """Runs a command on that stack, with a reason if it writes; returns its result."""

    def invoke(*words: str, **more: Any) -> Any:
        reason = REASON if words[:2] in WRITES and "--reason" not in words else ()
        return run(*words, *reason, "--stack-outputs", str(stack.outputs), **more)

    return invoke


def aws_error(code: str) -> dict[str, Any]:
    """An error response."""
    return {"Error": {"Code": code, "Message": "No."}, "ResponseMetadata": {"HTTPStatusCode": 400}}


def names(answer: Any) -> list[str]:
    """The names of the secrets of a report, in order."""
    return [secret["secret_name"] for secret in answer["secrets"]]


@pytest.fixture
def dead_letters(
    stack: RemediationStack, shared_client: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> DeadLetterStack:
    """The same stack with dead-letter queues, which are empty."""
    # moto waits for messages as long as it is asked to, and has none but those of the test.
    monkeypatch.setattr(reception, "WAIT_SECONDS", 0)
    return DeadLetterStack(stack, shared_client)


@pytest.fixture
def portfolio(
    audit_stack: AuditStack,
    stack: RemediationStack,
    shared_client: Callable[..., Any],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Portfolio:
    """A stack with names and texts that are hard to print."""
    freeze(monkeypatch)
    clean_environment(monkeypatch)
    made = Portfolio(audit_stack, stack, create_trail(stack, shared_client("dynamodb")), tmp_path)
    made.fill()
    return made
