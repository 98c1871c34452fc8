"""`rotation-guard doctor` on stacks that the program has deployed, in an AWS that answers as AWS documents it."""

import copy
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest

from local.mocks.recording import ACCOUNT, REGION, deploy_program, stack_config
from rotation_guard.cli.aws import AwsSession
from rotation_guard.cli.deployment import Deployment
from rotation_guard.cli.doctor import diagnosis
from rotation_guard.cli.doctor.link import Link

from .clients import DirectClient, connect
from .deployed_aws import DeployedAws

KEY = f"arn:aws:kms:{REGION}:{ACCOUNT}:key/0f4c2a1e-6a55-4f0e-9f53-1f1f9f3d2b11"
_EVERYTHING = {
    "rotation-guard:kmsKeyArn": KEY,
    "rotation-guard:remediationMode": "repair",
    "rotation-guard:securityHub": "true",
    "rotation-guard:canarySchedule": "rate(1 day)",
    "rotation-guard:reportSchedule": "rate(1 day)",
    "rotation-guard:reportObjectLockDays": "30",
    "rotation-guard:subscriptions": json.dumps(
        [
            {"topic": "critical", "protocol": "sqs", "endpoint": f"arn:aws:sqs:{REGION}:{ACCOUNT}:pager"},
            {
                "topic": "remediation",
                "protocol": "slack",
                "endpoint": "https://hooks.slack.com/services/T0/B0/secret",
                "name": "team",
                "owners": ["payments"],
            },
            {
                "topic": "critical",
                "protocol": "pagerduty",
                "endpoint": "0123456789abcdef0123456789abcdef",
                "name": "on-call",
                "owners": ["payments"],
            },
        ]
    ),
}


@pytest.fixture(scope="session")
def deployed_prod() -> DeployedAws:
    """AWS once the prod stack is deployed; a test gets a copy."""
    return DeployedAws(deploy_program(stack_config("prod"), stack="prod"))


@pytest.fixture(scope="session")
def deployed_everything() -> DeployedAws:
    """The same with a customer key, every repair, a subscriber with dead letters, and what else settings add."""
    aws = DeployedAws(deploy_program({**stack_config("prod"), **_EVERYTHING}, stack="prod"))
    aws.keys[KEY] = {"Arn": KEY, "KeyState": "Enabled", "KeyManager": "CUSTOMER"}
    services = ["events.amazonaws.com", "sns.amazonaws.com"]
    actions = ["kms:Decrypt", "kms:GenerateDataKey*"]
    statement = {"Effect": "Allow", "Principal": {"Service": services}, "Action": actions, "Resource": "*"}
    aws.key_policies[KEY] = json.dumps({"Statement": [statement]})
    return aws


@pytest.fixture
def aws(deployed_prod: DeployedAws) -> DeployedAws:
    """The prod stack, in which everything works."""
    return copy.deepcopy(deployed_prod)


@pytest.fixture
def everything(deployed_everything: DeployedAws) -> DeployedAws:
    """The stack with everything, all of which works."""
    return copy.deepcopy(deployed_everything)


@pytest.fixture
def diagnose(monkeypatch: pytest.MonkeyPatch) -> Callable[[DeployedAws], dict[str, Link]]:
    """Examines a deployment without boto3; returns the links that are not ok, by subject and name."""

    def examine(aws: DeployedAws) -> dict[str, Link]:
        monkeypatch.setattr(AwsSession, "client", lambda _, service: DirectClient(aws, service))
        source = {"description": "The stack"}
        deployment = Deployment(
            "The stack", AwsSession(region=REGION), aws.outputs, source, accounts=(ACCOUNT,), regions=(REGION,)
        )
        links = diagnosis.diagnose(deployment, aws.now)
        assert len(links) > 10
        return {f"{link.subject}: {link.name}": link for link in links if link.verdict != "ok"}

    return examine


@pytest.fixture
def doctor(
    monkeypatch: pytest.MonkeyPatch, shared_client: Callable[..., Any], run: Callable[..., Any], tmp_path: Path
) -> Iterator[Callable[..., Any]]:
    """Runs the command on a deployment, with boto3's clients; returns the result."""
    used: list[Any] = []

    def invoke(aws: DeployedAws, *options: str, **environment: str) -> Any:
        handlers = connect(aws)

        def create_client(session: boto3.Session, service: str, **_: Any) -> Any:
            client = shared_client(service, session.region_name)
            for event, handler in handlers.items():
                client.meta.events.register(event, handler, unique_id=event)
            used.append(client)
            return client

        monkeypatch.setattr(boto3.Session, "client", create_client)
        outputs = tmp_path / "outputs.json"
        outputs.write_text(json.dumps(aws.outputs))
        return run("doctor", "--stack-outputs", str(outputs), *options, **environment)

    yield invoke
    for client in used:
        for event in ("provide-client-params", "before-call"):
            client.meta.events.unregister(event, unique_id=event)
