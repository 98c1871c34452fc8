"""Cases of the rules about messages in a queue: retention and dead-letter queues."""

from tests.policies.programs import (
    ACCOUNT,
    REGION,
    UNKNOWN,
    Case,
    Secret,
    component,
    concat,
    event_target,
    function,
    invoke_config,
    json_of,
    make,
    mapping,
    program,
    queue,
    redrive_policy,
    schedule,
    subscription,
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


LETTERS, KEEPS = "queue-has-dead-letters", "queue-keeps-messages"
OUTLIVE = "dead-letters-outlive-their-sources"

CASES = [
    # --- queue-has-dead-letters
    Case(LETTERS, "typical", "no redrive policy", program(queue("orders")), {"orders": "redrivePolicy is absent"}),
    Case(
        LETTERS,
        "variant",
        "the redrive policy lacks its target",
        program(queue("orders", redrivePolicy=json_of(maxReceiveCount=5))),
        {"orders": "no deadLetterTargetArn"},
    ),
    Case(LETTERS, "variant", "empty text", program(queue("orders", redrivePolicy="")), {"orders": "redrivePolicy"}),
    Case(
        LETTERS,
        "variant",
        "only its consumer is there",
        program(reader, queue("jobs"), mapping("reads", eventSourceArn=queue("jobs").arn, functionName=reader.arn)),
        {"jobs": "Set redrivePolicy"},
    ),
    Case(LETTERS, "compliant", "a queue with a dead-letter queue", program(dead, orders)),
    Case(
        LETTERS,
        "compliant",
        "dead letters in another account",
        program(queue("orders", redrivePolicy=json_of(deadLetterTargetArn=ELSEWHERE, maxReceiveCount=5))),
    ),
    Case(LETTERS, "unknown", "the whole redrive policy", program(queue("orders", redrivePolicy=UNKNOWN))),
    Case(
        LETTERS,
        "unknown",
        "it may be some subscription's dead letters",
        program(queue("maybe"), subscription("mail", protocol="https", redrivePolicy=UNKNOWN)),
    ),
    Case(LETTERS, "unknown", "a secret one", program(dead, queue("orders", redrivePolicy=Secret(UNKNOWN)))),
    Case(
        LETTERS,
        "near miss",
        "set by a resource of its own",
        program(
            dead,
            queue("orders"),
            redrive_policy(
                "orders",
                queueUrl=queue("orders").url,
                redrivePolicy=json_of(deadLetterTargetArn=dead.arn, maxReceiveCount=5),
            ),
        ),
    ),
    *(
        Case(LETTERS, "near miss", f"dead letters of {what}", program(dead, user))
        for what, user in {
            "a rule's target": event_target(
                "t", rule="r", arn="arn:aws:sns:eu-west-1:1:t", deadLetterConfig={"arn": dead.arn}
            ),
            "a schedule": schedule("s", target={"arn": "x", "roleArn": "y", "deadLetterConfig": {"arn": dead.arn}}),
            "a function's invocations": invoke_config(
                "f", functionName="f", destinationConfig={"onFailure": {"destination": dead.arn}}
            ),
            "a function": function("f", deadLetterConfig={"targetArn": dead.arn}),
            "a subscription": subscription("s", protocol="https", redrivePolicy=json_of(deadLetterTargetArn=dead.arn)),
            "a bus": make("aws:cloudwatch/eventBus:EventBus")("bus", deadLetterConfig={"arn": dead.arn}),
            "a rule of IoT": make("aws:iot/topicRule:TopicRule")("r", errorAction={"sqs": {"queueUrl": dead.url}}),
            "one target of several": make("aws:glue/crawler:Crawler")(
                "c", s3Targets=[{"path": "a"}, {"path": "b", "dlqEventQueueArn": dead.arn}]
            ),
        }.items()
    ),
    Case(
        LETTERS,
        "near miss",
        "set by a resource of its own, which waits for the queue's policy",
        program(
            dead,
            queue("orders"),
            guarded := make("aws:sqs/queuePolicy:QueuePolicy")("g", queueUrl=queue("orders").url, policy="{}"),
            redrive_policy(
                "orders",
                queueUrl=guarded.queueUrl,
                redrivePolicy=json_of(deadLetterTargetArn=dead.arn, maxReceiveCount=5),
            ),
        ),
    ),
    Case(
        LETTERS,
        "near miss",
        "called by its whole ARN, while its own is unknown",
        program(
            queue("dead", name="dead"),
            queue(
                "orders",
                redrivePolicy=json_of(deadLetterTargetArn=f"arn:aws:sqs:{REGION}:{ACCOUNT}:dead", maxReceiveCount=5),
            ),
        ),
    ),
    Case(
        LETTERS,
        "near miss",
        "it says that it takes dead letters, of queues elsewhere",
        program(
            queue("shared", redriveAllowPolicy=json_of(redrivePermission="byQueue", sourceQueueArns=[ELSEWHERE])),
        ),
    ),
    Case(LETTERS, "near miss", "looked up, not made here", program(dead, orders, external=[queue("theirs")])),
    Case(
        LETTERS,
        "near miss",
        "named by a component around the dead letters",
        program(
            component("around"),
            queue("inner", parent=component("around")),
            event_target("t", deadLetterConfig={"arn": queue("inner").arn}),
        ),
    ),
    # --- queue-keeps-messages
    Case(
        KEEPS,
        "typical",
        "a retention of a day",
        program(queue("orders", messageRetentionSeconds=DAYS)),
        {"orders": ("messageRetentionSeconds is 86400", "to 604800")},
    ),
    Case(KEEPS, "variant", "left to AWS", program(queue("orders")), {"orders": "absent, which means 4 days"}),
    Case(KEEPS, "variant", "as text", program(queue("orders", messageRetentionSeconds="345600")), {"orders": "345600"}),
    Case(
        KEEPS,
        "typical",
        "less than configured",
        program(queue("orders", messageRetentionSeconds=7 * DAYS)),
        {"orders": "864000 (10 days)"},
        config={"minRetentionDays": 10},
    ),
    Case(KEEPS, "compliant", "a retention of a week", program(queue("orders", messageRetentionSeconds=7 * DAYS))),
    Case(KEEPS, "unknown", "how long", program(queue("orders", messageRetentionSeconds=UNKNOWN))),
    Case(KEEPS, "unknown", "a secret", program(queue("orders", messageRetentionSeconds=Secret(UNKNOWN)))),
    Case(KEEPS, "near miss", "a week as text", program(queue("orders", messageRetentionSeconds="604800"))),
    Case(
        KEEPS,
        "near miss",
        "a day, which is what is configured",
        program(queue("orders", messageRetentionSeconds=DAYS)),
        config={"minRetentionDays": 1},
    ),
    Case(
        KEEPS,
        "near miss",
        "a queue of another provider",
        program(make("aws-native:sqs:Queue")("orders", messageRetentionPeriod=60)),
    ),
    # --- dead-letters-outlive-their-sources
    Case(
        OUTLIVE,
        "typical",
        "a shorter retention than the source's",
        program(
            queue("dead", messageRetentionSeconds=7 * DAYS),
            queue(
                "orders",
                messageRetentionSeconds=14 * DAYS,
                redrivePolicy=json_of(
                    deadLetterTargetArn=queue("dead", messageRetentionSeconds=7 * DAYS).arn, maxReceiveCount=5
                ),
            ),
        ),
        {"dead": ("7 days", "orders", "less than 1209600")},
    ),
    Case(
        OUTLIVE,
        "variant",
        "both left to AWS",
        program(
            queue("dead"),
            queue("orders", redrivePolicy=json_of(deadLetterTargetArn=queue("dead").arn, maxReceiveCount=5)),
        ),
        {"dead": ("4 days", "to more than that")},
    ),
    Case(
        OUTLIVE,
        "variant",
        "in a resource of its own",
        program(
            queue("dead", name="dead"),
            queue("orders"),
            redrive_policy(
                "orders",
                queueUrl=queue("orders").id,
                redrivePolicy=json_of(
                    deadLetterTargetArn=concat(f"arn:aws:sqs:{REGION}:{ACCOUNT}:", queue("dead", name="dead").name),
                    maxReceiveCount=5,
                ),
            ),
        ),
        {"dead": "orders"},
    ),
    Case(
        OUTLIVE,
        "variant",
        "of two sources, one of which is unknown",
        program(
            queue("dead", messageRetentionSeconds=7 * DAYS),
            redriven(5, "first", messageRetentionSeconds=UNKNOWN),
            redriven(5, "second", messageRetentionSeconds=7 * DAYS),
        ),
        {"dead": "second"},
    ),
    Case(OUTLIVE, "compliant", "a longer retention than the source's", program(dead, orders)),
    Case(
        OUTLIVE,
        "unknown",
        "how long the source keeps them",
        program(
            dead,
            queue(
                "orders",
                messageRetentionSeconds=UNKNOWN,
                redrivePolicy=json_of(deadLetterTargetArn=dead.arn, maxReceiveCount=5),
            ),
        ),
    ),
    Case(
        OUTLIVE,
        "unknown",
        "whose dead letters they are: made of two queues",
        program(
            queue("a"),
            queue("b"),
            queue("orders", redrivePolicy=json_of(deadLetterTargetArn=queue("a").arn, note=queue("b").arn)),
        ),
        {"a": "orders"},
    ),
    Case(
        OUTLIVE,
        "near miss",
        "FIFO, where the clock starts anew",
        program(
            queue("dead", fifoQueue=True),
            queue(
                "orders",
                fifoQueue=True,
                redrivePolicy=json_of(deadLetterTargetArn=queue("dead").arn, maxReceiveCount=5),
            ),
        ),
    ),
    Case(
        OUTLIVE,
        "near miss",
        "of a rule, which keeps nothing",
        program(queue("dead", messageRetentionSeconds=60), event_target("t", deadLetterConfig={"arn": dead.arn})),
    ),
]
