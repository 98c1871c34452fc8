"""Cases of the rules about EventBridge rules: patterns, schedules and number of targets."""

import json
from typing import Any

from tests.policies.programs import (
    UNKNOWN,
    Case,
    Made,
    Secret,
    concat,
    event_rule,
    event_target,
    json_of,
    make,
    program,
    secret,
)

MATCH, FEW = "event-pattern-can-match", "event-rule-has-few-targets"
SCHEDULE = "event-rule-schedule-is-accepted"

SOURCE = ["aws.secretsmanager"]
SERVICE_EVENT, API_CALL = "AWS Service Event via CloudTrail", "AWS API Call via CloudTrail"
FAILED = ["RotationFailed", "RotationAbandoned"]


def rule_with(pattern: Any, **more: Any) -> Made:
    """A rule with this pattern."""
    return event_rule("watch", eventPattern=pattern if isinstance(pattern, str) else json.dumps(pattern), **more)


def pattern_of(types: Any, source: Any = SOURCE, **detail: Any) -> dict[str, Any]:
    """A pattern for Secrets Manager."""
    pattern = {"source": source, "detail-type": types if isinstance(types, list) else [types]}
    return {**pattern, "detail": detail} if detail else pattern


def targets(count: int, rule: Made, name: str = "t") -> list[Made]:
    """Targets of a rule."""
    return [event_target(f"{name}{number}", rule=rule.name, arn=f"arn:aws:sns:x:1:{number}") for number in range(count)]


watch = event_rule("watch")
named = event_rule("named", name="orders")

NEVER: dict[str, tuple[Any, str | tuple[str, ...]]] = {
    "a failed rotation as an API call": (
        pattern_of(API_CALL, eventName=FAILED),
        (
            f"RotationFailed, RotationAbandoned never has the detail-type {API_CALL}",
            f'Set detail-type to "{SERVICE_EVENT}"',
        ),
    ),
    "the same without a source": (
        {"detail-type": [API_CALL], "detail": {"eventName": FAILED}},
        "never has the detail-type",
    ),
    "the same beside a source of one's own": (
        pattern_of(API_CALL, source=["aws.secretsmanager", "drill"], eventName=["RotationFailed"]),
        "never has the detail-type",
    ),
    "one name of several": (
        pattern_of(API_CALL, eventName=["RotateSecret", "RotationSucceeded"]),
        "RotationSucceeded never",
    ),
    "an API call as a service event": (pattern_of(SERVICE_EVENT, eventName=["RotateSecret"]), "it is an API call"),
    "a detail-type in other letters": (
        pattern_of("AWS Service Event Via CloudTrail", eventName=FAILED),
        (f'Set detail-type to "{SERVICE_EVENT}"', "case"),
    ),
    "a label's detail-type in other letters": (pattern_of("Secret label updated"), '"Secret Label Updated"'),
    "a detail-type with a slip": (
        pattern_of("AWS Service Event via CloudTrial", eventName=FAILED),
        f'"{SERVICE_EVENT}"',
    ),
    "a detail-type that somebody made up": (pattern_of("Secrets Manager Rotation Failed"), "one of"),
    "another service's detail-type": (pattern_of("Object Created"), 'sends no "Object Created"'),
    "a name in other letters": (
        pattern_of(SERVICE_EVENT, eventName=["rotationFailed"]),
        "Set eventName to RotationFailed",
    ),
    "a name with a slip": (pattern_of(SERVICE_EVENT, eventName=["RotationAbandonned"]), "RotationAbandoned"),
    "a call in other letters": (pattern_of(API_CALL, eventName=["rotateSecret"]), "RotateSecret"),
    "a name that there is not": (pattern_of(API_CALL, eventName=["Explode"]), 'has no event "Explode"'),
    "a beginning in other letters": (pattern_of(SERVICE_EVENT, eventName=[{"prefix": "rotation"}]), "case"),
    "failures as calls, by their beginning": (pattern_of(API_CALL, eventName=[{"prefix": "Rotation"}]), "case"),
    "a name under the label's detail-type": (
        pattern_of("Secret Label Updated", eventName=["RotationFailed"]),
        "never has the detail-type",
    ),
    "one way of an $or": (
        {
            "source": SOURCE,
            "$or": [
                pattern_of("Secret Label Updated"),
                {"detail-type": [API_CALL], "detail": {"eventName": FAILED}},
            ],
        },
        "never has the detail-type",
    ),
    "a source with a slip": (
        pattern_of(SERVICE_EVENT, source=["aws.secretmanager"]),
        "Set source to aws.secretsmanager",
    ),
    "a source in other letters": (
        pattern_of(SERVICE_EVENT, source=["aws.SecretsManager"]),
        "Set source to aws.secretsmanager",
    ),
    "a source without aws": (pattern_of("Secret Label Updated", source=["secretsmanager"]), "Set source to"),
    "an eventSource as source": (pattern_of(API_CALL, source=["secretsmanager.amazonaws.com"]), "aws.secretsmanager"),
    "CloudTrail as source": (
        pattern_of(API_CALL, source=["aws.cloudtrail"], eventSource=["secretsmanager.amazonaws.com"]),
        "Set source to aws.secretsmanager",
    ),
    "a rotation from S3": (
        pattern_of(SERVICE_EVENT, source=["aws.s3"], eventName=["RotationFailed"]),
        "never has the source aws.s3",
    ),
    "the label's detail-type from S3": (
        pattern_of("Secret Label Updated", source=["aws.s3"]),
        "never has the source aws.s3",
    ),
    "the parameters of a service event": (
        pattern_of(
            SERVICE_EVENT, eventName=FAILED, requestParameters={"secretId": ["arn:aws:secretsmanager:x:1:secret:s"]}
        ),
        ("detail.requestParameters does not occur", "additionalEventData.SecretId"),
    ),
    "the resources of a service event": (
        {**pattern_of(SERVICE_EVENT), "resources": [{"prefix": "arn:aws:secretsmanager"}]},
        "resources does not occur",
    ),
    "another eventSource": (
        pattern_of(API_CALL, eventSource=["kms.amazonaws.com"]),
        "detail.eventSource does not occur",
    ),
    "a call that reads": (
        pattern_of(API_CALL, eventName=["GetSecretValue"]),
        "ENABLED_WITH_ALL_CLOUDTRAIL_MANAGEMENT_EVENTS",
    ),
    "an account as a number": ({**pattern_of(SERVICE_EVENT), "account": [111122223333]}, "account does not occur"),
    "a field in other letters": ({"source": SOURCE, "detailType": [SERVICE_EVENT]}, "Use detail-type"),
    "a name at the top": ({"source": SOURCE, "eventName": ["RotateSecret"]}, "no top-level field eventName"),
}
"""Valid patterns that never match."""

REFUSED: dict[str, tuple[Any, str]] = {
    "text": ("{'source': ['aws.ec2']}", "it is not JSON"),
    "a list": ([pattern_of(SERVICE_EVENT)], "it is no JSON object"),
    "empty": ({}, "it is empty"),
    "a value without a list": ({"source": "aws.secretsmanager"}, 'source is "aws.secretsmanager"'),
    "an empty list": (pattern_of(SERVICE_EVENT, eventName=[]), "detail.eventName is an empty list"),
    "an empty object": ({"source": SOURCE, "detail": {}}, "detail is an empty object"),
    "a list in a list": ({"source": [SOURCE]}, "a list lies in a list"),
    "a network that is none": (pattern_of(SERVICE_EVENT, sourceIPAddress=[{"cidr": "10.0.0.0"}]), "cidr does not take"),
    "a number whose case is ignored": (
        pattern_of(SERVICE_EVENT, eventVersion=[{"prefix": {"equals-ignore-case": 1}}]),
        "prefix does not take",
    ),
    "texts and numbers left out together": (
        pattern_of(SERVICE_EVENT, eventVersion=[{"anything-but": ["1.08", 1]}]),
        "anything-but does not take",
    ),
    "a comparison that there is not": (
        pattern_of(SERVICE_EVENT, eventName=[{"startsWith": "R"}]),
        "no comparison startsWith",
    ),
    "two comparisons in one": ({"source": [{"prefix": "a", "suffix": "b"}]}, "one comparison"),
    "a range the wrong way round": ({"detail": {"n": [{"numeric": [">", 9, "<", 1]}]}}, "numeric does not take"),
    "an exists of text": ({"detail": {"n": [{"exists": "true"}]}}, "exists does not take"),
    "an $or of one": ({"$or": [{"source": SOURCE}]}, "two alternatives"),
}
"""Patterns that EventBridge rejects."""

CAN: dict[str, Any] = {
    "both detail-types, and names of both": pattern_of(
        [SERVICE_EVENT, API_CALL], eventName=[*FAILED, "PutSecretValue"]
    ),
    "both detail-types for failures alone": pattern_of([API_CALL, SERVICE_EVENT], eventName=FAILED),
    "all but the failures": pattern_of(SERVICE_EVENT, eventName=[{"anything-but": FAILED}]),
    "all but the failures and the calls, of both": pattern_of(
        [SERVICE_EVENT, API_CALL], eventName=[{"anything-but": [*FAILED, "GetSecretValue"]}]
    ),
    "all but names of any kind": pattern_of(API_CALL, eventName=[{"anything-but": {"prefix": "Get"}}]),
    "failures by their ending": pattern_of(SERVICE_EVENT, eventName=[{"suffix": "Failed"}]),
    "a wildcard": pattern_of(SERVICE_EVENT, eventName=[{"wildcard": "*Rotation*"}]),
    "failures in whatever letters": pattern_of(SERVICE_EVENT, eventName=[{"equals-ignore-case": "rotationfailed"}]),
    "a drill's source beside it": pattern_of(SERVICE_EVENT, source=[*SOURCE, "rotation-guard.drill"], eventName=FAILED),
    "labels of one secret": {
        **pattern_of("Secret Label Updated", labelUpdated=["AWSCURRENT"]),
        "resources": [{"prefix": "arn:aws:secretsmanager:eu-west-1:111122223333:secret:orders"}],
    },
    "the secret of a service event": pattern_of(
        SERVICE_EVENT,
        eventName=FAILED,
        additionalEventData={"SecretId": [{"prefix": "arn:aws:secretsmanager"}]},
        requestParameters=[None],
    ),
    "a call about one secret": pattern_of(
        API_CALL,
        eventSource=["secretsmanager.amazonaws.com"],
        eventName=["DeleteResourcePolicy", "PutResourcePolicy", "RotateSecret", "TagResource", "UntagResource"],
        responseElements={"arn": ["arn:aws:secretsmanager:us-west-2:012345678901:secret:mySecret-a1b2c3"]},
    ),
    "an $or of both kinds": {
        "source": SOURCE,
        "$or": [
            {"detail-type": [API_CALL], "detail": {"eventName": ["PutSecretValue"]}},
            {"detail-type": [SERVICE_EVENT], "detail": {"eventName": ["RotationSucceeded"]}},
        ],
    },
    "failed calls": pattern_of(API_CALL, errorCode=[{"exists": True}], eventName=["RotateSecret"]),
    "calls in every service": {"detail-type": [API_CALL], "detail": {"eventName": ["PutSecretValue", "CreateKey"]}},
    "another service's calls": pattern_of(API_CALL, source=["aws.iam"], eventName=["CreateAccessKey"]),
    "CloudTrail's own calls": pattern_of(API_CALL, source=["aws.cloudtrail"], eventName=["StopLogging"]),
    "every source of AWS": {"source": [{"prefix": "aws."}], "detail-type": [SERVICE_EVENT]},
    "sources of one's own": {
        "source": ["shop.orders"],
        "detail-type": ["Order placed"],
        "detail": {"total": [5, None]},
    },
    "one's own failed rotations": {"source": ["shop.keys"], "detail-type": ["Key"], "detail": {"eventName": FAILED}},
    "another sender among the sources": pattern_of(
        ["Secret Label Updated", "Order placed"], source=[*SOURCE, "shop.orders"]
    ),
    "detail-types of two services": pattern_of(
        ["Object Created", "EC2 Instance State-change Notification"], source=["aws.s3", "aws.ec2"]
    ),
    "a detail-type nobody listed here": pattern_of("Some New Thing", source=["aws.newservice"]),
    "numbers and networks": {
        "detail": {"n": [{"numeric": [">", 0, "<=", 5]}], "ip": [{"cidr": "10.0.0.0/8"}], "x": [{"exists": False}]}
    },
    "everything of one account": {"account": ["111122223333"]},
    "everything": {"source": [{"prefix": ""}]},
    "every prefix but two": {"detail": {"state": [{"anything-but": {"prefix": ["init", "stop"]}}]}},
    "calls that read among calls that write": pattern_of(API_CALL, eventName=["GetSecretValue", "PutSecretValue"]),
}
"""Patterns that match existing events."""


def scheduled_rule(expression: object):
    """A scheduled rule."""
    return event_rule("nightly", scheduleExpression=expression)


CASES = [
    # --- event-pattern-can-match
    Case(
        MATCH,
        "typical",
        "failed rotations as API calls",
        program(rule_with(pattern_of(API_CALL, eventName=["RotationFailed"]))),
        {"watch": SERVICE_EVENT},
    ),
    Case(MATCH, "typical", "neither pattern nor schedule", program(event_rule("watch")), {"watch": "never matches"}),
    *(
        Case(MATCH, "variant", what, program(rule_with(pattern)), {"watch": words})
        for what, (pattern, words) in NEVER.items()
    ),
    *(
        Case(MATCH, "variant", f"no pattern: {what}", program(rule_with(pattern)), {"watch": words})
        for what, (pattern, words) in REFUSED.items()
    ),
    Case(
        MATCH,
        "variant",
        "an object in place of JSON",
        program(event_rule("watch", eventPattern=pattern_of(API_CALL, eventName=FAILED))),
        {"watch": "never has the detail-type"},
    ),
    Case(
        MATCH,
        "compliant",
        "failed rotations as service events",
        program(rule_with(pattern_of(SERVICE_EVENT, eventName=FAILED))),
    ),
    Case(MATCH, "compliant", "moved labels", program(rule_with(pattern_of("Secret Label Updated")))),
    Case(MATCH, "compliant", "a schedule", program(event_rule("watch", scheduleExpression="rate(1 hour)"))),
    Case(MATCH, "unknown", "the pattern", program(event_rule("watch", eventPattern=UNKNOWN))),
    Case(MATCH, "unknown", "a secret pattern", program(event_rule("watch", eventPattern=Secret(UNKNOWN)))),
    Case(
        MATCH,
        "unknown",
        "a pattern made of a secret's ARN",
        program(
            secret("s"),
            event_rule(
                "watch",
                eventPattern=json_of(**pattern_of("Secret Label Updated"), resources=[secret("s").arn]),
            ),
        ),
    ),
    Case(
        MATCH,
        "unknown",
        "the schedule",
        program(secret("s"), event_rule("watch", scheduleExpression=concat("rate(", secret("s").name, ")"))),
    ),
    *(Case(MATCH, "near miss", what, program(rule_with(pattern))) for what, pattern in CAN.items()),
    Case(
        MATCH,
        "near miss",
        "calls that read, where the rule sees them",
        program(
            rule_with(
                pattern_of(API_CALL, eventName=["GetSecretValue"]),
                state="ENABLED_WITH_ALL_CLOUDTRAIL_MANAGEMENT_EVENTS",
            )
        ),
    ),
    Case(
        MATCH,
        "near miss",
        "names that AWS has added",
        program(rule_with(pattern_of("Secret Expired", eventName=["SecretExpired"]))),
        config={"alsoKnown": ["Secret Expired", "SecretExpired"]},
    ),
    Case(
        MATCH,
        "near miss",
        "a rule of another provider",
        program(make("aws-native:events:Rule")("watch", eventPattern={"source": "x"})),
    ),
    # --- event-rule-has-few-targets
    Case(
        FEW,
        "typical",
        "six targets",
        program(watch, *targets(6, watch)),
        {"watch": ("6 targets", "allows 5", "second rule")},
    ),
    Case(
        FEW,
        "variant",
        "six, by the rule's name",
        program(named, *(event_target(f"t{number}", rule="orders", arn="a") for number in range(6))),
        {"named": "6 targets"},
    ),
    Case(
        FEW,
        "typical",
        "more than configured",
        program(watch, *targets(3, watch)),
        {"watch": "allows 2"},
        config={"maxTargets": 2},
    ),
    Case(FEW, "compliant", "five targets", program(watch, *targets(5, watch))),
    Case(
        FEW,
        "unknown",
        "of which rule one of six is",
        program(watch, *targets(5, watch), event_target("sixth", rule=UNKNOWN, arn="a")),
    ),
    Case(
        FEW,
        "near miss",
        "ten, of two rules",
        program(watch, named, *targets(5, watch), *targets(5, named, "other")),
    ),
    Case(
        FEW,
        "near miss",
        "six, where the quota was raised",
        program(watch, *targets(6, watch)),
        config={"maxTargets": 10},
    ),
    # --- archives
    Case(
        MATCH,
        "variant",
        "an archive",
        program(make("aws:cloudwatch/eventArchive:EventArchive")("kept", eventPattern='{"source": "shop"}')),
        {"kept": "the pattern of the archive kept"},
    ),
    Case(
        MATCH,
        "near miss",
        "an archive of everything",
        program(make("aws:cloudwatch/eventArchive:EventArchive")("kept", eventSourceArn="b")),
    ),
    # --- event-rule-schedule-is-accepted
    Case(
        SCHEDULE,
        "typical",
        "a cron expression without ?",
        program(scheduled_rule("cron(0 3 * * * *)")),
        {"nightly": ("must be ?", "rate(1 hour)")},
    ),
    *(
        Case(SCHEDULE, "variant", expression, program(scheduled_rule(expression)), {"nightly": words})
        for expression, words in {
            "rate(1 hours)": "the unit of 1 is hour.",
            "rate(5 minute)": "the unit of 5 is minutes.",
            "at(2030-01-01T03:00:00)": "only EventBridge Scheduler",
            "rate(0 minutes)": "at least 1",
            "rate(30 seconds)": "minutes, hours or days",
        }.items()
    ),
    *(
        Case(SCHEDULE, "compliant", expression, program(scheduled_rule(expression)))
        for expression in ("rate(1 hour)", "rate(5 minutes)", "cron(0 10 * * ? *)", "cron(0/15 * ? * MON-FRI *)")
    ),
    Case(SCHEDULE, "unknown", "the expression", program(scheduled_rule(UNKNOWN))),
    Case(SCHEDULE, "near miss", "a pattern", program(event_rule("watch", eventPattern='{"source": ["shop"]}'))),
]
