"""Cases of the rules about asynchronous invocations and queue readers."""

from tests.policies.programs import (
    ACCOUNT,
    REGION,
    UNKNOWN,
    Case,
    alias,
    concat,
    event_target,
    function,
    invoke_config,
    make,
    mapping,
    permission,
    policy,
    program,
    queue,
    role,
    role_policy,
    schedule,
    subscription,
    topic,
)

KEEPS, REACHES = "asynchronous-function-keeps-its-failures", "failure-destination-is-reachable"
REPORTS, WHOLE = "queue-reader-reports-item-failures", "audit-queue-is-read-whole"
ELSEWHERE = f"arn:aws:sqs:{REGION}:444455556666:orders"
MENDS = f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:mends:live"
PATTERN = {"filters": [{"pattern": '{"body": {"kind": ["paid"]}}'}]}

STREAM = f"arn:aws:kinesis:{REGION}:{ACCOUNT}:stream/clicks"

bucket = make("aws:s3/bucket:Bucket")
failed = queue("failed")
own = role("reader")
reader = function("reader", role=own.arn)
live = alias("live", name="live", functionName=reader.name, functionVersion="1")
target = event_target("paid", rule="paid", arn=reader.arn)
orders = queue("orders")
audit = queue("orders", tags={"rotation-guard:audit": "true"})


def config(function_name: object = reader.name, destination: object = failed.arn, **more: object):
    """Where the failed invocations of a function go."""
    return invoke_config(
        "reader", functionName=function_name, destinationConfig={"onFailure": {"destination": destination}}, **more
    )


def role_policy_for(action: object = "sqs:SendMessage", resource: object = failed.arn):
    """A policy of the function's role."""
    statement = {"Effect": "Allow", "Action": action, "Resource": resource}
    return role_policy("reader", role=own.id, policy=policy(statement))


def mapping_of(source: object = orders.arn, **more: object):
    """An event source mapping of the function."""
    return mapping("reads", eventSourceArn=source, functionName=reader.arn, **more)


CASES = [
    # --- asynchronous-function-keeps-its-failures
    Case(
        KEEPS,
        "typical",
        "a function that a rule invokes",
        program(reader, target),
        {"reader": ("paid", "to the ARN of a queue")},
    ),
    *(
        Case(KEEPS, "variant", what, program(topic("t"), live, reader, *callers), {"reader": words})
        for what, callers, words in [
            ("by a schedule", [schedule("nightly", target={"arn": reader.arn})], "nightly"),
            ("by a topic", [subscription("s", topic=topic("t").arn, protocol="lambda", endpoint=reader.arn)], "(by s)"),
            ("by an alias", [event_target("paid", arn=live.arn)], "paid"),
            ("by a bucket", [permission("p", function=reader.name, principal="s3.amazonaws.com")], "(by p)"),
            ("by a rule elsewhere", [permission("p", function=reader.arn, principal="events.amazonaws.com")], "(by p)"),
            (
                "with retries that are bounded, and then lost",
                [target, invoke_config("reader", functionName=reader.name, maximumRetryAttempts=1)],
                "destinationConfig.onFailure.destination",
            ),
            (
                "what succeeds is kept",
                [
                    target,
                    invoke_config("r", functionName=reader.name, destinationConfig={"onSuccess": {"destination": "x"}}),
                ],
                "onFailure",
            ),
            ("another function keeps its own", [target, config(function("other").name), function("other")], "paid"),
        ]
    ),
    Case(
        KEEPS,
        "compliant",
        "an on-failure destination",
        program(failed, own, reader, target, config(), role_policy_for()),
    ),
    Case(KEEPS, "unknown", "whose destination it is", program(reader, target, config(UNKNOWN))),
    Case(KEEPS, "unknown", "who is called", program(reader, event_target("paid", arn=UNKNOWN))),
    Case(KEEPS, "unknown", "the destination", program(reader, target, config(destination=UNKNOWN))),
    *(
        Case(KEEPS, "near miss", what, program(failed, reader, live, *given))
        for what, given in {
            "nobody calls it": (),
            "an API calls it": (permission("p", function=reader.name, principal="apigateway.amazonaws.com"),),
            "a queue calls it": (orders, mapping_of()),
            "the destination of its alias": (event_target("paid", arn=live.arn), config(live.arn)),
            "by its ARN": (target, config(reader.arn)),
            "a topic tells another": (subscription("s", protocol="sqs", endpoint=failed.arn),),
        }.items()
    ),
    Case(
        KEEPS,
        "near miss",
        "dead letters of its own",
        program(
            function("reader", deadLetterConfig={"targetArn": failed.arn}),
            event_target("paid", arn=function("reader").arn),
        ),
    ),
    Case(
        KEEPS,
        "near miss",
        "by name and qualifier",
        program(
            function("reader", name="reader"),
            event_target("paid", arn=concat(function("reader", name="reader").arn, ":live")),
            config("reader:live"),
        ),
    ),
    *(
        Case(KEEPS, "near miss", what, program(failed, reader, live, called, kept))
        for what, called, kept in [
            ("the alias by qualifier", event_target("paid", arn=live.arn), config(qualifier="live")),
            ("the latest by qualifier", target, config(qualifier="$LATEST")),
            ("a version", event_target("paid", arn=concat(reader.arn, ":7")), config(qualifier="7")),
            (
                "a permission with the qualifier",
                permission("p", function=reader.name, qualifier="live", principal="s3.amazonaws.com"),
                config(live.arn),
            ),
        ]
    ),
    *(
        Case(
            KEEPS,
            "variant",
            what,
            program(failed, reader, live, called, kept),
            {"reader": words},
            silent_at_preview=late,
        )
        for what, called, kept, words, late in [
            (
                "that of its alias, by qualifier",
                target,
                config(qualifier="live"),
                "no FunctionEventInvokeConfig of it",
                True,
            ),
            ("that of its alias, by its ARN", target, config(live.arn), "no FunctionEventInvokeConfig of it has", True),
            (
                "its own, and the alias is called",
                event_target("paid", arn=live.arn),
                config(),
                "of it for live has",
                True,
            ),
            (
                "that of its alias, and the permission is for the latest",
                permission("p", function=reader.name, principal="s3.amazonaws.com"),
                config(qualifier="live"),
                "(by p)",
                True,
            ),
        ]
    ),
    # --- failure-destination-is-reachable
    Case(
        REACHES,
        "typical",
        "a role without permission to send",
        program(failed, own, reader, config(), role_policy_for("sqs:ReceiveMessage")),
        {"reader": ("failed", "lacks sqs:SendMessage on failed")},
        silent_at_preview=True,
    ),
    Case(
        REACHES,
        "variant",
        "dead letters of the function, a role without policies",
        program(failed, own, function("reader", role=own.arn, deadLetterConfig={"targetArn": failed.arn})),
        {"reader": "deadLetterConfig.targetArn"},
    ),
    Case(
        REACHES,
        "variant",
        "a topic, and the role may send to queues",
        program(topic("alarms"), own, reader, config(destination=topic("alarms").arn), role_policy_for("sqs:*", "*")),
        {"reader": "sns:Publish on alarms"},
    ),
    Case(
        REACHES,
        "variant",
        "FIFO",
        program(own, reader, queue("failed", fifoQueue=True), config(), role_policy_for()),
        {"reader": "which is FIFO"},
    ),
    Case(
        REACHES,
        "variant",
        "FIFO elsewhere",
        program(reader, config(destination=f"{ELSEWHERE}.fifo")),
        {"reader": "FIFO"},
    ),
    Case(
        REACHES,
        "compliant",
        "a role with permission to send",
        program(failed, own, reader, config(), role_policy_for()),
    ),
    Case(
        REACHES,
        "unknown",
        "the role's policy",
        program(failed, own, reader, config(), role_policy("r", role=own.name, policy=UNKNOWN)),
    ),
    Case(REACHES, "unknown", "the destination", program(own, reader, config(destination=UNKNOWN))),
    Case(
        REACHES,
        "near miss",
        "to an alias, which the role may call",
        program(
            own,
            reader,
            function("mends", name="mends"),
            config(destination=MENDS),
            role_policy_for("lambda:InvokeFunction", MENDS),
        ),
    ),
    Case(
        REACHES,
        "variant",
        "elsewhere",
        program(own, reader, config(destination=ELSEWHERE)),
        {"reader": f"lacks sqs:SendMessage on {ELSEWHERE}"},
    ),
    Case(
        REACHES,
        "near miss",
        "elsewhere, and it may",
        program(own, reader, role_policy_for("sqs:SendMessage", ELSEWHERE), config(destination=ELSEWHERE)),
    ),
    Case(
        REACHES,
        "near miss",
        "a role elsewhere",
        program(failed, function("reader", role=f"arn:aws:iam::{ACCOUNT}:role/r"), config()),
    ),
    Case(
        REACHES,
        "near miss",
        "by the beginning of the name",
        program(
            failed,
            own,
            reader,
            config(live.arn),
            live,
            role_policy_for(["sqs:*"], concat(f"arn:aws:sqs:{REGION}:*:", "fail*")),
        ),
    ),
    Case(
        REACHES, "near miss", "retries alone", program(reader, own, invoke_config("reader", functionName=reader.name))
    ),
    # --- by what else a function is called
    *(
        Case(KEEPS, "variant", f"by {what}", program(reader, caller), {"reader": caller.title})
        for what, caller in {
            "the notifications of a bucket": make("aws:s3/bucketNotification:BucketNotification")(
                "told", lambdaFunctions=[{"lambdaFunctionArn": reader.arn}]
            ),
            "an alarm": make("aws:cloudwatch/compositeAlarm:CompositeAlarm")("both", okActions=[reader.arn]),
            "a log group": make("aws:cloudwatch/logSubscriptionFilter:LogSubscriptionFilter")(
                "logs", destinationArn=reader.arn
            ),
            "a pipe that does not wait": make("aws:pipes/pipe:Pipe")(
                "pipe",
                target=reader.arn,
                targetParameters={"lambdaFunctionParameters": {"invocationType": "FIRE_AND_FORGET"}},
            ),
            "mail": make("aws:ses/receiptRule:ReceiptRule")("mail", lambdaActions=[{"functionArn": reader.arn}]),
            "a thing": make("aws:iot/topicRule:TopicRule")("thing", lambdas=[{"functionArn": reader.arn}]),
        }.items()
    ),
    *(
        Case(KEEPS, "near miss", f"by {what}", program(reader, caller))
        for what, caller in {
            "a pipe that waits": make("aws:pipes/pipe:Pipe")("pipe", target=reader.arn),
            "mail that waits": make("aws:ses/receiptRule:ReceiptRule")(
                "mail", lambdaActions=[{"functionArn": reader.arn, "invocationType": "RequestResponse"}]
            ),
        }.items()
    ),
    # --- where else it hands over
    Case(
        REACHES,
        "variant",
        "what it succeeds at",
        program(
            failed,
            own,
            reader,
            invoke_config(
                "reader", functionName=reader.name, destinationConfig={"onSuccess": {"destination": failed.arn}}
            ),
        ),
        {"reader": ("successful", "destinationConfig.onSuccess.destination", "sqs:SendMessage on failed")},
    ),
    Case(
        REACHES,
        "variant",
        "records of a stream",
        program(
            failed,
            own,
            reader,
            mapping_of(STREAM, destinationConfig={"onFailure": {"destinationArn": failed.arn}}),
        ),
        {"reads": "sqs:SendMessage on failed"},
    ),
    Case(
        REACHES,
        "variant",
        "a bucket, in which it may only write",
        program(
            bucket("kept"),
            own,
            reader,
            config(destination=bucket("kept").arn),
            role_policy_for("s3:PutObject", concat(bucket("kept").arn, "/*")),
        ),
        {"reader": "s3:ListBucket on kept"},
        silent_at_preview=True,
    ),
    Case(
        REACHES,
        "compliant",
        "a bucket, and the records of a stream",
        program(
            bucket("kept"),
            own,
            reader,
            mapping_of(STREAM, destinationConfig={"onFailure": {"destinationArn": bucket("kept").arn}}),
            role_policy_for(["s3:PutObject", "s3:ListBucket"], [bucket("kept").arn, concat(bucket("kept").arn, "/*")]),
        ),
    ),
]
