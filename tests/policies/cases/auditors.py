"""Cases of the rules about roles for auditing, and about duplicate keys in policies."""

from tests.policies.cases.fixed_values import (
    AUDITS,
    TWICE,
    allow_statement,
    auditor,
    bucket_policy,
    deny,
    in_bucket,
    managed_policy,
    reading,
)
from tests.policies.programs import ACCOUNT, REGION, UNKNOWN, Case, policy, program, role

CASES = [
    # --- auditor-reads-no-secret
    *(
        Case(
            AUDITS,
            "variant",
            what,
            program(auditor, reading(statement)),
            {"rotation-audit": "secretsmanager:GetSecretValue"},
        )
        for what, statement in (
            (
                "everything in the account",
                allow_statement("secretsmanager:Get*", f"arn:aws:*:{REGION}:{ACCOUNT}:*"),
            ),
            ("whatever begins so", allow_statement("secretsmanager:GetSecretValue", "arn:aws:secretsm*")),
            (
                "all but one secret",
                {
                    "Effect": "Allow",
                    "Action": "secretsmanager:GetSecretValue",
                    "NotResource": f"arn:aws:secretsmanager:{REGION}:{ACCOUNT}:secret:prod/*",
                },
            ),
        )
    ),
    Case(
        AUDITS,
        "variant",
        "all of them, where only some are denied",
        program(
            auditor,
            reading(
                allow_statement("secretsmanager:GetSecretValue", "*"),
                allow_statement(
                    "secretsmanager:GetSecretValue", f"arn:aws:secretsmanager:*:{ACCOUNT}:secret:prod/*", "Deny"
                ),
            ),
        ),
        {"rotation-audit": "secretsmanager:GetSecretValue"},
    ),
    Case(
        AUDITS,
        "near miss",
        "everything but secrets, and some that are denied",
        program(
            auditor,
            reading(
                {"Effect": "Allow", "Action": "*", "NotResource": "arn:aws:secretsmanager:*"},
                allow_statement(
                    "secretsmanager:GetSecretValue", f"arn:aws:secretsmanager:{REGION}:{ACCOUNT}:secret:dev/*"
                ),
                allow_statement("secretsmanager:Get*", f"arn:aws:secretsmanager:*:{ACCOUNT}:secret:dev/*", "Deny"),
                allow_statement("*", f"arn:aws:*:{REGION}:{ACCOUNT}:table/*"),
            ),
        ),
    ),
    # --- policy-repeats-no-key
    Case(
        TWICE,
        "typical",
        "a duplicate Condition key",
        program(
            role(
                "app",
                assumeRolePolicy='{"Statement": [{"Effect": "Allow", "Principal": {"Service": "states.amazonaws.com"}, '
                '"Action": "sts:AssumeRole", "Condition": {"StringEquals": {"aws:SourceAccount": "111122223333"}}, '
                '"Condition": {"Bool": {"aws:SecureTransport": "true"}}}]}',
            )
        ),
        {"app": ("Condition", "twice")},
    ),
    Case(
        TWICE,
        "variant",
        "an operator of a bucket, and a statement of a role's own policy",
        program(
            bucket_policy(
                "b",
                bucket="b",
                policy='{"Statement": {"Effect": "Deny", "Principal": "*", "Action": "s3:*", "Resource": "*", '
                '"Condition": {"StringNotEquals": {"aws:SourceVpce": "vpce-1"}, "StringNotEquals": '
                '{"aws:PrincipalOrgID": "o-a1b2c3d4e5"}}}}',
            ),
            role("app", inlinePolicies=[{"name": "x", "policy": '{"Statement": [], "Statement": []}'}]),
        ),
        {"b": "StringNotEquals", "app": "Statement"},
    ),
    Case(
        TWICE,
        "compliant",
        "unique keys",
        program(
            managed_policy(
                "once", policy=policy(allow_statement("sqs:SendMessage", "*"), allow_statement("sns:Publish", "*"))
            ),
        ),
    ),
    Case(TWICE, "unknown", "the document", program(managed_policy("some", policy=UNKNOWN))),
    Case(
        TWICE,
        "near miss",
        "one name in two objects",
        program(
            in_bucket(
                deny({"StringEquals": {"aws:x": "a"}, "StringLike": {"aws:x": "a"}}),
                deny({"StringEquals": {"aws:x": "a"}}),
            )
        ),
    ),
]
