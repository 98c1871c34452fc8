"""Cases of the rules about policy resources that match a whole type."""

from tests.policies.cases.identity_resources import (
    COMPLIANT,
    RESOURCES,
    TAGGED,
    WHOLE,
    allow_statement,
    app,
    arn,
    role_policy_of,
)
from tests.policies.programs import ACCOUNT, REGION, UNKNOWN, Case, policy, program, role_policy

CASES = [
    # --- policy-covers-no-whole-type
    Case(
        WHOLE,
        "typical",
        "writing to every table",
        program(app, role_policy_of(allow_statement("dynamodb:PutItem", arn("dynamodb", "table/*")))),
        {"app": ("every dynamodb table", "table/*")},
    ),
    Case(
        WHOLE,
        "variant",
        "every log group of every account",
        program(
            app, role_policy_of(allow_statement(["logs:CreateLogGroup", "logs:PutLogEvents"], "arn:aws:logs:*:*:*"))
        ),
        {"app": "arn:aws:logs:*:*:*"},
    ),
    Case(
        WHOLE,
        "variant",
        "every bucket and all in it",
        program(app, role_policy_of(allow_statement("s3:GetObject", ["arn:aws:s3:::mine/*", "arn:aws:s3:::*/*"]))),
        {"app": "arn:aws:s3:::*/*"},
    ),
    Case(
        WHOLE,
        "variant",
        "the value of every secret",
        program(
            app,
            role_policy_of(
                allow_statement(
                    ["secretsmanager:DescribeSecret", "secretsmanager:GetSecretValue"],
                    arn("secretsmanager", "secret:*"),
                )
            ),
        ),
        {"app": "every secretsmanager secret"},
    ),
    Case(
        WHOLE,
        "variant",
        "every role, and a service that the reference does not have",
        program(
            app,
            role_policy_of(
                allow_statement("sts:AssumeRole", f"arn:aws:iam::{ACCOUNT}:role/*"),
                allow_statement("new:Do", arn("new", "thing/*")),
            ),
        ),
        {"app": "on every"},
    ),
    Case(
        WHOLE,
        "typical",
        "what is allowed no more",
        program(
            app, role_policy_of(allow_statement("secretsmanager:DescribeSecret", arn("secretsmanager", "secret:*")))
        ),
        {"app": "secret:*"},
        config={"allowedActions": []},
    ),
    Case(WHOLE, "compliant", "specific resources", COMPLIANT),
    Case(WHOLE, "unknown", "the document", program(app, role_policy("app", role=app.id, policy=UNKNOWN))),
    *(
        Case(WHOLE, "near miss", what, program(app, role_policy_of(allow_statement(action, resource))))
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
        program(app, role_policy_of(allow_statement("ec2:StopInstances", arn("ec2", "instance/*"), TAGGED))),
    ),
    Case(
        WHOLE,
        "near miss",
        "secrets that this function rotates, as AWS's own template has it",
        program(
            app,
            role_policy_of(
                allow_statement(
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
        program(app, role_policy_of(allow_statement("kms:Decrypt", arn("kms", "key/*")))),
        config={"allowedResources": ["arn:aws:kms:*:key/*"]},
    ),
    Case(
        WHOLE,
        "variant",
        "types that the actions are about, in the order of the actions",
        program(
            app,
            role_policy("logs", role=app.id, policy=policy(allow_statement("logs:PutLogEvents", "arn:aws:logs:*:*:*"))),
            role_policy(
                "calls", role=app.id, policy=policy(allow_statement("lambda:InvokeFunction", arn("lambda", "*")))
            ),
            role_policy("reads", role=app.id, policy=policy(allow_statement("ssm:GetParameter", arn("ssm", "*")))),
            role_policy("sends", role=app.id, policy=policy(allow_statement("events:PutEvents", arn("events", "*")))),
            role_policy(
                "starts", role=app.id, policy=policy(allow_statement("states:StartExecution", arn("states", "*")))
            ),
            role_policy(
                "secrets",
                role=app.id,
                policy=policy(allow_statement("secretsmanager:GetSecretValue", "arn:aws:secretsm*")),
            ),
            role_policy(
                "both",
                role=app.id,
                policy=policy(
                    allow_statement(["sqs:SendMessage", "sns:Publish"], [arn("sqs", "orders"), arn("sns", "*")])
                ),
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
        Case(
            WHOLE,
            "near miss",
            f"{action}, whose {what} has no name yet",
            program(app, role_policy_of(allow_statement(action, resource))),
        )
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
        Case(
            WHOLE,
            "near miss",
            f"{action}, which takes stock",
            program(app, role_policy_of(allow_statement(action, resource))),
        )
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
        program(app, role_policy_of(allow_statement("sqs:SendMessage", [arn("sqs", "orders"), arn("sns", "*")]))),
    ),
    *(
        Case(
            WHOLE,
            "variant",
            f"{action}, whose resource has a name",
            program(app, role_policy_of(allow_statement(action, resource))),
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
        program(app, role_policy_of(allow_statement("s3:*", "*"))),
    ),
]
