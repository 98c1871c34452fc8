"""Cases of the rules about alarm actions and bucket notifications."""

from typing import Any

from tests.policies.programs import (
    ACCOUNT,
    UNKNOWN,
    Case,
    Made,
    alias,
    allow,
    event_rule,
    function,
    json_of,
    make,
    metric_alarm,
    permission,
    policy,
    program,
    queue,
    queue_policy,
    topic,
    topic_policy,
)

CALLS, NOTIFIES, SENDS = (
    "alarm-may-call-its-functions",
    "bucket-notification-reaches-its-destination",
    "bucket-sends-the-events-of-its-rule",
)
ALARMS = "lambda.alarms.cloudwatch.amazonaws.com"
S3 = {"Service": "s3.amazonaws.com"}

composite_alarm = make("aws:cloudwatch/compositeAlarm:CompositeAlarm")
bucket = make("aws:s3/bucket:Bucket")
notification = make("aws:s3/bucketNotification:BucketNotification")

mends = function("mends")
live = alias("live", functionName=mends.name, functionVersion="1")
rings = metric_alarm("rings", alarmActions=[mends.arn])
uploads = bucket("uploads")
other = bucket("other")
orders = queue("orders")
news = topic("news")


def invoke_permission(principal: str = ALARMS, source: Any = rings.arn, **more: Any) -> Made:
    """A permission of the function."""
    return permission(
        "may", function=mends.name, action="lambda:InvokeFunction", principal=principal, sourceArn=source, **more
    )


def notifies(**destinations: Any) -> Made:
    """The notifications of the bucket."""
    return notification("told", bucket=uploads.id, **destinations)


def destination_policies(source: Any = uploads.arn, principal: Any = S3) -> list[Made]:
    """The policies of the queue and the topic."""
    condition = {"ArnLike": {"aws:SourceArn": source}}
    return [
        queue_policy("q", queueUrl=orders.url, policy=policy(allow(principal, "sqs:SendMessage", "*", condition))),
        topic_policy("t", arn=news.arn, policy=policy(allow(principal, "sns:Publish", "*", condition))),
    ]


QUEUES = {"queues": [{"queueArn": orders.arn, "events": ["s3:ObjectCreated:*"]}]}
TOPICS = {"topics": [{"topicArn": news.arn, "events": ["s3:ObjectRemoved:*"]}]}
FUNCTIONS = {"lambdaFunctions": [{"lambdaFunctionArn": mends.arn, "events": ["s3:ObjectCreated:*"]}]}


def rule_for(name: Any = "uploads", **more: Any) -> Made:
    """A rule for new objects of a bucket."""
    pattern = {"source": ["aws.s3"], "detail-type": ["Object Created"], "detail": {"bucket": {"name": [name]}}, **more}
    return event_rule("waits", eventPattern=json_of(**pattern))


named = bucket("uploads", name="uploads")

CASES = [
    # --- alarm-may-call-its-functions
    Case(
        CALLS,
        "typical",
        "a function without a permission",
        program(mends, rings),
        {"rings": ("mends has no Permission", ALARMS)},
    ),
    *(
        Case(
            CALLS,
            "variant",
            what,
            program(mends, live, rings, metric_alarm("x"), given),
            {"rings": "no Permission of mends is for"},
        )
        for what, given in {
            "for another alarm": invoke_permission(source=metric_alarm("x").arn),
            "for alarms, as a topic takes them": invoke_permission("cloudwatch.amazonaws.com"),
        }.items()
    ),
    Case(
        CALLS,
        "variant",
        "a composite alarm that calls an alias when all is well",
        program(
            mends,
            live,
            composite_alarm("both", okActions=[live.arn]),
            invoke_permission(source=composite_alarm("both").arn),
        ),
        {"both": "no Permission of mends"},
        silent_at_preview=True,
    ),
    Case(CALLS, "compliant", "a permission for the alarm", program(mends, rings, invoke_permission())),
    Case(
        CALLS,
        "compliant",
        "for the account",
        program(mends, rings, invoke_permission(source=None, sourceAccount=ACCOUNT)),
    ),
    Case(CALLS, "unknown", "the actions", program(mends, metric_alarm("rings", alarmActions=UNKNOWN))),
    Case(CALLS, "unknown", "the source", program(mends, rings, invoke_permission(source=UNKNOWN))),
    Case(
        CALLS,
        "near miss",
        "a topic, and a function elsewhere",
        program(
            news, metric_alarm("rings", alarmActions=[news.arn, "arn:aws:lambda:eu-west-1:444455556666:function:f"])
        ),
    ),
    # --- bucket-notification-reaches-its-destination
    Case(
        NOTIFIES,
        "typical",
        "a queue without a policy",
        program(uploads, orders, notifies(**QUEUES)),
        {"told": ("orders has no policy", "s3.amazonaws.com")},
    ),
    Case(
        NOTIFIES,
        "variant",
        "a topic with the policy of AWS",
        program(uploads, news, notifies(**TOPICS)),
        {"told": "news has no policy"},
    ),
    Case(
        NOTIFIES,
        "variant",
        "a function without a permission",
        program(uploads, mends, notifies(**FUNCTIONS)),
        {"told": "mends has no Permission"},
    ),
    Case(
        NOTIFIES,
        "variant",
        "a queue and a topic for another bucket",
        program(uploads, other, orders, news, notifies(**QUEUES, **TOPICS), *destination_policies(other.arn)),
        {"told": "to s3.amazonaws.com"},
        silent_at_preview=True,
    ),
    Case(
        NOTIFIES,
        "variant",
        "a function for another bucket",
        program(uploads, other, mends, notifies(**FUNCTIONS), invoke_permission("s3.amazonaws.com", other.arn)),
        {"told": "no Permission of mends is for s3.amazonaws.com and this bucket"},
    ),
    Case(
        NOTIFIES,
        "variant",
        "the policies are for rules",
        program(
            uploads,
            orders,
            notifies(**QUEUES),
            *destination_policies(principal={"Service": "events.amazonaws.com"}),
            news,
        ),
        {"told": "the policy of orders does not allow sqs:SendMessage to s3"},
        silent_at_preview=True,
    ),
    Case(
        NOTIFIES,
        "variant",
        "a FIFO queue",
        program(
            uploads,
            queue("orders", fifoQueue=True),
            notifies(queues=[{"queueArn": queue("orders", fifoQueue=True).arn}]),
            *destination_policies(),
        ),
        {"told": "FIFO queues"},
    ),
    Case(
        NOTIFIES,
        "compliant",
        "a queue, a topic and a function with permissions",
        program(
            uploads,
            orders,
            news,
            mends,
            notifies(**QUEUES, **TOPICS, **FUNCTIONS),
            *destination_policies(),
            invoke_permission("s3.amazonaws.com", uploads.arn, sourceAccount=ACCOUNT),
        ),
    ),
    Case(NOTIFIES, "unknown", "the queue", program(uploads, orders, notifies(queues=[{"queueArn": UNKNOWN}]))),
    Case(
        NOTIFIES,
        "unknown",
        "the policy",
        program(uploads, orders, notifies(**QUEUES), queue_policy("q", queueUrl=orders.url, policy=UNKNOWN)),
    ),
    Case(
        NOTIFIES,
        "near miss",
        "a bucket of another stack, by its name",
        program(
            orders,
            news,
            notification("told", bucket="theirs", **QUEUES, **TOPICS),
            *destination_policies("arn:aws:s3:::theirs"),
        ),
    ),
    Case(
        NOTIFIES,
        "near miss",
        "held to the account alone, of which the ARN of a bucket says nothing",
        program(
            orders,
            notification("told", bucket="theirs", **QUEUES),
            queue_policy(
                "q",
                queueUrl=orders.url,
                policy=policy(allow(S3, "sqs:SendMessage", "*", {"StringEquals": {"aws:SourceAccount": ACCOUNT}})),
            ),
        ),
    ),
    Case(
        NOTIFIES,
        "near miss",
        "a queue elsewhere, and EventBridge",
        program(uploads, notifies(eventbridge=True, queues=[{"queueArn": f"arn:aws:sqs:eu-west-1:{ACCOUNT}:theirs"}])),
    ),
    # --- bucket-sends-the-events-of-its-rule
    Case(
        SENDS,
        "typical",
        "a bucket without a notification",
        program(named, rule_for()),
        {"waits": ("uploads", "eventbridge to true")},
    ),
    Case(
        SENDS,
        "variant",
        "notifications of a queue alone",
        program(named, orders, rule_for(), notification("told", bucket=named.id, **QUEUES)),
        {"waits": "uploads"},
    ),
    Case(
        SENDS,
        "variant",
        "switched off",
        program(named, rule_for(), notification("told", bucket=named.id, eventbridge=False)),
        {"waits": "uploads"},
    ),
    Case(
        SENDS,
        "compliant",
        "a bucket that notifies EventBridge",
        program(named, rule_for(), notification("told", bucket=named.id, eventbridge=True)),
    ),
    Case(SENDS, "unknown", "the pattern", program(named, event_rule("waits", eventPattern=UNKNOWN))),
    Case(
        SENDS,
        "unknown",
        "whether it is",
        program(named, rule_for(), notification("t", bucket=named.id, eventbridge=UNKNOWN)),
    ),
    *(
        Case(SENDS, "near miss", what, program(named, given))
        for what, given in {
            "a bucket elsewhere": rule_for("theirs"),
            "all buckets": event_rule("waits", eventPattern=json_of(source=["aws.s3"])),
            "calls, of which CloudTrail tells": rule_for(**{"detail-type": ["AWS API Call via CloudTrail"]}),
            "buckets by the beginning of a name": rule_for({"prefix": "up"}),
        }.items()
    ),
]
