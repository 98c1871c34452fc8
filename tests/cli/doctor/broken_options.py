"""Each way in which what a setting adds does not work: what breaks it, the link, and parts of its reason and fix."""

from local.mocks.recording import ACCOUNT, REGION

from .broken_functions import withdraw

HERE = f"{REGION}:{ACCOUNT}"
CANARY_ROLE, REPORT_ROLE = "rotation-guard-canary-0a1b2c3", "rotation-guard-reports-start-0a1b2c3"


def canary_of(aws):
    return aws.schedules[aws.outputs["canary_schedule_name"]]


def report_of(aws):
    return aws.schedules[aws.outputs["report_schedule_name"]]


def forget_own_canaries(aws):
    aws.canaries = [one for one in aws.canaries if "another-table" in one["recorded"]]


def recorded(aws, hours):
    aws.canaries = [aws.build_canary(hours, aws.outputs["incidents_table_name"])]


def drop_canary_alarm(aws):
    page = aws.composite_alarms[aws.outputs["alarm_names"]["events-not-delivered"]]
    page["AlarmRule"] = " OR ".join(
        f'ALARM("{name}")'
        for name, alarm in aws.metric_alarms.items()
        if name in page["AlarmRule"] and alarm["MetricName"] != "CanaryEventsRecorded"
    )


CASES = {
    # --- the canary
    "a canary's schedule that was disabled": (
        lambda aws: canary_of(aws).update(State="DISABLED"),
        "schedule: canary",
        "is DISABLED: no canary is sent",
        "pulumi up",
    ),
    "a canary's schedule that was deleted": (
        lambda aws: aws.schedules.pop(aws.outputs["canary_schedule_name"]),
        "schedule: canary",
        "does not exist: no canary is sent",
        "pulumi up",
    ),
    "a canary for another bus": (
        lambda aws: canary_of(aws)["Target"].update(Arn=f"arn:aws:events:{HERE}:event-bus/other"),
        "schedule: canary",
        f"event-bus/other, and not arn:aws:events:{HERE}:event-bus/default",
        "pulumi up",
    ),
    "a canary with dead letters elsewhere": (
        lambda aws: canary_of(aws)["Target"].update(DeadLetterConfig={"Arn": f"arn:aws:sqs:{HERE}:other"}),
        "schedule: canary",
        f"go to arn:aws:sqs:{HERE}:other",
        "pulumi up",
    ),
    "a canary's role that Scheduler may not assume": (
        lambda aws: aws.roles[CANARY_ROLE]["AssumeRolePolicyDocument"].update(Statement=[]),
        "schedule: canary",
        "does not trust scheduler.amazonaws.com",
        "pulumi up",
    ),
    "a canary's role without its permission": (
        lambda aws: aws.statements(CANARY_ROLE).pop(0),
        "permissions: canary schedule",
        f"is not granted events:PutEvents on arn:aws:events:{HERE}:event-bus/default",
        "pulumi up",
    ),
    "a canary of another source": (
        lambda aws: canary_of(aws)["Target"]["EventBridgeParameters"].update(Source="their.canary"),
        "canary: event",
        "The pattern of the rule rotation-guard-events-service-0a1b2c3 does not match the event",
        "pulumi up",
    ),
    "a canary of another stack": (
        lambda aws: canary_of(aws)["Target"].update(
            Input=canary_of(aws)["Target"]["Input"].replace('"canary-', '"canary-other-')
        ),
        "canary: event",
        "The schedule sends the canary canary-other-",
        "pulumi up",
    ),
    "a canary that is overdue": (
        lambda aws: recorded(aws, 26),
        "canary: last recorded",
        "No canary was recorded for 25 hours, in which one is due. The last one is of",
        "rotation-guard drill --event canary",
    ),
    "a canary that was never recorded": (
        forget_own_canaries,
        "canary: last recorded",
        "No canary was recorded for 25 hours, in which one is due.",
        "rotation-guard drill --event canary",
    ),
    "no alarm about the canary": (
        drop_canary_alarm,
        "canary: alarm",
        "rotation-guard-observability-events-not-delivered-0a1b2c3 does not ring when no canary is recorded",
        "pulumi up",
    ),
    # --- stored reports
    "a report's schedule that was disabled": (
        lambda aws: report_of(aws).update(State="DISABLED"),
        "schedule: reports",
        "is DISABLED: no report is stored",
        "pulumi up",
    ),
    "a report's schedule that was deleted": (
        lambda aws: aws.schedules.pop(aws.outputs["report_schedule_name"]),
        "schedule: reports",
        "does not exist: no report is stored",
        "pulumi up",
    ),
    "a report's schedule of another function": (
        lambda aws: report_of(aws)["Target"].update(Arn=f"arn:aws:lambda:{HERE}:function:other"),
        "schedule: reports",
        "function:other, and not",
        "pulumi up",
    ),
    "a report's role that Scheduler may not assume": (
        lambda aws: aws.roles[REPORT_ROLE]["AssumeRolePolicyDocument"].update(Statement=[]),
        "schedule: reports",
        "does not trust scheduler.amazonaws.com",
        "pulumi up",
    ),
    "a report's role without its permission": (
        lambda aws: aws.statements(REPORT_ROLE).pop(0),
        "permissions: report schedule",
        f"is not granted lambda:InvokeFunction on arn:aws:lambda:{HERE}:function:rotation-guard-reports-0a1b2c3",
        "pulumi up",
    ),
    "a function of reports that may not store them": (
        lambda aws: withdraw(aws, "report", "s3:PutObject"),
        "permissions: report",
        "is not granted s3:PutObject",
        "pulumi up",
    ),
    "a function of reports for another bucket": (
        lambda aws: aws.function("report")["Environment"]["Variables"].update(REPORTS_BUCKET_NAME="other"),
        "function: report",
        "REPORTS_BUCKET_NAME of the function rotation-guard-reports-0a1b2c3 is other",
        "pulumi up",
    ),
    "a function of reports whose failures are lost": (
        lambda aws: aws.invoke_configurations.pop(aws.outputs["function_names"]["report"]),
        "function: report",
        "has no destination on failure",
        "pulumi up",
    ),
    "a report that failed for good": (
        lambda aws: aws.queue("failed_reports_dead_letters_url").update(ApproximateNumberOfMessages="1"),
        "dead letters: failed reports",
        "has 1 message.",
        "rotation-guard dead-letters list",
    ),
    "a topic of reports that was deleted": (
        lambda aws: aws.topics.pop(aws.outputs["reports_topic_arn"]),
        "topic: reports",
        "does not exist",
        "pulumi up",
    ),
    "a subscriber of reports who did not confirm": (
        lambda aws: aws.subscriptions[aws.outputs["reports_topic_arn"]].append(
            {"SubscriptionArn": "PendingConfirmation", "Protocol": "email", "Endpoint": "ciso@example.com"}
        ),
        "topic: reports",
        "The subscription of ciso@example.com (email) is not confirmed.",
        "Follow the link",
    ),
    "a bucket that was deleted": (
        lambda aws: aws.buckets.clear(),
        "bucket: reports",
        "does not exist",
        "pulumi up",
    ),
    "a bucket without versions": (
        lambda aws: aws.bucket().update(versioning={"Status": "Suspended"}),
        "bucket: reports",
        "does not keep versions",
        "aws s3api put-bucket-versioning --bucket reports-",
    ),
    "a bucket with another key": (
        lambda aws: aws.bucket().update(encryption={"SSEAlgorithm": "AES256"}),
        "bucket: reports",
        "is encrypted with AES256, and the stack's queues with arn:aws:kms:",
        "pulumi up",
    ),
    "a bucket without encryption": (
        lambda aws: aws.refusals.update(
            {"s3:GetEncryptionConfiguration": "ServerSideEncryptionConfigurationNotFoundError"}
        ),
        "bucket: reports",
        "has no default encryption",
        "pulumi up",
    ),
    "a bucket that may become public": (
        lambda aws: aws.bucket()["block"].update(BlockPublicPolicy=False, RestrictPublicBuckets=False),
        "bucket: reports",
        "does not block public access: BlockPublicPolicy, RestrictPublicBuckets is off",
        "aws s3api put-public-access-block --bucket reports-",
    ),
    "a bucket whose block was removed": (
        lambda aws: aws.refusals.update({"s3:GetBucketPublicAccessBlock": "NoSuchPublicAccessBlockConfiguration"}),
        "bucket: reports",
        "does not block public access: BlockPublicAcls, BlockPublicPolicy, IgnorePublicAcls, RestrictPublicBuckets",
        "aws s3api put-public-access-block --bucket reports-",
    ),
    "a bucket without Object Lock": (
        lambda aws: aws.refusals.update(
            {"s3:GetBucketObjectLockConfiguration": "ObjectLockConfigurationNotFoundError"}
        ),
        "bucket: reports",
        "keeps a report for no time, and report_object_lock_days says 30 days",
        "pulumi up",
    ),
    "a bucket that locks for another time": (
        lambda aws: aws.bucket()["lock"].update(Days=1),
        "bucket: reports",
        "keeps a report for 1 day, and report_object_lock_days says 30 days",
        "pulumi up",
    ),
    "a bucket in the other mode of Object Lock": (
        lambda aws: aws.bucket()["lock"].update(Mode="COMPLIANCE"),
        "bucket: reports",
        "is in mode COMPLIANCE, and not GOVERNANCE",
        "pulumi up",
    ),
    "a bucket that locks although nothing is set": (
        lambda aws: aws.outputs.update(report_object_lock_days=0),
        "bucket: reports",
        "keeps a report for 30 days, and report_object_lock_days says no time",
        "pulumi up",
    ),
    "a report that is overdue": (
        lambda aws: aws.bucket().update(keys=[aws.build_report_key(49)]),
        "reports: last stored",
        "No report was stored for 2 days, in which one is due.",
        "the function report",
    ),
    "a report without its table": (
        lambda aws: aws.bucket().update(keys=[aws.build_report_key(1).replace(".csv", ".html")]),
        "reports: last stored",
        "No report was stored for 2 days, in which one is due.",
        "the function report",
    ),
}
GONE = {
    "a canary's schedule that was deleted": {
        "permissions: canary schedule",
        "canary: event",
        "canary: last recorded",
        "canary: alarm",
    },
    "a report's schedule that was deleted": {"permissions: report schedule", "reports: last stored"},
    "a bucket that was deleted": {"reports: last stored"},
}
"""Case -> the links that cannot be judged while something is gone."""
