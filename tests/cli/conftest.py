"""The command line, run in this process: on a file, or on moto's AWS with the tables of a stack."""

import json
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

import boto3
import pytest
from typer.testing import CliRunner

from rotation_guard.cli.__main__ import app
from rotation_guard.cli.dead_letters import reception
from rotation_guard.domain.timestamps import to_iso
from tests.moto_aws import empty_account

from .dead_letter_stack import DeadLetterStack
from .stacks import ARN, LOCAL_ENDPOINT, AuditStack, RemediationStack

NOW = "2026-03-01T12:00:00Z"
CALLER = "arn:aws:sts::123456789012:user/moto"
"""The caller's ARN in moto's response to GetCallerIdentity."""
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


def entry(name: str, days: float = 10, /, **more: Any) -> dict[str, Any]:
    """An entry of a list whose value was created so many days before NOW, with the date of its version."""
    created_at = to_iso(datetime.fromisoformat(NOW) - timedelta(days=days))
    return {
        "Name": name,
        "ARN": f"{ARN}:{name}-AbCdEf",
        "CreatedDate": created_at,
        "SecretVersionsToStages": {"v1": ["AWSCURRENT"]},
        "VersionCreatedDates": {"v1": created_at},
        **more,
    }


def tags(**pairs: str) -> list[dict[str, str]]:
    """Tags as ListSecrets returns them; the prefix of the product's own tags is added."""
    own_tags = {"max_age_days", "exempt_until", "exempt_reason", "owner"}
    named = {
        f"rotation-guard:{key.replace('_', '-')}" if key in own_tags else key: value for key, value in pairs.items()
    }
    return [{"Key": key, "Value": value} for key, value in named.items()]


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
