"""The other AWS services, with only the operations that the product calls."""

import io
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from botocore.exceptions import EndpointConnectionError, ReadTimeoutError

from tests.remediation.client_errors import client_error
from tests.remediation.clock import Clock
from tests.remediation.secrets_manager import SecretsManager

Request = dict[str, Any]
CORRECT, WRONG, PARTIAL, TIMES_OUT, MALFORMED, RAISES, MISSING = (
    "correct",
    "wrong",
    "partial",
    "times out",
    "malformed",
    "raises",
    "missing",
)
PROBE_BEHAVIORS = (CORRECT, WRONG, PARTIAL, TIMES_OUT, MALFORMED, RAISES, MISSING)
"""How a probe may behave; a partial one times out for AWSCURRENT, and is correct otherwise."""


class Topics:
    """SNS."""

    def __init__(self) -> None:
        self.published: list[Request] = []

    def publish(self, request: Request) -> Request:
        assert 0 < len(request["Subject"]) < 100
        assert request["Subject"].isascii()
        assert request["Subject"].isprintable()
        assert len(request["Message"].encode()) <= 256 * 1024
        assert request.get("MessageStructure") != "json" or "default" in json.loads(request["Message"])
        self.published.append(request)
        return {"MessageId": f"message-{len(self.published)}"}


class Bus:
    """EventBridge's default bus, for the product's own events."""

    def __init__(self) -> None:
        self.put: list[Request] = []
        self.on_put: Callable[[Request], None] = lambda entry: None
        """Called with each entry, to deliver it as the rules say."""

    def put_events(self, request: Request) -> Request:
        self.put += request["Entries"]
        for entry in request["Entries"]:
            self.on_put(entry)
        return {"FailedEntryCount": 0, "Entries": [{"EventId": "event"} for _ in request["Entries"]]}


class Executions:
    """Step Functions' StartExecution: idempotent for the same name and input while the execution runs."""

    def __init__(self, start: Callable[[str, str], None], find: Callable[[str], tuple[str, bool] | None]) -> None:
        self._start, self._find = start, find

    def start_execution(self, request: Request) -> Request:
        """(https://docs.aws.amazon.com/step-functions/latest/apireference/API_StartExecution.html)"""
        name = request["name"]
        assert len(name) <= 80
        existing = self._find(name)
        if existing is not None and existing != (request["input"], True):
            raise client_error("ExecutionAlreadyExists", "the name is taken")
        if existing is None:
            self._start(name, request["input"])
        return {"executionArn": name}


@dataclass
class Function:
    """A function that uses a secret: an update of its configuration takes a while, and blocks the next until then.

    (https://docs.aws.amazon.com/lambda/latest/dg/functions-states.html)
    """

    clock: Clock
    update_seconds: int = 5
    revision: int = 0
    variables: dict[str, str] = field(default_factory=lambda: {"LOG_LEVEL": "INFO"})
    busy_until: datetime | None = None
    updates: list[datetime] = field(default_factory=list)
    """When the function was restarted."""

    @property
    def is_busy(self) -> bool:
        """Whether an update is in progress."""
        return self.busy_until is not None and self.clock.now < self.busy_until

    def be_busy(self, minutes: float) -> None:
        """Starts an update by somebody else that takes this long."""
        self.busy_until = self.clock.now + timedelta(minutes=minutes)
        self.revision += 1

    def get(self) -> Request:
        """GetFunctionConfiguration."""
        return {
            "State": "Active",
            "LastUpdateStatus": "InProgress" if self.is_busy else "Successful",
            "RevisionId": f"revision-{self.revision}",
            "Environment": {"Variables": dict(self.variables)},
        }

    def update(self, request: Request) -> Request:
        """UpdateFunctionConfiguration (https://docs.aws.amazon.com/lambda/latest/api/API_UpdateFunctionConfiguration.html)."""
        if self.is_busy:
            raise client_error("ResourceConflictException", "CANARY: an update is in progress for resource")
        if request["RevisionId"] != f"revision-{self.revision}":
            raise client_error("PreconditionFailedException", "CANARY: another revision")
        self.be_busy(self.update_seconds / 60)
        self.variables = dict(request["Environment"]["Variables"])
        self.updates.append(self.clock.now)
        return self.get()


class Functions:
    """Lambda, with a function that uses a secret, and a probe, which may lie or not respond."""

    def __init__(self, secrets_manager: SecretsManager, clock: Clock) -> None:
        self._secrets_manager = secrets_manager
        self.dependent = Function(clock)
        self.probe_behavior = CORRECT
        self.wrong_answers: list[str] = []
        """Secrets for which the probe reported a broken version as working."""
        self.on_probe: Callable[[str, bool | None], None] = lambda version, works: None
        """Called with each version that was probed, and the result."""

    def get_function_configuration(self, request: Request) -> Request:
        return self.dependent.get()

    def update_function_configuration(self, request: Request) -> Request:
        return self.dependent.update(request)

    def invoke(self, request: Request) -> Request:
        payload = json.loads(request["Payload"])
        secret = self._secrets_manager.secrets[payload["SecretId"]]
        version = payload["VersionId"]
        assert set(payload) == {"SecretId", "VersionId", "VersionStage"}
        is_readable = version in secret.versions and secret.versions[version].has_value and not secret.is_gone
        works = is_readable and secret.works(version)
        probe_behavior = self.probe_behavior
        if probe_behavior == PARTIAL:
            probe_behavior = TIMES_OUT if payload["VersionStage"] == "AWSCURRENT" else CORRECT
        self.on_probe(version, {CORRECT: works, WRONG: not works}.get(probe_behavior) if is_readable else None)
        match probe_behavior:
            case "times out":
                raise ReadTimeoutError(endpoint_url="https://lambda")
            case "missing":
                raise client_error("ResourceNotFoundException", "Function not found")
            case "malformed":
                return _answer('{"works": "CANARY of a probe"}')
            case "raises":
                return _answer('{"errorMessage": "CANARY of a probe"}', FunctionError="Unhandled")
        if not is_readable:
            return _answer('{"errorMessage": "CANARY of a probe"}', FunctionError="Unhandled")
        if probe_behavior == WRONG and not works:
            self.wrong_answers.append(payload["SecretId"])
        return _answer(json.dumps({"works": works if probe_behavior == CORRECT else not works}))


def _answer(body: str, **more: Any) -> Request:
    return {"StatusCode": 200, "Payload": io.BytesIO(body.encode()), **more}


class Ssm:
    """Parameter Store with the kill switch, and automations that end as configured."""

    def __init__(self) -> None:
        self.switch = "go"
        self.ends = "Success"
        """How automations end: `Success`, `Failed`, or `InProgress` for never."""
        self.on_read: Callable[[str], None] = lambda value: None
        """Called with each value of the kill switch that was read."""
        self.started: dict[str, str] = {}
        """Client token -> document."""
        self.running, self.max_running = 0, 100
        """How many other automations run, and how many may run at once
        (https://docs.aws.amazon.com/systems-manager/latest/userguide/adaptive-concurrency.html)."""

    def get_parameter(self, request: Request) -> Request:
        self.on_read(self.switch)
        return {"Parameter": {"Name": request["Name"], "Value": self.switch}}

    def start_automation_execution(self, request: Request) -> Request:
        if self.running >= self.max_running and request["ClientToken"] not in self.started:
            raise client_error("AutomationExecutionLimitExceededException", "CANARY: too many automations")
        self.started.setdefault(request["ClientToken"], request["DocumentName"])
        return {"AutomationExecutionId": f"automation-{request['ClientToken']}"}

    def get_automation_execution(self, request: Request) -> Request:
        return {"AutomationExecution": {"AutomationExecutionStatus": self.ends}}


@dataclass
class Deployment:
    number: int
    created: datetime


@dataclass
class Services:
    """ECS, with one service whose deployments end as configured.

    A deployment that is no rolling update keeps the old tasks running until it has baked. If it is rolled back,
    they stay in the deployment that they were in before
    (https://docs.aws.amazon.com/AmazonECS/latest/developerguide/blue-green-deployment-how-it-works.html,
    https://docs.aws.amazon.com/AmazonECS/latest/developerguide/service-revision.html).
    """

    clock: Clock
    ends: str = "COMPLETED"
    """How deployments end: `COMPLETED`, `FAILED`, or `IN_PROGRESS` for never."""
    strategy: str = "ROLLING"
    bake_minutes: int = 0
    unreachable_until: datetime | None = None
    """Until when the endpoint is unreachable."""
    deployments: list[Deployment] = field(default_factory=list)
    """The deployments that the product started."""

    def update_service(self, request: Request) -> Request:
        self._reach()
        self.deployments.append(Deployment(len(self.deployments) + 1, self.clock.now))
        return {"service": self._described()}

    def describe_services(self, request: Request) -> Request:
        self._reach()
        return {"services": [self._described()], "failures": []}

    def _reach(self) -> None:
        if self.unreachable_until is not None and self.clock.now < self.unreachable_until:
            raise EndpointConnectionError(endpoint_url="https://ecs.CANARY")

    def _described(self) -> Request:
        latest = self.deployments[-1:]
        before = self.deployments[-2:-1] or [Deployment(0, datetime(2026, 1, 1, tzinfo=UTC))]
        bakes = bool(latest) and self.clock.now < latest[0].created + timedelta(minutes=self.bake_minutes)
        is_shifting = self.strategy != "ROLLING" and bakes
        if is_shifting:
            shown = [(latest[0], "PRIMARY", "IN_PROGRESS"), (before[0], "ACTIVE", "COMPLETED")]
        elif self.strategy != "ROLLING" and self.ends == "FAILED":
            shown = [(before[0], "PRIMARY", "COMPLETED")]
        else:
            shown = [((latest or before)[0], "PRIMARY", self.ends if latest else "COMPLETED")]
        deployments = [
            {
                "id": f"ecs-svc/{deployment.number}",
                "status": status,
                "createdAt": deployment.created,
                "rolloutState": rollout,
                "desiredCount": 1,
                "runningCount": 1,
                "pendingCount": 0,
            }
            for deployment, status, rollout in shown
        ]
        configuration = {"strategy": self.strategy, "bakeTimeInMinutes": self.bake_minutes}
        return {
            "status": "ACTIVE",
            "events": [],
            "deploymentConfiguration": configuration,
            "deployments": deployments,
        }
