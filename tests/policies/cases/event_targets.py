"""Cases of the rules about event targets: dead-letter queues and retries."""

from typing import Any

from tests.policies.programs import (
    ACCOUNT,
    REGION,
    UNKNOWN,
    Case,
    Made,
    Secret,
    allow,
    event_rule,
    event_target,
    json_of,
    make,
    policy,
    program,
    queue,
    queue_policy,
    topic,
)

LETTERS, REACHED = "event-target-has-dead-letters", "event-target-dead-letters-are-reachable"
BOUNDED = "event-target-retries-are-bounded"

EVENTS = {"Service": "events.amazonaws.com"}
ELSEWHERE = f"arn:aws:sqs:{REGION}:444455556666:shared-dead"
paid = event_rule("paid", name="paid")
other = event_rule("other", name="other")
dead = queue("dead")
orders = queue("orders")
news = topic("news")


def target_for(arn: Any, rule: Made = paid, **more: Any) -> Made:
    """A target of a rule."""
    return event_target("send", rule=rule.name, arn=arn, **more)


def target_with_dead_letters(queue_: Made, rule: Made = paid) -> Made:
    """A target with this dead-letter queue."""
    return target_for(news.arn, rule, deadLetterConfig={"arn": queue_.arn})


def queue_policy_for(queue_: Made, source: Any, operator: str = "ArnEquals", **more: Any) -> Made:
    """The policy of a queue that lets EventBridge send for this source."""
    condition = {operator: {"aws:SourceArn": source}}
    statement = {**allow(EVENTS, "sqs:SendMessage", queue_.arn, condition), **more}
    return queue_policy(f"{queue_.title}-policy", queueUrl=queue_.url, policy=policy(statement))


def written(queue_: Made, *statements: Any) -> Made:
    """The policy of a queue."""
    return queue_policy(f"{queue_.title}-policy", queueUrl=queue_.url, policy=policy(*statements))


MANY = f"arn:aws:events:{REGION}:{ACCOUNT}:rule/*"

CASES = [
    # --- event-target-has-dead-letters
    Case(
        LETTERS,
        "typical",
        "no dead-letter queue",
        program(news, paid, target_for(news.arn)),
        {"send": "deadLetterConfig.arn is absent"},
    ),
    Case(LETTERS, "variant", "an empty block", program(target_for(news.arn, deadLetterConfig={})), {"send": "absent"}),
    Case(
        LETTERS,
        "variant",
        "an empty ARN",
        program(target_for(news.arn, deadLetterConfig={"arn": ""})),
        {"send": "absent"},
    ),
    Case(
        LETTERS,
        "variant",
        "only retries",
        program(target_for(news.arn, retryPolicy={"maximumRetryAttempts": 3})),
        {"send": ""},
    ),
    Case(LETTERS, "compliant", "a dead-letter queue", program(dead, paid, target_with_dead_letters(dead))),
    Case(LETTERS, "unknown", "the block", program(target_for(news.arn, deadLetterConfig=UNKNOWN))),
    Case(LETTERS, "unknown", "a secret ARN", program(target_for(news.arn, deadLetterConfig={"arn": Secret(UNKNOWN)}))),
    Case(
        LETTERS, "near miss", "in another account", program(target_for(news.arn, deadLetterConfig={"arn": ELSEWHERE}))
    ),
    Case(
        LETTERS,
        "near miss",
        "a list of one, as older providers have it",
        program(dead, target_for(news.arn, deadLetterConfig=[{"arn": dead.arn}])),
    ),
    Case(LETTERS, "near miss", "looked up", program(paid, external=[target_for("arn:aws:sns:x:1:t")])),
    # --- event-target-dead-letters-are-reachable
    Case(
        REACHED,
        "typical",
        "a dead-letter queue without a policy",
        program(paid, dead, news, target_with_dead_letters(dead)),
        {"send": ("dead has no policy", "sqs:SendMessage")},
    ),
    Case(
        REACHED,
        "variant",
        "its policy is for another rule",
        program(paid, other, dead, target_with_dead_letters(dead), queue_policy_for(dead, other.arn)),
        {"send": ("the policy of dead does not allow sqs:SendMessage to events.amazonaws.com", "rule/paid")},
        silent_at_preview=True,
    ),
    *(
        Case(
            REACHED,
            "variant",
            what,
            program(paid, dead, orders, target_with_dead_letters(dead), given),
            {"send": "the policy of dead"},
            silent_at_preview=True,
        )
        for what, given in {
            "its policy is for another service": written(
                dead, allow({"Service": "sns.amazonaws.com"}, "sqs:SendMessage", dead.arn)
            ),
            "its policy is for a role": written(
                dead, allow({"AWS": f"arn:aws:iam::{ACCOUNT}:role/r"}, "sqs:*", dead.arn)
            ),
            "its policy is for another queue": written(dead, allow(EVENTS, "sqs:SendMessage", orders.arn)),
            "its policy lets it receive": written(dead, allow(EVENTS, "sqs:ReceiveMessage", dead.arn)),
            "its policy has a wildcard that is none": queue_policy_for(dead, MANY, "StringEquals"),
            "its policy is for rules of another account": queue_policy_for(
                dead, f"arn:aws:events:{REGION}:444455556666:rule/*", "ArnLike"
            ),
            "its policy is for another account": written(
                dead,
                allow(EVENTS, "sqs:SendMessage", dead.arn, {"StringEquals": {"aws:SourceAccount": "444455556666"}}),
            ),
            "its policy asks for the organisation of a service": written(
                dead,
                allow(EVENTS, "sqs:SendMessage", dead.arn, {"StringEquals": {"aws:PrincipalOrgID": "o-abcdefghij"}}),
            ),
            "its policy denies": queue_policy_for(dead, paid.arn, Effect="Deny"),
            "a Deny stands beside it": written(
                dead,
                allow(EVENTS, "sqs:SendMessage", dead.arn),
                {"Effect": "Deny", "Principal": "*", "Action": "sqs:*", "Resource": dead.arn},
            ),
        }.items()
    ),
    Case(
        REACHED,
        "variant",
        "a FIFO queue",
        program(
            paid,
            queue("dead", fifoQueue=True),
            target_with_dead_letters(queue("dead")),
            queue_policy_for(queue("dead"), paid.arn),
        ),
        {"send": ("FIFO", "standard queue")},
    ),
    Case(
        REACHED,
        "variant",
        "a FIFO queue elsewhere",
        program(paid, target_for(news.arn, deadLetterConfig={"arn": f"{ELSEWHERE}.fifo"})),
        {"send": "FIFO"},
    ),
    Case(
        REACHED,
        "variant",
        "a topic",
        program(paid, target_for(news.arn, deadLetterConfig={"arn": f"arn:aws:sns:{REGION}:{ACCOUNT}:t"})),
        {"send": "is not a queue"},
    ),
    Case(
        REACHED,
        "compliant",
        "a queue policy for the rule",
        program(paid, dead, target_with_dead_letters(dead), queue_policy_for(dead, paid.arn)),
    ),
    Case(
        REACHED,
        "compliant",
        "for several rules, one of which it is",
        program(paid, other, dead, target_with_dead_letters(dead), queue_policy_for(dead, [other.arn, paid.arn])),
    ),
    Case(REACHED, "unknown", "the queue", program(paid, target_for(news.arn, deadLetterConfig={"arn": UNKNOWN}))),
    Case(
        REACHED,
        "unknown",
        "the queue's policy",
        program(paid, dead, target_with_dead_letters(dead), queue_policy("p", queueUrl=dead.url, policy=UNKNOWN)),
    ),
    Case(
        REACHED,
        "unknown",
        "whose the policy is",
        program(paid, dead, target_with_dead_letters(dead), queue_policy("p", queueUrl=UNKNOWN, policy=policy())),
    ),
    Case(
        REACHED,
        "unknown",
        "the rule",
        program(
            dead,
            event_target("send", rule=UNKNOWN, arn="a", deadLetterConfig={"arn": dead.arn}),
            queue_policy_for(dead, f"arn:aws:events:{REGION}:{ACCOUNT}:rule/paid"),
        ),
    ),
    *(
        Case(REACHED, "near miss", what, program(paid, other, dead, target_with_dead_letters(dead), given))
        for what, given in {
            "for all rules of the account": queue_policy_for(dead, MANY, "ArnLike"),
            "for all rules, as a text": queue_policy_for(dead, MANY, "StringLike"),
            "for the rule's written ARN": queue_policy_for(dead, f"arn:aws:events:{REGION}:{ACCOUNT}:rule/paid"),
            "for the account": written(
                dead, allow(EVENTS, "sqs:SendMessage", dead.arn, {"StringEquals": {"aws:SourceAccount": ACCOUNT}})
            ),
            "for EventBridge as a whole": written(dead, allow(EVENTS, ["sqs:SendMessage", "sqs:Get*"], "*")),
            "for several services": written(
                dead,
                allow({"Service": ["sns.amazonaws.com", "events.amazonaws.com"]}, "SQS:SendMessage", dead.arn),
            ),
            "for everybody, held to the rule": written(
                dead, allow("*", "sqs:SendMessage", dead.arn, {"ArnEquals": {"AWS:SourceArn": paid.arn}})
            ),
            "in lower case, one statement": queue_policy(
                "p",
                queueUrl=dead.id,
                policy=json_of(
                    statement={
                        "effect": "Allow",
                        "principal": {"service": "events.amazonaws.com"},
                        "action": "sqs:sendmessage",
                        "resource": dead.arn,
                    }
                ),
            ),
            "with a Deny of what is not encrypted": written(
                dead,
                allow(EVENTS, "sqs:SendMessage", dead.arn),
                {
                    "Effect": "Deny",
                    "Principal": "*",
                    "Action": "sqs:*",
                    "Resource": "*",
                    "Condition": {"Bool": {"aws:SecureTransport": "false"}},
                },
            ),
            "under a condition that only AWS can judge": written(
                dead, allow(EVENTS, "sqs:SendMessage", dead.arn, {"StringEquals": {"aws:SourceOrgID": "o-abcdefghij"}})
            ),
        }.items()
    ),
    Case(
        REACHED,
        "near miss",
        "in the queue itself",
        program(
            paid,
            queue("own", policy=policy(allow(EVENTS, "sqs:SendMessage", "*"))),
            target_with_dead_letters(queue("own")),
        ),
    ),
    Case(
        REACHED,
        "near miss",
        "a queue of another stack",
        program(paid, target_for(news.arn, deadLetterConfig={"arn": ELSEWHERE})),
    ),
    Case(
        REACHED,
        "near miss",
        "a queue that was looked up",
        program(paid, target_with_dead_letters(dead), external=[dead]),
    ),
    Case(REACHED, "near miss", "none at all, which another rule says", program(paid, target_for(news.arn))),
    Case(
        REACHED,
        "variant",
        "a queue of another Region",
        program(news, paid, target_for(news.arn, deadLetterConfig={"arn": ELSEWHERE.replace(REGION, "us-east-1")})),
        {"send": ("us-east-1", f"has to be in {REGION}")},
        silent_at_preview=True,
    ),
    # --- event-target-retries-are-bounded
    Case(
        BOUNDED,
        "typical",
        "AWS's defaults",
        program(target_for(news.arn)),
        {"send": ("86400 s", "185 times", "is absent")},
    ),
    Case(
        BOUNDED,
        "variant",
        "as AWS has it, written out",
        program(target_for(news.arn, retryPolicy={"maximumEventAgeInSeconds": "86400", "maximumRetryAttempts": 185})),
        {"send": "set by retryPolicy"},
    ),
    Case(BOUNDED, "variant", "an empty block", program(target_for(news.arn, retryPolicy={})), {"send": "185"}),
    Case(
        BOUNDED,
        "typical",
        "longer than configured",
        program(target_for(news.arn, retryPolicy={"maximumEventAgeInSeconds": 7200, "maximumRetryAttempts": 9})),
        {"send": "3600 or less"},
        config={"maxEventAgeSeconds": 3600},
    ),
    Case(
        BOUNDED,
        "typical",
        "more often than configured",
        program(target_for(news.arn, retryPolicy={"maximumEventAgeInSeconds": 7200, "maximumRetryAttempts": 9})),
        {"send": "maximumRetryAttempts to 5 or less"},
        config={"maxRetryAttempts": 5},
    ),
    Case(
        BOUNDED,
        "compliant",
        "retries for an hour",
        program(target_for(news.arn, retryPolicy={"maximumEventAgeInSeconds": 3600, "maximumRetryAttempts": 24})),
    ),
    Case(BOUNDED, "unknown", "the block", program(target_for(news.arn, retryPolicy=UNKNOWN))),
    Case(
        BOUNDED, "unknown", "the age", program(target_for(news.arn, retryPolicy={"maximumEventAgeInSeconds": UNKNOWN}))
    ),
    Case(BOUNDED, "near miss", "only attempts", program(target_for(news.arn, retryPolicy={"maximumRetryAttempts": 4}))),
    Case(
        BOUNDED,
        "near miss",
        "only an age",
        program(target_for(news.arn, retryPolicy={"maximumEventAgeInSeconds": "900"})),
    ),
    Case(BOUNDED, "near miss", "no retry", program(target_for(news.arn, retryPolicy=[{"maximumRetryAttempts": 0}]))),
    # --- the dead letters of a bus
    Case(
        REACHED,
        "variant",
        "of a bus, without a policy",
        program(
            queue("lost"), make("aws:cloudwatch/eventBus:EventBus")("bus", deadLetterConfig={"arn": queue("lost").arn})
        ),
        {"bus": ("lost has no policy", "Failed events of the bus")},
    ),
    Case(
        REACHED,
        "near miss",
        "of a bus without a key, which has none",
        program(make("aws:cloudwatch/eventBus:EventBus")("bus")),
    ),
]
