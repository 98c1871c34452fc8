"""Small stacks for tests of the check: compliant, losing messages, and of another provider."""

from tests.policies.programs import json_of, make, make_alarm_on, program, queue

dead = queue("dead", messageRetentionSeconds=1_209_600)
GOOD = program(
    dead,
    make_alarm_on(dead),
    queue(
        "orders",
        messageRetentionSeconds=604_800,
        redrivePolicy=json_of(deadLetterTargetArn=dead.arn, maxReceiveCount=5),
    ),
)
BAD = program(
    dead, make_alarm_on(dead), queue("orders", redrivePolicy=json_of(deadLetterTargetArn=dead.arn, maxReceiveCount=5))
)
OTHERS = program(make("aws-native:sqs:QueuePolicy")("open"), make("aws-native:sqs:Queue")("theirs"))
"""Resources of another provider only."""
