"""Each link that is broken is diagnosed, with its fix, and no other link is."""

import json
from datetime import timedelta

import pytest

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


def withdraw(aws, short, action):
    """Take an action out of the policies of a function's role."""
    role = aws.function(short)["Role"].rpartition("/")[2]
    for document in aws.role_policies[role].values():
        for statement in document["Statement"]:
            actions = statement["Action"]
            statement["Action"] = [one for one in ([actions] if isinstance(actions, str) else actions) if one != action]


def change_pattern(aws, short, **fields):
    rule = aws.rule(short)
    rule["EventPattern"] = json.dumps({**json.loads(rule["EventPattern"]), **fields})


def page(aws, subject):
    return aws.composite_alarms[aws.outputs["alarm_names"][subject]]


def metric_alarm(aws, what):
    return next(alarm for name, alarm in aws.metric_alarms.items() if f"-{what}-" in name)


def ring(aws, subject, what):
    page(aws, subject)["StateValue"] = metric_alarm(aws, what)["StateValue"] = "ALARM"


def forget_cause(aws, what):
    del aws.metric_alarms[metric_alarm(aws, what)["AlarmName"]]


def subscribe(aws, topic, **subscription):
    aws.subscriptions[aws.outputs[f"{topic}_topic_arn"]].append(subscription)


def schedule_of(aws):
    return aws.schedules[aws.outputs["schedule_name"]]


def table_of(aws, output):
    return aws.tables[aws.outputs[output]]


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
    # --- schedule and runs
    "a schedule that was deleted": (
        lambda aws: aws.schedules.clear(),
        "schedule: audit",
        "does not exist: no audit starts",
        "pulumi up",
    ),
    "a schedule that was disabled": (
        lambda aws: schedule_of(aws).update(State="DISABLED"),
        "schedule: audit",
        "is DISABLED: no audit starts",
        "pulumi up",
    ),
    "a schedule of another function": (
        lambda aws: schedule_of(aws)["Target"].update(Arn=f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:other"),
        "schedule: audit",
        "function:other, and not",
        "pulumi up",
    ),
    "a schedule without dead letters": (
        lambda aws: schedule_of(aws)["Target"].pop("DeadLetterConfig"),
        "schedule: audit",
        "has no dead-letter queue",
        "pulumi up",
    ),
    "a role that Scheduler may not assume": (
        lambda aws: aws.roles["rotation-guard-audit-schedule-0a1b2c3"]["AssumeRolePolicyDocument"].update(
            Statement=[{"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}}]
        ),
        "schedule: audit",
        "does not trust scheduler.amazonaws.com",
        "pulumi up",
    ),
    "an audit that stopped": (
        lambda aws: setattr(aws, "runs", [aws.build_run(2.5)]),
        "audit: last firing",
        "more than two periods of 1 hour",
        "schedule",
    ),
    "an incomplete run": (
        lambda aws: setattr(
            aws, "runs", [aws.build_run(0.2, complete=False, incomplete_because=["AWS refused 2."]), aws.build_run(1.2)]
        ),
        "audit: last run",
        "is incomplete. AWS refused 2.",
        "rotation-guard audit run",
    ),
    "a run that never finished": (
        lambda aws: setattr(
            aws,
            "runs",
            [aws.build_run(0.5, finished_at="", lease_until="2026-01-01T00:00:00Z"), aws.build_run(1.5)],
        ),
        "audit: last run",
        "and never finished",
        "rotation-guard audit run",
    ),
    # --- functions
    "a function that was deleted": (
        lambda aws: delete_function(aws, "notify"),
        "function: notify",
        "does not exist",
        "pulumi up",
    ),
    "a function that failed": (
        lambda aws: aws.function("claim").update(State="Failed", StateReason="The role is gone."),
        "function: claim",
        "is Failed: The role is gone.",
        "pulumi up",
    ),
    "an update that failed": (
        lambda aws: aws.function("claim").update(LastUpdateStatus="Failed", LastUpdateStatusReason="No layer."),
        "function: claim",
        "The last update of the function",
        "pulumi up",
    ),
    "a deprecated runtime": (
        lambda aws: aws.function("end").update(Runtime="python3.9"),
        "function: end",
        "python3.9",
        "Update rotation-guard",
    ),
    "another table in the environment": (
        lambda aws: aws.function("writer")["Environment"]["Variables"].update(AUDIT_TRAIL_TABLE_NAME="gone"),
        "function: writer",
        "AUDIT_TRAIL_TABLE_NAME of the function rotation-guard-trail-writer-0a1b2c3 is gone",
        "pulumi up",
    ),
    "a function that never runs": (
        lambda aws: aws.concurrency[aws.outputs["function_names"]["decide"]].update(ReservedConcurrentExecutions=0),
        "function: decide",
        "reserved concurrency",
        "aws lambda delete-function-concurrency",
    ),
    "a function whose failures are lost": (
        lambda aws: aws.invoke_configurations.pop(aws.outputs["function_names"]["check"]),
        "function: check",
        "has no destination on failure",
        "pulumi up",
    ),
    "a function that EventBridge may not invoke": (
        lambda aws: aws.function_policies.pop(aws.outputs["function_names"]["start"]),
        "function: start",
        "does not admit EventBridge for failed, stuck, stalled, success, moved",
        "pulumi up",
    ),
    "a rule that may not invoke its function": (
        lambda aws: aws.function_policies[aws.outputs["function_names"]["start"]].pop(0),
        "function: start",
        "does not admit EventBridge for ",
        "pulumi up",
    ),
    "nothing reads the queue": (
        lambda aws: aws.mappings.clear(),
        "queue: audit to writer",
        "events wait until they expire",
        "pulumi up",
    ),
    "a mapping that was disabled": (
        lambda aws: aws.mappings[0].update(State="Disabled"),
        "queue: audit to writer",
        "is Disabled",
        "aws lambda update-event-source-mapping --uuid m-1 --enabled",
    ),
    "a mapping that leaves events out": (
        lambda aws: aws.mappings[0].update(FilterCriteria={"Filters": [{"Pattern": "{}"}]}),
        "queue: audit to writer",
        "has a filter, and deletes",
        "pulumi up",
    ),
    # --- permissions
    "a permission that was withdrawn": (
        lambda aws: withdraw(aws, "writer", "dynamodb:PutItem"),
        "permissions: writer",
        "is not granted dynamodb:PutItem on arn:aws:dynamodb:eu-west-1:111122223333:table/rotation-guard-trail-record",
        "pulumi up",
    ),
    "a permission that is denied": (
        lambda aws: aws.statements("rotation-guard-repair-start-0a1b2c3").append(
            {"Effect": "Deny", "Action": "states:*", "Resource": "*"}
        ),
        "permissions: start",
        "is not granted states:StartExecution",
        "pulumi up",
    ),
    "a permission on another resource": (
        lambda aws: aws.statements("rotation-guard-audit-schedule-0a1b2c3")[0].update(Resource="*:function:other"),
        "permissions: schedule",
        "is not granted lambda:InvokeFunction",
        "pulumi up",
    ),
    "a workflow that may not notify": (
        lambda aws: aws.statements("rotation-guard-repair-workflow-0a1b2c3").pop(1),
        "permissions: workflow",
        "is not granted sns:Publish",
        "pulumi up",
    ),
    # --- tables
    "a table that was deleted": (
        lambda aws: [one.pop(aws.outputs["table_name"]) for one in (aws.tables, aws.recovery, aws.expiry)],
        "table: audit",
        "does not exist",
        "restore-table-to-point-in-time",
    ),
    "a table whose key is gone": (
        lambda aws: table_of(aws, "runs_table_name").update(TableStatus="INACCESSIBLE_ENCRYPTION_CREDENTIALS"),
        "table: runs",
        "INACCESSIBLE_ENCRYPTION_CREDENTIALS",
        "describe-table",
    ),
    "a table that cannot be restored": (
        lambda aws: aws.recovery.update({aws.outputs["incidents_table_name"]: "DISABLED"}),
        "table: incidents",
        "Point-in-time recovery",
        "aws dynamodb update-continuous-backups",
    ),
    "a table whose rows never expire": (
        lambda aws: aws.expiry.update({aws.outputs["status_table_name"]: {"TimeToLiveStatus": "DISABLED"}}),
        "table: status",
        "its rows never expire",
        "aws dynamodb update-time-to-live",
    ),
    "a table whose rows expire by another attribute": (
        lambda aws: aws.expiry[aws.outputs["audit_trail_table_name"]].update(AttributeName="ttl"),
        "table: audit trail",
        "reads ttl, and not expires_at",
        "aws dynamodb update-time-to-live",
    ),
    # --- alarms
    "an alarm that was deleted": (
        lambda aws: aws.composite_alarms.pop(aws.outputs["alarm_names"]["audit-not-running"]),
        "alarm: audit-not-running",
        "does not exist",
        "pulumi up",
    ),
    "an alarm without actions": (
        lambda aws: page(aws, "events-not-delivered").update(ActionsEnabled=False),
        "alarm: events-not-delivered",
        "are disabled",
        "aws cloudwatch enable-alarm-actions",
    ),
    "an alarm that rings nobody": (
        lambda aws: page(aws, "events-not-delivered").update(AlarmActions=[]),
        "alarm: events-not-delivered",
        "does not ring arn:aws:sns:",
        "pulumi up",
    ),
    "an alarm that rings": (
        lambda aws: ring(aws, "events-not-recorded", "writer-errors"),
        "alarm: events-not-recorded",
        "is in ALARM: rotation-guard-observability-writer-errors-0a1b2c3 (The function writer fails: ",
        "runbook",
    ),
    "a cause that was deleted": (
        lambda aws: forget_cause(aws, "executions-failed"),
        "alarm: remediation-not-acting",
        "watches alarms that do not exist: rotation-guard-observability-executions-failed-0a1b2c3",
        "pulumi up",
    ),
    # --- workflow and versions
    "a workflow that was deleted": (
        lambda aws: aws.machines[aws.outputs["state_machine_arn"]].update(status="DELETING"),
        "workflow: state machine",
        "is DELETING",
        "pulumi up",
    ),
    "a workflow without a log": (
        lambda aws: aws.machines[aws.outputs["state_machine_arn"]].update(loggingConfiguration={"level": "OFF"}),
        "workflow: state machine",
        "does not log its errors",
        "pulumi up",
    ),
    "no kill switch": (
        lambda aws: aws.parameters.clear(),
        "workflow: kill switch",
        "does not exist, so remediation is stopped",
        "pulumi up",
    ),
    "another release": (
        lambda aws: aws.outputs.update(version="0.0.9"),
        "version: stack and command",
        "The stack was deployed with rotation-guard 0.0.9",
        "pip install rotation-guard==0.0.9",
    ),
}


def test_nothing_is_wrong_with_a_stack_that_works(aws, diagnose):
    assert diagnose(aws) == {}


@pytest.mark.parametrize("case", CASES)
def test_exactly_the_link_that_is_broken_is_diagnosed(aws, diagnose, case):
    break_link, link, reason, fix = CASES[case]
    break_link(aws)

    found = diagnose(aws)

    assert [name for name, one in found.items() if one.verdict == "broken"] == [link]
    assert reason in found[link].reason
    assert fix in found[link].fix
    # What relies on something that is gone cannot be judged, and says so.
    others = {name: one for name, one in found.items() if name != link}
    assert {one.verdict for one in others.values()} <= {"cannot tell"}
    assert set(others) <= {
        "a function that was deleted": {"permissions: notify"},
        "a schedule that was deleted": {"permissions: schedule"},
    }.get(case, set())


def test_an_event_that_waits_for_long_is_broken(aws, diagnose):
    aws.queue("audit_queue_url")["ApproximateNumberOfMessages"] = "7"
    aws.oldest_event_seconds = 60
    assert diagnose(aws) == {}

    aws.oldest_event_seconds = 1800
    [(link, found)] = diagnose(aws).items()

    assert (link, found.verdict) == ("queue: audit", "broken")
    assert "has waited for 30 minutes" in found.reason


@pytest.mark.parametrize(
    "selectors",
    [
        {"EventSelectors": [{"ReadWriteType": "WriteOnly"}]},
        {"EventSelectors": [{"ReadWriteType": "All", "ExcludeManagementEventSources": ["kms.amazonaws.com"]}]},
        {"AdvancedEventSelectors": [select(eventCategory={"Equals": ["Management"]})]},
        {
            "AdvancedEventSelectors": [
                select(eventCategory={"Equals": ["Data"]}, **{"resources.type": {"Equals": ["AWS::S3::Object"]}}),
                select(
                    eventCategory={"Equals": ["Management"]},
                    readOnly={"Equals": ["false"]},
                    eventSource={"NotEquals": ["kms.amazonaws.com", "rdsdata.amazonaws.com"]},
                ),
            ]
        },
    ],
    ids=["write only", "without KMS", "advanced", "advanced without KMS"],
)
def test_a_trail_of_write_events_is_enough(aws, diagnose, selectors):
    aws.selectors[TRAIL] = selectors

    assert diagnose(aws) == {}


def test_one_trail_that_works_is_enough(aws, diagnose):
    aws.trails.insert(0, {"Name": "old", "TrailARN": f"{TRAIL}-old", "HomeRegion": REGION})
    aws.trail_status[f"{TRAIL}-old"] = {"IsLogging": False}
    aws.selectors[f"{TRAIL}-old"] = {"EventSelectors": []}

    assert diagnose(aws) == {}


def test_a_stopped_trail_beside_one_that_cannot_be_read_is_not_called_broken(aws, diagnose):
    aws.trails.append({"Name": "organization", "TrailARN": f"{TRAIL}-o", "IsMultiRegionTrail": True})
    aws.trail_status[TRAIL]["IsLogging"] = False

    [(link, found)] = diagnose(aws).items()

    assert (link, found.verdict) == ("trail: CloudTrail", "cannot tell")


def test_an_alarm_without_data_for_long_cannot_be_judged(aws, diagnose):
    alarm = metric_alarm(aws, "check-errors")
    alarm.update(StateValue="INSUFFICIENT_DATA", StateUpdatedTimestamp=aws.now - timedelta(minutes=10))
    assert diagnose(aws) == {}

    alarm["StateUpdatedTimestamp"] = aws.now - timedelta(hours=5)
    [(link, found)] = diagnose(aws).items()

    assert (link, found.verdict) == ("alarm: audit-not-running", "cannot tell")


def test_before_the_first_run_the_audit_cannot_be_judged(aws, diagnose):
    aws.runs = []

    assert {link: found.verdict for link, found in diagnose(aws).items()} == {
        "audit: last firing": "cannot tell",
        "audit: last run": "cannot tell",
    }
