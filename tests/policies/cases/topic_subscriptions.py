"""Cases of the rules about dead-letter queues of subscriptions."""

from typing import Any

from tests.policies.programs import (
    ACCOUNT,
    REGION,
    UNKNOWN,
    Case,
    Made,
    Secret,
    allow,
    json_of,
    make,
    policy,
    program,
    queue,
    queue_policy,
    subscription,
    topic,
)

LETTERS, REACHED = "topic-subscription-has-dead-letters", "topic-dead-letters-are-reachable"

EVENTS, SNS = {"Service": "events.amazonaws.com"}, {"Service": "sns.amazonaws.com"}
HOOK = "https://hook.example.com/x"

news = topic("news")
other = topic("other")
dead = queue("dead")


def subscription_to(to: Made = news, protocol: Any = "https", **more: Any) -> Made:
    """A subscription with a dead-letter queue."""
    redrive = json_of(deadLetterTargetArn=dead.arn)
    return subscription("hook", topic=to.arn, protocol=protocol, endpoint=HOOK, **{"redrivePolicy": redrive, **more})


def queue_policy_of(*statements: Any) -> Made:
    """The policy of the dead-letter queue."""
    return queue_policy("dead", queueUrl=dead.url, policy=policy(*statements))


def send_statement(source: Any, operator: str = "ArnEquals") -> dict[str, Any]:
    """A statement that lets SNS send for this topic."""
    return allow(SNS, "sqs:SendMessage", dead.arn, {operator: {"aws:SourceArn": source}})


CASES = [
    # --- topic-subscription-has-dead-letters
    Case(
        LETTERS,
        "typical",
        "no dead-letter queue",
        program(news, subscription_to(redrivePolicy=None)),
        {"hook": ("https", "redrivePolicy.deadLetterTargetArn is absent")},
    ),
    *(
        Case(
            LETTERS,
            "variant",
            f"none for {protocol}",
            program(subscription_to(protocol=protocol, redrivePolicy="")),
            {"hook": protocol},
        )
        for protocol in ("sqs", "lambda", "firehose", "application", "http")
    ),
    Case(LETTERS, "variant", "an empty policy", program(news, subscription_to(redrivePolicy="{}")), {"hook": "absent"}),
    Case(LETTERS, "compliant", "a dead-letter queue", program(news, dead, subscription_to())),
    Case(LETTERS, "unknown", "the policy", program(news, subscription_to(redrivePolicy=UNKNOWN))),
    Case(LETTERS, "unknown", "the protocol", program(news, subscription_to(protocol=UNKNOWN, redrivePolicy=None))),
    Case(LETTERS, "unknown", "a secret one", program(news, subscription_to(redrivePolicy=Secret(UNKNOWN)))),
    *(
        Case(LETTERS, "near miss", protocol, program(news, subscription_to(protocol=protocol, redrivePolicy=None)))
        for protocol in ("email", "email-json", "sms")
    ),
    Case(
        LETTERS,
        "near miss",
        "an object in place of JSON",
        program(news, dead, subscription_to(redrivePolicy={"deadLetterTargetArn": dead.arn})),
    ),
    Case(
        LETTERS,
        "near miss",
        "a subscription of another provider",
        program(make("aws-native:sns:Subscription")("hook", protocol="https")),
    ),
    # --- topic-dead-letters-are-reachable
    Case(
        REACHED,
        "typical",
        "a dead-letter queue without a policy",
        program(news, dead, subscription_to()),
        {"hook": ("dead has no policy", "sns.")},
    ),
    *(
        Case(
            REACHED,
            "variant",
            what,
            program(news, other, dead, subscription_to(), queue_policy_of(statement)),
            {"hook": "the policy of dead does not allow sqs:SendMessage to sns.amazonaws.com"},
            silent_at_preview=True,
        )
        for what, statement in {
            "for another topic": send_statement(other.arn),
            "for rules": allow(EVENTS, "sqs:SendMessage", dead.arn),
            "for another queue": allow(SNS, "sqs:SendMessage", f"arn:aws:sqs:{REGION}:{ACCOUNT}:other"),
            "a wildcard that is none": send_statement("arn:aws:sns:*:*:*", "StringEquals"),
        }.items()
    ),
    Case(
        REACHED,
        "variant",
        "a FIFO queue for a standard topic",
        program(news, queue("dead", fifoQueue=True), subscription_to(), queue_policy_of(send_statement(news.arn))),
        {"hook": "FIFO"},
    ),
    Case(
        REACHED,
        "variant",
        "another topic",
        program(news, subscription_to(redrivePolicy={"deadLetterTargetArn": f"arn:aws:sns:{REGION}:{ACCOUNT}:t"})),
        {"hook": "is not a queue"},
    ),
    Case(
        REACHED,
        "compliant",
        "a queue policy for the topic",
        program(news, dead, subscription_to(), queue_policy_of(send_statement(news.arn))),
    ),
    Case(REACHED, "unknown", "the queue", program(news, dead, subscription_to(redrivePolicy=UNKNOWN))),
    Case(
        REACHED,
        "unknown",
        "the queue's policy",
        program(news, dead, subscription_to(), queue_policy("dead", queueUrl=dead.url, policy=UNKNOWN)),
    ),
    Case(
        REACHED,
        "near miss",
        "a FIFO topic and a FIFO queue",
        program(
            topic("news", fifoTopic=True),
            queue("dead", fifoQueue=True),
            subscription_to(protocol="sqs"),
            queue_policy_of(send_statement(news.arn)),
        ),
    ),
    Case(
        REACHED,
        "near miss",
        "for several topics",
        program(news, other, dead, subscription_to(), queue_policy_of(send_statement([other.arn, news.arn]))),
    ),
    Case(
        REACHED,
        "near miss",
        "for all topics of the account",
        program(
            news, dead, subscription_to(), queue_policy_of(send_statement(f"arn:aws:sns:*:{ACCOUNT}:*", "ArnLike"))
        ),
    ),
    Case(
        REACHED,
        "variant",
        "a queue of another Region",
        program(
            news, subscription_to(redrivePolicy={"deadLetterTargetArn": f"arn:aws:sqs:us-east-1:{ACCOUNT}:theirs"})
        ),
        {"hook": ("us-east-1", f"has to be in {REGION}")},
        silent_at_preview=True,
    ),
    Case(
        REACHED,
        "near miss",
        "a queue of another stack",
        program(news, subscription_to(redrivePolicy={"deadLetterTargetArn": f"arn:aws:sqs:{REGION}:{ACCOUNT}:theirs"})),
    ),
    Case(
        REACHED,
        "near miss",
        "a topic of another stack",
        program(
            dead,
            subscription(
                "hook",
                topic=f"arn:aws:sns:{REGION}:{ACCOUNT}:theirs",
                protocol="https",
                redrivePolicy=json_of(deadLetterTargetArn=dead.arn),
            ),
            queue_policy_of(send_statement(f"arn:aws:sns:{REGION}:{ACCOUNT}:theirs")),
        ),
    ),
]
