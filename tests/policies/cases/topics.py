"""Cases of the rules about topics: publishers and keys."""

from typing import Any

from tests.policies.programs import (
    ACCOUNT,
    REGION,
    UNKNOWN,
    Case,
    Made,
    allow,
    event_rule,
    event_target,
    json_of,
    key,
    key_alias,
    make,
    policy,
    program,
    topic,
    topic_policy,
)

LIMITED, PLAIN = "topic-publishers-are-limited", "topic-policy-for-events-has-no-condition"
KEYS, ALARMED = "topic-key-admits-publishers", "topic-policy-admits-alarms"

EVENTS, ALARMS = {"Service": "events.amazonaws.com"}, {"Service": "cloudwatch.amazonaws.com"}

news = topic("news")
paid = event_rule("paid")
raised = make("aws:cloudwatch/metricAlarm:MetricAlarm")("rings", alarmActions=[news.arn])
over = make("aws:cloudwatch/metricAlarm:MetricAlarm")("over", okActions=[news.arn])
composite = make("aws:cloudwatch/compositeAlarm:CompositeAlarm")("both", alarmActions=[news.arn])
to_news = event_target("to-news", rule=paid.name, arn=news.arn)


def guarded(*statements: Any) -> Made:
    """The policy of the topic."""
    return topic_policy("guard", arn=news.arn, policy=policy(*statements))


def for_everybody(condition: Any = None, principal: Any = "*", action: Any = "sns:Publish") -> Made:
    """A public policy of the topic with this condition."""
    return guarded(allow(principal, action, news.arn, condition))


def own_key(*statements: Any) -> Made:
    """A key with these statements and the account's."""
    account = allow({"AWS": f"arn:aws:iam::{ACCOUNT}:root"}, "kms:*", "*")
    return key("own", policy=policy(account, *statements))


def uses(principal: Any = EVENTS, condition: Any = None, action: Any = None) -> dict[str, Any]:
    """A statement of a key's policy."""
    return allow(principal, action or ["kms:Decrypt", "kms:GenerateDataKey*"], "*", condition)


def encrypted(by: Made) -> Made:
    """The topic, encrypted with this key."""
    return topic("news", kmsMasterKeyId=by.arn)


SOURCE_ARN = {"ArnEquals": {"aws:SourceArn": f"arn:aws:events:{REGION}:{ACCOUNT}:rule/paid"}}
TLS = {
    "Effect": "Deny",
    "Principal": "*",
    "Action": "sns:Publish",
    "Resource": "*",
    "Condition": {"Bool": {"aws:SecureTransport": "false"}},
}
STRANGERS = {
    "Effect": "Deny",
    "Principal": "*",
    "Action": "sns:Publish",
    "Resource": "*",
    "Condition": {"StringNotEquals": {"aws:PrincipalOrgID": "o-abcdefghij"}},
}

CASES = [
    # --- topic-publishers-are-limited
    Case(
        LIMITED,
        "typical",
        "publishing with Principal *",
        program(topic("news", policy=policy(allow("*", "sns:Publish", "*")))),
        {"news": ("lets anyone publish", "statement 1")},
    ),
    Case(
        LIMITED,
        "variant",
        "everybody by AWS, everything, over TLS",
        program(
            news, for_everybody({"Bool": {"aws:SecureTransport": "true"}}, principal={"AWS": ["*"]}, action="SNS:*")
        ),
        {"guard": "SNS:*"},
        silent_at_preview=True,
    ),
    Case(
        LIMITED,
        "variant",
        "everybody, from any bucket",
        program(news, for_everybody({"ArnLike": {"aws:SourceArn": "arn:aws:s3:*:*:*"}})),
        {"guard": "Principal *"},
        silent_at_preview=True,
    ),
    Case(
        LIMITED,
        "variant",
        "all but some actions, in lower case",
        program(
            topic("news", policy=json_of(statement={"effect": "Allow", "principal": "*", "notAction": "sns:Del*"}))
        ),
        {"news": "all but some actions"},
    ),
    Case(
        LIMITED,
        "compliant",
        "publishing by EventBridge",
        program(news, guarded(allow(EVENTS, "sns:Publish", news.arn))),
    ),
    Case(
        LIMITED,
        "compliant",
        "the account",
        program(news, guarded(allow({"AWS": f"arn:aws:iam::{ACCOUNT}:root"}, "sns:Publish", news.arn))),
    ),
    Case(LIMITED, "unknown", "the policy", program(topic_policy("guard", arn=news.arn, policy=UNKNOWN))),
    Case(
        LIMITED,
        "unknown",
        "whom the condition names",
        program(
            topic("news", policy={"Statement": allow("*", "sns:Publish", "*", {"ArnLike": {"aws:SourceArn": UNKNOWN}})})
        ),
    ),
    *(
        Case(LIMITED, "near miss", f"everybody, held to {what}", program(news, for_everybody(condition)))
        for what, condition in {
            "the owner, as AWS's own policy does": {"StringEquals": {"AWS:SourceOwner": ACCOUNT}},
            "a bucket": {"ArnLike": {"aws:SourceArn": "arn:aws:s3:::uploads"}},
            "an account": {"StringEquals": {"aws:SourceAccount": ACCOUNT}},
            "an organisation": {"StringEquals": {"aws:PrincipalOrgID": "o-abcdefghij"}},
        }.items()
    ),
    Case(
        LIMITED,
        "near miss",
        "everybody may subscribe by https",
        program(news, for_everybody({"StringEquals": {"sns:Protocol": "https"}}, action="sns:Subscribe")),
    ),
    Case(
        LIMITED,
        "near miss",
        "everybody, and strangers denied",
        program(news, guarded(allow("*", "sns:Publish", "*"), STRANGERS)),
    ),
    Case(LIMITED, "near miss", "no policy, for which AWS takes the owner", program(news)),
    # --- topic-policy-for-events-has-no-condition
    Case(
        PLAIN,
        "typical",
        "a condition on the rule",
        program(news, guarded(allow(EVENTS, "sns:Publish", news.arn, SOURCE_ARN))),
        {"guard": ("aws:SourceArn", "without Condition")},
        silent_at_preview=True,
    ),
    Case(
        PLAIN,
        "variant",
        "together with another service",
        program(
            topic(
                "news",
                policy=policy(
                    allow(
                        {"Service": ["cloudwatch.amazonaws.com", "events.amazonaws.com"]},
                        "SNS:*",
                        "*",
                        {"StringEquals": {"aws:SourceAccount": ACCOUNT}},
                    )
                ),
            )
        ),
        {"news": "aws:SourceAccount"},
    ),
    Case(PLAIN, "compliant", "no condition", program(news, guarded(allow(EVENTS, "sns:Publish", news.arn)))),
    Case(PLAIN, "unknown", "the policy", program(topic_policy("guard", arn=news.arn, policy=UNKNOWN))),
    Case(
        PLAIN,
        "near miss",
        "held for another service",
        program(
            news,
            guarded(
                allow(EVENTS, "sns:Publish", news.arn),
                allow(ALARMS, "sns:Publish", news.arn, {"StringEquals": {"aws:SourceAccount": ACCOUNT}}),
            ),
        ),
    ),
    Case(
        PLAIN,
        "near miss",
        "held in one statement, and not in another",
        program(
            news,
            guarded(allow(EVENTS, "sns:Publish", news.arn, SOURCE_ARN), allow(EVENTS, "sns:Publish", news.arn)),
        ),
    ),
    Case(
        PLAIN,
        "near miss",
        "a Deny of what is not encrypted",
        program(news, guarded(allow(EVENTS, "sns:Publish", news.arn), TLS)),
    ),
    # --- topic-policy-admits-alarms
    Case(
        ALARMED,
        "typical",
        "a topic policy for EventBridge only, and an alarm",
        program(news, guarded(allow(EVENTS, "sns:Publish", news.arn)), raised),
        {"news": ("rings", "cloudwatch.amazonaws.com")},
        silent_at_preview=True,
    ),
    Case(
        ALARMED,
        "variant",
        "a policy in the topic, and an alarm that rings when it is over",
        program(topic("news", policy=policy(allow(EVENTS, "sns:Publish", "*"))), over),
        {"news": "over"},
    ),
    Case(
        ALARMED,
        "variant",
        "a composite alarm, and a condition on another account",
        program(
            news,
            guarded(allow(ALARMS, "sns:Publish", news.arn, {"StringEquals": {"aws:SourceAccount": "999999999999"}})),
            composite,
        ),
        {"news": "both"},
        silent_at_preview=True,
    ),
    Case(
        ALARMED,
        "variant",
        "an alarm, and a policy that lets CloudWatch read",
        program(news, guarded(allow(ALARMS, "sns:GetTopicAttributes", news.arn)), raised),
        {"news": "sns:Publish"},
        silent_at_preview=True,
    ),
    Case(
        ALARMED,
        "compliant",
        "a topic policy for the account's alarms",
        program(
            news,
            guarded(
                allow(EVENTS, "sns:Publish", news.arn),
                allow(ALARMS, "sns:Publish", news.arn, {"StringEquals": {"aws:SourceAccount": ACCOUNT}}),
            ),
            raised,
        ),
    ),
    Case(
        ALARMED,
        "unknown",
        "the policy",
        program(news, topic_policy("guard", arn=news.arn, policy=UNKNOWN), raised),
    ),
    Case(ALARMED, "near miss", "no policy but AWS's", program(news, raised)),
    Case(
        ALARMED,
        "near miss",
        "a policy like AWS's",
        program(news, for_everybody({"StringEquals": {"AWS:SourceOwner": ACCOUNT}}, {"AWS": "*"}), raised),
    ),
    Case(
        ALARMED, "near miss", "no alarm", program(paid, news, guarded(allow(EVENTS, "sns:Publish", news.arn)), to_news)
    ),
    # --- topic-key-admits-publishers
    Case(
        KEYS,
        "typical",
        "the AWS managed key, and a rule",
        program(paid, topic("news", kmsMasterKeyId="alias/aws/sns"), to_news),
        {"news": ("events.amazonaws.com", "to-news", "alias/aws/sns")},
    ),
    Case(
        KEYS,
        "typical",
        "a key that asks for the rule",
        program(paid, own_key(uses(condition=SOURCE_ARN)), encrypted(key("own")), to_news),
        {"news": ("aws:SourceArn", "own", "without a condition")},
    ),
    Case(
        KEYS,
        "variant",
        "a key that names nobody",
        program(paid, own_key(), encrypted(key("own")), to_news),
        {"news": ("does not allow it", "kms:Decrypt and kms:GenerateDataKey")},
    ),
    Case(
        KEYS,
        "variant",
        "a key without a policy, by its alias",
        program(
            paid,
            key("own"),
            key_alias("a", name="alias/own", targetKeyId=key("own").keyId),
            topic("news", kmsMasterKeyId="alias/own"),
            to_news,
        ),
        {"news": "the default"},
    ),
    Case(
        KEYS,
        "variant",
        "AWS's key by its ARN, and alarms",
        program(
            topic("news", kmsMasterKeyId=f"arn:aws:kms:{REGION}:{ACCOUNT}:alias/aws/sns"),
            guarded(allow(ALARMS, "sns:Publish", "*")),
        ),
        {"news": ("cloudwatch.amazonaws.com", "guard")},
        silent_at_preview=False,
    ),
    Case(
        KEYS,
        "variant",
        "a key that may only be used to read",
        program(paid, own_key(uses(action="kms:Decrypt")), encrypted(key("own")), to_news),
        {"news": "Allow kms:GenerateDataKey to"},
    ),
    Case(
        KEYS,
        "compliant",
        "a key policy for EventBridge",
        program(paid, own_key(uses()), topic("news", kmsMasterKeyId=own_key(uses()).arn), to_news),
    ),
    Case(KEYS, "unknown", "the key", program(paid, topic("news", kmsMasterKeyId=UNKNOWN), to_news)),
    Case(
        KEYS, "unknown", "the key's policy", program(paid, key("own", policy=UNKNOWN), encrypted(key("own")), to_news)
    ),
    Case(
        KEYS,
        "near miss",
        "a key held to the topic by its context",
        program(
            paid,
            own_key(uses(condition={"StringEquals": {"kms:EncryptionContext:aws:sns:topicArn": "t"}})),
            encrypted(key("own")),
            to_news,
        ),
    ),
    Case(
        KEYS,
        "near miss",
        "a key that holds alarms to the account",
        program(
            own_key(uses(ALARMS, {"StringEquals": {"aws:SourceAccount": ACCOUNT}})),
            encrypted(key("own")),
            guarded(allow(ALARMS, "sns:Publish", "*")),
        ),
    ),
    *(
        Case(KEYS, "variant", f"an alarm, and {what}", program(*by, raised), {"news": ("cloudwatch", "rings")})
        for what, by in {
            "AWS's key": (topic("news", kmsMasterKeyId=f"arn:aws:kms:{REGION}:{ACCOUNT}:alias/aws/sns"),),
            "a key that does not name it": (own_key(uses(EVENTS)), encrypted(key("own"))),
        }.items()
    ),
    Case(
        KEYS, "compliant", "an alarm, and a key for it", program(own_key(uses(ALARMS)), encrypted(key("own")), raised)
    ),
    Case(KEYS, "near miss", "an alarm, and no key", program(news, raised)),
    Case(
        KEYS, "near miss", "AWS's key, and only roles publish", program(topic("news", kmsMasterKeyId="alias/aws/sns"))
    ),
    Case(
        KEYS,
        "near miss",
        "a key of another stack",
        program(paid, topic("news", kmsMasterKeyId=f"arn:aws:kms:{REGION}:{ACCOUNT}:key/1"), to_news),
    ),
    Case(KEYS, "near miss", "no key", program(paid, news, to_news)),
]
