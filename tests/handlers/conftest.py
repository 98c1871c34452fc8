"""A simulated AWS account (moto) for each test of a function, which also records the product's requests."""

import json
import logging
from collections.abc import Callable, Generator, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import cache
from typing import Any

import boto3
import pytest
from boto3.dynamodb.types import TypeDeserializer, TypeSerializer
from botocore.awsrequest import AWSResponse
from botocore.validate import validate_parameters

from handlers.adapters import clients
from handlers.audit import check
from handlers.trail import writer
from tests import used_permissions
from tests.function_environment import DEFAULTS
from tests.handlers.scene import Scene
from tests.moto_aws import empty_account

TABLES = {
    "audit-trail": ("secret_arn", "recorded"),
    "history": ("secret_name", "run_id"),
    "status": ("secret_name", None),
    "runs": ("audit", "run_id"),
    "incidents": ("secret_arn", "opened_at"),
    "hub-incidents": ("secret_arn", "opened_at"),
    "hub-status": ("secret_arn", None),
    "hub-runs": ("audit", "run_id"),
}
INDEX = {
    "IndexName": "attention",
    "KeySchema": [
        {"AttributeName": "attention", "KeyType": "HASH"},
        {"AttributeName": "attention_since", "KeyType": "RANGE"},
    ],
    "Projection": {"ProjectionType": "ALL"},
}
ENVIRONMENT = {
    **DEFAULTS,
    "AUDIT_TRAIL_TABLE_NAME": "audit-trail",
    "TABLE_NAME": "history",
    "STATUS_TABLE_NAME": "status",
    "RUNS_TABLE_NAME": "runs",
    "INCIDENTS_TABLE_NAME": "incidents",
    "MANAGED_TAG_KEY": "Managed",
    "MANAGED_TAG_VALUE": "true",
    "HISTORY_MODE": "everyRun",
    "MISSED_HOURS": "24",
    "PERIOD_SECONDS": "3600",
    "EVENT_ACCOUNTS": "own",
    "PUBLISH_STATUS": "false",
    "STATE_MACHINE_ARN": "arn:aws:states:eu-west-1:123456789012:stateMachine:remediation",
    "REMEDIATION_TOPIC_ARN": "arn:aws:sns:eu-west-1:123456789012:remediation",
    "CRITICAL_TOPIC_ARN": "arn:aws:sns:eu-west-1:123456789012:critical",
    "KILL_SWITCH_PARAMETER_NAME": "/rotation-guard/kill-switch",
}
"""Environment of every function: the default settings, and the resource names that the components pass."""
WRITES = frozenset(
    {
        "PutItem",
        "UpdateItem",
        "TransactWriteItems",
        "RotateSecret",
        "UpdateSecretVersionStage",
        "StartExecution",
    }
)
"""Operations that change state; a test can crash a function before or after each of them."""


class Crash(BaseException):
    """Ends the function between two calls."""


class Refusal(Exception):
    """An error response of AWS."""

    def __init__(self, code: str, status: int = 400, message: str | None = None, **fields: Any) -> None:
        super().__init__(code)
        self.status, self.body = status, {"Error": {"Code": code, "Message": message or code}, **fields}


Answer = Mapping[str, Any] | Refusal | None
"""A response; None leaves it to moto."""


class Aws:
    """Records the product's requests, and answers them where moto would not answer as AWS does."""

    Refusal, Crash = Refusal, Crash

    def __init__(self, own_client: Callable[[str], Any]) -> None:
        self._own_client = own_client
        self._crash, self._writes = (0, ""), 0
        self._calls: list[tuple[str, dict[str, Any]]] = []
        self.answers: dict[str, Callable[[dict[str, Any]], Answer]] = {}

    def client(self, service: str) -> Any:
        """A client for the test itself, whose requests are not recorded."""
        return self._own_client(service)

    def requests(self, operation: str) -> list[dict[str, Any]]:
        """The parameters of each request that the product made of this operation."""
        return [parameters for name, parameters in self._calls if name == operation]

    def forget(self) -> None:
        """Forgets the requests that were recorded so far."""
        self._calls.clear()

    def answer(self, operation: str, build: Callable[[dict[str, Any]], Answer]) -> None:
        """Answers the product's calls of this operation with what `build` returns, checked against AWS's model."""
        self.answers[operation] = build

    def crash(self, number: int, when: str) -> None:
        """Ends the function `before` or `after` its write with this number, counted from now on; 0 is never."""
        self._crash, self._writes = (number, when), 0

    def put(self, table: str, row: Mapping[str, Any]) -> None:
        """Writes a row directly, without the product."""
        stored = {name: TypeSerializer().serialize(value) for name, value in row.items()}
        self.client("dynamodb").put_item(TableName=table, Item=stored)

    def create_tables(self, *names: str) -> None:
        """Creates these tables with the keys and the index that the functions use."""
        for name in names:
            hash_key, range_key = TABLES[name]
            _create_table(self.client("dynamodb"), name, hash_key, range_key)

    def rows(self, table: str) -> list[dict[str, Any]]:
        """All rows of a table but the heads of its chains, as plain values."""
        return [
            {name: _plain(value) for name, value in item.items()}
            for item in self.items(table)
            if not item[TABLES[table][0]]["S"].startswith("chain#")
        ]

    def items(self, table: str) -> list[dict[str, Any]]:
        """All rows of a table, in DynamoDB's JSON."""
        return self.client("dynamodb").scan(TableName=table, ConsistentRead=True)["Items"]

    def watch(self, client: Any) -> None:
        client.meta.events.register("provide-client-params", self._record, unique_id="record")
        client.meta.events.register("before-call", self._respond, unique_id="respond")
        client.meta.events.register("after-call", self._crash_after_write, unique_id="crash-after-write")

    def unwatch(self, client: Any) -> None:
        client.meta.events.unregister("provide-client-params", unique_id="record")
        client.meta.events.unregister("before-call", unique_id="respond")
        client.meta.events.unregister("after-call", unique_id="crash-after-write")

    def _record(self, params: dict[str, Any], model: Any, context: dict[str, Any], **_: Any) -> None:
        context["request"] = params
        self._calls.append((model.name, params))

    def _respond(self, model: Any, context: dict[str, Any], **_: Any) -> tuple[AWSResponse, Any] | None:
        if model.name in WRITES:
            self._writes += 1
            context["write"] = self._writes
            if self._crash == (self._writes, "before"):
                raise Crash
        answer = self.answers[model.name](context["request"]) if model.name in self.answers else None
        if answer is None:
            return None
        if isinstance(answer, Refusal):
            return AWSResponse("", answer.status, {}, None), answer.body
        validate_parameters(answer, model.output_shape)
        return AWSResponse("", 200, {}, None), dict(answer)

    def _crash_after_write(self, context: dict[str, Any], **_: Any) -> None:
        if self._crash == (context.get("write"), "after"):
            raise Crash


@dataclass
class Context:
    """Lambda's context of an invocation."""

    aws_request_id: str = "5f1d3f3e-0f0a-4a53-8f3c-3d1a6f4b9c11"
    function_name: str = "function"
    memory_limit_in_mb: int = 256
    invoked_function_arn: str = "arn:aws:lambda:eu-west-1:123456789012:function:function"
    remaining: int = 30_000

    def get_remaining_time_in_millis(self) -> int:
        return self.remaining


def pytest_sessionfinish() -> None:
    used_permissions.write()


@pytest.fixture(autouse=True)
def check_permissions() -> Generator[None]:
    """Fails a test in which a function makes a call that it does not declare, so that no role grants it."""
    used_permissions.listen()
    before = used_permissions.undeclared()
    yield
    assert used_permissions.undeclared() == before


@pytest.fixture
def context() -> Any:
    return Context()


@pytest.fixture
def log_text(caplog: pytest.LogCaptureFixture) -> Callable[[], str]:
    """Returns everything that was logged, with extras and exceptions.

    `capsys` does not see it: a Powertools logger writes to what standard output was when its module was imported.
    """
    return lambda: repr([(vars(record), logging.Formatter().format(record)) for record in caplog.records])


@pytest.fixture(scope="session")
def shared_clients() -> Callable[[str, str], Any]:
    """Clients by service and user: creating one takes longer than most tests, and moto serves clients of any age."""
    make = boto3.client

    @cache
    def client(service: str, user: str) -> Any:
        return make(service, config=clients._CLIENT_CONFIG if user == "product" else None)

    return client


@pytest.fixture
def aws(monkeypatch: pytest.MonkeyPatch, shared_clients: Callable[[str, str], Any]) -> Iterator[Aws]:
    """An empty account, and an environment with the names of the tables that a test may create in it."""
    used = {}

    def for_product(service: str, **_: Any) -> Any:
        used[service] = shared_clients(service, "product")
        account.watch(used[service])
        return used[service]

    with empty_account():
        account = Aws(lambda service: shared_clients(service, "test"))
        clients.client.cache_clear()
        monkeypatch.setattr(clients.boto3, "client", for_product)
        for name, value in ENVIRONMENT.items():
            monkeypatch.setenv(name, value)
        for function in (writer, check):
            # Powertools reads this from the environment when the function is loaded.
            monkeypatch.setattr(function.metrics, "namespace", "rotation-guard")
            function.metrics.clear_metrics()
        yield account
        for client in used.values():
            account.unwatch(client)
        clients.client.cache_clear()


@pytest.fixture
def create_secret(aws: Aws) -> Callable[..., dict[str, Any]]:
    """Creates a secret with a value and these tags; returns its ARN, Name and VersionId."""

    def make(name: str = "orders/db", tags: Mapping[str, str] | None = None) -> dict[str, Any]:
        return aws.client("secretsmanager").create_secret(
            Name=name,
            SecretString=json.dumps({"username": "orders", "password": "first"}),
            Tags=[{"Key": key, "Value": value} for key, value in (tags or {}).items()],
        )

    return make


@pytest.fixture
def failure_event(recorded: Callable[[str], dict[str, Any]]) -> Callable[..., dict[str, Any]]:
    """Builds the recorded failure event for another secret, rotation or event id."""

    def event(secret_arn: str, rotation: str | None = None, event_id: str | None = None) -> dict[str, Any]:
        body = recorded("rotation-failed")
        detail = body["detail"]
        request_id = detail["requestID"].replace(detail["additionalEventData"]["SecretId"], secret_arn)
        detail["requestID"] = request_id if rotation is None else f"Rotation-{secret_arn}-{rotation}"
        detail["additionalEventData"]["SecretId"] = secret_arn
        detail["eventID"] = event_id or detail["eventID"]
        return body

    return event


@pytest.fixture
def scene(aws, context):
    """Secrets and their incidents."""
    return Scene(aws, context)


@pytest.fixture
def run(context):
    """Runs the audit: manually, or with the event that the schedule sends."""
    return lambda event=None: check.handler(event or {}, context)


@pytest.fixture
def dates(aws):
    """Creation dates by version id; moto dates every version as of now."""
    creation_dates = {}

    def list_versions(request):
        answer = aws.client("secretsmanager").list_secret_version_ids(SecretId=request["SecretId"])
        for version in answer["Versions"]:
            version["CreatedDate"] = creation_dates.get(version["VersionId"], version["CreatedDate"])
        return {"Name": answer["Name"], "Versions": answer["Versions"]}

    aws.answer("ListSecretVersionIds", list_versions)
    return creation_dates


@pytest.fixture
def create_aged_secret(create_secret, dates):
    """Creates an audited secret whose value is this many days old."""

    def make(name, days=0, tags=None):
        created = create_secret(name, {"Managed": "true"} if tags is None else tags)
        dates[created["VersionId"]] = datetime.now(UTC) - timedelta(days=days)
        return created

    return make


@pytest.fixture
def history(aws):
    """Reads the rows of the history by secret name."""

    def read():
        rows = aws.rows("history")
        rows_by_secret = {row["secret_name"]: row for row in rows}
        assert len(rows_by_secret) == len(rows)
        return rows_by_secret

    return read


@pytest.fixture
def status(aws):
    """Reads the status rows by secret name."""
    return lambda: {row["secret_name"]: row for row in aws.rows("status")}


@pytest.fixture
def needs_attention(aws):
    """Reads the names of the secrets in the index of those that need attention."""

    def query():
        answer = aws.client("dynamodb").query(
            TableName="status",
            IndexName="attention",
            KeyConditionExpression="attention = :yes",
            ExpressionAttributeValues={":yes": {"S": "yes"}},
        )
        return {row["secret_name"]["S"] for row in answer["Items"]}

    return query


@pytest.fixture
def audit(aws, context):
    """Runs the audit as the schedule does, an hour later each time; returns the row of the run."""
    runs = iter(range(1000))

    def run():
        number = next(runs)
        scheduled = f"2026-03-{1 + number // 24:02d}T{number % 24:02d}:00:00Z"
        context.aws_request_id = scheduled
        check.handler({"scheduled_time": scheduled}, context)
        _set_back(aws, timedelta(hours=1))
        [row] = [row for row in aws.rows("runs") if row["run_id"] == scheduled]
        return row

    return run


def _set_back(aws, duration):
    """Simulates passing time: moves the dates that the last run wrote into the past."""
    dynamodb = aws.client("dynamodb")
    for table, attributes in (("status", ("checked_at", "accounted_at", "first_seen")), ("runs", ("started_at",))):
        for row in dynamodb.scan(TableName=table)["Items"]:
            for name in attributes:
                if name in row:
                    time = datetime.fromisoformat(row[name]["S"]) - duration
                    row[name] = {"S": time.strftime("%Y-%m-%dT%H:%M:%SZ")}
            dynamodb.put_item(TableName=table, Item=row)


def _plain(stored: Any) -> Any:
    value = TypeDeserializer().deserialize(stored)
    return int(value) if isinstance(value, Decimal) else value


def _create_table(dynamodb: Any, name: str, hash_key: str, range_key: str | None) -> None:
    keys = [hash_key, *([range_key] if range_key else [])]
    attributes = [*keys, "attention", "attention_since"] if name == "status" else keys
    dynamodb.create_table(
        TableName=name,
        KeySchema=[{"AttributeName": key, "KeyType": kind} for key, kind in zip(keys, ("HASH", "RANGE"), strict=False)],
        AttributeDefinitions=[{"AttributeName": key, "AttributeType": "S"} for key in attributes],
        BillingMode="PAY_PER_REQUEST",
        **({"GlobalSecondaryIndexes": [INDEX]} if name == "status" else {}),
    )
