"""Shared by the tests of the local deployment: an embedded AWS, and small Pulumi programs."""

import io
import json
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from local import console, processes
from local.aws import Aws
from local.deploy import deployment
from local.emulator.process import ACCOUNT_ID, Emulator

REGION = "eu-west-1"
ACCOUNT_CONCURRENCY = 200
"""A lower limit than AWS's default, so that tests can exceed it quickly."""

ROTATION_FUNCTION = """
import boto3

manager = boto3.client("secretsmanager")


def handler(event, context):
    print(event["Step"])  # MiniStack waits 50 ms for a function that prints nothing.
    secret, version = event["SecretId"], event["ClientRequestToken"]
    described = manager.describe_secret(SecretId=secret)
    if {"Key": "break-at", "Value": event["Step"]} in described["Tags"]:
        raise RuntimeError("failed on request")
    if event["Step"] == "createSecret":
        manager.put_secret_value(
            SecretId=secret, ClientRequestToken=version, SecretString="rotated", VersionStages=["AWSPENDING"]
        )
    if event["Step"] == "finishSecret":
        stages = described["VersionIdsToStages"]
        current = next(version for version, labels in stages.items() if "AWSCURRENT" in labels)
        manager.update_secret_version_stage(
            SecretId=secret, VersionStage="AWSCURRENT", MoveToVersionId=version, RemoveFromVersionId=current
        )
"""

TOPIC = 'pulumi.export("failures_topic_arn", sns.Topic("failures").arn)'
"""A program with a topic."""


@pytest.fixture(autouse=True)
def no_progress(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keeps progress out of standard error, however slow this machine is."""
    monkeypatch.setattr(console, "_PROGRESS_SECONDS", 3600.0)


@pytest.fixture(scope="session")
def emulator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Emulator]:
    with Emulator.serve(
        tmp_path_factory.mktemp("aws") / "emulator", REGION, account_concurrency=ACCOUNT_CONCURRENCY
    ) as emulator:
        yield emulator


@pytest.fixture(scope="session")
def aws(emulator: Emulator) -> Aws:
    return emulator.aws(REGION)


@pytest.fixture(scope="session")
def events(aws: Aws) -> Callable[[], list[dict]]:
    """Receives all events about secrets that were put on the default bus since the last call."""
    queue = aws.client("sqs").create_queue(QueueName="all-events")["QueueUrl"]
    pattern = json.dumps({"source": ["rotation-guard.drill", "aws.secretsmanager"]})
    aws.client("events").put_rule(Name="all-events", EventPattern=pattern)
    target = f"arn:aws:sqs:{REGION}:{ACCOUNT_ID}:all-events"
    aws.client("events").put_targets(Rule="all-events", Targets=[{"Id": "queue", "Arn": target}])

    def received() -> list[dict]:
        events = []
        while messages := aws.client("sqs").receive_message(QueueUrl=queue, MaxNumberOfMessages=10).get("Messages"):
            for message in messages:
                events.append(json.loads(message["Body"]))
                aws.client("sqs").delete_message(QueueUrl=queue, ReceiptHandle=message["ReceiptHandle"])
        return events

    return received


@pytest.fixture(scope="session")
def rotation_function(aws: Aws) -> str:
    """A rotation function that fails at the step in the secret's tag `break-at`."""
    trust = {"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}
    may = {"Effect": "Allow", "Action": "secretsmanager:*", "Resource": "*"}
    iam = aws.client("iam")
    role = iam.create_role(RoleName="rotates", AssumeRolePolicyDocument=_document(trust))["Role"]["Arn"]
    iam.put_role_policy(RoleName="rotates", PolicyName="rotates", PolicyDocument=_document(may))
    code = io.BytesIO()
    with zipfile.ZipFile(code, "w") as archive:
        archive.writestr("rotates.py", ROTATION_FUNCTION)
    arn = aws.client("lambda").create_function(
        FunctionName="rotates",
        Runtime="python3.13",
        Handler="rotates.handler",
        Role=role,
        Code={"ZipFile": code.getvalue()},
        Timeout=30,
    )["FunctionArn"]
    aws.client("lambda").add_permission(
        FunctionName="rotates",
        StatementId="secrets-manager",
        Action="lambda:InvokeFunction",
        Principal="secretsmanager.amazonaws.com",
    )
    return arn


def _document(statement: dict) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


@pytest.fixture(scope="session")
def write_program() -> Callable[..., Path]:
    """Writes a project with this program and config into a folder, and returns the folder."""

    def write(root: Path, body: str = "", declared: str = "", values: str = "") -> Path:
        root.mkdir(exist_ok=True)
        (root / "__main__.py").write_text(f"import pulumi\nfrom pulumi_aws import sns, sqs\n{body}\n")
        (root / "Pulumi.yaml").write_text(
            f"name: example\nruntime: python\nconfig:\n  first: {{default: 1}}\n{declared}"
        )
        (root / "Pulumi.dev.yaml").write_text(f"config:\n  aws:region: {REGION}\n{values}")
        return root

    return write


@pytest.fixture
def program(tmp_path: Path, write_program: Callable[..., Path]) -> Callable[..., Path]:
    """Writes a project for this test."""
    return lambda *texts: write_program(tmp_path / "project", *texts)


@pytest.fixture
def leftover_processes(tmp_path: Path) -> Callable[[], list[str]]:
    """Lists command lines of processes that were started below this test's folder."""

    def list_command_lines() -> list[str]:
        command_lines = []
        for folder in Path("/proc").glob("[0-9]*"):
            try:
                environment = (folder / "environ").read_bytes()
                is_alive = processes._read_stat(int(folder.name))
            except OSError:
                continue
            if is_alive and str(tmp_path).encode() in environment and b"MINISTACK_REGION" in environment:
                command_lines.append((folder / "cmdline").read_text().replace("\0", " "))
        return command_lines

    return list_command_lines


@pytest.fixture(scope="session")
def shared(
    tmp_path_factory: pytest.TempPathFactory, write_program: Callable[..., Path]
) -> Iterator[deployment.RunningStack]:
    """A stack for the tests that do not change it."""
    folder = tmp_path_factory.mktemp("shared")
    root = write_program(folder / "project", TOPIC)
    with deployment.deploy_temporarily(folder / ".local", root=root, wait_scale=0.001) as stack:
        yield stack


@pytest.fixture
def directory(tmp_path: Path) -> Iterator[Path]:
    """The directory of a test's own deployment, whose emulators are stopped at the end."""
    yield tmp_path / ".local"
    # Faster than `down`, which deletes every resource first.
    for folder in (tmp_path / ".local").glob("emulator-*"):
        if emulator := Emulator.load(folder):
            emulator.stop()
