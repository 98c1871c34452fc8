"""Cases of the rules about queues with the name of a dead-letter queue."""

from tests.policies.programs import (
    ACCOUNT,
    REGION,
    UNKNOWN,
    Case,
    Made,
    event_target,
    json_of,
    make,
    program,
    queue,
    redrive_policy,
)

USED, HAS = "dead-letter-queue-is-used", "queue-has-dead-letters"
REACHED = "queue-dead-letters-are-reachable"

dead = queue("orders-dlq")
orders = queue("orders", redrivePolicy=json_of(deadLetterTargetArn=dead.arn, maxReceiveCount=5))
redrive_allow_policy = make("aws:sqs/redriveAllowPolicy:RedriveAllowPolicy")
bus = make("aws:cloudwatch/eventBus:EventBus")
pipe = make("aws:pipes/pipe:Pipe")

fifo = queue("orders-dlq", fifoQueue=True)


def source(to: object = dead.arn, **more: object) -> Made:
    """A queue with this dead-letter queue."""
    return queue("orders", redrivePolicy=json_of(deadLetterTargetArn=to, maxReceiveCount=5), **more)


def redrive_allow(**allow_policy: object) -> Made:
    """The redrive allow policy of the dead-letter queue."""
    return redrive_allow_policy("takes", queueUrl=dead.url, redriveAllowPolicy=json_of(**allow_policy))


CASES = [
    Case(
        USED,
        "typical",
        "a dead-letter queue without a source",
        program(dead),
        {"orders-dlq": ("nothing in this stack", "byQueue")},
    ),
    *(
        Case(USED, "variant", name, program(queue(name), queue("others")), {name: "named as a dead-letter queue"})
        for name in ("ordersDeadLetterQueue", "orders-dead-letters", "OrdersDLQ", "dead_letter", "DeadQueue", "dlq1")
    ),
    Case(USED, "compliant", "a dead-letter queue of a queue", program(dead, orders)),
    Case(USED, "compliant", "of a target", program(dead, event_target("t", deadLetterConfig={"arn": dead.arn}))),
    Case(USED, "compliant", "of a bus", program(dead, bus("b", deadLetterConfig={"arn": dead.arn}))),
    Case(
        USED,
        "compliant",
        "of a pipe",
        program(dead, pipe("p", sourceParameters={"kinesisStreamParameters": {"deadLetterConfig": {"arn": dead.arn}}})),
    ),
    Case(USED, "unknown", "whose it is", program(dead, redrive_policy("r", queueUrl="u", redrivePolicy=UNKNOWN))),
    *(
        Case(USED, "near miss", f"a queue called {name}", program(queue(name)))
        for name in ("deadlines", "letters", "dead-reckoning-jobs", "dead")
    ),
    Case(
        USED,
        "near miss",
        "of queues in other stacks, as it says itself",
        program(
            dead, redrive_allow_policy("a", queueUrl=dead.url, redriveAllowPolicy=json_of(redrivePermission="byQueue"))
        ),
    ),
    *(
        Case(HAS, "near miss", f"one that nothing names, called {name}", program(queue(name)))
        for name in ("orders-dlq", "orders-dead-letters", "ordersDeadLetterQueue")
    ),
    # --- queue-dead-letters-are-reachable
    Case(
        REACHED,
        "typical",
        "a FIFO dead-letter queue of a standard queue",
        program(fifo, source(fifo.arn)),
        {"orders": "is a FIFO queue"},
    ),
    Case(
        REACHED,
        "variant",
        "standard of a FIFO queue",
        program(dead, source(fifoQueue=True)),
        {"orders": ("orders-dlq is a standard queue", "to a FIFO queue")},
    ),
    Case(
        REACHED,
        "variant",
        "FIFO elsewhere",
        program(source(f"arn:aws:sqs:{REGION}:{ACCOUNT}:theirs.fifo")),
        {"orders": "theirs.fifo is a FIFO queue"},
    ),
    *(
        Case(
            REACHED,
            "variant",
            f"in another {what}",
            program(source(arn)),
            {"orders": "is not in the queue's Region and account"},
            silent_at_preview=True,
        )
        for what, arn in {
            "account": f"arn:aws:sqs:{REGION}:444455556666:theirs",
            "Region": f"arn:aws:sqs:us-east-1:{ACCOUNT}:theirs",
        }.items()
    ),
    Case(
        REACHED,
        "variant",
        "it takes nothing",
        program(dead, source(), redrive_allow(redrivePermission="denyAll")),
        {"orders": "denyAll"},
    ),
    Case(
        REACHED,
        "variant",
        "it takes from another",
        program(dead, source(), redrive_allow(redrivePermission="byQueue", sourceQueueArns=["arn:aws:sqs:::other"])),
        {"orders": "does not name orders"},
        silent_at_preview=True,
    ),
    Case(
        REACHED,
        "variant",
        "of a policy beside the queue",
        program(
            fifo,
            queue("orders"),
            redrive_policy(
                "redrive", queueUrl=queue("orders").url, redrivePolicy=json_of(deadLetterTargetArn=fifo.arn)
            ),
        ),
        {"redrive": "the queue orders"},
    ),
    Case(REACHED, "compliant", "two standard queues", program(dead, source())),
    Case(REACHED, "compliant", "both FIFO", program(fifo, source(fifo.arn, fifoQueue=True))),
    Case(REACHED, "unknown", "where", program(dead, queue("orders", redrivePolicy=UNKNOWN))),
    Case(REACHED, "unknown", "whether it is FIFO", program(dead, source(fifoQueue=UNKNOWN))),
    Case(
        REACHED,
        "near miss",
        "it takes from this queue",
        program(dead, source(), redrive_allow(redrivePermission="byQueue", sourceQueueArns=[queue("orders").arn])),
    ),
    Case(
        REACHED, "near miss", "it takes from all", program(dead, source(), redrive_allow(redrivePermission="allowAll"))
    ),
    Case(REACHED, "near miss", "a queue of another stack", program(source(f"arn:aws:sqs:{REGION}:{ACCOUNT}:theirs"))),
]
