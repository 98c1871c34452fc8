"""Cases of the rules about access to queues: encryption, keys and policies."""

from tests.policies.programs import (
    ACCOUNT,
    REGION,
    UNKNOWN,
    Case,
    allow,
    event_rule,
    event_target,
    json_of,
    key,
    key_alias,
    make,
    policy,
    program,
    queue,
    queue_policy,
    schedule,
    subscription,
    topic,
)

KEY_ADMIN = allow({"AWS": f"arn:aws:iam::{ACCOUNT}:root"}, "kms:*", "*")
EVENTS_MAY_USE = allow({"Service": "events.amazonaws.com"}, ["kms:Decrypt", "kms:GenerateDataKey*"], "*")

orders = queue("orders")
rule = event_rule("paid", name="paid")


def for_everybody(condition: object = None, principal: object = "*", name: str = "orders"):
    """A public queue policy with this condition."""
    return queue_policy(name, queueUrl=orders.url, policy=policy(allow(principal, "sqs:SendMessage", "*", condition)))


ENCRYPTED, KEYS, CLOSED = "queue-is-encrypted", "queue-key-admits-senders", "queue-policy-is-not-open"

customer_key = key("own", policy=policy(KEY_ADMIN))
open_key = key("own", policy=policy(KEY_ADMIN, EVENTS_MAY_USE))
decrypt_key = key("own", policy=policy(KEY_ADMIN, allow({"Service": "events.amazonaws.com"}, "kms:Decrypt", "*")))
under_own_key = queue("orders", kmsMasterKeyId=customer_key.arn)
to_orders = event_target("to-orders", rule=rule.name, arn=orders.arn)

from_buckets = make("aws:s3/bucketNotification:BucketNotification")
subscribed = subscription("news", topic=topic("news").arn, protocol="sqs", endpoint=orders.arn)


CASES = [
    Case(
        KEYS,
        "variant",
        "a bucket's notices, which the policy lets in by the bucket and not by the service",
        program(
            queue("orders", kmsMasterKeyId="alias/aws/sqs"),
            for_everybody({"ArnEquals": {"aws:SourceArn": "arn:aws:s3:::photos"}}),
            from_buckets("photos", bucket="photos", queues=[{"queueArn": orders.arn}, {"queueArn": "elsewhere"}]),
        ),
        {"orders": ("s3.amazonaws.com", "photos", "alias/aws/sqs")},
    ),
    Case(
        KEYS,
        "near miss",
        "a key that was looked up",
        program(under_own_key, topic("news"), subscribed, external=[customer_key]),
    ),
    # --- queue-is-encrypted
    Case(
        ENCRYPTED,
        "typical",
        "encryption off",
        program(queue("orders", sqsManagedSseEnabled=False)),
        {"orders": "sqsManagedSseEnabled is false"},
    ),
    Case(
        ENCRYPTED,
        "variant",
        "as text, with an empty key",
        program(queue("orders", sqsManagedSseEnabled="false", kmsMasterKeyId="")),
        {"orders": "kmsMasterKeyId is absent"},
    ),
    Case(ENCRYPTED, "compliant", "encryption by SQS", program(queue("orders", sqsManagedSseEnabled=True))),
    Case(ENCRYPTED, "unknown", "whether", program(queue("orders", sqsManagedSseEnabled=UNKNOWN))),
    Case(ENCRYPTED, "near miss", "left to AWS, which encrypts", program(queue("orders"))),
    Case(
        ENCRYPTED,
        "near miss",
        "off, because it has a key",
        program(customer_key, queue("orders", kmsMasterKeyId=customer_key.arn, sqsManagedSseEnabled=False)),
    ),
    # --- queue-key-admits-senders
    Case(
        KEYS,
        "typical",
        "the AWS managed key, and a rule",
        program(rule, queue("orders", kmsMasterKeyId="alias/aws/sqs"), to_orders),
        {"orders": ("events.amazonaws.com", "to-orders", "alias/aws/sqs")},
    ),
    Case(
        KEYS,
        "variant",
        "a key that names nobody",
        program(rule, customer_key, under_own_key, to_orders),
        {"orders": ("own", "does not allow it", "kms:Decrypt and kms:GenerateDataKey")},
    ),
    Case(
        KEYS,
        "variant",
        "a key without a policy, by its alias, for a topic's dead letters",
        program(
            topic("t"),
            key("bare"),
            key_alias("by-name", name="alias/bare", targetKeyId=key("bare").keyId),
            queue("dead", kmsMasterKeyId="alias/bare"),
            subscription("s", topic=topic("t").arn, redrivePolicy=json_of(deadLetterTargetArn=queue("dead").arn)),
        ),
        {"dead": ("sns.amazonaws.com", "its key bare is the default")},
    ),
    Case(
        KEYS,
        "variant",
        "AWS's key by its ARN, and a policy that lets a topic in",
        program(
            queue("orders", kmsMasterKeyId=f"arn:aws:kms:{REGION}:{ACCOUNT}:alias/aws/sqs"),
            queue_policy(
                "orders",
                queueUrl=queue("orders").url,
                policy=policy(allow({"Service": "sns.amazonaws.com"}, "SQS:SendMessage", "*")),
            ),
        ),
        {"orders": "sns.amazonaws.com"},
    ),
    Case(
        KEYS,
        "variant",
        "a key that may only be used to read",
        program(rule, decrypt_key, queue("orders", kmsMasterKeyId=decrypt_key.arn), to_orders),
        {"orders": "Allow kms:GenerateDataKey to events.amazonaws.com in"},
    ),
    Case(
        KEYS,
        "compliant",
        "a key policy for EventBridge",
        program(rule, open_key, queue("orders", kmsMasterKeyId=open_key.arn), to_orders),
    ),
    Case(KEYS, "unknown", "the key", program(rule, queue("orders", kmsMasterKeyId=UNKNOWN), to_orders)),
    Case(
        KEYS,
        "unknown",
        "the key's policy",
        program(rule, key("own", policy=UNKNOWN), queue("orders", kmsMasterKeyId=key("own").arn), to_orders),
    ),
    Case(KEYS, "near miss", "AWS's key, and only roles send", program(queue("orders", kmsMasterKeyId="alias/aws/sqs"))),
    Case(
        KEYS,
        "near miss",
        "a key of another stack",
        program(rule, queue("orders", kmsMasterKeyId=f"arn:aws:kms:{REGION}:{ACCOUNT}:key/1234"), to_orders),
    ),
    Case(
        KEYS,
        "near miss",
        "a schedule sends, which has a role",
        program(
            queue("orders", kmsMasterKeyId="alias/aws/sqs"),
            schedule("s", target={"arn": orders.arn, "roleArn": "r", "deadLetterConfig": {"arn": orders.arn}}),
        ),
    ),
    # --- queue-policy-is-not-open
    Case(
        CLOSED,
        "typical",
        "sending with Principal *",
        program(orders, for_everybody()),
        {"orders": ("statement 1", "sqs:SendMessage")},
    ),
    Case(
        CLOSED,
        "variant",
        "everybody by AWS, over TLS, from any topic",
        program(
            orders,
            for_everybody(
                {"Bool": {"aws:SecureTransport": "true"}, "ArnLike": {"aws:SourceArn": "arn:aws:sns:*:*:*"}},
                principal={"AWS": ["*"]},
            ),
        ),
        {"orders": "Principal *"},
    ),
    Case(
        CLOSED,
        "variant",
        "in the queue itself, in lower case",
        program(
            queue(
                "orders",
                policy=json_of(
                    statement={"effect": "Allow", "principal": {"aws": "*"}, "action": "sqs:*", "sid": "All"}
                ),
            )
        ),
        {"orders": "statement All"},
    ),
    Case(
        CLOSED,
        "variant",
        "everybody but one",
        program(
            queue_policy(
                "orders",
                queueUrl="https://sqs.eu-west-1.amazonaws.com/1/orders",
                policy=json_of(Statement=[{"Effect": "Allow", "NotPrincipal": {"AWS": "1"}, "Action": "sqs:*"}]),
            )
        ),
        {"orders": "statement 1"},
    ),
    Case(
        CLOSED,
        "variant",
        "a condition that holds only if the key is there",
        program(orders, for_everybody({"StringEqualsIfExists": {"aws:SourceAccount": ACCOUNT}})),
        {"orders": "Principal *"},
    ),
    Case(
        CLOSED,
        "variant",
        "a condition that asks only for some source",
        program(orders, for_everybody({"Null": {"aws:SourceArn": "false"}})),
        {"orders": "Principal *"},
    ),
    Case(
        CLOSED,
        "compliant",
        "one service for one source",
        program(
            orders,
            queue_policy(
                "orders",
                queueUrl=orders.url,
                policy=policy(
                    allow(
                        {"Service": "events.amazonaws.com"},
                        "sqs:SendMessage",
                        orders.arn,
                        {"ArnEquals": {"aws:SourceArn": rule.arn}},
                    )
                ),
            ),
            rule,
        ),
    ),
    Case(CLOSED, "unknown", "the policy", program(queue_policy("orders", queueUrl="u", policy=UNKNOWN))),
    Case(
        CLOSED,
        "unknown",
        "the source in a condition of an object",
        program(
            queue_policy(
                "orders",
                queueUrl="u",
                policy={
                    "Statement": allow("*", "sqs:SendMessage", "*", {"ArnEquals": {"aws:SourceArn": UNKNOWN}}),
                },
            )
        ),
    ),
    *(
        Case(CLOSED, "near miss", f"everybody, held to {what}", program(orders, for_everybody(condition)))
        for what, condition in {
            "a bucket": {"ArnEquals": {"aws:SourceArn": "arn:aws:s3:::uploads"}},
            "topics of an account": {"ArnLike": {"aws:SourceArn": f"arn:aws:sns:*:{ACCOUNT}:*"}},
            "an organisation": {"StringEquals": {"aws:PrincipalOrgID": ["o-abcdefghij"]}},
            "a network": {"IpAddress": {"aws:SourceIp": "203.0.113.0/24"}},
            "an endpoint, in another case": {"stringequals": {"AWS:sourceVpce": "vpce-1"}},
        }.items()
    ),
    Case(
        CLOSED,
        "near miss",
        "everybody, and all but the organisation denied",
        program(
            queue_policy(
                "orders",
                queueUrl="u",
                policy=policy(
                    allow("*", "sqs:SendMessage", "*"),
                    {
                        "Effect": "Deny",
                        "Principal": "*",
                        "Action": "sqs:*",
                        "Resource": "*",
                        "Condition": {"StringNotEquals": {"aws:PrincipalOrgID": "o-abcdefghij"}},
                    },
                ),
            )
        ),
    ),
    Case(
        CLOSED,
        "near miss",
        "everybody is denied",
        program(
            queue_policy(
                "orders",
                queueUrl="u",
                policy=policy({"Effect": "Deny", "Principal": "*", "Action": "sqs:*", "Resource": "*"}),
            )
        ),
    ),
    # --- keys of other kinds
    Case(
        KEYS,
        "variant",
        "a replica of a key, for the notices of a topic",
        program(
            make("aws:kms/replicaKey:ReplicaKey")(
                "copy", primaryKeyArn="k", policy=policy(allow("*", "kms:Put*", "*"))
            ),
            queue("orders", kmsMasterKeyId=make("aws:kms/replicaKey:ReplicaKey")("copy").arn),
            make("aws:sns/topicSubscription:TopicSubscription")(
                "s", topic="t", protocol="sqs", endpoint=queue("orders").arn
            ),
        ),
        {"orders": ("sns.amazonaws.com", "key copy does not allow it")},
    ),
]
