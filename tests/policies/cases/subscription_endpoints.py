"""Cases of the rules about delivery by subscriptions: to queues, functions and delivery streams."""

from typing import Any

from tests.policies.programs import (
    ACCOUNT,
    REGION,
    UNKNOWN,
    Case,
    Made,
    alias,
    allow,
    function,
    make,
    permission,
    policy,
    program,
    queue,
    queue_policy,
    role,
    role_policy,
    subscription,
    topic,
)

REACHES = "subscription-reaches-its-endpoint"
SNS = {"Service": "sns.amazonaws.com"}

news = topic("news")
other = topic("other")
orders = queue("orders")
reader = function("reader")
live = alias("live", name="live", functionName=reader.name, functionVersion="1")
stream = make("aws:kinesis/firehoseDeliveryStream:FirehoseDeliveryStream")("stream")
function_policy = make("aws:lambda/resourcePolicy:ResourcePolicy")
writes = role("writes", assumeRolePolicy=policy({"Effect": "Allow", "Principal": SNS, "Action": "sts:AssumeRole"}))


def subscription_to(to: Any, protocol: Any = "sqs", source: Any = news.arn, **more: Any) -> Made:
    """A subscription of this endpoint."""
    return subscription("s", topic=source, protocol=protocol, endpoint=to, **more)


def queue_policy_for(
    condition: Any = None, principal: Any = SNS, action: Any = "sqs:SendMessage", on: Any = orders.arn
) -> Made:
    """The policy of the queue."""
    return queue_policy("orders", queueUrl=orders.url, policy=policy(allow(principal, action, on, condition)))


def from_topic(source: Any, operator: str = "ArnEquals") -> dict[str, Any]:
    """A condition on the topic."""
    return {operator: {"aws:SourceArn": source}}


def invoke_permission(**changes: Any) -> Made:
    """A permission of the function."""
    base = {"function": reader.name, "action": "lambda:InvokeFunction", "principal": "sns.amazonaws.com"}
    return permission("may", **{**base, "sourceArn": news.arn, **changes})


def puts(action: Any = ("firehose:PutRecord", "firehose:PutRecordBatch"), on: Any = stream.arn) -> Made:
    """A policy of the role."""
    return role_policy("puts", role=writes.id, policy=policy({"Effect": "Allow", "Action": action, "Resource": on}))


CASES = [
    Case(
        REACHES,
        "typical",
        "a queue without a policy",
        program(news, orders, subscription_to(orders.arn)),
        {"s": ("orders has no policy", "Allow sqs:SendMessage to sns.amazonaws.com")},
    ),
    *(
        Case(
            REACHES,
            "variant",
            f"a queue, {what}",
            program(news, other, orders, guard, subscription_to(orders.arn)),
            {"s": "the policy of orders does not allow sqs:SendMessage to sns.amazonaws.com"},
            silent_at_preview=True,
        )
        for what, guard in {
            "for another topic": queue_policy_for(from_topic(other.arn)),
            "for rules": queue_policy_for(principal={"Service": "events.amazonaws.com"}),
            "for reading": queue_policy_for(action=["sqs:ReceiveMessage", "sqs:GetQueueUrl"]),
            "another queue": queue_policy_for(on=f"arn:aws:sqs:{REGION}:{ACCOUNT}:other"),
            "for another account": queue_policy_for({"StringEquals": {"aws:SourceAccount": "444455556666"}}),
        }.items()
    ),
    Case(
        REACHES,
        "variant",
        "a FIFO queue of a standard topic",
        program(news, queue("orders", fifoQueue=True), subscription_to(queue("orders", fifoQueue=True).arn)),
        {"s": "orders is FIFO, and the topic is standard"},
    ),
    Case(
        REACHES,
        "variant",
        "a FIFO queue elsewhere",
        program(news, subscription_to(f"arn:aws:sqs:{REGION}:444455556666:orders.fifo")),
        {"s": "orders.fifo is FIFO"},
    ),
    Case(
        REACHES,
        "variant",
        "the URL of a queue",
        program(news, orders, subscription_to(f"https://sqs.{REGION}.amazonaws.com/{ACCOUNT}/theirs")),
        {"s": "endpoint is the URL"},
    ),
    Case(
        REACHES,
        "variant",
        "a function of a FIFO topic",
        program(
            topic("news", fifoTopic=True),
            reader,
            invoke_permission(),
            subscription_to(reader.arn, "lambda", topic("news", fifoTopic=True).arn),
        ),
        {"s": "news is a FIFO topic"},
    ),
    Case(
        REACHES,
        "variant",
        "a function without a permission",
        program(news, reader, subscription_to(reader.arn, "lambda")),
        {"s": ("reader has no Permission", "principal sns.amazonaws.com")},
    ),
    *(
        Case(
            REACHES,
            "variant",
            f"a function, {what}",
            program(news, other, reader, live, given, subscription_to(reader.arn, "lambda")),
            {"s": "no Permission of reader is for sns.amazonaws.com and this topic (found: may)"},
            silent_at_preview=at_update,
        )
        for what, given, at_update in [
            ("for another topic", invoke_permission(sourceArn=other.arn), False),
            ("for buckets", invoke_permission(principal="s3.amazonaws.com"), False),
            ("for its alias", invoke_permission(qualifier="live"), True),
            ("for its URL", invoke_permission(action="lambda:InvokeFunctionUrl"), False),
        ]
    ),
    Case(
        REACHES,
        "variant",
        "a delivery stream without a role",
        program(news, stream, subscription_to(stream.arn, "firehose")),
        {"s": "subscriptionRoleArn is absent"},
    ),
    Case(
        REACHES,
        "variant",
        "a delivery stream that the role may only describe",
        program(
            news,
            stream,
            writes,
            puts("firehose:DescribeDeliveryStream"),
            subscription_to(stream.arn, "firehose", subscriptionRoleArn=writes.arn),
        ),
        {"s": "writes lacks firehose:PutRecord"},
        silent_at_preview=True,
    ),
    Case(
        REACHES,
        "variant",
        "a role for functions",
        program(
            news,
            stream,
            role(
                "writes",
                assumeRolePolicy=policy(
                    {"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}
                ),
            ),
            subscription_to(stream.arn, "firehose", subscriptionRoleArn=role("writes").arn),
        ),
        {"s": "trust policy"},
    ),
    Case(
        REACHES,
        "compliant",
        "a queue policy for the topic",
        program(news, orders, queue_policy_for(from_topic(news.arn)), subscription_to(orders.arn)),
    ),
    Case(
        REACHES,
        "compliant",
        "a function",
        program(news, reader, invoke_permission(), subscription_to(reader.arn, "lambda")),
    ),
    Case(
        REACHES,
        "compliant",
        "a delivery stream",
        program(news, stream, writes, puts(), subscription_to(stream.arn, "firehose", subscriptionRoleArn=writes.arn)),
    ),
    Case(REACHES, "unknown", "the endpoint", program(news, orders, subscription_to(UNKNOWN))),
    Case(REACHES, "unknown", "the protocol", program(news, orders, subscription_to(orders.arn, UNKNOWN))),
    Case(
        REACHES,
        "unknown",
        "the queue's policy",
        program(news, orders, queue_policy("p", queueUrl=orders.url, policy=UNKNOWN), subscription_to(orders.arn)),
    ),
    *(
        Case(REACHES, "near miss", what, program(news, other, reader, live, orders, *given))
        for what, given in {
            "by mail": [subscription_to("a@example.com", "email")],
            "a queue elsewhere": [subscription_to(f"arn:aws:sqs:{REGION}:444455556666:theirs")],
            "a function elsewhere": [
                subscription_to(f"arn:aws:lambda:{REGION}:444455556666:function:theirs", "lambda")
            ],
            "a queue for all topics of the account": [
                queue_policy_for(from_topic(f"arn:aws:sns:*:{ACCOUNT}:*", "ArnLike")),
                subscription_to(orders.arn),
            ],
            "a queue for everybody, held to the topic": [
                queue_policy_for(from_topic(news.arn), principal="*"),
                subscription_to(orders.arn),
            ],
            "an alias": [invoke_permission(qualifier="live"), subscription_to(live.arn, "lambda")],
            "a permission for several topics": [
                invoke_permission(sourceArn=f"arn:aws:sns:{REGION}:{ACCOUNT}:*"),
                subscription_to(reader.arn, "lambda"),
            ],
            "a permission for whatever comes for the account": [
                invoke_permission(sourceArn=None, sourceAccount=ACCOUNT),
                subscription_to(reader.arn, "lambda"),
            ],
            "a document of the function": [
                function_policy("p", resourceArn=reader.arn, policy=policy(allow(SNS, "lambda:InvokeFunction", "*"))),
                subscription_to(reader.arn, "lambda"),
            ],
        }.items()
    ),
    Case(
        REACHES,
        "near miss",
        "a standard queue of a FIFO topic",
        program(
            topic("news", fifoTopic=True),
            orders,
            queue_policy_for(from_topic(topic("news").arn)),
            subscription_to(orders.arn, source=topic("news", fifoTopic=True).arn),
        ),
    ),
    Case(
        REACHES,
        "near miss",
        "a queue that was looked up",
        program(news, subscription_to(orders.arn), external=[orders]),
    ),
]
