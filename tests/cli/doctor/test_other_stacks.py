"""Stacks with a key, with parts that existed already, and with a stopped remediation."""

import copy
import json
from datetime import UTC, datetime

import pytest

from components.rotation_guard import RotationGuard
from local.mocks.recording import ACCOUNT, REGION, deploy

from .conftest import KEY
from .deployed_aws import DeployedAws

HERE = f"{REGION}:{ACCOUNT}"
EXISTING = {
    "critical_topic_arn": f"arn:aws:sns:{HERE}:their-pager",
    "audit_queue_arn": f"arn:aws:sqs:{HERE}:their-queue",
    "audit_queue_url": f"https://sqs.{REGION}.amazonaws.com/{ACCOUNT}/their-queue",
    "audit_trail_table_arn": f"arn:aws:dynamodb:{HERE}:table/their-trail",
    "event_bus_name": "their-bus",
}


@pytest.fixture(scope="session")
def deployed_beside_others():
    """A stack that uses a topic, a queue, a table and a bus that existed already."""
    aws = DeployedAws(deploy(RotationGuard, "guard", {"existing": EXISTING}))
    # `deploy` exports what is declared, as a program does.
    aws.outputs = {name: value for name, value in aws.outputs.items() if value is not None}
    _put_rules_on_bus(aws)
    topic = EXISTING["critical_topic_arn"]
    alarms = {"Effect": "Allow", "Principal": {"Service": "cloudwatch.amazonaws.com"}, "Action": "SNS:Publish"}
    aws.topics[topic] = {"TopicArn": topic, "Policy": json.dumps({"Statement": [{**alarms, "Resource": topic}]})}
    subscriber = {"SubscriptionArn": f"{topic}:1", "Protocol": "email", "Endpoint": "on-call@example.com"}
    aws.subscriptions[topic] = [subscriber]
    aws.subscription_attributes[f"{topic}:1"] = {}
    queue = {
        "QueueArn": EXISTING["audit_queue_arn"],
        "RedrivePolicy": json.dumps({"deadLetterTargetArn": f"arn:aws:sqs:{HERE}:their-dead-letters"}),
        "Policy": json.dumps(
            {
                "Statement": {
                    "Effect": "Allow",
                    "Principal": {"Service": "events.amazonaws.com"},
                    "Action": "sqs:SendMessage",
                    "Resource": EXISTING["audit_queue_arn"],
                    "Condition": {"StringEquals": {"aws:SourceAccount": ACCOUNT}},
                }
            }
        ),
    }
    aws.queues[EXISTING["audit_queue_url"]] = queue
    aws.tables["their-trail"] = {"TableStatus": "ACTIVE"}
    aws.recovery["their-trail"], aws.expiry["their-trail"] = "DISABLED", {"TimeToLiveStatus": "DISABLED"}
    return aws


def _put_rules_on_bus(aws):
    """Gives rules the ARNs that they have on another bus than the default one, which the mocks do not know.

    (https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-use-resource-based.html)
    """
    for queue in aws.queues.values():
        if "Policy" in queue:
            queue["Policy"] = queue["Policy"].replace(":rule/guard", ":rule/their-bus/guard")
    text = json.dumps(aws.function_policies)
    aws.function_policies = json.loads(text.replace(":rule/guard", ":rule/their-bus/guard"))


@pytest.fixture
def beside_others(deployed_beside_others):
    return copy.deepcopy(deployed_beside_others)


def test_what_existed_already_is_used_as_its_owner_keeps_it(beside_others, diagnose):
    assert diagnose(beside_others) == {}


def test_a_queue_that_existed_already_has_to_admit_the_rules(beside_others, diagnose):
    del beside_others.queues[EXISTING["audit_queue_url"]]["Policy"]

    [(name, link)] = diagnose(beside_others).items()

    assert (name, link.verdict) == ("queue: audit", "broken")


def test_rules_are_looked_for_on_their_bus(beside_others, diagnose, monkeypatch):
    buses = []
    monkeypatch.setattr(
        beside_others,
        "DescribeRule",
        lambda **parameters: buses.append(parameters["EventBusName"]) or {},
        raising=False,
    )

    diagnose(beside_others)

    assert set(buses) == {"their-bus"}


@pytest.mark.parametrize(
    ("state", "more", "reason", "fix"),
    [
        ("Disabled", {}, f"The key {KEY} is Disabled.", "aws kms enable-key"),
        (
            "PendingDeletion",
            {"DeletionDate": datetime(2027, 1, 2, tzinfo=UTC)},
            f"The key {KEY} is scheduled for deletion on 2027-01-02.",
            "aws kms cancel-key-deletion",
        ),
        ("Unavailable", {}, f"The key {KEY} is Unavailable.", "aws kms enable-key"),
    ],
)
def test_a_key_that_cannot_be_used_is_broken(everything, diagnose, state, more, reason, fix):
    everything.keys[KEY].update(KeyState=state, **more)

    [(name, link)] = diagnose(everything).items()

    assert (name, link.verdict) == ("key: KMS", "broken")
    assert reason in link.reason
    assert fix in link.fix


def test_a_key_policy_has_to_admit_each_service(everything, diagnose):
    everything.key_policies[KEY] = everything.key_policies[KEY].replace("events.amazonaws.com", "ec2.amazonaws.com")

    [(name, link)] = diagnose(everything).items()

    assert (name, link.verdict) == ("key: KMS", "broken")
    assert f"The policy of the key {KEY} does not admit events.amazonaws.com." in link.reason


def test_a_key_policy_with_an_unknown_condition_is_not_judged(everything, diagnose):
    policy = json.loads(everything.key_policies[KEY])
    policy["Statement"][0]["Condition"] = {"StringLike": {"kms:ViaService": "sqs.*.amazonaws.com"}}
    everything.key_policies[KEY] = json.dumps(policy)

    [(name, link)] = diagnose(everything).items()

    assert (name, link.verdict) == ("key: KMS", "cannot tell")


def test_a_key_policy_for_the_topics_and_queues_of_the_stack_is_enough(everything, diagnose):
    # Each with its own encryption context, as SNS and SQS document it.
    [statement] = json.loads(everything.key_policies[KEY])["Statement"]
    contexts = ({"aws:sns:topicArn": f"arn:aws:sns:{HERE}:*"}, {"aws:sqs:arn": f"arn:aws:sqs:{HERE}:*"})
    statements = [
        {**statement, "Condition": {"ArnLike": {f"kms:EncryptionContext:{key}": arn}}}
        for context in contexts
        for key, arn in context.items()
    ]
    everything.key_policies[KEY] = json.dumps({"Statement": statements})

    found = diagnose(everything)

    # A topic has no context of queues, and the other way round: the other statement cannot be evaluated.
    assert {link.verdict for link in found.values()} <= {"cannot tell"}


def test_a_key_policy_with_a_source_shuts_eventbridge_out_of_topics(everything, diagnose):
    policy = json.loads(everything.key_policies[KEY])
    policy["Statement"][0]["Condition"] = {"StringEquals": {"aws:SourceAccount": ACCOUNT}}
    everything.key_policies[KEY] = json.dumps(policy)

    [(name, link)] = diagnose(everything).items()

    assert (name, link.verdict) == ("key: KMS", "broken")
    assert "does not admit events.amazonaws.com" in link.reason
    assert "without aws:SourceArn and aws:SourceAccount" in link.fix


def test_the_key_that_aws_manages_for_topics_shuts_eventbridge_out(aws, diagnose):
    aws.topics[aws.outputs["failures_topic_arn"]]["KmsMasterKeyId"] = "alias/aws/sns"

    [(name, link)] = diagnose(aws).items()

    assert (name, link.verdict) == ("key: KMS", "broken")
    assert "alias/aws/sns, which shuts events.amazonaws.com out" in link.reason


def test_with_a_key_the_roles_have_to_be_allowed_to_use_it(everything, diagnose):
    for role in ("rotation-guard-trail-writer-0a1b2c3",):
        statements = everything.statements(role)
        statements[:] = [one for one in statements if "kms:Decrypt" not in one["Action"]]

    [(name, link)] = diagnose(everything).items()

    assert (name, link.verdict) == ("permissions: writer", "broken")
    assert "is not granted kms:Decrypt." in link.reason


def test_a_workflow_has_to_be_allowed_to_invoke_the_steps_that_settings_bring(everything, diagnose):
    [invoking] = [
        one
        for one in everything.statements("rotation-guard-repair-workflow-0a1b2c3")
        if one["Action"] == "lambda:InvokeFunction"
    ]
    invoking["Resource"] = [arn for arn in invoking["Resource"] if "repair-move" not in arn]

    [(name, link)] = diagnose(everything).items()

    assert (name, link.verdict) == ("permissions: workflow", "broken")
    assert "is not granted lambda:InvokeFunction on" in link.reason


def test_a_subscriber_whose_dead_letter_queue_is_gone_is_broken(everything, diagnose):
    [arn] = everything.subscriptions[everything.outputs["critical_topic_arn"]]
    redrive = json.dumps({"deadLetterTargetArn": f"arn:aws:sqs:{HERE}:gone"})
    everything.subscription_attributes[arn["SubscriptionArn"]]["RedrivePolicy"] = redrive

    [(name, link)] = diagnose(everything).items()

    assert (name, link.verdict) == ("topic: critical", "broken")
    assert f"The dead-letter queue arn:aws:sqs:{HERE}:gone" in link.reason


def read_link(doctor, aws, subject, name):
    report = json.loads(doctor(aws, "--format", "json").stdout)
    [link] = [one for one in report["links"] if (one["subject"], one["link"]) == (subject, name)]
    return report, link


def test_a_stopped_remediation_is_a_warning_and_not_broken(aws, doctor):
    name = aws.outputs["kill_switch_parameter_name"]
    aws.parameters[name]["Value"] = "stop"

    report, link = read_link(doctor, aws, "workflow", "kill switch")

    assert link["verdict"] == "ok"
    assert report["warnings"] == [link["reason"]]
    assert link["reason"].startswith(f"Remediation is stopped: the parameter {name} is 'stop'.")
    assert doctor(aws, "--exit-code").exit_code == 1


def test_more_than_a_role_needs_is_ok_and_said(aws, doctor):
    aws.statements("rotation-guard-repair-end-0a1b2c3").append(
        {"Effect": "Allow", "Action": "s3:GetObject", "Resource": "*"}
    )

    _, link = read_link(doctor, aws, "permissions", "end")

    assert link["verdict"] == "ok"
    assert link["reason"] == "The role rotation-guard-repair-end-0a1b2c3 is also granted s3:GetObject."


def test_a_grant_with_wildcards_is_enough(aws, diagnose):
    aws.statements("rotation-guard-repair-end-0a1b2c3")[:] = [{"Effect": "Allow", "Action": "*", "Resource": "*"}]
    aws.statements("rotation-guard-repair-claim-0a1b2c3").append(
        {"Effect": "Allow", "Action": "dynamodb:*Item", "Resource": "arn:aws:dynamodb:*:*:table/rotation-guard-*"}
    )

    assert diagnose(aws) == {}


def test_a_denial_under_an_unknown_condition_cannot_be_told(aws, diagnose):
    role = "rotation-guard-repair-end-0a1b2c3"
    aws.statements(role).append(
        {"Effect": "Deny", "Action": "*", "Resource": "*", "Condition": {"Bool": {"aws:SecureTransport": "false"}}}
    )
    assert diagnose(aws) == {}

    aws.statements(role)[-1]["Condition"] = {"StringNotEquals": {"aws:SourceVpc": "vpc-1"}}
    [(name, link)] = diagnose(aws).items()

    assert (name, link.verdict) == ("permissions: end", "cannot tell")
    assert "is denied " in link.reason


def test_what_a_managed_policy_may_grant_cannot_be_told(aws, diagnose):
    role = "rotation-guard-repair-end-0a1b2c3"
    aws.statements(role).clear()
    aws.attached[role] = [{"PolicyName": "moved-here", "PolicyArn": f"arn:aws:iam::{ACCOUNT}:policy/moved-here"}]

    [(name, link)] = diagnose(aws).items()

    assert (name, link.verdict) == ("permissions: end", "cannot tell")
    assert "unless by the managed policies moved-here" in link.reason


def test_of_a_subscriber_that_is_a_url_only_the_host_is_shown(aws, doctor):
    aws.subscriptions[aws.outputs["critical_topic_arn"]].append(
        {
            "SubscriptionArn": "PendingConfirmation",
            "Protocol": "https",
            "Endpoint": "https://user:secret@hooks.example.com/T0KEN",
        }
    )

    _, link = read_link(doctor, aws, "topic", "critical")

    assert "The subscription of https://hooks.example.com/... (https) is not confirmed." in link["reason"]
    assert "T0KEN" not in link["reason"]
    assert "secret" not in link["reason"]
