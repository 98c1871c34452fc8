"""Cases of the rules about actions in identity policies."""

from tests.policies.programs import (
    ACCOUNT,
    REGION,
    UNKNOWN,
    Case,
    Secret,
    allow,
    concat,
    json_of,
    make,
    policy,
    program,
    queue,
    queue_policy,
    role,
    role_policy,
    secret,
    table,
)

managed_policy = make("aws:iam/policy:Policy")
user = make("aws:iam/user:User")
user_policy = make("aws:iam/userPolicy:UserPolicy")
group_policy = make("aws:iam/groupPolicy:GroupPolicy")
secret_policy = make("aws:secretsmanager/secretPolicy:SecretPolicy")
attachment = make("aws:iam/rolePolicyAttachment:RolePolicyAttachment")

LAMBDA = policy({"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"})
app = role("app", assumeRolePolicy=LAMBDA)
orders = queue("orders")
notes = table("notes")
ROOT = {"AWS": f"arn:aws:iam::{ACCOUNT}:root"}
PASSED = {"StringEquals": {"iam:PassedToService": "ecs-tasks.amazonaws.com"}}


def allow_statement(action: object, resource: object, condition: object = None, **more: object) -> dict:
    """One statement of an identity's policy."""
    statement = {"Effect": "Allow", "Action": action, "Resource": resource, **more}
    return {**statement, "Condition": condition} if condition else statement


def role_policy_of(*statements: dict):
    """A role's policy of these statements."""
    return role_policy("app", role=app.id, policy=policy(*statements))


def arn(service: str, rest: str, account: str = ACCOUNT) -> str:
    return f"arn:aws:{service}:{REGION}:{account}:{rest}"


boundary = managed_policy("boundary", policy=policy(allow_statement("*", "*")))
both = managed_policy("both", policy=policy(allow_statement("*", "*")))
COMPLIANT = program(
    app,
    orders,
    notes,
    role_policy_of(
        allow_statement(["sqs:SendMessage", "sqs:GetQueueAttributes"], orders.arn),
        allow_statement(["dynamodb:Query", "dynamodb:PutItem"], [notes.arn, concat(notes.arn, "/index/*")]),
        allow_statement("xray:PutTraceSegments", "*"),
    ),
)

ACTIONS, LISTS = "policy-names-its-actions", "policy-lists-what-it-allows"
PASS = "passed-role-is-named"


CASES = [
    # --- policy-names-its-actions
    Case(
        ACTIONS,
        "typical",
        "every action",
        program(app, role_policy_of(allow_statement("*", "*"))),
        {"app": ("allows *", "statement 1")},
    ),
    Case(
        ACTIONS,
        "typical",
        "a whole service, on one table",
        program(app, notes, role_policy_of(allow_statement(["dynamodb:*"], notes.arn, Sid="Notes"))),
        {"app": ("dynamodb:*", "statement Notes")},
        silent_at_preview=True,
    ),
    Case(
        ACTIONS,
        "variant",
        "in a managed policy, in lower case, one statement alone",
        program(
            managed_policy("shared", policy=json_of(statement={"effect": "Allow", "action": "S3:*", "resource": "*"}))
        ),
        {"shared": "S3:*"},
    ),
    Case(
        ACTIONS,
        "variant",
        "inline in the role",
        program(
            role(
                "app",
                assumeRolePolicy=LAMBDA,
                inlinePolicies=[{"name": "all", "policy": policy(allow_statement("*:*", "*"))}],
            )
        ),
        {"app": "*:*"},
    ),
    Case(
        ACTIONS,
        "variant",
        "beside a statement that is fine, as an object",
        program(
            app,
            role_policy(
                "app",
                role=app.id,
                policy={
                    "Statement": [
                        allow_statement("sqs:SendMessage", UNKNOWN),
                        allow_statement(["sqs:SendMessage", "sns:*"], UNKNOWN),
                    ]
                },
            ),
        ),
        {"app": "sns:*"},
    ),
    Case(
        ACTIONS,
        "variant",
        "in a secret's policy",
        program(secret_policy("s", secretArn="s", policy=policy(allow(ROOT, "secretsmanager:*", "*")))),
        {"s": "secretsmanager:*"},
    ),
    Case(
        ACTIONS,
        "variant",
        "of a user and of a group",
        program(
            user_policy("person", user="u", policy=policy(allow_statement("iam:*", "*"))),
            group_policy("people", group="g", policy=policy(allow_statement("ec2:*", "*"))),
        ),
        {"person": "iam:*", "people": "ec2:*"},
    ),
    Case(
        ACTIONS,
        "variant",
        "in a trust policy, and for a service in a queue's",
        program(
            role("app", assumeRolePolicy=policy({"Effect": "Allow", "Principal": ROOT, "Action": "sts:*"})),
            queue_policy(
                "orders", queueUrl="u", policy=policy(allow({"Service": "events.amazonaws.com"}, "sqs:*", "*"))
            ),
        ),
        {"app": "sts:*", "orders": "sqs:*"},
    ),
    Case(ACTIONS, "compliant", "specific actions", COMPLIANT),
    Case(ACTIONS, "unknown", "the document", program(app, role_policy("app", role=app.id, policy=UNKNOWN))),
    Case(ACTIONS, "unknown", "a secret one", program(app, role_policy("app", role=app.id, policy=Secret(UNKNOWN)))),
    Case(
        ACTIONS,
        "unknown",
        "one inline policy",
        program(role("app", assumeRolePolicy=LAMBDA, inlinePolicies=[{"name": "all", "policy": UNKNOWN}])),
    ),
    Case(
        ACTIONS,
        "near miss",
        "all that begin alike",
        program(app, role_policy_of(allow_statement("s3:Get*", "arn:aws:s3:::b/*"))),
    ),
    Case(
        ACTIONS, "near miss", "denied", program(app, role_policy_of({"Effect": "Deny", "Action": "*", "Resource": "*"}))
    ),
    Case(
        ACTIONS,
        "near miss",
        "a permissions boundary",
        program(
            boundary,
            role(
                "app",
                assumeRolePolicy=LAMBDA,
                permissionsBoundary=boundary.arn,
            ),
        ),
    ),
    Case(
        ACTIONS,
        "near miss",
        "a key's policy, which lets its account in",
        program(make("aws:kms/key:Key")("own", policy=policy(allow(ROOT, "kms:*", "*")))),
    ),
    Case(
        ACTIONS,
        "near miss",
        "a queue's policy as AWS makes it, which lets its account in",
        program(queue_policy("orders", queueUrl="u", policy=policy(allow(ROOT, "SQS:*", "*")))),
    ),
    Case(
        ACTIONS,
        "near miss",
        "another provider's",
        program(make("aws-native:iam:RolePolicy")("app", policyDocument={"Statement": [allow_statement("*", "*")]})),
    ),
    Case(
        ACTIONS,
        "typical",
        "a boundary that is attached as well",
        program(
            app,
            both,
            attachment("both", role=app.name, policyArn=both.arn),
            role(
                "bound",
                assumeRolePolicy=LAMBDA,
                permissionsBoundary=both.arn,
            ),
        ),
        {"both": "allows *"},
    ),
    # --- policy-lists-what-it-allows
    Case(
        LISTS,
        "typical",
        "a NotAction",
        program(app, role_policy_of({"Effect": "Allow", "NotAction": "iam:*", "Resource": "*"})),
        {"app": ("NotAction", "statement 1")},
    ),
    Case(
        LISTS,
        "variant",
        "all but one queue",
        program(
            app,
            role_policy_of(
                allow_statement("sqs:SendMessage", arn("sqs", "a")),
                {"Effect": "Allow", "Action": "sqs:*", "NotResource": "x"},
            ),
        ),
        {"app": ("NotResource", "statement 2")},
    ),
    Case(
        LISTS,
        "variant",
        "in a secret itself, in lower case",
        program(secret("s", policy=json_of(statement=[{"effect": "Allow", "principal": ROOT, "notaction": ["x:y"]}]))),
        {"s": "NotAction"},
    ),
    Case(
        LISTS,
        "variant",
        "in a trust policy",
        program(role("app", assumeRolePolicy=policy({"Effect": "Allow", "Principal": ROOT, "NotAction": "sts:Get*"}))),
        {"app": "NotAction"},
    ),
    Case(LISTS, "compliant", "specific actions and resources", COMPLIANT),
    Case(LISTS, "unknown", "the document", program(app, role_policy("app", role=app.id, policy=UNKNOWN))),
    Case(
        LISTS,
        "near miss",
        "denied: what a guard rail does",
        program(app, role_policy_of({"Effect": "Deny", "NotAction": ["iam:*", "sts:*"], "Resource": "*"})),
    ),
    Case(
        LISTS,
        "near miss",
        "denied elsewhere than in one place",
        program(app, role_policy_of({"Effect": "Deny", "Action": "s3:*", "NotResource": "arn:aws:s3:::b/*"})),
    ),
    # --- passed-role-is-named
    Case(
        PASS,
        "typical",
        "any role to any service",
        program(app, role_policy_of(allow_statement("iam:PassRole", "*"))),
        {"app": ("iam:PassRole",)},
    ),
    Case(
        PASS,
        "typical",
        "one role to any service",
        program(app, role_policy_of(allow_statement("iam:PassRole", f"arn:aws:iam::{ACCOUNT}:role/task"))),
        {"app": "iam:PassedToService"},
    ),
    Case(
        PASS,
        "variant",
        "every role to one service, among others",
        program(
            app,
            role_policy_of(allow_statement(["ecs:RunTask", "iam:passrole"], f"arn:aws:iam::{ACCOUNT}:role/*", PASSED)),
        ),
        {"app": ("any role", "role/*")},
    ),
    Case(
        PASS,
        "variant",
        "under a pattern, with a condition that names nobody",
        program(
            app,
            role_policy_of(
                allow_statement(
                    "iam:Pass*",
                    f"arn:aws:iam::{ACCOUNT}:role/task",
                    {"StringLike": {"iam:PassedToService": "*"}},
                )
            ),
        ),
        {"app": "iam:PassedToService"},
    ),
    Case(
        PASS,
        "compliant",
        "one role to one service",
        program(
            app,
            role("task", assumeRolePolicy=LAMBDA),
            role_policy_of(allow_statement("iam:PassRole", role("task").arn, PASSED)),
        ),
    ),
    Case(PASS, "unknown", "the document", program(app, role_policy("app", role=app.id, policy=UNKNOWN))),
    Case(
        PASS,
        "unknown",
        "which role, and to whom",
        program(
            app,
            role_policy(
                "app",
                role=app.id,
                policy={
                    "Statement": [
                        allow_statement("iam:PassRole", UNKNOWN, {"StringEquals": {"iam:PassedToService": UNKNOWN}}),
                    ]
                },
            ),
        ),
    ),
    Case(
        PASS,
        "near miss",
        "a role in every account, by its name",
        program(app, role_policy_of(allow_statement("iam:PassRole", "arn:aws:iam::*:role/shop/task", PASSED))),
    ),
    Case(
        PASS,
        "near miss",
        "denied",
        program(app, role_policy_of({"Effect": "Deny", "Action": "iam:PassRole", "Resource": "*"})),
    ),
    Case(
        PASS,
        "near miss",
        "all of IAM, which another rule is about",
        program(app, role_policy_of(allow_statement("iam:*", "*"))),
    ),
    Case(
        PASS, "near miss", "other actions on roles", program(app, role_policy_of(allow_statement("iam:GetRole", "*")))
    ),
]
