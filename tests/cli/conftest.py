"""The command line, run in this process: on a file, or on moto's AWS with the audit's tables in it."""

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
from moto import mock_aws
from typer.testing import CliRunner

from rotation_guard.cli.__main__ import app
from rotation_guard.domain.timestamps import to_iso

NOW = "2026-03-01T12:00:00Z"
ACCOUNT = "123456789012"
"""Of moto, which answers GetCallerIdentity with it."""
CALLER = "arn:aws:sts::123456789012:user/moto"
"""The caller's ARN in that answer."""
LOCAL_ENDPOINT = "http://127.0.0.1:1"
"""Where a local deployment of these tests seems to listen: moto answers in its place."""
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
    """Runs a command; its result has `exit_code`, `stdout` and `stderr`."""

    def invoke(*arguments: str, stdin: str | bytes | None = None, **environment: str) -> Any:
        result = CliRunner().invoke(app, arguments, input=stdin, env={"COLUMNS": "80", **environment})
        if result.exception and not isinstance(result.exception, SystemExit):
            raise result.exception
        return result

    return invoke


@pytest.fixture
def answered(run: Callable[..., Any]) -> Callable[..., Any]:
    """Runs a command that has an answer; it as JSON has it."""

    def read(*arguments: str, **more: Any) -> Any:
        result = run(*arguments, "--format", "json", **more)
        assert result.exit_code == 0, result.stderr
        return json.loads(result.stdout)

    return read


def entry(name: str, days: float = 10, /, **more: Any) -> dict[str, Any]:
    """An entry of a list whose value was made so many days before NOW, and its version's date with it."""
    made = to_iso(datetime.fromisoformat(NOW) - timedelta(days=days))
    return {
        "Name": name,
        "ARN": f"{ARN}:{name}-AbCdEf",
        "CreatedDate": made,
        "SecretVersionsToStages": {"v1": ["AWSCURRENT"]},
        "VersionCreatedDates": {"v1": made},
        **more,
    }


def tags(**pairs: str) -> list[dict[str, str]]:
    """Tags as a list gives them; of our own ones only the end is to be given."""
    ours = {"max_age_days", "exempt_until", "exempt_reason", "owner"}
    named = {f"rotation-guard:{key.replace('_', '-')}" if key in ours else key: value for key, value in pairs.items()}
    return [{"Key": key, "Value": value} for key, value in named.items()]


@pytest.fixture
def listing(tmp_path: Path) -> Callable[..., str]:
    """Writes these entries to a file as the AWS CLI does; its path."""

    def write(*entries: Any, **more: Any) -> str:
        path = tmp_path / "secrets.json"
        path.write_text(json.dumps({"SecretList": entries, **more}), encoding="utf-8")
        return str(path)

    return write


class Audited:
    """A stack in an account, whose audit wrote down what a test says."""

    def __init__(self, directory: Path, dynamodb: Any) -> None:
        self.now = datetime.now(UTC).replace(microsecond=0)
        self.calls: list[tuple[str, dict[str, Any]]] = []
        self.answers: dict[str, Callable[[dict[str, Any]], dict[str, Any]]] = {}
        """What the product is answered where that is not left to moto, by operation; with `Error`, a refusal."""
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
        """A moment before now, as rows have it."""
        return to_iso(self.now - timedelta(**span))

    def run(self, run_id: str | None = None, hours: float = 0.5, **more: Any) -> str:
        """A run that began so many hours ago; complete unless told otherwise. Its id."""
        began = self.ago(hours=hours)
        row = {
            "audit": "rotation",
            "run_id": run_id or began,
            "started_at": began,
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
        """What is true of a secret now."""
        self._put("status", {**self._row(name, days, 0.5), "since": self.ago(days=2), **more})

    def needy(self, name: str, days: int = 50, **more: Any) -> None:
        """A secret that needs someone now."""
        more = {"attention": "yes", "attention_since": self.ago(days=1), **more}
        self.status(name, days, status="needs_rotation", verdict="overdue", reason="It is old.", **more)

    def history(self, name: str, run_id: str, hours: float, days: int = 10, **more: Any) -> None:
        """What a run found of a secret, whose value is so many days old now."""
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
        context["asked"] = params
        self.calls.append((model.name, params))

    def answer(self, model: Any, context: dict[str, Any], **_: Any) -> tuple[AWSResponse, dict[str, Any]] | None:
        if model.name not in self.answers:
            return None
        answer = self.answers[model.name](context["asked"])
        return AWSResponse("", 400 if "Error" in answer else 200, {}, None), answer

    def asked(self, operation: str, table: str | None = None) -> list[dict[str, Any]]:
        """The product's calls of this operation."""
        return [asked for name, asked in self.calls if name == operation and table in (None, asked.get("TableName"))]


@pytest.fixture(scope="session")
def shared_client() -> Callable[..., Any]:
    """Clients by service and place: making one takes longer than most tests, and moto serves all that were ever made.

    The tests' own is another than the product's, whose calls count.
    """
    make = boto3.Session.client

    @cache
    def client(service: str, region: str | None = None, endpoint_url: str | None = None) -> Any:
        keys = {"aws_access_key_id": "testing", "aws_secret_access_key": "testing"}
        region = region or "eu-west-1"
        return make(boto3.Session(), service, region_name=region, endpoint_url=endpoint_url, **keys)

    return client


@pytest.fixture
def aws() -> Iterator[None]:
    """An empty account."""
    with mock_aws():
        yield


@pytest.fixture
def audited(
    aws: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, shared_client: Callable[..., Any]
) -> Iterator[Audited]:
    """A stack whose tables are empty; calls count from the end of the test's own preparation of clients."""
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
    stack = Audited(tmp_path, dynamodb)
    used = []

    def watched(session: boto3.Session, service: str, **more: Any) -> Any:
        endpoint_url = more["endpoint_url"]
        client = shared_client(service, session.region_name, None if endpoint_url == LOCAL_ENDPOINT else endpoint_url)
        client.meta.events.register("provide-client-params", stack.note, unique_id="note")
        client.meta.events.register("before-call", stack.answer, unique_id="answer")
        used.append(client)
        return client

    monkeypatch.setattr(boto3.Session, "client", watched)
    yield stack
    for client in used:
        client.meta.events.unregister("provide-client-params", unique_id="note")
        client.meta.events.unregister("before-call", unique_id="answer")


class Remediated:
    """The same stack, with the table of its incidents, its secrets and its kill switch."""

    KILL_SWITCH = "/rotation-guard/kill-switch"

    def __init__(self, audited: Audited, shared_client: Callable[..., Any]) -> None:
        self.now, self.ago, self.outputs, self.asked = audited.now, audited.ago, audited.outputs, audited.asked
        self.answers, self.calls = audited.answers, audited.calls
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
        self.name({"incidents_table_name": "incidents", "kill_switch_parameter_name": self.KILL_SWITCH})

    def deploy_locally(self, directory: Path, **more: str) -> Path:
        """Describes the same stack as the local deployment of this directory; where."""
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
        """What was done about an incident, as its row has it."""
        key = {name: {"S": incident[name]} for name in ("secret_arn", "opened_at")}
        item = self._dynamodb.get_item(TableName="incidents", Key=key)["Item"]
        return [{name: value["S"] for name, value in action["M"].items()} for action in item["actions"]["L"]]

    def records(self) -> list[str]:
        """The descriptions of the kill switch's versions, oldest first."""
        versions = self._ssm.get_parameter_history(Name=self.KILL_SWITCH)["Parameters"]
        return [version.get("Description", "") for version in versions]

    def name(self, outputs: dict[str, str]) -> None:
        """Adds outputs to those of the stack."""
        self.outputs.write_text(json.dumps({**json.loads(self.outputs.read_text()), **outputs}))

    def incident(self, name: str, hours: float = 1, **more: Any) -> dict[str, Any]:
        """An incident of a secret that was opened so many hours ago, open unless told otherwise; its row."""
        began = self.ago(hours=hours)
        row = {
            "secret_arn": f"{ARN}:{name}-AbCdEf",
            "opened_at": began.replace("Z", ".123Z"),
            "state": "open",
            "secret_name": name,
            "execution": EXECUTION,
            "event_type": "RotationFailed",
            "source": "aws.secretsmanager",
            "occurred_at": began,
            "last_failure_at": began,
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

    def ended(self, name: str, outcome: str, hours: float = 1, **more: Any) -> dict[str, Any]:
        """One that has ended."""
        closed = {"state": "closed", "closed_at": self.ago(hours=hours - 0.5), "reason": f"It was {outcome}."}
        return self.incident(name, hours, outcome=outcome, **{**closed, **more})

    def standing(self, name: str, **moments: str) -> str:
        """What is remembered of a secret; its ARN."""
        arn = f"{ARN}:{name}-AbCdEf"
        self.put({"secret_arn": f"secret#{arn}", "opened_at": "standing", **moments})
        return arn

    def put(self, row: dict[str, Any]) -> None:
        item = {name: _serialize(value) for name, value in row.items() if value is not None}
        self._dynamodb.put_item(TableName="incidents", Item=item)

    def row(self, arn: str, opened_at: str = "standing") -> dict[str, str]:
        """The texts of a row."""
        answer = self._dynamodb.get_item(
            TableName="incidents", Key={"secret_arn": {"S": arn}, "opened_at": {"S": opened_at}}
        )
        return {name: value["S"] for name, value in answer.get("Item", {}).items() if "S" in value}

    def secret(self, name: str) -> str:
        """A secret that is there; its ARN."""
        return self._secrets.create_secret(Name=name, SecretString="{}")["ARN"]

    def switch(self) -> str:
        """What the kill switch says."""
        return self._ssm.get_parameter(Name=self.KILL_SWITCH)["Parameter"]["Value"]

    def turn(self, value: str | None, **more: str) -> None:
        """Has the kill switch say this; None takes it away."""
        if value is None:
            self._ssm.delete_parameter(Name=self.KILL_SWITCH)
        else:
            self._ssm.put_parameter(Name=self.KILL_SWITCH, Value=value, Overwrite=True, **more)


WRITES = (("remediation", "stop"), ("remediation", "go"), ("incidents", "release"))
"""Every command that writes to AWS."""
REASON = ("--reason", "Drill of the on-call team.")


@pytest.fixture
def remediated(audited: Audited, shared_client: Callable[..., Any]) -> Remediated:
    """A stack that has had no incident yet."""
    return Remediated(audited, shared_client)


@pytest.fixture
def reported(audited: Audited, answered: Callable[..., Any]) -> Callable[..., Any]:
    """Reports on that stack, with these options; the answer as JSON has it."""
    return lambda *options: answered("report", "--stack-outputs", str(audited.outputs), *options)


@pytest.fixture
def told(remediated: Remediated, answered: Callable[..., Any]) -> Callable[..., Any]:
    """Asks about incidents of that stack, with these words; the answer as JSON has it."""
    return lambda *words: answered("incidents", *words, "--stack-outputs", str(remediated.outputs))


@pytest.fixture
def ask(remediated: Remediated, run: Callable[..., Any]) -> Callable[..., Any]:
    """Runs a command on that stack, with a reason where it writes; its result."""

    def invoke(*words: str, **more: Any) -> Any:
        reason = REASON if words[:2] in WRITES and "--reason" not in words else ()
        return run(*words, *reason, "--stack-outputs", str(remediated.outputs), **more)

    return invoke


def refused(code: str) -> dict[str, Any]:
    """An answer that is a refusal."""
    return {"Error": {"Code": code, "Message": "No."}, "ResponseMetadata": {"HTTPStatusCode": 400}}


def names(answer: Any) -> list[str]:
    """The secrets of an answer, in order."""
    return [secret["secret_name"] for secret in answer["secrets"]]
