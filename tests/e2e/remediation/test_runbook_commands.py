"""Every command of the runbook works as it is printed: a shell runs them in order on a running stack.

`aws` is the real AWS CLI: what does not exist, or is misspelt, fails there, whatever the local AWS makes of it.
"""

import contextlib
import json
import shlex
import uuid
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from boto3.dynamodb.types import TypeDeserializer

from local.demo.secret import DemoSecret
from local.deploy.deployment import RunningStack
from local.waiting import eventually
from rotation_guard.domain.remediation.links import _ANCHORS
from rotation_guard.domain.remediation.notification_payload import build_payload
from rotation_guard.domain.remediation.notifications import build_notification
from tests.handlers.aws_commands import check_command
from tests.page_commands import Command, Shell, read_commands, split_substitution
from tests.paths import ROOT
from tests.preloaded_commands import preload

PAGE = (ROOT / "docs" / "runbook.md").read_text()
UNKNOWN_HERE = ("ssm describe-automation-executions",)
"""Operations that the local AWS does not implement: that the AWS CLI sends them proves the command."""
COMMANDS = read_commands(PAGE)


def set_up_service(stack: RunningStack) -> None:
    """A service that uses the secret."""
    ecs = stack.client("ecs")
    ecs.create_cluster(clusterName="runbook")
    containers = [{"name": "orders", "image": "none", "memory": 64}]
    ecs.register_task_definition(family="orders", containerDefinitions=containers)
    ecs.create_service(cluster="runbook", serviceName="orders", taskDefinition="orders", desiredCount=1)


def set_up_dead_letters(stack: RunningStack) -> None:
    """An event in every dead-letter queue, about a secret that no other test uses."""
    name = f"runbook/{uuid.uuid4()}"
    event = json.loads((ROOT / "tests" / "events" / "rotation-failed.json").read_text().replace("orders/db", name))
    event["detail"] |= {"eventID": str(uuid.uuid4())}
    for output, url in stack.outputs.items():
        if output.endswith("_dead_letters_url") and url:
            stack.client("sqs").send_message(QueueUrl=url, MessageBody=json.dumps(event))


def set_up_deleted_secret(stack: RunningStack) -> str:
    """The ARN of a secret that is marked for deletion."""
    manager = stack.client("secretsmanager")
    arn = manager.create_secret(Name=f"runbook/{uuid.uuid4()}", SecretString="x")["ARN"]
    manager.delete_secret(SecretId=arn, RecoveryWindowInDays=7)
    return arn


@pytest.fixture(scope="module")
def programs() -> Iterator[dict[str, str]]:
    """The beginnings of the command lines that run the programs: each is the real one, imported once."""
    with preload("aws") as aws, preload("rotation-guard") as rotation_guard:
        yield {"aws": shlex.join(aws), "rotation_guard": shlex.join(rotation_guard)}


@pytest.fixture
def shell(stack: RunningStack, tmp_path: Path, programs: Mapping[str, str]) -> Iterator[Shell]:
    """A shell, and a secret whose rotation has failed at testSecret, so that AWSPENDING has the live password."""
    secret = DemoSecret(stack)
    set_up_service(stack)
    set_up_dead_letters(stack)
    described: dict[str, Any] = stack.client("secretsmanager").describe_secret(SecretId=secret.arn)
    function = described["RotationLambdaARN"]
    tags = {tag["Key"]: tag["Value"] for tag in described["Tags"]}
    with secret.break_at("testSecret") as restore:
        secret.rotate_and_wait("RotationFailed")
        version_by_label = {label: version for version, labels in secret.read_versions().items() for label in labels}
        values = {
            **stack.outputs,
            "secret": secret.arn,
            "deleted_secret": set_up_deleted_secret(stack),
            "version": version_by_label["AWSPENDING"],
            "pending": version_by_label["AWSPENDING"],
            "current": version_by_label["AWSCURRENT"],
            "execution": eventually(lambda: find_incident(stack, secret.arn), "the incident")["execution"],
            "rotation_function": function,
            "log_group": find_log_group(stack, function),
            "probe": tags["rotation-guard:probe"],
            "dependent": tags["rotation-guard:probe"],
            "cluster": "runbook",
            "service": "orders",
            "document": "AWS-RestartEC2Instance",
        }
        environment = {
            "AWS_ENDPOINT_URL": stack.endpoint_url,
            "AWS_DEFAULT_REGION": stack.region,
            "AWS_ACCESS_KEY_ID": stack.access_key_id,
            "AWS_SECRET_ACCESS_KEY": stack.secret_access_key,
        }
        yield Shell(tmp_path, programs, values, environment)
        restore()
        # A new value closes the incident at once, so that other tests find none open. AWS refuses the call while a
        # rotation is unfinished, and retries that one.
        with contextlib.suppress(stack.client("secretsmanager").exceptions.InvalidRequestException):
            secret.rotate()
        eventually(lambda: not has_incident(stack, secret.arn), "the end of the incident", 120.0)


def has_incident(stack: RunningStack, arn: str) -> bool:
    claim = {"secret_arn": {"S": f"open#{arn}"}, "opened_at": {"S": "claim"}}
    table = stack.outputs["incidents_table_name"]
    return "Item" in stack.client("dynamodb").get_item(TableName=table, Key=claim, ConsistentRead=True)


def find_incident(stack: RunningStack, arn: str) -> dict[str, Any] | None:
    """The row of the newest incident of a secret."""
    result = stack.client("dynamodb").query(
        TableName=stack.outputs["incidents_table_name"],
        KeyConditionExpression="secret_arn = :arn",
        ExpressionAttributeValues={":arn": {"S": arn}},
        ScanIndexForward=False,
        Limit=1,
    )
    read = TypeDeserializer().deserialize
    return next(({name: read(value) for name, value in row.items()} for row in result["Items"]), None)


def find_log_group(stack: RunningStack, function: str) -> str:
    groups = stack.client("logs").describe_log_groups()["logGroups"]
    name = function.split(":")[6]
    return next(group["logGroupName"] for group in groups if name.rpartition("-")[0] in group["logGroupName"])


def test_every_command_of_the_runbook_and_of_notifications_works_as_printed(stack: RunningStack, shell: Shell) -> None:
    # One test, since a command may read the file that the one before it has written.
    failed = {}
    for command in COMMANDS:
        if command.text.startswith("aws "):
            for words in split_substitution(command.text):
                check_command(words)
        result = shell.run(command.text)
        is_unknown = any(operation in command.text for operation in UNKNOWN_HERE) and "InvalidAction" in result.stderr
        if result.exit_code and not is_unknown:
            failed[command] = result

    for command in list_notification_commands(stack):
        result = shell.run(command)
        if result.exit_code:
            failed[Command("a notification", command)] = result

    assert failed == {}
    assert len(COMMANDS) > 25


def list_notification_commands(stack: RunningStack) -> list[str]:
    """The commands in notifications of the incident in the table, except those that change the secret."""
    row = find_incident(stack, DemoSecret(stack).arn)
    assert row is not None
    notifications = (
        build_notification(build_payload("opened", row["execution"], row)),
        build_notification(build_payload("missing", row["execution"], row)),
        build_notification(build_payload("escalated", row["execution"], row, error="States.Timeout")),
    )
    commands = dict.fromkeys(command for notification in notifications for command in notification.payload["commands"])
    return [command for command in commands if "rotate-secret" not in command]


@pytest.mark.parametrize(
    "wrong",
    [
        "aws secretsmanager rotate-secrets --secret-id x",
        "aws secretsmanager rotate-secret --secret-identifier x",
        "aws cloudtrail lookup-events --attributes AttributeKey=EventName,AttributeValue=DeleteSecret",
        "aws secretsmanager describe-secret --secret-id x --query 'Tags['",
        "rotation-guard incidents display x --stack-outputs stack-outputs.json",
        "rotation-guard incidents show x --outputs stack-outputs.json",
        "pulumi stack outputs --json",
    ],
)
def test_a_command_that_does_not_exist_or_is_misspelt_fails(
    tmp_path: Path, programs: Mapping[str, str], wrong: str
) -> None:
    nowhere = {"AWS_ENDPOINT_URL": "http://127.0.0.1:9", "AWS_DEFAULT_REGION": "eu-west-1"}
    nowhere |= {"AWS_ACCESS_KEY_ID": "x", "AWS_SECRET_ACCESS_KEY": "x"}

    result = Shell(tmp_path, programs, {}, nowhere).run(wrong)

    assert result.exit_code != 0
    assert "Could not connect" not in result.stderr


def test_a_placeholder_without_a_value_is_an_error(tmp_path: Path, programs: Mapping[str, str]) -> None:
    with pytest.raises(KeyError, match="nothing_of_the_kind"):
        Shell(tmp_path, programs, {}, {}).fill("aws sqs purge-queue --queue-url <nothing_of_the_kind>")


def test_commands_are_read_from_fenced_and_indented_blocks_and_over_several_lines() -> None:
    page = "# a\n\n```console\n$ aws one \\\n      --two\n$ three\n```\n1. x\n\n       aws four\n\nText `aws five`.\n"

    assert [command.text for command in read_commands(page)] == ["aws one --two", "three", "aws four"]


def test_every_heading_that_a_notification_links_to_exists() -> None:
    headings = {line.removeprefix("## ") for line in PAGE.splitlines() if line.startswith("## ")}

    assert {*_ANCHORS.values(), "the-workflow-itself-failed"} <= headings
