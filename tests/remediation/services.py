"""The other services that the product calls, as little of each as it calls: what is not here is not called."""

import io
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from botocore.exceptions import EndpointConnectionError, ReadTimeoutError

from tests.remediation.clock import Clock
from tests.remediation.refusals import refused
from tests.remediation.secrets_manager import SecretsManager

Asked = dict[str, Any]
HONEST, LIAR, SHY, HANGS, RAMBLES, BREAKS, GONE = "honest", "liar", "shy", "hangs", "rambles", "breaks", "gone"
PROBES = (HONEST, LIAR, SHY, HANGS, RAMBLES, BREAKS, GONE)
"""How a probe may be; a shy one cannot tell of AWSCURRENT, and is honest otherwise."""


class Topics:
    """SNS."""

    def __init__(self) -> None:
        self.published: list[Asked] = []

    def publish(self, asked: Asked) -> Asked:
        assert 0 < len(asked["Subject"]) < 100
        assert asked["Subject"].isascii()
        assert asked["Subject"].isprintable()
        assert len(asked["Message"].encode()) <= 256 * 1024
        assert asked.get("MessageStructure") != "json" or "default" in json.loads(asked["Message"])
        self.published.append(asked)
        return {"MessageId": f"message-{len(self.published)}"}


class Bus:
    """EventBridge's default bus, for what we put on it."""

    def __init__(self) -> None:
        self.put: list[Asked] = []
        self.delivers: Callable[[Asked], None] = lambda entry: None
        """Is told what was put, to bring it to whom the rules lead."""

    def put_events(self, asked: Asked) -> Asked:
        self.put += asked["Entries"]
        for entry in asked["Entries"]:
            self.delivers(entry)
        return {"FailedEntryCount": 0, "Entries": [{"EventId": "event"} for _ in asked["Entries"]]}


class Executions:
    """Step Functions, for who starts executions: a name is taken, and the same again only while it runs."""

    def __init__(self, begin: Callable[[str, str], None], known: Callable[[str], tuple[str, bool] | None]) -> None:
        self._begin, self._known = begin, known

    def start_execution(self, asked: Asked) -> Asked:
        """(https://docs.aws.amazon.com/step-functions/latest/apireference/API_StartExecution.html)"""
        name = asked["name"]
        assert len(name) <= 80
        known = self._known(name)
        if known is not None and known != (asked["input"], True):
            raise refused("ExecutionAlreadyExists", "the name is taken")
        if known is None:
            self._begin(name, asked["input"])
        return {"executionArn": name}


@dataclass
class Function:
    """A function that uses a secret: an update of its configuration takes a while, and until then refuses the next.

    (https://docs.aws.amazon.com/lambda/latest/dg/functions-states.html)
    """

    clock: Clock
    update_seconds: int = 5
    revision: int = 0
    variables: dict[str, str] = field(default_factory=lambda: {"LOG_LEVEL": "INFO"})
    busy_until: datetime | None = None
    updates: list[datetime] = field(default_factory=list)
    """When it was restarted."""

    @property
    def is_busy(self) -> bool:
        """Whether an update is in progress."""
        return self.busy_until is not None and self.clock.now < self.busy_until

    def be_busy(self, minutes: float) -> None:
        """Somebody else updates it, which takes so long."""
        self.busy_until = self.clock.now + timedelta(minutes=minutes)
        self.revision += 1

    def get(self) -> Asked:
        """GetFunctionConfiguration."""
        return {
            "State": "Active",
            "LastUpdateStatus": "InProgress" if self.is_busy else "Successful",
            "RevisionId": f"revision-{self.revision}",
            "Environment": {"Variables": dict(self.variables)},
        }

    def update(self, asked: Asked) -> Asked:
        """UpdateFunctionConfiguration (https://docs.aws.amazon.com/lambda/latest/api/API_UpdateFunctionConfiguration.html)."""
        if self.is_busy:
            raise refused("ResourceConflictException", "CANARY: an update is in progress for resource")
        if asked["RevisionId"] != f"revision-{self.revision}":
            raise refused("PreconditionFailedException", "CANARY: another revision")
        self.be_busy(self.update_seconds / 60)
        self.variables = dict(asked["Environment"]["Variables"])
        self.updates.append(self.clock.now)
        return self.get()


class Functions:
    """Lambda, for a function that uses a secret, and a probe, which may be honest or not, and may not answer."""

    def __init__(self, secrets_manager: SecretsManager, clock: Clock) -> None:
        self._secrets_manager = secrets_manager
        self.dependent = Function(clock)
        self.manner = HONEST
        self.lies: list[str] = []
        """Secrets of which it has said that a version works that does not."""
        self.answered: Callable[[str, bool | None], None] = lambda version, works: None
        """Is told what was answered about a version."""

    def get_function_configuration(self, asked: Asked) -> Asked:
        return self.dependent.get()

    def update_function_configuration(self, asked: Asked) -> Asked:
        return self.dependent.update(asked)

    def invoke(self, asked: Asked) -> Asked:
        given = json.loads(asked["Payload"])
        secret = self._secrets_manager.secrets[given["SecretId"]]
        version = given["VersionId"]
        assert set(given) == {"SecretId", "VersionId", "VersionStage"}
        is_readable = version in secret.versions and secret.versions[version].has_value and not secret.is_gone
        works = is_readable and secret.works(version)
        manner = self.manner
        if manner == SHY:
            manner = HANGS if given["VersionStage"] == "AWSCURRENT" else HONEST
        self.answered(version, {HONEST: works, LIAR: not works}.get(manner) if is_readable else None)
        match manner:
            case "hangs":
                raise ReadTimeoutError(endpoint_url="https://lambda")
            case "gone":
                raise refused("ResourceNotFoundException", "Function not found")
            case "rambles":
                return _answer('{"works": "CANARY of a probe"}')
            case "breaks":
                return _answer('{"errorMessage": "CANARY of a probe"}', FunctionError="Unhandled")
        if not is_readable:
            return _answer('{"errorMessage": "CANARY of a probe"}', FunctionError="Unhandled")
        if manner == LIAR and not works:
            self.lies.append(given["SecretId"])
        return _answer(json.dumps({"works": works if manner == HONEST else not works}))


def _answer(body: str, **more: Any) -> Asked:
    return {"StatusCode": 200, "Payload": io.BytesIO(body.encode()), **more}


class Ssm:
    """Parameter Store with the kill switch, and automations that end as they are told to."""

    def __init__(self) -> None:
        self.switch = "go"
        self.ends = "Success"
        """How automations end: `Success`, `Failed`, or `InProgress` for never."""
        self.read: Callable[[str], None] = lambda value: None
        """Is told what was read of the switch."""
        self.started: dict[str, str] = {}
        """Client token -> document."""
        self.running, self.most_running = 0, 100
        """How many automations of others run, and how many may at once
        (https://docs.aws.amazon.com/systems-manager/latest/userguide/adaptive-concurrency.html)."""

    def get_parameter(self, asked: Asked) -> Asked:
        self.read(self.switch)
        return {"Parameter": {"Name": asked["Name"], "Value": self.switch}}

    def start_automation_execution(self, asked: Asked) -> Asked:
        if self.running >= self.most_running and asked["ClientToken"] not in self.started:
            raise refused("AutomationExecutionLimitExceededException", "CANARY: too many automations")
        self.started.setdefault(asked["ClientToken"], asked["DocumentName"])
        return {"AutomationExecutionId": f"automation-{asked['ClientToken']}"}

    def get_automation_execution(self, asked: Asked) -> Asked:
        return {"AutomationExecution": {"AutomationExecutionStatus": self.ends}}


@dataclass
class Deployment:
    number: int
    created: datetime


@dataclass
class Services:
    """ECS, with one service whose deployments end as they are told to.

    A deployment that is no rolling update leaves the tasks of before running until it has baked. One that is rolled
    back then leaves those alone, in the deployment that they always were
    (https://docs.aws.amazon.com/AmazonECS/latest/developerguide/blue-green-deployment-how-it-works.html,
    https://docs.aws.amazon.com/AmazonECS/latest/developerguide/service-revision.html).
    """

    clock: Clock
    ends: str = "COMPLETED"
    """How deployments end: `COMPLETED`, `FAILED`, or `IN_PROGRESS` for never."""
    strategy: str = "ROLLING"
    bake_minutes: int = 0
    unreachable_until: datetime | None = None
    """Until when its endpoint is not reached."""
    deployments: list[Deployment] = field(default_factory=list)
    """Those that were asked for."""

    def update_service(self, asked: Asked) -> Asked:
        self._reach()
        self.deployments.append(Deployment(len(self.deployments) + 1, self.clock.now))
        return {"service": self._described()}

    def describe_services(self, asked: Asked) -> Asked:
        self._reach()
        return {"services": [self._described()], "failures": []}

    def _reach(self) -> None:
        if self.unreachable_until is not None and self.clock.now < self.unreachable_until:
            raise EndpointConnectionError(endpoint_url="https://ecs.CANARY")

    def _described(self) -> Asked:
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
                "id": f"ecs-svc/{each.number}",
                "status": status,
                "createdAt": each.created,
                "rolloutState": rollout,
                "desiredCount": 1,
                "runningCount": 1,
                "pendingCount": 0,
            }
            for each, status, rollout in shown
        ]
        configuration = {"strategy": self.strategy, "bakeTimeInMinutes": self.bake_minutes}
        return {
            "status": "ACTIVE",
            "events": [],
            "deploymentConfiguration": configuration,
            "deployments": deployments,
        }
