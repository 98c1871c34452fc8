"""Cases of the rules about resources in identity policies."""

from tests.policies.programs import (
    ACCOUNT,
    REGION,
    UNKNOWN,
    Case,
    allow,
    concat,
    function,
    make,
    policy,
    program,
    queue,
    queue_policy,
    role,
    role_policy,
    table,
)

user = make("aws:iam/user:User")

LAMBDA = policy({"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"})
app = role("app", assumeRolePolicy=LAMBDA)
orders = queue("orders")
notes = table("notes")
ROOT = {"AWS": f"arn:aws:iam::{ACCOUNT}:root"}
TAGGED = {"StringEquals": {"aws:ResourceTag/team": "shop"}}


def allow_statement(action: object, resource: object, condition: object = None, **more: object) -> dict:
    """One statement of an identity's policy."""
    statement = {"Effect": "Allow", "Action": action, "Resource": resource, **more}
    return {**statement, "Condition": condition} if condition else statement


def role_policy_of(*statements: dict):
    """A role's policy of these statements."""
    return role_policy("app", role=app.id, policy=policy(*statements))


def arn(service: str, rest: str, account: str = ACCOUNT) -> str:
    return f"arn:aws:{service}:{REGION}:{account}:{rest}"


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

RESOURCES, WHOLE = "policy-names-its-resources", "policy-covers-no-whole-type"
ALONE = "actions-without-resources-stand-alone"
STOCK = "inventory-names-its-type"


CASES = [
    # --- policy-names-its-resources
    Case(
        RESOURCES,
        "typical",
        "sending to any queue",
        program(app, role_policy_of(allow_statement("sqs:SendMessage", "*"))),
        {"app": ("sqs:SendMessage", "Resource *")},
    ),
    Case(
        RESOURCES,
        "variant",
        "one that can be held among those that cannot",
        program(
            app, role_policy_of(allow_statement(["secretsmanager:ListSecrets", "secretsmanager:GetSecretValue"], ["*"]))
        ),
        {"app": "allows secretsmanager:GetSecretValue on every"},
    ),
    Case(
        RESOURCES,
        "variant",
        "an ARN and * beside it",
        program(app, role_policy_of(allow_statement("lambda:InvokeFunction", [arn("lambda", "function:f"), "*"]))),
        {"app": "lambda:InvokeFunction"},
    ),
    Case(
        RESOURCES,
        "variant",
        "several under a pattern",
        program(app, role_policy_of(allow_statement("DynamoDB:Put*", "*"))),
        {"app": "DynamoDB:Put*"},
    ),
    Case(
        RESOURCES,
        "variant",
        "under a condition that says nothing of which",
        program(
            app, role_policy_of(allow_statement("s3:GetObject", "*", {"StringEquals": {"aws:RequestedRegion": REGION}}))
        ),
        {"app": "s3:GetObject"},
    ),
    Case(
        RESOURCES,
        "variant",
        "held by a tag, whatever it says",
        program(
            app, role_policy_of(allow_statement("s3:GetObject", "*", {"StringLike": {"aws:ResourceTag/team": "*"}}))
        ),
        {"app": "s3:GetObject"},
    ),
    Case(RESOURCES, "compliant", "sending to one queue", COMPLIANT),
    Case(RESOURCES, "unknown", "the document", program(app, role_policy("app", role=app.id, policy=UNKNOWN))),
    Case(
        RESOURCES,
        "unknown",
        "the resource, in an object",
        program(
            app, role_policy("app", role=app.id, policy={"Statement": [allow_statement("sqs:SendMessage", UNKNOWN)]})
        ),
    ),
    *(
        Case(
            RESOURCES,
            "near miss",
            f"{action}, which has no resources",
            program(app, role_policy_of(allow_statement(action, "*"))),
        )
        for action in (
            "ecr:GetAuthorizationToken",
            "secretsmanager:GetRandomPassword",
            "cloudwatch:PutMetricData",
            "logs:CreateLogDelivery",
            "sts:GetCallerIdentity",
            "s3:ListAllMyBuckets",
            "ec2:Describe*",
            "autoscaling:Describe*",
        )
    ),
    Case(
        RESOURCES,
        "near miss",
        "held by a tag",
        program(app, role_policy_of(allow_statement("ec2:StopInstances", "*", TAGGED))),
    ),
    Case(
        RESOURCES,
        "near miss",
        "a key by the service it is used through",
        program(
            app,
            role_policy_of(
                allow_statement("kms:Decrypt", "*", {"StringEquals": {"kms:ViaService": f"sqs.{REGION}.amazonaws.com"}})
            ),
        ),
    ),
    Case(
        RESOURCES,
        "near miss",
        "a role by its service, an address by its name, a key by what it encrypts",
        program(
            app,
            role_policy_of(
                allow_statement(
                    "iam:CreateServiceLinkedRole", "*", {"StringEquals": {"iam:AWSServiceName": "ecs.amazonaws.com"}}
                ),
                allow_statement("ses:SendEmail", "*", {"StringEquals": {"ses:FromAddress": "orders@shop.example"}}),
                allow_statement(
                    "kms:Decrypt", "*", {"StringEquals": {"kms:EncryptionContext:SecretARN": arn("x", "secret:a")}}
                ),
            ),
        ),
    ),
    Case(
        RESOURCES,
        "near miss",
        "denied everywhere",
        program(app, role_policy_of({"Effect": "Deny", "Action": "s3:PutObject", "Resource": "*"})),
    ),
    Case(
        RESOURCES,
        "near miss",
        "a queue's policy, where * is the queue",
        program(
            orders, queue_policy("orders", queueUrl=orders.url, policy=policy(allow(ROOT, "sqs:SendMessage", "*")))
        ),
    ),
    # --- actions-without-resources-stand-alone
    Case(
        ALONE,
        "typical",
        "an action without resource-level permissions on one secret",
        program(
            app,
            role_policy_of(allow_statement("secretsmanager:ListSecrets", arn("secretsmanager", "secret:db-1a2b3c"))),
        ),
        {"app": ("secretsmanager:ListSecrets", "has no effect", "Set Resource to *")},
    ),
    Case(
        ALONE,
        "variant",
        "among those that are about a bucket",
        program(
            app,
            role_policy_of(
                allow_statement(["s3:GetObject", "s3:ListAllMyBuckets"], ["arn:aws:s3:::b", "arn:aws:s3:::b/*"])
            ),
        ),
        {"app": "allows s3:ListAllMyBuckets on"},
    ),
    Case(
        ALONE,
        "variant",
        "traces of one function, whose ARN is known in the end",
        program(
            app,
            function("f"),
            role_policy_of(allow_statement(["lambda:InvokeFunction", "xray:PutTraceSegments"], function("f").arn)),
        ),
        {"app": "xray:PutTraceSegments"},
        silent_at_preview=True,
    ),
    Case(ALONE, "compliant", "the action in a statement of its own", COMPLIANT),
    Case(ALONE, "unknown", "the document", program(app, role_policy("app", role=app.id, policy=UNKNOWN))),
    Case(
        ALONE,
        "unknown",
        "the resource, in an object",
        program(
            app,
            role_policy(
                "app", role=app.id, policy={"Statement": [allow_statement("ecr:GetAuthorizationToken", UNKNOWN)]}
            ),
        ),
    ),
    Case(
        ALONE,
        "near miss",
        "on all of a service here, which some take for *",
        program(app, role_policy_of(allow_statement("ssm:DescribeParameters", arn("ssm", "*")))),
    ),
    Case(
        ALONE,
        "near miss",
        "a call by HTTP, which Step Functions holds to a state machine",
        program(
            app, role_policy_of(allow_statement("states:InvokeHTTPEndpoint", arn("states", "stateMachine:orders")))
        ),
    ),
    Case(
        ALONE,
        "near miss",
        "one that may have a resource, and has",
        program(app, role_policy_of(allow_statement("cloudwatch:PutMetricData", arn("cloudwatch", "dataset/d")))),
    ),
    Case(
        ALONE,
        "near miss",
        "a pattern that takes in some without",
        program(
            app, role_policy_of(allow_statement("secretsmanager:List*", arn("secretsmanager", "secret:db-1a2b3c")))
        ),
    ),
    # --- optional resources
    *(
        Case(
            RESOURCES,
            "near miss",
            f"{action}, which may do without",
            program(app, role_policy_of(allow_statement(action, "*"))),
        )
        for action in (
            "translate:TranslateText",
            "translate:StartTextTranslationJob",
            "cloudformation:GetTemplateSummary",
            "ses:BatchGetMetricData",
            "sms-voice:SendTextMessage",
            "rds:DescribePendingMaintenanceActions",
        )
    ),
    *(
        Case(
            RESOURCES,
            "variant",
            f"{action}, of one type or another",
            program(app, role_policy_of(allow_statement(action, "*"))),
            {"app": action},
        )
        for action in (
            "s3:PutObject",
            "lambda:TagResource",
            "execute-api:Invoke",
            "ssm:StartSession",
            "apigateway:PATCH",
            "lambda:DeleteProvisionedConcurrencyConfig",
        )
    ),
    Case(
        RESOURCES,
        "variant",
        "jobs, which have no names yet",
        program(app, role_policy_of(allow_statement("batch:TerminateJob", "*"))),
        {"app": "Set Resource to arn:aws:batch:*:*:job/*"},
    ),
    # --- inventory-names-its-type
    Case(
        STOCK,
        "typical",
        "describing on every resource",
        program(app, role_policy_of(allow_statement("dynamodb:DescribeTable", "*"))),
        {"app": ("dynamodb:DescribeTable", "the ARN of the type")},
    ),
    Case(
        STOCK,
        "variant",
        "among actions that have no resources",
        program(app, role_policy_of(allow_statement(["s3:ListAllMyBuckets", "s3:ListBucket", "s3:GetObject"], "*"))),
        {"app": "allows s3:ListBucket on"},
    ),
    Case(
        STOCK,
        "compliant",
        "describing on every table",
        program(app, role_policy_of(allow_statement("dynamodb:DescribeTable", arn("dynamodb", "table/*")))),
    ),
    Case(STOCK, "unknown", "the document", program(app, role_policy("app", role=app.id, policy=UNKNOWN))),
    Case(
        STOCK,
        "near miss",
        "what has no resources",
        program(app, role_policy_of(allow_statement(["ec2:Describe*", "sqs:ListQueues"], "*"))),
    ),
]
