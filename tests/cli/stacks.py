"""Stacks in moto's AWS, whose rows, secrets and kill switch a test sets directly."""

import json
import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from boto3.dynamodb.types import TypeSerializer
from botocore.awsrequest import AWSResponse

from rotation_guard.domain.timestamps import to_iso

ACCOUNT = "123456789012"
"""The account in moto's response to GetCallerIdentity."""
CALLER = "arn:aws:sts::123456789012:user/moto"
"""The caller's ARN in moto's response to GetCallerIdentity."""
LOCAL_ENDPOINT = "http://127.0.0.1:1"
"""The endpoint of a local deployment in these tests; moto answers in its place."""
ARN = "arn:aws:secretsmanager:eu-west-1:123456789012:secret"
EXECUTION = "arn:aws:states:eu-west-1:123456789012:execution:remediation:e-1"
_serialize = TypeSerializer().serialize


class AuditStack:
    """A stack whose audit recorded what a test says."""

    def __init__(self, directory: Path, dynamodb: Any) -> None:
        self.now = datetime.now(UTC).replace(microsecond=0)
        self.calls: list[tuple[str, dict[str, Any]]] = []
        self.answers: dict[str, Callable[[dict[str, Any]], dict[str, Any] | None]] = {}
        """Responses that replace those of moto, by operation; with `Error`, a refusal. With None, moto answers."""
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
        self._write_row("runs", row)
        return row["run_id"]

    def status(self, name: str, days: int = 10, **more: Any) -> None:
        """The current status of a secret."""
        self._write_row("status", {**self._row(name, days, 0.5), "since": self.ago(days=2), **more})

    def needs_attention(self, name: str, days: int = 50, **more: Any) -> None:
        """A secret that needs attention now."""
        overdue = {"status": "needs_rotation", "verdict": "overdue", "reason": "It is old."}
        self.status(name, days, **overdue | {"attention": "yes", "attention_since": self.ago(days=1), **more})

    def history(self, name: str, run_id: str, hours: float, days: int = 10, **more: Any) -> None:
        """The row of a run about a secret whose value is so many days old now."""
        row = self._row(name, days, hours)
        self._write_row("history", {**row, "run_id": run_id, "attention": False, "expires_at": 2**40, **more})

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

    def _write_row(self, table: str, row: dict[str, Any]) -> None:
        item = {name: _serialize(value) for name, value in row.items() if value is not None}
        self._dynamodb.put_item(TableName=table, Item=item)

    def note(self, params: dict[str, Any], model: Any, context: dict[str, Any], **_: Any) -> None:
        context["request"] = params
        self.calls.append((model.name, params))

    def answer(self, model: Any, context: dict[str, Any], **_: Any) -> tuple[AWSResponse, dict[str, Any]] | None:
        if model.name not in self.answers:
            return None
        answer = self.answers[model.name](context["request"])
        if answer is None:
            return None
        return AWSResponse("", 400 if "Error" in answer else 200, {}, None), answer

    def calls_of(self, operation: str, table: str | None = None) -> list[dict[str, Any]]:
        """The parameters of the product's calls of this operation."""
        return [
            request for name, request in self.calls if name == operation and table in (None, request.get("TableName"))
        ]


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
        self.write_row(row)
        return row

    def closed_incident(self, name: str, outcome: str, hours: float = 1, **more: Any) -> dict[str, Any]:
        """A closed incident; returns its row."""
        closed = {"state": "closed", "closed_at": self.ago(hours=hours - 0.5), "reason": f"It was {outcome}."}
        return self.incident(name, hours, outcome=outcome, **{**closed, **more})

    def set_state(self, name: str, **times: str) -> str:
        """Sets the remediation state of a secret; returns its ARN."""
        arn = f"{ARN}:{name}-AbCdEf"
        self.write_row({"secret_arn": f"secret#{arn}", "opened_at": "standing", **times})
        return arn

    def write_row(self, row: dict[str, Any]) -> None:
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


def wait_for_identity() -> None:
    """Wait until the identity is read: a command that fails does not, and the calls would be those of the next test."""
    for thread in threading.enumerate():
        if thread.name.startswith("identity"):
            thread.join()
