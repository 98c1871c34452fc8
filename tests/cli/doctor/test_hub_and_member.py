"""A hub and a member, by their outputs: each link that is broken is diagnosed, and no other is."""

import copy
import json

import pytest

from components.organization.hub import Hub
from components.organization.member import Member
from local.mocks.recording import ACCOUNT, REGION, deploy

from .broken_deliveries import change_pattern, find_target
from .broken_functions import withdraw
from .deployed_aws import DeployedAws
from .test_broken_links import require_diagnosis

HERE, ORGANIZATION, OTHER = f"{REGION}:{ACCOUNT}", "o-a1b2c3d4e5", "444455556666"
HUB_BUS = "arn:aws:events:us-east-1:999988887777:event-bus/rotation-hub"
PAGER = f"arn:aws:sns:{HERE}:pager"
SLACK = {
    "topic": "remediation",
    "protocol": "slack",
    "endpoint": "https://hooks.slack.com/services/T0/B0/x",
    "name": "a",
}
MAIL = {"topic": "critical", "protocol": "email", "endpoint": "on-call@example.com"}


def deploy_alone(component, name, args):
    """AWS once this component is deployed, with the outputs that it gives to be exported."""
    aws = DeployedAws(deploy(component, name, args))
    aws.outputs = {output: value for output, value in aws.outputs.items() if value is not None}
    return aws


@pytest.fixture(scope="session")
def deployed_hub():
    args = {"organization_id": ORGANIZATION, "member_accounts": [OTHER], "subscriptions": [SLACK, MAIL]}
    aws = deploy_alone(Hub, "rotation-hub", args)
    # The mocks do not know the ARNs of rules on another bus than the default one
    # (https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-use-resource-based.html).
    bus = aws.outputs["event_bus_arn"].rpartition("/")[2]
    for queue in aws.queues.values():
        if "Policy" in queue:
            queue["Policy"] = queue["Policy"].replace(":rule/", f":rule/{bus}/")
    return aws


@pytest.fixture(scope="session")
def deployed_member():
    aws = deploy_alone(Member, "rotation-member", {"hub_event_bus_arn": HUB_BUS, "alarms_topic_arn": PAGER})
    alarms = {"Effect": "Allow", "Principal": {"Service": "cloudwatch.amazonaws.com"}, "Action": "SNS:Publish"}
    aws.topics[PAGER] = {"TopicArn": PAGER, "Policy": json.dumps({"Statement": [{**alarms, "Resource": PAGER}]})}
    aws.subscriptions[PAGER] = [{"SubscriptionArn": f"{PAGER}:1", "Protocol": "email", "Endpoint": "a@example.com"}]
    aws.subscription_attributes[f"{PAGER}:1"] = {}
    return aws


@pytest.fixture
def hub(deployed_hub):
    return copy.deepcopy(deployed_hub)


@pytest.fixture
def member(deployed_member):
    return copy.deepcopy(deployed_member)


def bus_of(aws):
    return aws.buses[aws.outputs["event_bus_arn"]]


def admit(aws, *statements):
    bus_of(aws)["Policy"] = json.dumps({"Statement": [*statements]})


def statements_of(aws):
    return json.loads(bus_of(aws)["Policy"])["Statement"]


OF_A_HUB = {
    "a bus that was deleted": (
        lambda aws: aws.buses.clear(),
        "bus: members",
        "does not exist: no member reaches the hub",
        "pulumi up",
    ),
    "a bus without a policy": (
        lambda aws: bus_of(aws).pop("Policy"),
        "bus: members",
        f"does not admit the organization {ORGANIZATION}",
        "pulumi up",
    ),
    "a bus of another organization": (
        lambda aws: bus_of(aws).update(Policy=bus_of(aws)["Policy"].replace(ORGANIZATION, "o-9999999999")),
        "bus: members",
        f"does not admit the organization {ORGANIZATION}",
        "pulumi up",
    ),
    "a bus that admits an account no longer": (
        lambda aws: admit(aws, *(one for one in statements_of(aws) if one["Sid"] != "Members")),
        "bus: members",
        f"does not admit the accounts {OTHER}",
        "pulumi up",
    ),
    "a bus that admits everybody": (
        lambda aws: admit(
            aws,
            *statements_of(aws),
            {"Effect": "Allow", "Principal": "*", "Action": "events:PutEvents", "Resource": bus_of(aws)["Arn"]},
        ),
        "bus: members",
        "admits accounts that are no members",
        "pulumi up",
    ),
    "a rule of the hub that was disabled": (
        lambda aws: aws.rule("late-events").update(State="DISABLED"),
        "rule: late-events",
        "is DISABLED",
        "aws events enable-rule --name rotation-hub-late-events-0a1b2c3 --event-bus-name rotation-hub-0a1b2c3",
    ),
    "a rule of the hub that misses reports": (
        lambda aws: change_pattern(aws, "reports", **{"detail-type": ["Secret Status Changed"]}),
        "rule: reports",
        "does not match the recorded events audit-finished, incident-resolved",
        "pulumi up",
    ),
    "a rule of the hub without its target": (
        lambda aws: aws.targets[aws.rule("failed")["Name"]].remove(find_target(aws, "failed", "trail")),
        "rule: failed",
        "has no target trail",
        "pulumi up",
    ),
    "a queue of reports that admits nobody": (
        lambda aws: aws.queue("reports_queue_url").pop("Policy"),
        "queue: reports",
        "does not admit events.amazonaws.com for reports, late-reports",
        "sqs:SendMessage",
    ),
    "a queue of events that admits nobody": (
        lambda aws: aws.queue("audit_queue_url").pop("Policy"),
        "queue: audit",
        "does not admit events.amazonaws.com for failed, stuck, service-events, api-calls, label-updates, late-events",
        "sqs:SendMessage",
    ),
    "nothing reads the reports": (
        lambda aws: aws.mappings.remove(find_mapping(aws, "record")),
        "queue: reports to record",
        "events wait until they expire",
        "pulumi up",
    ),
    "reports that were not recorded": (
        lambda aws: aws.queue("unrecorded_reports_dead_letters_url").update(ApproximateNumberOfMessages="1"),
        "dead letters: unrecorded reports",
        "has 1 message.",
        "rotation-guard dead-letters list",
    ),
    "a table of the hub without its index": (
        lambda aws: aws.tables[aws.outputs["status_table_name"]]["GlobalSecondaryIndexes"].pop(0),
        "table: status",
        "has no index account",
        "pulumi up",
    ),
    "a function of the hub for another table": (
        lambda aws: aws.function("record")["Environment"]["Variables"].update(STATUS_TABLE_NAME="other"),
        "function: record",
        "STATUS_TABLE_NAME of the function rotation-hub-record-0a1b2c3 is other",
        "pulumi up",
    ),
    "a function of the hub without a permission": (
        lambda aws: withdraw(aws, "record", "dynamodb:PutItem"),
        "permissions: record",
        "is not granted dynamodb:PutItem on",
        "pulumi up",
    ),
    "an integration of the hub that is inactive": (
        lambda aws: aws.destinations["rotation-hub-remediation-slack-a-0a1b2c3"].update(ApiDestinationState="INACTIVE"),
        "integration: remediation-slack-a",
        "is INACTIVE",
        "Repair its connection",
    ),
    "nobody to notify at the hub": (
        lambda aws: aws.subscriptions[aws.outputs["critical_topic_arn"]].clear(),
        "topic: critical",
        "has no confirmed subscriber",
        "subscriptions",
    ),
    "an alarm of the hub without actions": (
        lambda aws: aws.composite_alarms[aws.outputs["alarm_names"]["unrecorded"]].update(ActionsEnabled=False),
        "alarm: unrecorded",
        "are disabled",
        "aws cloudwatch enable-alarm-actions",
    ),
    "another release at the hub": (
        lambda aws: aws.outputs.update(version="0.0.9"),
        "version: hub and command",
        "The hub was deployed with rotation-guard 0.0.9",
        "pip install rotation-guard==0.0.9",
    ),
}
FORWARD_ROLE = "rotation-member-forward-0a1b2c3"
OF_A_MEMBER = {
    "a rule of a member that was deleted": (
        lambda aws: aws.rules.pop(aws.outputs["rule_names"]["reports"]),
        "rule: reports",
        "does not exist",
        "pulumi up",
    ),
    "a rule of a member for another account": (
        lambda aws: change_pattern(aws, "rotations", account=[OTHER]),
        "rule: rotations",
        "does not match the recorded events rotation-failed, rotation-succeeded, secret-label-updated",
        "pulumi up",
    ),
    "a rule of a member that leads to another bus": (
        lambda aws: find_target(aws, "api-calls", "hub").update(Arn=f"{HUB_BUS}-of-before"),
        "rule: api-calls",
        f"has no target hub ({HUB_BUS})",
        "pulumi up",
    ),
    "a rule of a member without dead letters": (
        lambda aws: find_target(aws, "reports", "hub").pop("DeadLetterConfig"),
        "rule: reports",
        "has no dead-letter queue",
        "pulumi up",
    ),
    "a rule of a member without a role": (
        lambda aws: find_target(aws, "reports", "hub").pop("RoleArn"),
        "permissions: forward",
        "The rule rotation-member-reports-0a1b2c3 has no role",
        "pulumi up",
    ),
    "a role of a member that EventBridge may not assume": (
        lambda aws: aws.roles[FORWARD_ROLE]["AssumeRolePolicyDocument"].update(Statement=[]),
        "permissions: forward",
        "does not trust events.amazonaws.com",
        "pulumi up",
    ),
    "a role of a member without its permission": (
        lambda aws: aws.statements(FORWARD_ROLE).clear(),
        "permissions: forward",
        f"is not granted events:PutEvents on {HUB_BUS}",
        "pulumi up",
    ),
    "events that did not reach the hub": (
        lambda aws: aws.queue("dead_letters_url").update(ApproximateNumberOfMessages="4"),
        "dead letters: undelivered to the hub",
        "has 4 messages",
        "rotation-guard dead-letters list",
    ),
    "dead letters of a member that admit nobody": (
        lambda aws: aws.queue("dead_letters_url").pop("Policy"),
        "dead letters: undelivered to the hub",
        "does not admit events.amazonaws.com for rotations, api-calls, reports",
        "sqs:SendMessage",
    ),
    "a redelivery that failed": (
        lambda aws: aws.queue("failed_runs_dead_letters_url").update(ApproximateNumberOfMessages="1"),
        "dead letters: failed redeliveries",
        "has 1 message.",
        "rotation-guard dead-letters list",
    ),
    "a redelivery that never starts": (
        lambda aws: aws.schedules[aws.outputs["redeliver_schedule_name"]].update(State="DISABLED"),
        "schedule: redelivery",
        "is DISABLED: nothing is delivered again",
        "pulumi up",
    ),
    "a schedule of a redelivery without its permission": (
        lambda aws: aws.statements("rotation-member-schedule-0a1b2c3").pop(0),
        "permissions: redelivery schedule",
        "is not granted lambda:InvokeFunction",
        "pulumi up",
    ),
    "a redelivery to another hub": (
        lambda aws: aws.function("redeliver")["Environment"]["Variables"].update(HUB_EVENT_BUS_ARN="other"),
        "function: redeliver",
        "HUB_EVENT_BUS_ARN of the function rotation-member-redeliver-0a1b2c3 is other",
        "pulumi up",
    ),
    "a redelivery whose failures are lost": (
        lambda aws: aws.invoke_configurations.clear(),
        "function: redeliver",
        "has no destination on failure",
        "pulumi up",
    ),
    "a redelivery that may not take dead letters": (
        lambda aws: withdraw(aws, "redeliver", "sqs:DeleteMessage"),
        "permissions: redeliver",
        "is not granted sqs:DeleteMessage",
        "pulumi up",
    ),
    "an alarm of a member that rings nobody": (
        lambda aws: aws.composite_alarms[aws.outputs["alarm_names"]["hub-out-of-reach"]].update(AlarmActions=[]),
        "alarm: hub-out-of-reach",
        f"does not ring {PAGER}",
        "pulumi up",
    ),
    "a topic of a member that alarms may not publish to": (
        lambda aws: aws.topics[PAGER].pop("Policy"),
        "topic: alarms",
        "does not admit cloudwatch.amazonaws.com",
        "sns:Publish",
    ),
}


def find_mapping(aws, short):
    name = aws.outputs["function_names"][short]
    return next(one for one in aws.mappings if one["FunctionArn"].endswith(f":{name}"))


def test_nothing_is_wrong_with_a_hub_that_works(hub, diagnose):
    assert diagnose(hub) == {}


def test_nothing_is_wrong_with_a_member_that_works(member, diagnose):
    assert diagnose(member) == {}


@pytest.mark.parametrize("case", OF_A_HUB)
def test_exactly_the_link_that_is_broken_of_a_hub_is_diagnosed(hub, diagnose, case):
    require_diagnosis(hub, diagnose, OF_A_HUB[case], set())


@pytest.mark.parametrize("case", OF_A_MEMBER)
def test_exactly_the_link_that_is_broken_of_a_member_is_diagnosed(member, diagnose, case):
    require_diagnosis(member, diagnose, OF_A_MEMBER[case], set())


def test_a_bus_whose_policy_may_not_be_read_cannot_be_judged(hub, diagnose):
    hub.denied = {"events:DescribeEventBus"}

    [(name, link)] = diagnose(hub).items()

    assert (name, link.verdict) == ("bus: members", "cannot tell")
    assert "The caller may not call events:DescribeEventBus." in link.reason


def test_accounts_may_be_written_in_either_way(hub, diagnose):
    for one in statements_of(hub):
        if one["Sid"] == "Members":
            admit(hub, statements_of(hub)[0], {**one, "Principal": {"AWS": OTHER}})

    assert diagnose(hub) == {}


@pytest.mark.parametrize("output", ["version", "rule_names", "function_names", "alarm_names", "hub_event_bus_arn"])
def test_an_older_member_is_examined_as_far_as_its_outputs_go(member, diagnose, output):
    del member.outputs[output]

    found = diagnose(member)

    assert found
    for link in found.values():
        assert link.verdict == "cannot tell"
        assert f"The member does not export {output}." in link.reason


def test_a_member_is_in_the_account_and_region_of_its_function_whatever_else_it_uses(member, doctor):
    member.outputs["alarms_topic_arn"] = PAGER.replace(ACCOUNT, OTHER)

    report = json.loads(doctor(member, "--format", "json").stdout)

    assert f"account {ACCOUNT}, Region {REGION}" in report["source"]["description"]
