"""A hub and a member in two embedded AWS accounts: what happens in the member shows up at the hub, late if need be."""

import json
import shutil
import time
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from boto3.dynamodb.types import TypeDeserializer
from typer.testing import CliRunner

from local.aws import Aws
from local.deploy import program
from local.deploy.stacks import Stack
from local.emulator import api
from local.emulator.process import ACCOUNT_ID, Emulator, describe_accounts
from local.waiting import eventually
from rotation_guard.cli.application import app
from tests.receivers.server import Receivers, serve

REGION, ORGANIZATION = "eu-west-1", "o-a1b2c3d4e5"
HUB_ACCOUNT = "999900009999"
HUB_PROGRAM = """
import pulumi
from components.organization.hub import Hub

slack = {
    "topic": "remediation",
    "protocol": "slack",
    "endpoint": "https://hooks.slack.com/services/T0/B0/secret",
}
hub = Hub(
    "rotation-hub",
    {"organization_id": pulumi.Config().require("organization"), "drill": True, "subscriptions": [slack]},
)
for output in Hub.__annotations__:
    pulumi.export(output, getattr(hub, output))
"""
MEMBER_PROGRAM = """
import pulumi
from components.organization.member import Member
from components.rotation_guard import RotationGuard

guard = RotationGuard("guard", {"drill": True, "publish_status": True})
member = Member(
    "rotation-member",
    {
        "hub_event_bus_arn": pulumi.Config().require("hub"),
        "alarms_topic_arn": guard.critical_topic_arn,
        "drill": True,
    },
)
pulumi.export("function_name", guard.function_name)
pulumi.export("status_table_name", guard.status_table_name)
pulumi.export("dead_letters_url", member.dead_letters_url)
pulumi.export("redeliver_function_name", member.redeliver_function_name)
pulumi.export("member", member.outputs())
"""


@dataclass
class Account:
    """An account with its deployment."""

    aws: Aws
    outputs: Mapping[str, Any]

    def rows(self, output: str) -> list[dict[str, Any]]:
        """All rows of a table, by the output that names it."""
        items = self.aws.client("dynamodb").scan(TableName=self.outputs[output], ConsistentRead=True)["Items"]
        return [{name: TypeDeserializer().deserialize(value) for name, value in item.items()} for item in items]

    def about(self, output: str, secret_arn: str) -> list[dict[str, Any]]:
        """The rows of a table about this secret."""
        return [row for row in self.rows(output) if row["secret_arn"] == secret_arn]

    def inbox(self, topic_arn: str) -> str:
        """Subscribe a queue to a topic, and return its URL."""
        sqs = self.aws.client("sqs")
        url = sqs.create_queue(QueueName=f"inbox-{uuid.uuid4().hex[:8]}")["QueueUrl"]
        arn = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
        statement = {"Effect": "Allow", "Principal": "*", "Action": "sqs:SendMessage", "Resource": arn}
        document = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
        sqs.set_queue_attributes(QueueUrl=url, Attributes={"Policy": document})
        self.aws.client("sns").subscribe(TopicArn=topic_arn, Protocol="sqs", Endpoint=arn)
        return url

    def receive(self, url: str) -> list[dict[str, Any]]:
        """Take the notifications out of an inbox."""
        sqs = self.aws.client("sqs")
        messages = sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages", [])
        for message in messages:
            sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
        return [json.loads(message["Body"]) for message in messages]


@dataclass
class Organization:
    """A hub and a member of it."""

    hub: Account
    member: Account
    receivers: Receivers

    def admit(self, organization: str) -> None:
        """Let the hub's bus admit the accounts of this organisation alone."""
        arn = self.hub.outputs["event_bus_arn"]
        statement = {
            "Sid": "Organization",
            "Effect": "Allow",
            "Principal": "*",
            "Action": "events:PutEvents",
            "Resource": arn,
            "Condition": {"StringEquals": {"aws:PrincipalOrgID": organization}},
        }
        policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
        self.hub.aws.client("events").put_permission(EventBusName=arn.rpartition("/")[2], Policy=policy)

    def fail_rotation(self, failure: Mapping[str, Any]) -> str:
        """Report a failed rotation of a new secret in the member; return the secret's ARN."""
        secret = f"arn:aws:secretsmanager:{REGION}:{ACCOUNT_ID}:secret:scenario/{uuid.uuid4()}-Ab12Cd"
        recorded = failure["detail"]["additionalEventData"]["SecretId"]
        detail = json.loads(json.dumps(failure["detail"]).replace(recorded, secret))
        now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        detail |= {"eventTime": now, "eventID": str(uuid.uuid4())}
        entry = {"Source": "rotation-guard.drill", "DetailType": failure["detail-type"], "Detail": json.dumps(detail)}
        response = self.member.aws.client("events").put_events(Entries=[entry])
        assert response["FailedEntryCount"] == 0
        return secret

    def count_dead_letters(self) -> int:
        """The number of events that did not reach the hub."""
        names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
        url = self.member.outputs["dead_letters_url"]
        attributes = self.member.aws.client("sqs").get_queue_attributes(QueueUrl=url, AttributeNames=names)
        return sum(int(attributes["Attributes"][name]) for name in names)

    def redeliver(self) -> dict[str, int]:
        """Run the redelivery, as somebody would by hand."""
        function = self.member.outputs["redeliver_function_name"]
        answer = self.member.aws.client("lambda").invoke(FunctionName=function)
        assert "FunctionError" not in answer, answer["Payload"].read()
        return json.loads(answer["Payload"].read())

    def rings(self) -> bool:
        """Whether the member's page about the hub is in ALARM."""
        alarms = self.member.aws.client("cloudwatch").describe_alarms(AlarmTypes=["CompositeAlarm"])["CompositeAlarms"]
        [page] = [alarm for alarm in alarms if "hub-out-of-reach" in alarm["AlarmName"]]
        return page["StateValue"] == "ALARM"


@pytest.fixture(scope="module")
def organization(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Organization]:
    """Two accounts, the hub's and the member's, each in an emulator of its own."""
    directory = tmp_path_factory.mktemp("organization")
    accounts = directory / "accounts.json"
    with (
        Emulator.serve(directory / "hub", REGION, account_id=HUB_ACCOUNT, accounts_file=accounts) as hub,
        Emulator.serve(directory / "member", REGION, accounts_file=accounts) as member,
        serve() as receivers,
    ):
        describe_accounts(accounts, ORGANIZATION, (hub, member))
        deployed = deploy(directory, "hub", HUB_PROGRAM, hub.aws(REGION), organization=ORGANIZATION)
        api.call_action(hub.aws(REGION), "RotationGuardReceivers", {"https://hooks.slack.com": receivers.url("slack")})
        bus = deployed.outputs["event_bus_arn"]
        member_account = deploy(directory, "member", MEMBER_PROGRAM, member.aws(REGION), hub=bus)
        yield Organization(deployed, member_account, receivers)
    shutil.rmtree(directory, ignore_errors=True)


def deploy(directory: Path, name: str, text: str, aws: Aws, **config: str) -> Account:
    """Deploy a program into an account."""
    root = directory / f"{name}-program"
    root.mkdir()
    (root / "__main__.py").write_text(text)
    values = {"aws:region": REGION, **{f"rotation-guard:{key}": value for key, value in config.items()}}
    return Account(aws, program.run(Stack(root, "rotation-guard", name, values), aws).outputs)


@pytest.fixture
def examine(monkeypatch, tmp_path):
    """Runs `rotation-guard doctor` on what an account exports; returns why links are not ok, by subject and name."""

    def run(aws, outputs):
        file = tmp_path / "outputs.json"
        file.write_text(json.dumps(outputs))
        monkeypatch.setenv("AWS_ENDPOINT_URL", aws.endpoint_url)
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", aws.access_key_id)
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", aws.secret_access_key)
        result = CliRunner().invoke(app, ["doctor", "--stack-outputs", str(file), "--format", "json"])
        assert result.exit_code == 0, result.output
        links = json.loads(result.stdout)["links"]
        assert len(links) > 10
        return {f"{one['subject']}: {one['link']}": one["reason"] for one in links if one["verdict"] != "ok"}

    return run


def test_doctor_finds_nothing_wrong_with_a_hub_and_its_member(organization, examine):
    hub, member = organization.hub, organization.member

    found_at_hub = examine(hub.aws, hub.outputs)
    found_at_member = examine(member.aws, member.outputs["member"])

    # Nobody is subscribed in this organisation.
    assert found_at_hub.keys() - {"alarm: unrecorded"} == {"topic: critical"}
    assert found_at_member.keys() - {"alarm: hub-out-of-reach"} == {"topic: alarms"}


def test_doctor_finds_a_hub_that_admits_no_member(organization, examine):
    organization.admit("o-9999999999")
    try:
        found = examine(organization.hub.aws, organization.hub.outputs)
    finally:
        organization.admit(ORGANIZATION)

    assert f"does not admit the organization {ORGANIZATION}" in found["bus: members"]


def test_a_failed_rotation_in_a_member_shows_up_at_the_hub(organization, recorded):
    hub = organization.hub
    inboxes = {topic: hub.inbox(hub.outputs[f"{topic}_topic_arn"]) for topic in ("failures", "remediation")}

    secret = organization.fail_rotation(recorded("rotation-failed"))

    [row] = eventually(lambda: hub.about("audit_trail_table_name", secret), "the event in the hub's trail")
    assert (row["account"], row["region"], row["event_type"]) == (ACCOUNT_ID, REGION, "RotationFailed")
    [incident] = eventually(lambda: hub.about("incidents_table_name", secret), "the incident at the hub", seconds=60)
    assert (incident["account"], incident["region"]) == (ACCOUNT_ID, REGION)
    [notification] = eventually(lambda: hub.receive(inboxes["remediation"]), "the notification at the hub")
    assert f" {ACCOUNT_ID} {REGION}: " in notification["Subject"]
    [failure] = eventually(lambda: hub.receive(inboxes["failures"]), "the failure at the hub")
    assert secret in failure["Message"]
    name = secret.rpartition(":secret:")[2].rpartition("-")[0]
    [chat] = eventually(
        lambda: [request for request in organization.receivers.requests("slack") if name in request.body],
        "the incident in the hub's chat",
    )
    assert chat.complaints == []
    assert f"Account: {ACCOUNT_ID}" in chat.body
    assert organization.count_dead_letters() == 0


def test_the_audit_of_a_member_shows_up_at_the_hub(organization):
    secrets = organization.member.aws.client("secretsmanager")
    created = secrets.create_secret(
        Name=f"audited-{uuid.uuid4()}", SecretString="{}", Tags=[{"Key": "Managed", "Value": "true"}]
    )

    function = organization.member.outputs["function_name"]
    answer = organization.member.aws.client("lambda").invoke(FunctionName=function)
    run_id = json.loads(answer["Payload"].read())["run_id"]

    [status] = eventually(lambda: organization.hub.about("status_table_name", created["ARN"]), "the status at the hub")
    [own] = organization.member.about("status_table_name", created["ARN"])
    assert status["account"] == ACCOUNT_ID
    assert (status["verdict"], status["reason"]) == (own["verdict"], own["reason"])
    [run] = eventually(
        lambda: [row for row in organization.hub.rows("runs_table_name") if row["run_id"] == run_id], "the run"
    )
    assert run["audit"] == f"{ACCOUNT_ID}/{REGION}/{function}"


def test_a_member_that_is_cut_off_loses_nothing_rings_and_catches_up(organization, recorded):
    hub = organization.hub
    # What is refused is hidden until the queue's visibility timeout is over: three minutes, as it is deployed.
    url = organization.member.outputs["dead_letters_url"]
    organization.member.aws.client("sqs").set_queue_attributes(QueueUrl=url, Attributes={"VisibilityTimeout": "1"})
    organization.admit("o-0000000000")

    secrets = [organization.fail_rotation(recorded("rotation-failed")) for _ in range(3)]

    # Of each the event itself, and the incident that it opens.
    eventually(lambda: organization.count_dead_letters() >= 6, "the dead letters", seconds=60)
    eventually(organization.rings, "the member's alarm", seconds=60)
    assert organization.redeliver()["redelivered"] == 0
    assert organization.count_dead_letters() >= 6
    time.sleep(1)
    assert [row for secret in secrets for row in hub.about("audit_trail_table_name", secret)] == []

    organization.admit(ORGANIZATION)
    eventually(
        lambda: organization.redeliver() and organization.count_dead_letters() == 0, "the redelivery", seconds=60
    )

    for secret in secrets:
        [row] = eventually(lambda secret=secret: hub.about("audit_trail_table_name", secret), "the late event")
        assert row["event_type"] == "RotationFailed"
        [incident] = eventually(lambda secret=secret: hub.about("incidents_table_name", secret), "the late incident")
        assert incident["account"] == ACCOUNT_ID
    eventually(lambda: not organization.rings(), "the end of the member's alarm", seconds=120)
