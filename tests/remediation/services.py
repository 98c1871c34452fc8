"""The other services that the product calls, as little of each as it calls: what is not here is not called."""

import io
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from botocore.exceptions import ReadTimeoutError

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


class Functions:
    """Lambda, for the one function that is called: a probe, which may be honest or not, and may not answer."""

    def __init__(self, secrets_manager: SecretsManager) -> None:
        self._secrets_manager = secrets_manager
        self.manner = HONEST
        self.lies: list[str] = []
        """Secrets of which it has said that a version works that does not."""
        self.answered: Callable[[str, bool | None], None] = lambda version, works: None
        """Is told what was answered about a version."""

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

    def get_parameter(self, asked: Asked) -> Asked:
        self.read(self.switch)
        return {"Parameter": {"Name": asked["Name"], "Value": self.switch}}

    def start_automation_execution(self, asked: Asked) -> Asked:
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
    """ECS, with one service whose deployments end as they are told to."""

    clock: Clock
    ends: str = "COMPLETED"
    """How deployments end: `COMPLETED`, `FAILED`, or `IN_PROGRESS` for never."""
    deployments: list[Deployment] = field(default_factory=list)

    def update_service(self, asked: Asked) -> Asked:
        self.deployments.append(Deployment(len(self.deployments) + 1, self.clock.now))
        return {"service": self._described()}

    def describe_services(self, asked: Asked) -> Asked:
        return {"services": [self._described()], "failures": []}

    def _described(self) -> Asked:
        latest = self.deployments[-1:]
        deployments = [
            {"id": f"ecs-svc/{one.number}", "status": "PRIMARY", "createdAt": one.created, "rolloutState": self.ends}
            for one in latest
        ]
        return {"status": "ACTIVE", "events": [], "deployments": deployments}
