"""Cases of the rules about readers of a queue: receive counts and visibility timeouts."""

from tests.policies.programs import (
    ACCOUNT,
    REGION,
    UNKNOWN,
    Case,
    alias,
    function,
    json_of,
    mapping,
    program,
    queue,
    redrive_policy,
)

DAYS = 86_400
ELSEWHERE = f"arn:aws:sqs:{REGION}:444455556666:shared-dead"

dead = queue("dead", messageRetentionSeconds=14 * DAYS)
orders = queue(
    "orders",
    messageRetentionSeconds=7 * DAYS,
    visibilityTimeoutSeconds=180,
    redrivePolicy=json_of(deadLetterTargetArn=dead.arn, maxReceiveCount=5),
)
reader = function("reader", timeout=30)
reads = mapping("reads", eventSourceArn=orders.arn, functionName=reader.arn)


def redriven(count: object, name: str = "orders", **more: object):
    """A queue with this maxReceiveCount."""
    return queue(name, redrivePolicy=json_of(deadLetterTargetArn=dead.arn, maxReceiveCount=count), **more)


def visible_for(seconds: int | str | None, **more: object):
    """A queue with this visibility, and redrive."""
    given = {} if seconds is None else {"visibilityTimeoutSeconds": seconds}
    return queue("orders", **given, **more)


RECEIVES, HIDES = "queue-retries-before-dead-letters", "queue-hides-messages-while-read"

CASES = [
    # --- queue-retries-before-dead-letters
    Case(
        RECEIVES, "typical", "one receive", program(dead, redriven(1)), {"orders": "1 receive"}, silent_at_preview=True
    ),
    Case(
        RECEIVES,
        "variant",
        "as text, and with a function that reads",
        program(
            dead,
            redriven("3"),
            reader,
            mapping("reads", eventSourceArn=redriven("3").arn, functionName=reader.name),
        ),
        {"orders": ("5 or more",)},
        silent_at_preview=True,
    ),
    Case(
        RECEIVES,
        "variant",
        "more than SQS takes",
        program(queue("orders", redrivePolicy=json_of(deadLetterTargetArn=ELSEWHERE, maxReceiveCount=1001))),
        {"orders": "SQS rejects"},
    ),
    Case(
        RECEIVES,
        "variant",
        "in a resource of its own",
        program(
            queue("orders"),
            redrive_policy(
                "redrive",
                queueUrl=queue("orders").url,
                redrivePolicy=json_of(maxReceiveCount=2, deadLetterTargetArn=ELSEWHERE),
            ),
        ),
        {"redrive": "2 receives"},
    ),
    Case(
        RECEIVES,
        "typical",
        "fewer than configured",
        program(dead, redriven(9)),
        {"orders": "10 or more"},
        config={"minReceiveCount": 10},
        silent_at_preview=True,
    ),
    Case(
        RECEIVES,
        "compliant",
        "five receives, and a function that reads the queue",
        program(dead, orders, reader, reads),
    ),
    Case(RECEIVES, "unknown", "the count", program(queue("orders", redrivePolicy={"maxReceiveCount": UNKNOWN}))),
    Case(
        RECEIVES,
        "unknown",
        "whether a function reads it",
        program(
            queue("orders", redrivePolicy=json_of(deadLetterTargetArn=ELSEWHERE, maxReceiveCount=3)),
            mapping("reads", eventSourceArn=UNKNOWN, functionName="elsewhere"),
        ),
    ),
    Case(RECEIVES, "near miss", "three times, read by no function", program(dead, redriven(3))),
    Case(
        RECEIVES,
        "near miss",
        "three times, and a function reads another queue",
        program(dead, redriven(3), orders, reader, mapping("reads", eventSourceArn=dead.arn, functionName="f")),
    ),
    Case(RECEIVES, "near miss", "no count, for which SQS takes ten", program(dead, redriven(None))),
    Case(
        RECEIVES,
        "near miss",
        "the function that reads is switched off",
        program(
            dead,
            redriven(3),
            reader,
            mapping("reads", eventSourceArn=redriven(3).arn, functionName=reader.arn, enabled=False),
        ),
    ),
    # --- queue-hides-messages-while-read
    *(
        Case(
            HIDES,
            "variant",
            f"read by {what}",
            program(
                visible_for(30),
                function("reader", name="reader", timeout=30),
                mapping("reads", eventSourceArn=orders.arn, functionName=called),
            ),
            {"orders": "180 or more"},
        )
        for what, called in {
            "name:alias": "reader:live",
            "account:function:name": f"{ACCOUNT}:function:reader",
        }.items()
    ),
    Case(
        HIDES,
        "typical",
        "a visibility timeout equal to the function's timeout",
        program(visible_for(30), reader, reads),
        {"orders": ("30 s", "reader", "180 or more")},
    ),
    Case(
        HIDES,
        "variant",
        "left to AWS, the function by its name",
        program(
            visible_for(None),
            function("reader", name="reader", timeout=60),
            mapping("reads", eventSourceArn=orders.arn, functionName="reader"),
        ),
        {"orders": "360 or more"},
    ),
    Case(
        HIDES,
        "variant",
        "forgotten batching window",
        program(
            visible_for(180),
            reader,
            mapping("reads", eventSourceArn=orders.arn, functionName=reader.arn, maximumBatchingWindowInSeconds=20),
        ),
        {"orders": "200 or more"},
    ),
    Case(
        HIDES,
        "variant",
        "read by an alias",
        program(
            visible_for(30),
            reader,
            alias("live", functionName=reader.arn, functionVersion="1"),
            mapping("reads", eventSourceArn=orders.arn, functionName=alias("live", functionName=reader.arn).arn),
        ),
        {"orders": "180 or more"},
    ),
    Case(HIDES, "compliant", "six times the function's timeout", program(visible_for(180), reader, reads)),
    Case(HIDES, "unknown", "the timeout", program(visible_for(30), function("reader", timeout=UNKNOWN), reads)),
    Case(
        HIDES,
        "unknown",
        "which function",
        program(visible_for(30), reader, mapping("reads", eventSourceArn=orders.arn, functionName=UNKNOWN)),
    ),
    Case(
        HIDES,
        "near miss",
        "a function left to AWS, which has 3 s",
        program(visible_for(30), function("reader"), reads),
    ),
    Case(
        HIDES,
        "near miss",
        "the mapping is off",
        program(
            visible_for(30),
            reader,
            mapping("reads", eventSourceArn=orders.arn, functionName=reader.arn, enabled=False),
        ),
    ),
    Case(
        HIDES,
        "near miss",
        "a slow function that reads another queue",
        program(visible_for(30), queue("slow", visibilityTimeoutSeconds=5400), function("slow", timeout=900)),
    ),
]
