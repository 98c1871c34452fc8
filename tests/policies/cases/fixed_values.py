"""Cases of the rules about conditions that only seem to restrict the caller."""

from tests.policies.programs import (
    ACCOUNT,
    REGION,
    Case,
    allow,
    key,
    make,
    permission,
    policy,
    program,
    queue_policy,
    role,
    role_policy,
    topic_policy,
)

bucket_policy = make("aws:s3/bucketPolicy:BucketPolicy")
event_permission = make("aws:cloudwatch/eventPermission:EventPermission")
managed_policy = make("aws:iam/policy:Policy")
GITHUB = "token.actions.githubusercontent.com"
ORGANIZATION, OTHER = "o-a1b2c3d4e5", "444455556666"
TRUST, PUBLIC, QUEUE = "role-trust-is-not-open", "resource-policy-is-not-open", "queue-policy-is-not-open"
TOPIC, TRUSTED = "topic-publishers-are-limited", "trusted-service-acts-for-a-known-source"
ADMITTED, AUDITS = "admitted-service-acts-for-a-known-source", "auditor-reads-no-secret"
TWICE, GROUP = "policy-repeats-no-key", "schedule-role-trusts-its-group-alone"
OUTSIDERS = {"StringNotEquals": {"aws:PrincipalOrgID": ORGANIZATION}}
auditor = role("rotation-audit", name="rotation-audit")


def trusting(principal, condition=None, action="sts:AssumeRole", *others):
    statement = {"Effect": "Allow", "Principal": principal, "Action": action}
    return role(
        "app", assumeRolePolicy=policy({**statement, "Condition": condition} if condition else statement, *others)
    )


def github(condition, *others):
    provider = {"Federated": f"arn:aws:iam::{ACCOUNT}:oidc-provider/{GITHUB}"}
    return trusting(provider, condition, "sts:AssumeRoleWithWebIdentity", *others)


def in_bucket(*statements):
    return bucket_policy("b", bucket="b", policy=policy(*statements))


def read_by(condition, resource="arn:aws:s3:::b/*"):
    return allow("*", "s3:GetObject", resource, condition)


def deny(condition, action="s3:*", resource="*"):
    return {
        "Effect": "Deny",
        "Principal": "*",
        "Action": action,
        "Resource": resource,
        **({"Condition": condition} if condition else {}),
    }


def invoking(title, **more):
    return permission(title, function="f", action="lambda:InvokeFunction", **more)


def reading(*statements):
    return role_policy("reads", role=auditor.id, policy=policy(*statements))


def allow_statement(action, resource, effect="Allow"):
    return {"Effect": effect, "Action": action, "Resource": resource}


def principals_of(*principals):
    return {"AWS": list(principals)}


CASES = [
    # --- role-trust-is-not-open
    *(
        Case(TRUST, "variant", what, program(trusting("*", condition)), {"app": "Principal *"})
        for what, condition in (
            ("everybody in whatever organization", {"StringLike": {"aws:PrincipalOrgID": "o-*"}}),
            ("a role of that name in any account", {"ArnLike": {"aws:PrincipalArn": "arn:aws:iam::*:role/deploy"}}),
            ("itself compared with itself", {"StringEquals": {"aws:PrincipalOrgID": "${aws:PrincipalOrgID}"}}),
            (
                "services of this account over TLS",
                {"StringEquals": {"aws:SourceAccount": ACCOUNT}, "Bool": {"aws:SecureTransport": "true"}},
            ),
            ("the whole internet in two halves", {"IpAddress": {"aws:SourceIp": ["0.0.0.0/1", "128.0.0.0/1"]}}),
        )
    ),
    Case(
        TRUST,
        "variant",
        "an account that a wildcard stands for",
        program(trusting({"AWS": "arn:aws:iam::*:root"})),
        {"app": "anyone"},
    ),
    Case(
        TRUST,
        "variant",
        "owners whose names begin so",
        program(github({"StringLike": {f"{GITHUB}:sub": "repo:acme*"}})),
        {"app": ("owner", "repo:OWNER/REPOSITORY:*")},
    ),
    Case(
        TRUST,
        "variant",
        "a pattern that is compared as a text",
        program(
            github({"StringEquals": {f"{GITHUB}:sub": "repo:acme/shop:*", f"{GITHUB}:aud": "sts.amazonaws.com"}}),
        ),
        {"app": ("cannot be assumed", "repo:acme/shop:*", "StringLike")},
    ),
    Case(
        TRUST,
        "variant",
        "a pattern of sources that is compared as a text",
        program(
            trusting(
                {"Service": "states.amazonaws.com"},
                {"StringEquals": {"aws:SourceArn": f"arn:aws:states:{REGION}:{ACCOUNT}:stateMachine:*"}},
            )
        ),
        {"app": "StringLike"},
    ),
    Case(
        TRUST,
        "near miss",
        "tokens that a Deny holds to one owner",
        program(
            github(
                {"StringEquals": {f"{GITHUB}:aud": "sts.amazonaws.com"}},
                {
                    "Effect": "Deny",
                    "Principal": "*",
                    "Action": "sts:AssumeRoleWithWebIdentity",
                    "Condition": {"StringNotLike": {f"{GITHUB}:sub": "repo:acme/*"}},
                },
            )
        ),
    ),
    Case(
        TRUST,
        "near miss",
        "people and machines of one account",
        program(trusting("*", {"ArnLike": {"aws:PrincipalArn": f"arn:aws:iam::{ACCOUNT}:role/*"}})),
    ),
    Case(
        TRUST,
        "variant",
        "another account than those that are trusted",
        program(trusting(principals_of(f"arn:aws:iam::{ACCOUNT}:root", OTHER))),
        {"app": (OTHER, "trustedAccounts")},
        config={"trustedAccounts": [ACCOUNT, "777788889999"]},
    ),
    Case(
        TRUST,
        "near miss",
        "an account that is trusted",
        program(trusting(principals_of(f"arn:aws:iam::{ACCOUNT}:root", OTHER))),
        config={"trustedAccounts": [ACCOUNT, OTHER]},
    ),
    Case(
        TRUST,
        "variant",
        "another organization than the one that is trusted",
        program(trusting("*", {"StringEquals": {"aws:PrincipalOrgID": ["o-zyxwvutsrq", ORGANIZATION]}})),
        {"app": ("o-zyxwvutsrq", "trustedOrganizations")},
        config={"trustedOrganizations": [ORGANIZATION]},
    ),
    Case(
        TRUST,
        "near miss",
        "any account, of the organization that is trusted",
        program(trusting({"AWS": OTHER}, {"StringEquals": {"aws:PrincipalOrgID": ORGANIZATION}})),
        config={"trustedOrganizations": [ORGANIZATION], "trustedAccounts": [ACCOUNT]},
    ),
    # --- resource-policy-is-not-open
    *(
        Case(PUBLIC, "variant", what, program(in_bucket(read_by(condition))), {"b": "grants public access"})
        for what, condition in (
            ("any organization's path", {"ForAnyValue:StringLike": {"aws:PrincipalOrgPaths": "o-*/r-*/*"}}),
            ("any endpoint", {"StringLike": {"aws:SourceVpce": "vpce-*"}}),
            ("any account that begins so", {"StringLike": {"aws:PrincipalAccount": "1*"}}),
            ("anybody called alice", {"StringLike": {"aws:userid": "*:alice"}}),
            ("anybody's bucket", {"ArnLike": {"aws:SourceArn": "arn:aws:s3:::u*"}}),
            ("one account, or any", {"StringLike": {"aws:PrincipalAccount": [ACCOUNT, "*"]}}),
            ("an organization, if there is one", {"StringEqualsIfExists": {"aws:PrincipalOrgID": ORGANIZATION}}),
            ("all of no values", {"ForAllValues:StringEquals": {"aws:PrincipalOrgID": ORGANIZATION}}),
            ("whoever has an organization", {"Null": {"aws:PrincipalOrgID": "false"}}),
        )
    ),
    Case(
        PUBLIC,
        "variant",
        "objects, where a Deny is about the bucket",
        program(in_bucket(read_by(None), deny(OUTSIDERS, resource="arn:aws:s3:::b"))),
        {"b": "s3:GetObject"},
    ),
    Case(
        PUBLIC,
        "variant",
        "a function, from whatever bucket begins so",
        program(
            invoking("all", principal="*", sourceArn="*"),
            invoking("some", principal="*", sourceArn="arn:aws:s3:::u*"),
            invoking("account", principal="*", sourceArn=f"arn:aws:events:{REGION}:*:rule/paid"),
            invoking("organization", principal="*", principalOrgId="o-*"),
            event_permission(
                "bus", principal="*", condition={"type": "StringLike", "key": "aws:PrincipalOrgID", "value": "o-*"}
            ),
        ),
        dict.fromkeys(("all", "some", "account", "organization", "bus"), "principal is *"),
    ),
    Case(
        PUBLIC,
        "variant",
        "a key for an organization, compared as a text",
        program(
            key(
                "own",
                policy=policy(
                    allow({"AWS": "*"}, "kms:Decrypt", "*", {"StringEquals": {"aws:PrincipalOrgID": "o-*"}}),
                ),
            )
        ),
        {"own": ("allows nobody", "StringLike")},
    ),
    Case(
        PUBLIC,
        "near miss",
        "one organization below a path, and the organization that owns the bucket",
        program(
            in_bucket(
                read_by({"ForAnyValue:StringLike": {"aws:PrincipalOrgPaths": f"{ORGANIZATION}/r-ab12/*"}}),
                read_by({"StringEquals": {"aws:PrincipalOrgID": "${aws:ResourceOrgID}"}}),
            )
        ),
    ),
    Case(
        PUBLIC,
        "variant",
        "a bucket for another account than those that are trusted",
        program(
            in_bucket(
                allow(principals_of(OTHER), "s3:GetObject", "*"), read_by({"StringEquals": {"aws:SourceVpc": "vpc-1"}})
            )
        ),
        {"b": (OTHER, "trustedAccounts")},
        config={"trustedAccounts": [ACCOUNT]},
    ),
    # --- queues and topics
    Case(
        QUEUE,
        "variant",
        "from any source, denied elsewhere",
        program(
            queue_policy(
                "orders",
                queueUrl="u",
                policy=policy(
                    allow("*", "sqs:SendMessage", "*", {"ArnLike": {"aws:SourceArn": "arn:aws:s3:::u*"}}),
                    deny(OUTSIDERS, "sqs:ReceiveMessage"),
                ),
            )
        ),
        {"orders": "sqs:SendMessage"},
    ),
    Case(
        QUEUE,
        "variant",
        "an account that is not trusted",
        program(
            queue_policy("orders", queueUrl="u", policy=policy(allow(principals_of(OTHER), "sqs:SendMessage", "*")))
        ),
        {"orders": OTHER},
        config={"trustedAccounts": [ACCOUNT]},
    ),
    Case(
        TOPIC,
        "variant",
        "from any endpoint, or a source compared as a text",
        program(
            topic_policy(
                "any",
                arn="t",
                policy=policy(allow("*", "sns:Publish", "*", {"StringLike": {"aws:SourceVpce": "vpce-*"}})),
            ),
            topic_policy(
                "text",
                arn="t",
                policy=policy(allow("*", "sns:Publish", "*", {"StringEquals": {"aws:SourceArn": "arn:aws:s3:::u*"}})),
            ),
        ),
        {"any": "anyone", "text": "StringLike"},
    ),
    # --- services
    Case(
        TRUSTED,
        "variant",
        "another source than the one that is meant",
        program(
            trusting({"Service": "states.amazonaws.com"}, {"StringNotEquals": {"aws:SourceAccount": OTHER}}),
        ),
        {"app": "states.amazonaws.com"},
    ),
    Case(
        ADMITTED,
        "variant",
        "any bucket that begins so, any log group, any account",
        program(
            invoking("bucket", principal="s3.amazonaws.com", sourceArn="arn:aws:s3:::u*"),
            invoking("account", principal="sns.amazonaws.com", sourceAccount="*"),
            key(
                "own",
                policy=policy(
                    allow(
                        {"Service": f"logs.{REGION}.amazonaws.com"},
                        "kms:Encrypt",
                        "*",
                        {"ArnLike": {"kms:EncryptionContext:aws:logs:arn": "arn:aws:logs:*:*:log-group:*"}},
                    )
                ),
            ),
        ),
        {"bucket": "sourceArn is arn:aws:s3:::u*", "account": "sns.amazonaws.com", "own": "logs."},
    ),
]
