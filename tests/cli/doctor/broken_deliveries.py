"""Each way in which events or notices do not arrive: what breaks it, the link, and parts of its reason and fix."""

import json

from local.mocks.recording import ACCOUNT, REGION

from .deployed_aws import TRAIL

ADMISSION = {"Effect": "Allow", "Principal": {"Service": "events.amazonaws.com"}, "Action": "sqs:SendMessage"}
OTHER_QUEUE = f"arn:aws:sqs:{REGION}:{ACCOUNT}:other"


def set_selectors(aws, *basic, advanced=()):
    aws.selectors[TRAIL] = {"EventSelectors": [*basic], "AdvancedEventSelectors": [*advanced]}


def select(**fields):
    """An advanced selector: field -> operator and values."""
    return {"FieldSelectors": [{"Field": field, **conditions} for field, conditions in fields.items()]}


def drop_target(aws, short, target):
    name = aws.outputs["rule_names"][short]
    aws.targets[name] = [one for one in aws.targets[name] if one["Id"] != target]


def find_target(aws, short, target):
    return next(one for one in aws.targets[aws.outputs["rule_names"][short]] if one["Id"] == target)


def change_pattern(aws, short, **fields):
    rule = aws.rule(short)
    rule["EventPattern"] = json.dumps({**json.loads(rule["EventPattern"]), **fields})


def subscribe(aws, topic, **subscription):
    aws.subscriptions[aws.outputs[f"{topic}_topic_arn"]].append(subscription)


def delete_function(aws, short):
    name = aws.outputs["function_names"][short]
    del aws.functions[name], aws.concurrency[name]
    aws.invoke_configurations.pop(name, None)


CASES = {
    # --- the trail
    "no trail": (
        lambda aws: aws.trails.clear(),
        "trail: CloudTrail",
        "No trail of CloudTrail covers eu-west-1",
        "createTrail",
    ),
    "a trail of another Region alone": (
        lambda aws: aws.trails[0].update(IsMultiRegionTrail=False, HomeRegion="us-east-1"),
        "trail: CloudTrail",
        "No trail of CloudTrail covers eu-west-1",
        "createTrail",
    ),
    "a trail that was stopped": (
        lambda aws: aws.trail_status[TRAIL].update(IsLogging=False),
        "trail: CloudTrail",
        "The trail all does not log.",
        "aws cloudtrail start-logging --name all",
    ),
    "a trail that cannot deliver": (
        lambda aws: aws.trail_status[TRAIL].update(LatestDeliveryError="AccessDenied"),
        "trail: CloudTrail",
        "cannot deliver its log files: AccessDenied.",
        "Repair the bucket",
    ),
    "a trail of reads": (
        lambda aws: set_selectors(aws, {"ReadWriteType": "ReadOnly", "IncludeManagementEvents": True}),
        "trail: CloudTrail",
        "does not log write management events of Secrets Manager",
        "put-event-selectors",
    ),
    "a trail of data events": (
        lambda aws: set_selectors(aws, {"ReadWriteType": "All", "IncludeManagementEvents": False}),
        "trail: CloudTrail",
        "does not log write management events",
        "put-event-selectors",
    ),
    "advanced selectors of reads": (
        lambda aws: set_selectors(
            aws, advanced=[select(eventCategory={"Equals": ["Management"]}, readOnly={"Equals": ["true"]})]
        ),
        "trail: CloudTrail",
        "does not log write management events",
        "put-event-selectors",
    ),
    "advanced selectors without Secrets Manager": (
        lambda aws: set_selectors(
            aws,
            advanced=[
                select(
                    eventCategory={"Equals": ["Management"]},
                    eventSource={"NotEquals": ["kms.amazonaws.com", "secretsmanager.amazonaws.com"]},
                )
            ],
        ),
        "trail: CloudTrail",
        "does not log write management events",
        "put-event-selectors",
    ),
    "advanced selectors without service events": (
        lambda aws: set_selectors(
            aws, advanced=[select(eventCategory={"Equals": ["Management"]}, eventType={"Equals": ["AwsApiCall"]})]
        ),
        "trail: CloudTrail",
        "does not log RotationFailed, RotationSucceeded",
        "put-event-selectors",
    ),
    # --- rules
    "a rule that was deleted": (
        lambda aws: aws.rules.pop(aws.outputs["rule_names"]["failed"]),
        "rule: failed",
        "does not exist",
        "pulumi up",
    ),
    "a rule that was disabled": (
        lambda aws: aws.rule("success").update(State="DISABLED"),
        "rule: success",
        "is DISABLED",
        "aws events enable-rule --name rotation-guard-events-success-0a1b2c3",
    ),
    "a pattern as in tutorials": (
        lambda aws: change_pattern(aws, "failed", **{"detail-type": ["AWS API Call via CloudTrail"]}),
        "rule: failed",
        "does not match the recorded events rotation-failed, rotation-abandoned, test-rotation-failed",
        "pulumi up",
    ),
    "a pattern for another stack": (
        lambda aws: change_pattern(aws, "stuck", detail={"incidents_table": ["another"]}),
        "rule: stuck",
        "does not match the recorded events rotation-stuck",
        "pulumi up",
    ),
    "a target that was removed": (
        lambda aws: drop_target(aws, "failed", "audit"),
        "rule: failed",
        "has no target audit",
        "pulumi up",
    ),
    "a target without dead letters": (
        lambda aws: find_target(aws, "calls", "audit").pop("DeadLetterConfig"),
        "rule: calls",
        "has no dead-letter queue",
        "pulumi up",
    ),
    "a target with dead letters elsewhere": (
        lambda aws: find_target(aws, "moved", "remediation").update(DeadLetterConfig={"Arn": OTHER_QUEUE}),
        "rule: moved",
        OTHER_QUEUE,
        "pulumi up",
    ),
    "a rule that the stack lacks": (
        lambda aws: aws.outputs["rule_names"].pop("labels"),
        "rule: all rules",
        "The stack has no rule labels.",
        "pulumi up",
    ),
    # --- queues
    "a queue without a policy": (
        lambda aws: aws.queue("audit_queue_url").pop("Policy"),
        "queue: audit",
        "does not admit events.amazonaws.com for failed, stuck, service, calls, labels",
        "sqs:SendMessage",
    ),
    "a queue that admits other rules": (
        lambda aws: aws.queue("audit_queue_url").update(
            Policy=json.dumps(
                {"Statement": {**ADMISSION, "Resource": "*", "Condition": {"ArnLike": {"aws:SourceArn": "*-failed-*"}}}}
            )
        ),
        "queue: audit",
        "does not admit events.amazonaws.com for stuck, service, calls, labels",
        "aws:SourceArn",
    ),
    "a queue that denies": (
        lambda aws: aws.queue("undelivered_events_dead_letters_url").update(
            Policy=json.dumps(
                {
                    "Statement": [
                        {**ADMISSION, "Resource": "*"},
                        {"Effect": "Deny", "Principal": "*", "Action": "sqs:*", "Resource": "*"},
                    ]
                }
            )
        ),
        "dead letters: undelivered events",
        "does not admit events.amazonaws.com for failed",
        "sqs:SendMessage",
    ),
    "a queue without dead letters": (
        lambda aws: aws.queue("audit_queue_url").pop("RedrivePolicy"),
        "queue: audit",
        "have no dead-letter queue",
        "pulumi up",
    ),
    "a queue that was deleted": (
        lambda aws: aws.queues.pop(aws.outputs["unstarted_remediations_dead_letters_url"]),
        "dead letters: unstarted remediations",
        "does not exist",
        "pulumi up",
    ),
    "dead letters": (
        lambda aws: aws.queue("failed_audits_dead_letters_url").update(ApproximateNumberOfMessages="2"),
        "dead letters: failed audits",
        "has 2 messages",
        "rotation-guard dead-letters list",
    ),
    "a dead letter that somebody is reading": (
        lambda aws: aws.queue("unrecorded_events_dead_letters_url").update(ApproximateNumberOfMessagesNotVisible="1"),
        "dead letters: unrecorded events",
        "has 1 message.",
        "rotation-guard dead-letters list",
    ),
    # --- topics
    "a topic that was deleted": (
        lambda aws: aws.topics.pop(aws.outputs["remediation_topic_arn"]),
        "topic: remediation",
        "does not exist",
        "pulumi up",
    ),
    "a topic that EventBridge may not publish to": (
        lambda aws: aws.topics[aws.outputs["failures_topic_arn"]].update(Policy='{"Statement": []}'),
        "topic: failures",
        "does not admit events.amazonaws.com without a condition",
        "sns:Publish",
    ),
    "a topic with a condition that EventBridge cannot meet": (
        lambda aws: aws.topics[aws.outputs["failures_topic_arn"]].update(
            Policy=json.dumps(
                {
                    "Statement": {
                        "Effect": "Allow",
                        "Principal": {"Service": "events.amazonaws.com"},
                        "Action": "sns:Publish",
                        "Resource": "*",
                        "Condition": {"StringEquals": {"aws:SourceAccount": ACCOUNT}},
                    }
                }
            )
        ),
        "topic: failures",
        "does not admit events.amazonaws.com without a condition",
        "sns:Publish",
    ),
    "a topic that alarms may not publish to": (
        lambda aws: aws.topics[aws.outputs["critical_topic_arn"]].pop("Policy"),
        "topic: critical",
        "does not admit cloudwatch.amazonaws.com",
        "sns:Publish",
    ),
    "nobody to notify": (
        lambda aws: aws.subscriptions[aws.outputs["critical_topic_arn"]].clear(),
        "topic: critical",
        "has no confirmed subscriber: nobody is notified",
        "subscriptions",
    ),
    "a subscription that is not confirmed": (
        lambda aws: subscribe(
            aws, "critical", SubscriptionArn="PendingConfirmation", Protocol="email", Endpoint="boss@example.com"
        ),
        "topic: critical",
        "The subscription of boss@example.com (email) is not confirmed.",
        "Follow the link",
    ),
}
