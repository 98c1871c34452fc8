"""Each way in which what acts on events does not: what breaks it, the link, and parts of its reason and fix."""

from local.mocks.recording import ACCOUNT, REGION


def withdraw(aws, short, action):
    """Take an action out of the policies of a function's role."""
    role = aws.function(short)["Role"].rpartition("/")[2]
    for document in aws.role_policies[role].values():
        for statement in document["Statement"]:
            actions = statement["Action"]
            statement["Action"] = [one for one in ([actions] if isinstance(actions, str) else actions) if one != action]


def page(aws, subject):
    return aws.composite_alarms[aws.outputs["alarm_names"][subject]]


def metric_alarm(aws, what):
    return next(alarm for name, alarm in aws.metric_alarms.items() if f"-{what}-" in name)


def ring(aws, subject, what):
    page(aws, subject)["StateValue"] = metric_alarm(aws, what)["StateValue"] = "ALARM"


def forget_cause(aws, what):
    del aws.metric_alarms[metric_alarm(aws, what)["AlarmName"]]


def schedule_of(aws):
    return aws.schedules[aws.outputs["schedule_name"]]


def table_of(aws, output):
    return aws.tables[aws.outputs[output]]


def delete_function(aws, short):
    name = aws.outputs["function_names"][short]
    del aws.functions[name], aws.concurrency[name]
    aws.invoke_configurations.pop(name, None)


CASES = {
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
    "a table without its index": (
        lambda aws: table_of(aws, "status_table_name")["GlobalSecondaryIndexes"].clear(),
        "table: status",
        "has no index attention",
        "pulumi up",
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
