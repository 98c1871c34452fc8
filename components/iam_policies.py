"""The policy documents of the stack, in one place to be read: pure functions from ARNs to JSON.

The documents of roles say what a function may do, those of queues and topics who may send; what the steps of
remediation may do is in `remediation/permissions.py`. docs/permissions.md is generated from them. Adapters declare the
actions that they use, and a contract test compares the two.
"""

import json
from collections.abc import Sequence
from typing import Any

from rotation_guard.domain.audit.stored_report import PREFIX
from rotation_guard.domain.evidence.links import HEAD_PREFIX
from rotation_guard.domain.rotation_event import ROTATION_GUARD

from .remediation.last_resort import NOTICES

Statement = dict[str, Any]


def document(*statements: Statement) -> str:
    """A policy document of these statements."""
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)})


def allow(actions: str | list[str], resources: str | list[str], condition: Statement | None = None) -> Statement:
    """A statement for a role: these actions on these resources."""
    statement: Statement = {"Effect": "Allow", "Action": actions, "Resource": resources}
    return {**statement, "Condition": condition} if condition else statement


def _listed(actions: str | list[str]) -> list[str]:
    return [actions] if isinstance(actions, str) else actions


def admit(service: str, action: str, resource: str, condition: Statement | None = None) -> Statement:
    """A statement for a resource: this AWS service may do this to it."""
    statement: Statement = {
        "Effect": "Allow",
        "Principal": {"Service": service},
        "Action": action,
        "Resource": resource,
    }
    return {**statement, "Condition": condition} if condition else statement


# --- who may assume a role -------------------------------------------------------------------------------------------


def assumed_by(service: str, condition: Statement | None = None) -> str:
    """A trust policy: only this AWS service may assume the role, and only where the condition holds."""
    trust: Statement = {"Effect": "Allow", "Principal": {"Service": service}, "Action": "sts:AssumeRole"}
    return document({**trust, "Condition": condition} if condition else trust)


def assumed_by_rules(account: str, rule_arns: Sequence[str]) -> str:
    """EventBridge may assume the role for these rules of this account only.

    (https://docs.aws.amazon.com/eventbridge/latest/userguide/cross-service-confused-deputy-prevention.html)
    """
    return assumed_by(
        "events.amazonaws.com",
        {"StringEquals": {"aws:SourceAccount": account}, "ArnEquals": {"aws:SourceArn": list(rule_arns)}},
    )


def assumed_by_scheduler(account: str, group_arn: str) -> str:
    """Scheduler may assume the role for schedules of this group in this account only.

    The ARN to compare with is the group's, not the schedule's
    (https://docs.aws.amazon.com/scheduler/latest/UserGuide/cross-service-confused-deputy-prevention.html).
    """
    return assumed_by(
        "scheduler.amazonaws.com",
        {"StringEquals": {"aws:SourceAccount": account, "aws:SourceArn": group_arn}},
    )


def assumed_by_states(account: str, partition: str, region: str) -> str:
    """Step Functions may assume the role for state machines of this account and Region.

    (https://docs.aws.amazon.com/step-functions/latest/dg/procedure-create-iam-role.html)
    """
    return assumed_by(
        "states.amazonaws.com",
        {
            "StringEquals": {"aws:SourceAccount": account},
            "ArnLike": {"aws:SourceArn": f"arn:{partition}:states:{region}:{account}:stateMachine:*"},
        },
    )


# --- what a role may do ----------------------------------------------------------------------------------------------


def logging(log_group_arn: str) -> list[Statement]:
    """Writes to its own log group, which is declared: it may not create one that never expires."""
    return [allow(["logs:CreateLogStream", "logs:PutLogEvents"], f"{log_group_arn}:*")]


def failed_invocations(queue_arn: str) -> list[Statement]:
    """Sends invocations that failed for good to its dead letters."""
    return [allow("sqs:SendMessage", queue_arn)]


def encrypted(key_arn: str) -> list[Statement]:
    """Uses the customer key of the topics and queues that it sends to."""
    return [allow(["kms:Decrypt", "kms:GenerateDataKey"], key_arn)]


def encrypted_messages(key_arn: str, statements: Sequence[Statement]) -> list[Statement]:
    """Uses the customer key as far as these statements send messages or receive them; those of others do not need it.

    (https://docs.aws.amazon.com/sns/latest/dg/sns-key-management.html,
    https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-key-management.html)
    """
    actions = {action for statement in statements for action in _listed(statement["Action"])}
    if actions.intersection({"sns:Publish", "sqs:SendMessage"}):
        return encrypted(key_arn)
    return [allow("kms:Decrypt", key_arn)] if "sqs:ReceiveMessage" in actions else []


def queue_consumption(queue_arn: str) -> list[Statement]:
    """Lets Lambda read a queue on the function's behalf."""
    return [allow(["sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes"], queue_arn)]


def audit_writer(
    partition: str, region: str, account: str, table_arn: str, queue_arn: str, status_arn: str | None
) -> list[Statement]:
    """Adds events to the audit trail, where it can read and delete none, and sets when a failed message is retried.

    Of the table it reads the heads of chains alone, on which it builds the next rows
    (https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/specifying-conditions.html). Of a secret whose
    value moved it reads when its versions were made, and notes that for the next audit.
    """
    return [
        allow("dynamodb:PutItem", table_arn),
        allow(
            "dynamodb:GetItem",
            table_arn,
            {"ForAllValues:StringLike": {"dynamodb:LeadingKeys": f"{HEAD_PREFIX}*"}},
        ),
        allow("sqs:ChangeMessageVisibility", queue_arn),
        *(
            [
                allow("secretsmanager:ListSecretVersionIds", all_secrets(partition, region, account)),
                allow("dynamodb:UpdateItem", status_arn),
            ]
            if status_arn
            else []
        ),
    ]


def rotation_check(
    partition: str,
    region: str,
    account: str,
    audit_arn: str,
    status_arn: str,
    runs_arn: str,
    trail_arn: str | None,
    incidents_arn: str | None,
) -> list[Statement]:
    """Lists secrets and their versions, never a value, and writes what it found to its three tables.

    It looks up the events of a secret and whether it has an incident, counts the account's secrets, and reports
    rotations that are stuck. ListSecrets and GetMetricStatistics have no resource-level permission
    (https://docs.aws.amazon.com/service-authorization/latest/reference/list_awssecretsmanager.html).
    """
    return [
        allow("secretsmanager:ListSecrets", "*"),
        allow("cloudwatch:GetMetricStatistics", "*"),
        allow("secretsmanager:ListSecretVersionIds", all_secrets(partition, region, account)),
        allow(["dynamodb:BatchWriteItem", "dynamodb:BatchGetItem"], [audit_arn, status_arn]),
        allow(["dynamodb:Scan", "dynamodb:UpdateItem"], status_arn),
        allow(["dynamodb:GetItem", "dynamodb:Query", "dynamodb:UpdateItem"], runs_arn),
        *([allow("dynamodb:Query", trail_arn)] if trail_arn else []),
        *([allow(["dynamodb:GetItem", "dynamodb:Query"], incidents_arn)] if incidents_arn else []),
        own_events(partition, region, account),
    ]


def own_events(partition: str, region: str, account: str) -> Statement:
    """Puts events on the default bus, with this product as their source and no other."""
    return allow(
        "events:PutEvents",
        f"arn:{partition}:events:{region}:{account}:event-bus/default",
        # PutEvents always says its source; emulators do not know the key.
        {"StringEqualsIfExists": {"events:source": ROTATION_GUARD}},
    )


def api_destination(destination_arn: str) -> list[Statement]:
    """Sends events to one receiver, with the authorization that its connection keeps, and to nothing else.

    (https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-use-identity-based.html)
    """
    return [allow("events:InvokeApiDestination", destination_arn)]


def import_findings(partition: str, region: str, account: str) -> list[Statement]:
    """Imports findings into Security Hub as the account's own product, and reads none.

    (https://docs.aws.amazon.com/service-authorization/latest/reference/list_awssecurityhub.html)
    """
    product = f"arn:{partition}:securityhub:{region}:{account}:product/{account}/default"
    return [allow("securityhub:BatchImportFindings", product)]


def continuation(function_arn: str) -> list[Statement]:
    """Invokes itself, to go on with a run that takes longer than a function may."""
    return [allow("lambda:InvokeFunction", function_arn)]


def all_secrets(partition: str, region: str, account: str) -> str:
    """The ARN that takes in every secret of an account in its Region."""
    return f"arn:{partition}:secretsmanager:{region}:{account}:secret:*"


def schedule(function_arn: str, dead_letters_arn: str, key_arn: str | None) -> list[Statement]:
    """Invokes the scheduled function, and sends what could not be invoked to the dead letters.

    Scheduler's dead letters are authorised on this role, not by a queue policy
    (https://docs.aws.amazon.com/scheduler/latest/UserGuide/configuring-schedule-dlq.html).
    """
    return [
        allow("lambda:InvokeFunction", function_arn),
        allow("sqs:SendMessage", dead_letters_arn),
        *(encrypted(key_arn) if key_arn else []),
    ]


def canary(bus_arn: str, dead_letters_arn: str, key_arn: str | None) -> list[Statement]:
    """Puts events on this bus, and sends what the bus did not take to the dead letters."""
    return [
        allow("events:PutEvents", bus_arn),
        allow("sqs:SendMessage", dead_letters_arn),
        *(encrypted(key_arn) if key_arn else []),
    ]


def scheduled_report(
    status_arn: str, runs_arn: str, incidents_arn: str | None, bucket_arn: str, topic_arn: str
) -> list[Statement]:
    """Reads the status of secrets, runs of audits and incidents, adds reports to the bucket, and notifies the topic.

    It can neither read, replace nor delete what is in the bucket.
    """
    return [
        allow("dynamodb:Scan", [status_arn, incidents_arn] if incidents_arn else status_arn),
        allow("dynamodb:Query", runs_arn),
        allow("s3:PutObject", f"{bucket_arn}/{PREFIX}*"),
        allow("sns:Publish", topic_arn),
    ]


def state_machine(
    function_arns: list[str], critical_topic_arn: str, incidents_arn: str, key_arn: str | None
) -> list[Statement]:
    """Invokes its own steps, notifies the critical topic at most once an hour when one fails for good, and logs.

    Of the incidents' table it may read and write the rows about notices alone
    (https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/specifying-conditions.html).
    Log delivery has no resource-level permission
    (https://docs.aws.amazon.com/step-functions/latest/dg/cw-logs.html).
    """
    return [
        allow("lambda:InvokeFunction", function_arns),
        allow("sns:Publish", critical_topic_arn),
        allow(
            ["dynamodb:GetItem", "dynamodb:UpdateItem"],
            incidents_arn,
            {"ForAllValues:StringEquals": {"dynamodb:LeadingKeys": NOTICES}},
        ),
        *(encrypted(key_arn) if key_arn else []),
        allow(
            [
                "logs:CreateLogDelivery",
                "logs:GetLogDelivery",
                "logs:UpdateLogDelivery",
                "logs:DeleteLogDelivery",
                "logs:ListLogDeliveries",
                "logs:PutResourcePolicy",
                "logs:DescribeResourcePolicies",
                "logs:DescribeLogGroups",
            ],
            "*",
        ),
    ]


def write_function_policy(
    statements: Sequence[Statement], log_group_arn: str, on_failure_arn: str | None, key_arn: str | None
) -> str:
    """The policy of a function's role: these statements, and what each function needs besides."""
    statements_of_role = [*logging(log_group_arn), *statements]
    if on_failure_arn:
        statements_of_role += failed_invocations(on_failure_arn)
    if key_arn:
        statements_of_role += encrypted_messages(key_arn, statements_of_role)
    return document(*statements_of_role)


# --- who may send to a queue or a topic ------------------------------------------------------------------------------


def fed_by_rules(queue_arn: str, rule_arns: Sequence[str]) -> str:
    """EventBridge may send to this queue for these rules: as a target or as dead letters it needs the same.

    (https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-use-resource-based.html#eb-sqs-permissions)
    """
    return document(
        admit(
            "events.amazonaws.com",
            "sqs:SendMessage",
            queue_arn,
            {"ArnEquals": {"aws:SourceArn": list(rule_arns)}},
        )
    )


def fed_by_topics(queue_arn: str, topic_arns: Sequence[str]) -> str:
    """SNS may send to this queue for these topics.

    (https://docs.aws.amazon.com/sns/latest/dg/sns-configure-dead-letter-queue.html)
    """
    return document(
        admit("sns.amazonaws.com", "sqs:SendMessage", queue_arn, {"ArnEquals": {"aws:SourceArn": list(topic_arns)}})
    )


def published_by_events(topic_arn: str) -> str:
    """EventBridge may publish to this topic. A condition cannot be set here: with one, the delivery fails.

    (https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-use-resource-based.html#eb-sns-permissions)
    """
    return document(admit("events.amazonaws.com", "sns:Publish", topic_arn))


def published_by_roles_and_alarms(topic_arn: str, account_root: str, account: str) -> str:
    """The same, and alarms of the account, which CloudWatch publishes for it.

    (https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/Notify_Users_Alarm_Changes.html)
    """
    return document(*_by_roles(topic_arn, account_root), _by_alarms(topic_arn, account))


def published_by_alarms(topic_arn: str, account: str) -> str:
    """Only alarms of the account publish to this topic, which is unencrypted: nobody can put a notification there.

    (https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/Notify_Users_Alarm_Changes.html)
    """
    return document(_by_alarms(topic_arn, account))


def _by_alarms(topic_arn: str, account: str) -> Statement:
    return admit("cloudwatch.amazonaws.com", "sns:Publish", topic_arn, {"StringEquals": {"aws:SourceAccount": account}})


def published_by_roles(topic_arn: str, account_root: str) -> str:
    """Only roles of the account whose own policy says so may publish to this topic.

    It takes the place of the policy that SNS gives a new topic, which lets in every principal of the account.
    """
    return document(*_by_roles(topic_arn, account_root))


def _by_roles(topic_arn: str, account_root: str) -> list[Statement]:
    return [{"Effect": "Allow", "Principal": {"AWS": account_root}, "Action": "sns:Publish", "Resource": topic_arn}]


# --- who may write to a bucket ---------------------------------------------------------------------------------------


def written_by_trail(bucket_arn: str, trail_arn: str) -> str:
    """CloudTrail may deliver the log files of this trail and its account; nobody may use the bucket without TLS.

    (https://docs.aws.amazon.com/awscloudtrail/latest/userguide/create-s3-bucket-policy-for-cloudtrail.html,
    https://docs.aws.amazon.com/AmazonS3/latest/userguide/security-best-practices.html)
    """
    service, account = "cloudtrail.amazonaws.com", trail_arn.split(":")[4]
    source = {"aws:SourceArn": trail_arn}
    return document(
        admit(service, "s3:GetBucketAcl", bucket_arn, {"StringEquals": source}),
        admit(
            service,
            "s3:PutObject",
            f"{bucket_arn}/AWSLogs/{account}/*",
            {"StringEquals": {**source, "s3:x-amz-acl": "bucket-owner-full-control"}},
        ),
        _deny_without_tls(bucket_arn),
    )


def used_with_tls(bucket_arn: str) -> str:
    """Nobody may use the bucket without TLS; who may use it is up to the policies of roles.

    (https://docs.aws.amazon.com/AmazonS3/latest/userguide/security-best-practices.html)
    """
    return document(_deny_without_tls(bucket_arn))


def _deny_without_tls(bucket_arn: str) -> Statement:
    return {
        "Effect": "Deny",
        "Principal": "*",
        "Action": "s3:*",
        "Resource": [bucket_arn, f"{bucket_arn}/*"],
        "Condition": {"Bool": {"aws:SecureTransport": "false"}},
    }
