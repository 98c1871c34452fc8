"""What the rules have to say about queues that are dead-letter queues by their names."""

from tests.policies.programs import (
    UNKNOWN,
    Case,
    event_target,
    json_of,
    make,
    program,
    queue,
    redrive_policy,
)

USED, HAS = "dead-letter-queue-is-used", "queue-has-dead-letters"

dead = queue("orders-dlq")
orders = queue("orders", redrivePolicy=json_of(deadLetterTargetArn=dead.arn, maxReceiveCount=5))
redrive_allow_policy = make("aws:sqs/redriveAllowPolicy:RedriveAllowPolicy")
bus = make("aws:cloudwatch/eventBus:EventBus")
pipe = make("aws:pipes/pipe:Pipe")

CASES = [
    Case(USED, "plain", "nothing names it", program(dead), {"orders-dlq": ("nothing in this stack", "byQueue")}),
    *(
        Case(USED, "wild", name, program(queue(name), queue("others")), {name: "by its name"})
        for name in ("ordersDeadLetterQueue", "orders-dead-letters", "OrdersDLQ", "dead_letter", "DeadQueue", "dlq1")
    ),
    Case(USED, "compliant", "of a queue", program(dead, orders)),
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
]
