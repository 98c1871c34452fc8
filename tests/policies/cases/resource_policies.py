"""Cases of the rules about public access by resource policies."""

from tests.policies.programs import (
    ACCOUNT,
    REGION,
    UNKNOWN,
    Case,
    allow,
    concat,
    event_rule,
    function,
    json_of,
    key,
    make,
    permission,
    policy,
    program,
    queue,
    queue_policy,
    secret,
    topic,
    topic_policy,
)

bucket = make("aws:s3/bucket:Bucket")
bucket_policy = make("aws:s3/bucketPolicy:BucketPolicy")
table_policy = make("aws:dynamodb/resourcePolicy:ResourcePolicy")
secret_policy = make("aws:secretsmanager/secretPolicy:SecretPolicy")
key_policy = make("aws:kms/keyPolicy:KeyPolicy")
bus_policy = make("aws:cloudwatch/eventBusPolicy:EventBusPolicy")
event_permission = make("aws:cloudwatch/eventPermission:EventPermission")

ROOT = {"AWS": f"arn:aws:iam::{ACCOUNT}:root"}
rule = event_rule("paid", name="paid")
orders = queue("orders")
news = topic("news")


def service(name: str) -> dict[str, str]:
    return {"Service": f"{name}.amazonaws.com"}


def of_queue(*statements: dict):
    return queue_policy("orders", queueUrl=orders.url, policy=policy(*statements))


PUBLIC, ADMITTED = "resource-policy-is-not-open", "admitted-service-acts-for-a-known-source"


CASES = [
    # --- resource-policy-is-not-open
    Case(
        PUBLIC,
        "typical",
        "a key with Principal *",
        program(key("own", policy=policy(allow("*", "kms:Decrypt", "*")))),
        {"own": ("kms:Decrypt", "statement 1")},
    ),
    Case(
        PUBLIC,
        "variant",
        "a secret, by AWS, in lower case",
        program(
            secret_policy(
                "s",
                secretArn="s",
                policy=json_of(
                    statement={
                        "effect": "Allow",
                        "principal": {"aws": ["*"]},
                        "action": "secretsmanager:GetSecretValue",
                    }
                ),
            )
        ),
        {"s": "secretsmanager:GetSecretValue"},
    ),
    Case(
        PUBLIC,
        "variant",
        "a bucket, over TLS, and a bus",
        program(
            bucket_policy(
                "b",
                bucket="b",
                policy=policy(allow("*", "s3:PutObject", "x", {"Bool": {"aws:SecureTransport": "true"}})),
            ),
            bus_policy("bus", eventBusName="x", policy=policy(allow({"AWS": "*"}, "events:PutEvents", "*"))),
            event_permission("p", principal="*", statementId="all"),
        ),
        {"b": "s3:PutObject", "bus": "events:PutEvents", "p": "principal is *"},
    ),
    Case(
        PUBLIC,
        "variant",
        "in a bucket itself, and of a table",
        program(
            bucket("b", policy=policy(allow("*", "s3:GetObject", "arn:aws:s3:::b/*"))),
            table_policy("t", resourceArn="t", policy=policy(allow("*", "dynamodb:GetItem", "*"))),
        ),
        {"b": "s3:GetObject", "t": "dynamodb:GetItem"},
    ),
    Case(
        PUBLIC,
        "near miss",
        "a bucket by the access points of one account",
        program(
            bucket_policy(
                "b",
                bucket="b",
                policy=policy(
                    allow({"AWS": "*"}, "s3:GetObject", "*", {"StringEquals": {"s3:DataAccessPointAccount": ACCOUNT}})
                ),
            )
        ),
    ),
    Case(
        PUBLIC,
        "near miss",
        "a Deny of the same action shuts out strangers",
        program(
            secret_policy(
                "s",
                secretArn="s",
                policy=policy(
                    allow("*", "secretsmanager:GetSecretValue", "*"),
                    {
                        "Effect": "Deny",
                        "Principal": "*",
                        "Action": "secretsmanager:GetSecret*",
                        "Resource": "*",
                        "Condition": {"StringNotEquals": {"aws:PrincipalOrgID": "o-abcdefghij"}},
                    },
                ),
            )
        ),
    ),
    Case(
        PUBLIC,
        "variant",
        "a function",
        program(permission("p", function="f", action="lambda:InvokeFunction", principal="*")),
        {"p": "grants public access"},
    ),
    Case(
        PUBLIC,
        "near miss",
        "a function, to whatever comes for this account",
        program(permission("p", function="f", action="lambda:InvokeFunction", principal="*", sourceAccount=ACCOUNT)),
    ),
    Case(
        PUBLIC,
        "compliant",
        "a key for its account",
        program(key("own", policy=policy(allow(ROOT, "kms:*", "*")))),
    ),
    Case(
        PUBLIC,
        "unknown",
        "the policy",
        program(secret("s", policy=UNKNOWN), key_policy("k", keyId="k", policy=UNKNOWN)),
    ),
    Case(PUBLIC, "unknown", "the principal", program(permission("p", principal=UNKNOWN, function="f", action="x"))),
    Case(
        PUBLIC,
        "near miss",
        "everybody who comes by a service of this account",
        program(
            key(
                "own",
                policy=policy(
                    allow(
                        {"AWS": "*"},
                        "kms:Decrypt",
                        "*",
                        {
                            "StringEquals": {
                                "kms:CallerAccount": ACCOUNT,
                                "kms:ViaService": "sns.eu-west-1.amazonaws.com",
                            }
                        },
                    )
                ),
            )
        ),
    ),
    Case(
        PUBLIC,
        "near miss",
        "everybody is denied without TLS",
        program(
            bucket_policy(
                "b",
                bucket="b",
                policy=policy(
                    {
                        "Effect": "Deny",
                        "Principal": "*",
                        "Action": "s3:*",
                        "Resource": "*",
                        "Condition": {"Bool": {"aws:SecureTransport": "false"}},
                    }
                ),
            )
        ),
    ),
    Case(
        PUBLIC,
        "near miss",
        "everybody in the organisation",
        program(
            permission("p", function="f", action="lambda:InvokeFunction", principal="*", principalOrgId="o-abcdefghij"),
            event_permission(
                "e", principal="*", condition={"type": "StringEquals", "key": "aws:PrincipalOrgID", "value": "o-1"}
            ),
        ),
    ),
    # --- admitted-service-acts-for-a-known-source
    Case(
        ADMITTED,
        "typical",
        "a queue policy for EventBridge without a condition",
        program(orders, of_queue(allow(service("events"), "sqs:SendMessage", orders.arn))),
        {"orders": ("events.amazonaws.com", "aws:SourceArn")},
        silent_at_preview=True,
    ),
    Case(
        ADMITTED,
        "variant",
        "a bucket to a topic, from anywhere",
        program(
            topic_policy(
                "news",
                arn="t",
                policy=policy(allow(service("s3"), "sns:Publish", "t", {"ArnLike": {"aws:SourceArn": "*"}})),
            )
        ),
        {"news": "s3.amazonaws.com"},
    ),
    Case(
        ADMITTED,
        "variant",
        "a rule and an API to a function",
        program(
            permission("rule", function="f", action="lambda:InvokeFunction", principal="events.amazonaws.com"),
            permission(
                "api",
                function="f",
                action="lambda:InvokeFunction",
                principal="apigateway.amazonaws.com",
                sourceArn="arn:aws:execute-api:eu-west-1:*:*/*",
            ),
        ),
        {"rule": "sourceArn and sourceAccount are absent", "api": "sourceArn is arn"},
    ),
    Case(
        ADMITTED,
        "variant",
        "SNS to a key",
        program(key("own", policy=policy(allow(service("sns"), ["kms:Decrypt", "kms:GenerateDataKey*"], "*")))),
        {"own": "sns.amazonaws.com"},
    ),
    Case(
        ADMITTED,
        "compliant",
        "a condition on the rule",
        program(
            rule,
            orders,
            function("f"),
            of_queue(
                allow(service("events"), "sqs:SendMessage", orders.arn, {"ArnEquals": {"aws:SourceArn": rule.arn}})
            ),
            permission("p", function="f", action="x", principal="events.amazonaws.com", sourceArn=rule.arn),
        ),
    ),
    Case(ADMITTED, "unknown", "the policy", program(queue_policy("orders", queueUrl="u", policy=UNKNOWN))),
    Case(
        ADMITTED,
        "unknown",
        "the source",
        program(permission("p", function="f", action="x", principal="sns.amazonaws.com", sourceArn=UNKNOWN)),
    ),
    Case(
        ADMITTED,
        "near miss",
        "EventBridge to a topic, where a condition would shut it out",
        program(
            news, topic_policy("news", arn=news.arn, policy=policy(allow(service("events"), "sns:Publish", news.arn)))
        ),
    ),
    Case(
        ADMITTED,
        "near miss",
        "EventBridge to the key of a topic",
        program(key("own", policy=policy(allow(service("events"), ["kms:Decrypt", "kms:GenerateDataKey*"], "*")))),
    ),
    Case(
        ADMITTED,
        "near miss",
        "logs to a key, for one group",
        program(
            key(
                "own",
                policy=policy(
                    allow(
                        service(f"logs.{REGION}"),
                        "kms:Encrypt*",
                        "*",
                        {"ArnEquals": {"kms:EncryptionContext:aws:logs:arn": concat("arn:aws:logs:", REGION, ":1:g")}},
                    )
                ),
            )
        ),
    ),
    Case(
        ADMITTED,
        "near miss",
        "a skill, which has a token, and a bucket, whose ARN has no account",
        program(
            permission("skill", function="f", action="x", principal="alexa-appkit.amazon.com", eventSourceToken="t"),
            permission(
                "bucket", function="f", action="x", principal="s3.amazonaws.com", sourceArn="arn:aws:s3:::uploads"
            ),
        ),
    ),
    Case(
        ADMITTED,
        "near miss",
        "CloudTrail and S3 to a key, as their own pages have it",
        program(
            key("own", policy=policy(allow(service("cloudtrail"), "kms:GenerateDataKey*", "*"))),
            key("queues", policy=policy(allow(service("s3"), ["kms:GenerateDataKey", "kms:Decrypt"], "*"))),
        ),
    ),
    Case(
        ADMITTED,
        "variant",
        "anybody's distribution, access log and findings",
        program(
            bucket_policy("site", bucket="s", policy=policy(allow(service("cloudfront"), "s3:GetObject", "s/*"))),
            bucket_policy("logs", bucket="l", policy=policy(allow(service("logging.s3"), "s3:PutObject", "l/*"))),
            key("found", policy=policy(allow(service("guardduty"), "kms:GenerateDataKey", "*"))),
        ),
        {
            "site": "cloudfront.amazonaws.com",
            "logs": "logging.s3.amazonaws.com",
            "found": "guardduty.amazonaws.com",
        },
    ),
    Case(
        ADMITTED,
        "near miss",
        "a distribution, and a bucket with the stars of the documentation",
        program(
            bucket_policy(
                "site",
                bucket="s",
                policy=policy(
                    allow(
                        service("cloudfront"),
                        "s3:GetObject",
                        "s/*",
                        {"StringEquals": {"AWS:SourceArn": f"arn:aws:cloudfront::{ACCOUNT}:distribution/E1"}},
                    )
                ),
            ),
            of_queue(
                allow(service("s3"), "sqs:SendMessage", "*", {"ArnLike": {"aws:SourceArn": "arn:aws:s3:*:*:uploads"}})
            ),
        ),
    ),
    Case(
        ADMITTED,
        "near miss",
        "EventBridge and S3 to a replica of a key, which are let in without a condition",
        program(
            make("aws:kms/replicaKey:ReplicaKey")(
                "copy",
                policy=policy(allow(service("events"), "kms:Decrypt", "*"), allow(service("s3"), "kms:Decrypt", "*")),
            )
        ),
    ),
    Case(
        ADMITTED,
        "variant",
        "a topic to traces, and a user pool to an address, for anybody",
        program(
            make("aws:xray/resourcePolicy:ResourcePolicy")(
                "x", policyDocument=policy(allow(service("sns"), "xray:PutTraceSegments", "*"))
            ),
            make("aws:ses/identityPolicy:IdentityPolicy")(
                "i", policy=policy(allow(service("cognito-idp"), "ses:SendEmail", "*"))
            ),
        ),
        {"x": "sns.amazonaws.com", "i": "cognito-idp"},
    ),
]
