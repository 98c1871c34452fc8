"""What the rules have to say about the resources that roles, users and groups may take them on."""

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


def may(action: object, resource: object, condition: object = None, **more: object) -> dict:
    """One statement of an identity's policy."""
    given = {"Effect": "Allow", "Action": action, "Resource": resource, **more}
    return {**given, "Condition": condition} if condition else given


def grants(*statements: dict):
    """A role's policy of these statements."""
    return role_policy("app", role=app.id, policy=policy(*statements))


def arn(service: str, rest: str, account: str = ACCOUNT) -> str:
    return f"arn:aws:{service}:{REGION}:{account}:{rest}"


COMPLIANT = program(
    app,
    orders,
    notes,
    grants(
        may(["sqs:SendMessage", "sqs:GetQueueAttributes"], orders.arn),
        may(["dynamodb:Query", "dynamodb:PutItem"], [notes.arn, concat(notes.arn, "/index/*")]),
        may("xray:PutTraceSegments", "*"),
    ),
)

RESOURCES, WHOLE = "policy-names-its-resources", "policy-covers-no-whole-type"
ALONE = "actions-without-resources-stand-alone"
STOCK = "inventory-names-its-type"


CASES = [
    # --- policy-names-its-resources
    Case(
        RESOURCES,
        "plain",
        "any queue",
        program(app, grants(may("sqs:SendMessage", "*"))),
        {"app": ("sqs:SendMessage", "Resource *")},
    ),
    Case(
        RESOURCES,
        "wild",
        "one that can be held among those that cannot",
        program(app, grants(may(["secretsmanager:ListSecrets", "secretsmanager:GetSecretValue"], ["*"]))),
        {"app": "allows secretsmanager:GetSecretValue on every"},
    ),
    Case(
        RESOURCES,
        "wild",
        "an ARN and * beside it",
        program(app, grants(may("lambda:InvokeFunction", [arn("lambda", "function:f"), "*"]))),
        {"app": "lambda:InvokeFunction"},
    ),
    Case(
        RESOURCES,
        "wild",
        "several under a pattern",
        program(app, grants(may("DynamoDB:Put*", "*"))),
        {"app": "DynamoDB:Put*"},
    ),
    Case(
        RESOURCES,
        "wild",
        "under a condition that says nothing of which",
        program(app, grants(may("s3:GetObject", "*", {"StringEquals": {"aws:RequestedRegion": REGION}}))),
        {"app": "s3:GetObject"},
    ),
    Case(
        RESOURCES,
        "wild",
        "held by a tag, whatever it says",
        program(app, grants(may("s3:GetObject", "*", {"StringLike": {"aws:ResourceTag/team": "*"}}))),
        {"app": "s3:GetObject"},
    ),
    Case(RESOURCES, "compliant", "by ARN", COMPLIANT),
    Case(RESOURCES, "unknown", "the document", program(app, role_policy("app", role=app.id, policy=UNKNOWN))),
    Case(
        RESOURCES,
        "unknown",
        "the resource, in an object",
        program(app, role_policy("app", role=app.id, policy={"Statement": [may("sqs:SendMessage", UNKNOWN)]})),
    ),
    *(
        Case(RESOURCES, "near miss", f"{action}, which has no resources", program(app, grants(may(action, "*"))))
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
    Case(RESOURCES, "near miss", "held by a tag", program(app, grants(may("ec2:StopInstances", "*", TAGGED)))),
    Case(
        RESOURCES,
        "near miss",
        "a key by the service it is used through",
        program(
            app,
            grants(may("kms:Decrypt", "*", {"StringEquals": {"kms:ViaService": f"sqs.{REGION}.amazonaws.com"}})),
        ),
    ),
    Case(
        RESOURCES,
        "near miss",
        "a role by its service, an address by its name, a key by what it encrypts",
        program(
            app,
            grants(
                may("iam:CreateServiceLinkedRole", "*", {"StringEquals": {"iam:AWSServiceName": "ecs.amazonaws.com"}}),
                may("ses:SendEmail", "*", {"StringEquals": {"ses:FromAddress": "orders@shop.example"}}),
                may("kms:Decrypt", "*", {"StringEquals": {"kms:EncryptionContext:SecretARN": arn("x", "secret:a")}}),
            ),
        ),
    ),
    Case(
        RESOURCES,
        "near miss",
        "denied everywhere",
        program(app, grants({"Effect": "Deny", "Action": "s3:PutObject", "Resource": "*"})),
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
        "plain",
        "listing on one secret",
        program(app, grants(may("secretsmanager:ListSecrets", arn("secretsmanager", "secret:db-1a2b3c")))),
        {"app": ("secretsmanager:ListSecrets", "allows nothing", "Set Resource to *")},
    ),
    Case(
        ALONE,
        "wild",
        "among those that are about a bucket",
        program(app, grants(may(["s3:GetObject", "s3:ListAllMyBuckets"], ["arn:aws:s3:::b", "arn:aws:s3:::b/*"]))),
        {"app": "allows s3:ListAllMyBuckets on"},
    ),
    Case(
        ALONE,
        "wild",
        "traces of one function, whose ARN is known in the end",
        program(
            app,
            function("f"),
            grants(may(["lambda:InvokeFunction", "xray:PutTraceSegments"], function("f").arn)),
        ),
        {"app": "xray:PutTraceSegments"},
        silent_at_preview=True,
    ),
    Case(ALONE, "compliant", "apart", COMPLIANT),
    Case(ALONE, "unknown", "the document", program(app, role_policy("app", role=app.id, policy=UNKNOWN))),
    Case(
        ALONE,
        "unknown",
        "the resource, in an object",
        program(
            app, role_policy("app", role=app.id, policy={"Statement": [may("ecr:GetAuthorizationToken", UNKNOWN)]})
        ),
    ),
    Case(
        ALONE,
        "near miss",
        "on all of a service here, which some take for *",
        program(app, grants(may("ssm:DescribeParameters", arn("ssm", "*")))),
    ),
    Case(
        ALONE,
        "near miss",
        "a call by HTTP, which Step Functions holds to a state machine",
        program(app, grants(may("states:InvokeHTTPEndpoint", arn("states", "stateMachine:orders")))),
    ),
    Case(
        ALONE,
        "near miss",
        "one that may have a resource, and has",
        program(app, grants(may("cloudwatch:PutMetricData", arn("cloudwatch", "dataset/d")))),
    ),
    Case(
        ALONE,
        "near miss",
        "a pattern that takes in some without",
        program(app, grants(may("secretsmanager:List*", arn("secretsmanager", "secret:db-1a2b3c")))),
    ),
    # --- policy-covers-no-whole-type
    Case(
        WHOLE,
        "plain",
        "every table",
        program(app, grants(may("dynamodb:PutItem", arn("dynamodb", "table/*")))),
        {"app": ("every dynamodb table", "table/*")},
    ),
    Case(
        WHOLE,
        "wild",
        "every log group of every account",
        program(app, grants(may(["logs:CreateLogGroup", "logs:PutLogEvents"], "arn:aws:logs:*:*:*"))),
        {"app": "arn:aws:logs:*:*:*"},
    ),
    Case(
        WHOLE,
        "wild",
        "every bucket and all in it",
        program(app, grants(may("s3:GetObject", ["arn:aws:s3:::mine/*", "arn:aws:s3:::*/*"]))),
        {"app": "arn:aws:s3:::*/*"},
    ),
    Case(
        WHOLE,
        "wild",
        "the value of every secret",
        program(
            app,
            grants(
                may(
                    ["secretsmanager:DescribeSecret", "secretsmanager:GetSecretValue"],
                    arn("secretsmanager", "secret:*"),
                )
            ),
        ),
        {"app": "every secretsmanager secret"},
    ),
    Case(
        WHOLE,
        "wild",
        "every role, and a service that the reference does not have",
        program(
            app,
            grants(may("sts:AssumeRole", f"arn:aws:iam::{ACCOUNT}:role/*"), may("new:Do", arn("new", "thing/*"))),
        ),
        {"app": "on every"},
    ),
    Case(
        WHOLE,
        "plain",
        "what is allowed no more",
        program(app, grants(may("secretsmanager:DescribeSecret", arn("secretsmanager", "secret:*")))),
        {"app": "secret:*"},
        config={"allowedActions": []},
    ),
    Case(WHOLE, "compliant", "by name", COMPLIANT),
    Case(WHOLE, "unknown", "the document", program(app, role_policy("app", role=app.id, policy=UNKNOWN))),
    *(
        Case(WHOLE, "near miss", what, program(app, grants(may(action, resource))))
        for what, action, resource in (
            ("the indices of one table", "dynamodb:Query", arn("dynamodb", "table/notes/index/*")),
            ("all in one bucket", "s3:GetObject", "arn:aws:s3:::mine/*"),
            ("the beginning of a name", "secretsmanager:GetSecretValue", arn("secretsmanager", "secret:shop/*")),
            ("the streams of one log group", "logs:PutLogEvents", arn("logs", "log-group:/aws/lambda/f:*")),
            ("executions of one machine", "states:DescribeExecution", arn("states", "execution:orders:*")),
            ("parameters under a path", "ssm:GetParameter", arn("ssm", "parameter/shop/*")),
            ("one name in every Region", "sqs:SendMessage", "arn:aws:sqs:*:*:orders"),
            ("taking stock of secrets", "secretsmanager:DescribeSecret", arn("secretsmanager", "secret:*")),
            ("what has no name yet", "ssm:GetAutomationExecution", arn("ssm", "automation-execution/*")),
        )
    ),
    Case(
        WHOLE,
        "near miss",
        "held by a tag",
        program(app, grants(may("ec2:StopInstances", arn("ec2", "instance/*"), TAGGED))),
    ),
    Case(
        WHOLE,
        "near miss",
        "secrets that this function rotates, as AWS's own template has it",
        program(
            app,
            grants(
                may(
                    "secretsmanager:PutSecretValue",
                    arn("secretsmanager", "secret:*"),
                    {"StringEquals": {"secretsmanager:resource/AllowRotationLambdaArn": arn("lambda", "function:f")}},
                )
            ),
        ),
    ),
    Case(
        WHOLE,
        "near miss",
        "configured",
        program(app, grants(may("kms:Decrypt", arn("kms", "key/*")))),
        config={"allowedResources": ["arn:aws:kms:*:key/*"]},
    ),
    Case(
        WHOLE,
        "wild",
        "types that the actions are about, in the order of the actions",
        program(
            app,
            role_policy("logs", role=app.id, policy=policy(may("logs:PutLogEvents", "arn:aws:logs:*:*:*"))),
            role_policy("calls", role=app.id, policy=policy(may("lambda:InvokeFunction", arn("lambda", "*")))),
            role_policy("reads", role=app.id, policy=policy(may("ssm:GetParameter", arn("ssm", "*")))),
            role_policy("sends", role=app.id, policy=policy(may("events:PutEvents", arn("events", "*")))),
            role_policy("starts", role=app.id, policy=policy(may("states:StartExecution", arn("states", "*")))),
            role_policy(
                "secrets", role=app.id, policy=policy(may("secretsmanager:GetSecretValue", "arn:aws:secretsm*"))
            ),
            role_policy(
                "both",
                role=app.id,
                policy=policy(may(["sqs:SendMessage", "sns:Publish"], [arn("sqs", "orders"), arn("sns", "*")])),
            ),
        ),
        {
            "logs": "every logs log-stream",
            "calls": "every lambda function",
            "reads": "every ssm parameter",
            "sends": "every events event-bus",
            "starts": "every states statemachine",
            "secrets": "every secretsmanager secret",
            "both": "allows sns:Publish on every sns topic",
        },
    ),
    *(
        Case(WHOLE, "near miss", f"{action}, whose {what} has no name yet", program(app, grants(may(action, resource))))
        for action, what, resource in (
            ("route53:GetChange", "change", "arn:aws:route53:::change/*"),
            ("ec2:CreateSnapshot", "snapshot", f"arn:aws:ec2:{REGION}::snapshot/*"),
            ("ec2:RunInstances", "instance", arn("ec2", "instance/*")),
            ("ec2:CreateImage", "image", f"arn:aws:ec2:{REGION}::image/*"),
            ("ec2:AttachVolume", "volume", arn("ec2", "volume/*")),
            ("lambda:UpdateEventSourceMapping", "mapping", arn("lambda", "event-source-mapping:*")),
            ("batch:TerminateJob", "job", arn("batch", "job/*")),
            ("backup:DeleteRecoveryPoint", "recovery point", arn("backup", "recovery-point:*")),
            ("ssm:TerminateSession", "session", arn("ssm", "session/*")),
        )
    ),
    *(
        Case(WHOLE, "near miss", f"{action}, which takes stock", program(app, grants(may(action, resource))))
        for action, resource in (
            ("s3:ListBucket", "arn:aws:s3:::*"),
            ("dynamodb:DescribeTable", arn("dynamodb", "table/*")),
            ("sqs:GetQueueAttributes", arn("sqs", "*")),
        )
    ),
    Case(
        WHOLE,
        "near miss",
        "ARNs of a service whose actions are not allowed",
        program(app, grants(may("sqs:SendMessage", [arn("sqs", "orders"), arn("sns", "*")]))),
    ),
    *(
        Case(
            WHOLE,
            "wild",
            f"{action}, whose resource has a name",
            program(app, grants(may(action, resource))),
            {"app": "on every"},
        )
        for action, resource in (
            ("kms:Decrypt", arn("kms", "key/*")),
            ("ec2:RunInstances", arn("ec2", "subnet/*")),
            ("route53:ChangeResourceRecordSets", "arn:aws:route53:::hostedzone/*"),
            ("ecs:StopTask", arn("ecs", "task/*")),
        )
    ),
    Case(
        RESOURCES,
        "near miss",
        "a whole service, of which another rule speaks",
        program(app, grants(may("s3:*", "*"))),
    ),
    # --- optional resources
    *(
        Case(RESOURCES, "near miss", f"{action}, which may do without", program(app, grants(may(action, "*"))))
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
            "wild",
            f"{action}, of one type or another",
            program(app, grants(may(action, "*"))),
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
        "wild",
        "jobs, which have no names yet",
        program(app, grants(may("batch:TerminateJob", "*"))),
        {"app": "Set Resource to arn:aws:batch:*:*:job/*"},
    ),
    # --- inventory-names-its-type
    Case(
        STOCK,
        "plain",
        "every table",
        program(app, grants(may("dynamodb:DescribeTable", "*"))),
        {"app": ("dynamodb:DescribeTable", "the ARN of the type")},
    ),
    Case(
        STOCK,
        "wild",
        "among actions that have no resources",
        program(app, grants(may(["s3:ListAllMyBuckets", "s3:ListBucket", "s3:GetObject"], "*"))),
        {"app": "allows s3:ListBucket on"},
    ),
    Case(
        STOCK,
        "compliant",
        "their type",
        program(app, grants(may("dynamodb:DescribeTable", arn("dynamodb", "table/*")))),
    ),
    Case(STOCK, "unknown", "the document", program(app, role_policy("app", role=app.id, policy=UNKNOWN))),
    Case(
        STOCK, "near miss", "what has no resources", program(app, grants(may(["ec2:Describe*", "sqs:ListQueues"], "*")))
    ),
]
