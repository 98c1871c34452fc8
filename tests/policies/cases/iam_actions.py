"""Cases of the rule about actions that do not exist, in every kind of policy."""

from tests.policies.programs import (
    ACCOUNT,
    REGION,
    UNKNOWN,
    Case,
    allow,
    concat,
    make,
    permission,
    policy,
    program,
    queue,
    queue_policy,
    role,
    role_policy,
    table,
)

managed_policy = make("aws:iam/policy:Policy")
user = make("aws:iam/user:User")
bucket_policy = make("aws:s3/bucketPolicy:BucketPolicy")

LAMBDA = policy({"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"})
app = role("app", assumeRolePolicy=LAMBDA)
orders = queue("orders")
notes = table("notes")
ROOT = {"AWS": f"arn:aws:iam::{ACCOUNT}:root"}


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

EXIST = "actions-exist"


CASES = [
    # --- actions-exist
    Case(
        EXIST,
        "typical",
        "a misspelled action",
        program(app, role_policy_of(allow_statement("sqs:SendMesage", arn("sqs", "a")))),
        {"app": ("sqs:SendMesage", "did you mean SendMessage? Set Action")},
    ),
    Case(
        EXIST,
        "variant",
        "what the API has, and IAM has not",
        program(app, role_policy_of(allow_statement(["s3:ListObjects", "s3:GetObject"], "arn:aws:s3:::b"))),
        {"app": "s3:ListObjects, which does not exist"},
    ),
    Case(
        EXIST,
        "variant",
        "a pattern that matches nothing, in a queue's policy",
        program(orders, queue_policy("orders", queueUrl="u", policy=policy(allow(ROOT, "sqs:Recieve*", "*")))),
        {"orders": "matches no action"},
    ),
    Case(
        EXIST,
        "variant",
        "another service, denied",
        program(app, role_policy_of({"Effect": "Deny", "Action": "secretmanager:GetSecretValue", "Resource": "*"})),
        {"app": "did you mean secretsmanager?"},
    ),
    Case(
        EXIST,
        "variant",
        "no service, and of a permission",
        program(
            app,
            role_policy_of(allow_statement("SendMessage", "*")),
            permission("p", action="lambda:Invoke", principal="x"),
        ),
        {"app": "is not of the form service:action", "p": "lambda:Invoke"},
    ),
    Case(
        EXIST,
        "variant",
        "in a trust policy",
        program(role("app", assumeRolePolicy=policy({**allow({"Service": "x"}, "sts:AsumeRole", "*")}))),
        {"app": "did you mean AssumeRole?"},
    ),
    Case(
        EXIST,
        "variant",
        "among those that are left out",
        program(app, role_policy_of({"Effect": "Deny", "NotAction": ["iam:*", "sts:AsumeRole"], "Resource": "*"})),
        {"app": "sts:AsumeRole"},
    ),
    Case(
        EXIST,
        "variant",
        "in the policy of a repository",
        program(
            make("aws:ecr/repositoryPolicy:RepositoryPolicy")(
                "r", repository="r", policy=policy({"Effect": "Allow", "Principal": ROOT, "Action": "ecr:PullImage"})
            )
        ),
        {"r": "ecr:PullImage"},
    ),
    Case(EXIST, "compliant", "existing actions", COMPLIANT),
    Case(EXIST, "unknown", "the document", program(app, role_policy("app", role=app.id, policy=UNKNOWN))),
    Case(
        EXIST,
        "unknown",
        "one action of several",
        program(
            app, role_policy("app", role=app.id, policy={"Statement": [allow_statement([UNKNOWN, "sqs:Nothing"], "*")]})
        ),
    ),
    Case(
        EXIST,
        "near miss",
        "in another case, and patterns",
        program(app, role_policy_of(allow_statement(["SQS:sendmessage", "s3:Get*", "dynamodb:*Item", "*"], "*"))),
    ),
    Case(
        EXIST,
        "near miss",
        "what AWS itself writes into a topic's policy",
        program(
            make("aws:sns/topicPolicy:TopicPolicy")(
                "t", arn="t", policy=policy(allow(ROOT, ["SNS:Publish", "SNS:Receive"], "*"))
            )
        ),
    ),
    Case(
        EXIST,
        "near miss",
        "a function's permission, and a bucket's",
        program(
            permission("p", action="lambda:InvokeFunctionUrl", principal=ACCOUNT),
            bucket_policy("b", bucket="b", policy=policy(allow(ROOT, "s3:PutObject", "*"))),
        ),
    ),
]
