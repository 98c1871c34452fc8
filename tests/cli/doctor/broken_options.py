"""Each way in which what a setting adds does not work: what breaks it, the link, and parts of its reason and fix."""

from local.mocks.recording import ACCOUNT, REGION

HERE = f"{REGION}:{ACCOUNT}"
CANARY_ROLE = "rotation-guard-canary-0a1b2c3"


def canary_of(aws):
    return aws.schedules[aws.outputs["canary_schedule_name"]]


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
        "and one is due within 25 hours",
        "rotation-guard drill --event canary",
    ),
    "a canary that was never recorded": (
        forget_own_canaries,
        "canary: last recorded",
        "No canary was recorded yet",
        "rotation-guard drill --event canary",
    ),
    "no alarm about the canary": (
        drop_canary_alarm,
        "canary: alarm",
        "rotation-guard-observability-events-not-delivered-0a1b2c3 does not ring when no canary is recorded",
        "pulumi up",
    ),
}
GONE = {
    "a canary's schedule that was deleted": {
        "permissions: canary schedule",
        "canary: event",
        "canary: last recorded",
        "canary: alarm",
    },
}
"""Case -> the links that cannot be judged while something is gone."""
