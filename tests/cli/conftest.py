"""The command line, run in this process: on a file, or on moto's AWS with the tables of a stack."""

import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

import boto3
import pytest
from boto3.dynamodb.types import TypeSerializer
from botocore.awsrequest import AWSResponse
from typer.testing import CliRunner

from rotation_guard.cli.__main__ import app
from rotation_guard.domain.timestamps import to_iso
from tests.moto_aws import empty_account

NOW = "2026-03-01T12:00:00Z"
ACCOUNT = "123456789012"
"""The account in moto's response to GetCallerIdentity."""
CALLER = "arn:aws:sts::123456789012:user/moto"
"""The caller's ARN in that response."""
LOCAL_ENDPOINT = "http://127.0.0.1:1"
"""The endpoint of a local deployment in these tests; moto answers in its place."""
ARN = "arn:aws:secretsmanager:eu-west-1:123456789012:secret"
EXECUTION = "arn:aws:states:eu-west-1:123456789012:execution:remediation:e-1"
_serialize = TypeSerializer().serialize
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


class AuditStack:
    """A stack whose audit recorded what a test says."""

    def __init__(self, directory: Path, dynamodb: Any) -> None:
        self.now = datetime.now(UTC).replace(microsecond=0)
        self.calls: list[tuple[str, dict[str, Any]]] = []
        self.answers: dict[str, Callable[[dict[str, Any]], dict[str, Any]]] = {}
        """Responses that replace those of moto, by operation; with `Error`, a refusal."""
        self._dynamodb = dynamodb
        self.outputs = directory / "outputs.json"
        self.outputs.write_text(
            json.dumps(
                {
                    "table_name": "history",
                    "status_table_name": "status",
                    "runs_table_name": "runs",
                    "schedule_expression": "rate(1 hour)",
                    "function_arn": "arn:aws:lambda:eu-west-1:123456789012:function:check",
                }
            )
        )

    def ago(self, **span: float) -> str:
        """A time before now, as rows have it."""
        return to_iso(self.now - timedelta(**span))

    def run(self, run_id: str | None = None, hours: float = 0.5, **more: Any) -> str:
        """A run that started so many hours ago, complete by default; returns its id."""
        started_at = self.ago(hours=hours)
        row = {
            "audit": "rotation",
            "run_id": run_id or started_at,
            "started_at": started_at,
            "finished_at": self.ago(hours=hours - 0.01),
            "complete": True,
            "checked": 3,
            "history_mode": "everyRun",
            "period_seconds": 3600,
            **more,
        }
        self._put("runs", row)
        return row["run_id"]

    def status(self, name: str, days: int = 10, **more: Any) -> None:
        """The current status of a secret."""
        self._put("status", {**self._row(name, days, 0.5), "since": self.ago(days=2), **more})

    def needs_attention(self, name: str, days: int = 50, **more: Any) -> None:
        """A secret that needs attention now."""
        more = {"attention": "yes", "attention_since": self.ago(days=1), **more}
        self.status(name, days, status="needs_rotation", verdict="overdue", reason="It is old.", **more)

    def history(self, name: str, run_id: str, hours: float, days: int = 10, **more: Any) -> None:
        """The row of a run about a secret whose value is so many days old now."""
        row = self._row(name, days, hours)
        self._put("history", {**row, "run_id": run_id, "attention": False, "expires_at": 2**40, **more})

    def _row(self, name: str, days: int, hours: float) -> dict[str, Any]:
        return {
            "secret_name": name,
            "secret_arn": f"{ARN}:{name}-AbCdEf",
            "status": "ok",
            "verdict": "fresh",
            "reason": "It is fresh.",
            "checked_at": self.ago(hours=hours),
            "current_version_id": f"{name}-1",
            "value_created_at": self.ago(days=days),
            "age_days": days,
            "limit_days": 30,
            "owner": "payments",
        }

    def _put(self, table: str, row: dict[str, Any]) -> None:
        item = {name: _serialize(value) for name, value in row.items() if value is not None}
        self._dynamodb.put_item(TableName=table, Item=item)

    def note(self, params: dict[str, Any], model: Any, context: dict[str, Any], **_: Any) -> None:
        context["request"] = params
        self.calls.append((model.name, params))

    def answer(self, model: Any, context: dict[str, Any], **_: Any) -> tuple[AWSResponse, dict[str, Any]] | None:
        if model.name not in self.answers:
            return None
        answer = self.answers[model.name](context["request"])
        return AWSResponse("", 400 if "Error" in answer else 200, {}, None), answer

    def calls_of(self, operation: str, table: str | None = None) -> list[dict[str, Any]]:
        """The parameters of the product's calls of this operation."""
        return [
            request for name, request in self.calls if name == operation and table in (None, request.get("TableName"))
        ]


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


class RemediationStack:
    """The same stack, with the table of its incidents, its secrets and its kill switch."""

    KILL_SWITCH = "/rotation-guard/kill-switch"

    def __init__(self, audit_stack: AuditStack, shared_client: Callable[..., Any]) -> None:
        self.now, self.ago, self.outputs, self.calls_of = (
            audit_stack.now,
            audit_stack.ago,
            audit_stack.outputs,
            audit_stack.calls_of,
        )
        self.answers, self.calls = audit_stack.answers, audit_stack.calls
        self._dynamodb, self._secrets, self._ssm = map(shared_client, ("dynamodb", "secretsmanager", "ssm"))
        self._dynamodb.create_table(
            TableName="incidents",
            KeySchema=[
                {"AttributeName": "secret_arn", "KeyType": "HASH"},
                {"AttributeName": "opened_at", "KeyType": "RANGE"},
            ],
            AttributeDefinitions=[
                {"AttributeName": name, "AttributeType": "S"} for name in ("secret_arn", "opened_at")
            ],
            BillingMode="PAY_PER_REQUEST",
        )
        self._ssm.put_parameter(Name=self.KILL_SWITCH, Value="go", Type="String")
        self.add_outputs({"incidents_table_name": "incidents", "kill_switch_parameter_name": self.KILL_SWITCH})

    def deploy_locally(self, directory: Path, **more: str) -> Path:
        """Describes the same stack as the local deployment of this directory; returns the path."""
        path = directory / ".local" / "stack.json"
        path.parent.mkdir(parents=True)
        state = {
            "endpoint_url": LOCAL_ENDPOINT,
            "region": "eu-west-1",
            "account_id": ACCOUNT,
            "access_key_id": "a",
            "secret_access_key": "b",
            "outputs": json.loads(self.outputs.read_text()),
        }
        path.write_text(json.dumps({**state, **more}))
        return path

    def actions(self, incident: dict[str, Any]) -> list[dict[str, str]]:
        """The actions in the row of an incident."""
        key = {name: {"S": incident[name]} for name in ("secret_arn", "opened_at")}
        item = self._dynamodb.get_item(TableName="incidents", Key=key)["Item"]
        return [{name: value["S"] for name, value in action["M"].items()} for action in item["actions"]["L"]]

    def switch_records(self) -> list[str]:
        """The descriptions of the kill switch's versions, oldest first."""
        versions = self._ssm.get_parameter_history(Name=self.KILL_SWITCH)["Parameters"]
        return [version.get("Description", "") for version in versions]

    def add_outputs(self, outputs: dict[str, str]) -> None:
        """Adds outputs to those of the stack."""
        self.outputs.write_text(json.dumps({**json.loads(self.outputs.read_text()), **outputs}))

    def incident(self, name: str, hours: float = 1, **more: Any) -> dict[str, Any]:
        """An incident that was opened so many hours ago, open by default; returns its row."""
        opened_at = self.ago(hours=hours)
        row = {
            "secret_arn": f"{ARN}:{name}-AbCdEf",
            "opened_at": opened_at.replace("Z", ".123Z"),
            "state": "open",
            "secret_name": name,
            "execution": EXECUTION,
            "event_type": "RotationFailed",
            "source": "aws.secretsmanager",
            "occurred_at": opened_at,
            "last_failure_at": opened_at,
            "failed_step": "setSecret",
            "current_version_id": "v1",
            "failures": 1,
            "attempts": 0,
            "rounds": 0,
            "alive_until": int(self.now.timestamp()) + 3600,
            "event_ids": {"e-1"},
            "actions": [],
            **more,
        }
        self.put(row)
        return row

    def closed_incident(self, name: str, outcome: str, hours: float = 1, **more: Any) -> dict[str, Any]:
        """A closed incident; returns its row."""
        closed = {"state": "closed", "closed_at": self.ago(hours=hours - 0.5), "reason": f"It was {outcome}."}
        return self.incident(name, hours, outcome=outcome, **{**closed, **more})

    def set_state(self, name: str, **times: str) -> str:
        """Sets the remediation state of a secret; returns its ARN."""
        arn = f"{ARN}:{name}-AbCdEf"
        self.put({"secret_arn": f"secret#{arn}", "opened_at": "standing", **times})
        return arn

    def put(self, row: dict[str, Any]) -> None:
        item = {name: _serialize(value) for name, value in row.items() if value is not None}
        self._dynamodb.put_item(TableName="incidents", Item=item)

    def row(self, arn: str, opened_at: str = "standing") -> dict[str, str]:
        """The strings of a row."""
        answer = self._dynamodb.get_item(
            TableName="incidents", Key={"secret_arn": {"S": arn}, "opened_at": {"S": opened_at}}
        )
        return {name: value["S"] for name, value in answer.get("Item", {}).items() if "S" in value}

    def secret(self, name: str) -> str:
        """Creates a secret; returns its ARN."""
        return self._secrets.create_secret(Name=name, SecretString="{}")["ARN"]

    def read_switch(self) -> str:
        """The value of the kill switch."""
        return self._ssm.get_parameter(Name=self.KILL_SWITCH)["Parameter"]["Value"]

    def set_switch(self, value: str | None, **more: str) -> None:
        """Sets the kill switch; None deletes it."""
        if value is None:
            self._ssm.delete_parameter(Name=self.KILL_SWITCH)
        else:
            self._ssm.put_parameter(Name=self.KILL_SWITCH, Value=value, Overwrite=True, **more)


WRITES = (("remediation", "stop"), ("remediation", "go"), ("incidents", "release"))
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
