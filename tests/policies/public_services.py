"""Public programs that serve somebody: partners, visitors, deployments, people on call."""

import json

from tests.policies.programs import (
    ACCOUNT,
    REGION,
    Made,
    allow,
    event_rule,
    event_target,
    invoke_config,
    json_of,
    metric_alarm,
    permission,
    policy,
    role,
    role_policy,
    secret,
    subscription,
    topic,
    topic_policy,
)
from tests.policies.public_parts import (
    HERE,
    PARTNER,
    allow_senders,
    bucket,
    bucket_policy,
    function_url,
    grant,
    make_dead_letters,
    make_key,
    make_table,
    make_worker,
    rotation,
    secret_policy,
)


def order_api() -> tuple[Made, ...]:
    """A partner's account orders by the URL of a function, which keeps the orders in a table."""
    orders = make_table("orders")
    ordering = make_worker("ordering", grant(["dynamodb:PutItem", "dynamodb:GetItem"], orders.arn))
    return (
        orders,
        *ordering,
        function_url("ordering", functionName=ordering[0].name, authorizationType="AWS_IAM"),
        permission(
            "ordering-partner",
            function=ordering[0].name,
            action="lambda:InvokeFunctionUrl",
            principal=PARTNER,
            functionUrlAuthType="AWS_IAM",
        ),
    )


def deployment_by_github() -> tuple[Made, ...]:
    """One environment of one repository deploys a site and a function."""
    host = "token.actions.githubusercontent.com"
    claims = {f"{host}:aud": "sts.amazonaws.com", f"{host}:sub": "repo:acme/shop:environment:production"}
    trust = {
        "Effect": "Allow",
        "Principal": {"Federated": f"arn:aws:iam::{ACCOUNT}:oidc-provider/{host}"},
        "Action": "sts:AssumeRoleWithWebIdentity",
        "Condition": {"StringEquals": claims},
    }
    deployer = role("deployer", name="deployer", assumeRolePolicy=policy(trust))
    passing = {"StringEquals": {"iam:PassedToService": "lambda.amazonaws.com"}}
    return (
        deployer,
        role_policy(
            "deployer",
            role=deployer.name,
            policy=policy(
                grant(["s3:PutObject", "s3:DeleteObject"], "arn:aws:s3:::acme-site/*"),
                grant("s3:ListBucket", "arn:aws:s3:::acme-site"),
                grant("cloudfront:CreateInvalidation", f"arn:aws:cloudfront::{ACCOUNT}:distribution/E1ABCDEFGHIJKL"),
                grant("lambda:UpdateFunctionCode", f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:ordering"),
                {**grant("iam:PassRole", f"arn:aws:iam::{ACCOUNT}:role/ordering"), "Condition": passing},
            ),
        ),
    )


def reader_of_another_account() -> tuple[Made, ...]:
    """A partner reads reports: by a role, and by the policies of the bucket and its key."""
    partner = {"AWS": f"arn:aws:iam::{PARTNER}:role/reporting"}
    trust = policy({"Effect": "Allow", "Principal": partner, "Action": "sts:AssumeRole"})
    reader = role("partner-reader", name="partner-reader", assumeRolePolicy=trust)
    shared = bucket("shared", bucket="acme-shared")
    everybody = {"Effect": "Deny", "Principal": "*", "Action": "s3:*"}
    own_key = make_key("shared", allow(partner, ["kms:Decrypt", "kms:DescribeKey"], "*"))
    return (
        own_key,
        shared,
        reader,
        role_policy(
            "partner-reader",
            role=reader.name,
            policy=policy(
                grant("s3:GetObject", "arn:aws:s3:::acme-shared/reports/*"), grant("kms:Decrypt", own_key.arn)
            ),
        ),
        bucket_policy(
            "shared",
            bucket=shared.bucket,
            policy=policy(
                allow(partner, "s3:GetObject", "arn:aws:s3:::acme-shared/reports/*"),
                allow("*", "s3:ListBucket", "arn:aws:s3:::acme-shared"),
                {
                    **everybody,
                    "Resource": ["arn:aws:s3:::acme-shared", "arn:aws:s3:::acme-shared/*"],
                    "Condition": {"StringNotEquals": {"aws:PrincipalAccount": [ACCOUNT, PARTNER]}},
                },
            ),
        ),
    )


def alarms_to_chat() -> tuple[Made, ...]:
    """Alarms go by an encrypted topic to a function that writes into a chat."""
    uses = ["kms:Decrypt", "kms:GenerateDataKey*"]
    own_key = make_key("alarms", allow({"Service": "cloudwatch.amazonaws.com"}, uses, "*", HERE))
    news = topic("on-call", name="on-call", kmsMasterKeyId=own_key.arn)
    letters, alarm = make_dead_letters("chat-dead-letters")
    failed, second_alarm = make_dead_letters("chat-failed")
    token = f"arn:aws:secretsmanager:{REGION}:{ACCOUNT}:secret:chat-token-a1b2c3"
    chat = make_worker(
        "chat",
        grant("secretsmanager:GetSecretValue", token),
        grant("sqs:SendMessage", failed.arn),
        environment={"variables": {"CHAT_TOKEN_ARN": token}},
    )
    held = {**HERE, "ArnLike": {"aws:SourceArn": f"arn:aws:cloudwatch:{REGION}:{ACCOUNT}:alarm:*"}}
    return (
        own_key,
        news,
        topic_policy(
            "on-call",
            arn=news.arn,
            policy=policy(allow({"Service": "cloudwatch.amazonaws.com"}, "sns:Publish", news.arn, held)),
        ),
        metric_alarm(
            "errors",
            namespace="AWS/Lambda",
            metricName="Errors",
            dimensions={"FunctionName": "ordering"},
            alarmActions=[news.arn],
            arn=f"arn:aws:cloudwatch:{REGION}:{ACCOUNT}:alarm:errors",
        ),
        letters,
        alarm,
        failed,
        second_alarm,
        allow_senders("chat-dead-letters", letters, ("sns.amazonaws.com", news.arn)),
        *chat,
        invoke_config("chat", functionName=chat[0].name, destinationConfig={"onFailure": {"destination": failed.arn}}),
        permission(
            "chat",
            function=chat[0].name,
            action="lambda:InvokeFunction",
            principal="sns.amazonaws.com",
            sourceArn=news.arn,
        ),
        subscription(
            "chat",
            topic=news.arn,
            protocol="lambda",
            endpoint=chat[0].arn,
            redrivePolicy=json_of(deadLetterTargetArn=letters.arn),
        ),
    )


def rotated_secret() -> tuple[Made, ...]:
    """A database's password is rotated every month, may be read by the account alone, and its failures are heard."""
    password = secret("database", name="database", recoveryWindowInDays=7)
    actions = ["DescribeSecret", "GetSecretValue", "PutSecretValue", "UpdateSecretVersionStage"]
    rotating = make_worker("rotating", grant([f"secretsmanager:{action}" for action in actions], password.arn))
    letters, alarm = make_dead_letters("rotation-dead-letters")
    failures = event_rule(
        "failures",
        name="failures",
        eventPattern=json.dumps(
            {
                "source": ["aws.secretsmanager"],
                "detail-type": ["AWS Service Event via CloudTrail"],
                "detail": {"eventName": ["RotationFailed"]},
            }
        ),
    )
    news = topic("failures", name="failures")
    strangers = {"StringNotEquals": {"aws:PrincipalAccount": ACCOUNT}}
    return (
        password,
        secret_policy(
            "database",
            secretArn=password.arn,
            policy=policy(
                {**allow("*", "secretsmanager:*", "*", strangers), "Effect": "Deny"},
                allow("*", "secretsmanager:GetSecretValue", "*"),
            ),
        ),
        *rotating,
        permission(
            "rotating",
            function=rotating[0].name,
            action="lambda:InvokeFunction",
            principal="secretsmanager.amazonaws.com",
            sourceAccount=ACCOUNT,
        ),
        rotation(
            "database",
            secretId=password.id,
            rotationLambdaArn=rotating[0].arn,
            rotationRules={"automaticallyAfterDays": 30},
        ),
        letters,
        alarm,
        failures,
        news,
        topic_policy(
            "failures",
            arn=news.arn,
            policy=policy(allow({"Service": "events.amazonaws.com"}, "sns:Publish", news.arn)),
        ),
        allow_senders("rotation-dead-letters", letters, ("events.amazonaws.com", failures.arn)),
        event_target(
            "failures",
            rule=failures.name,
            arn=news.arn,
            deadLetterConfig={"arn": letters.arn},
            retryPolicy={"maximumEventAgeInSeconds": 3600, "maximumRetryAttempts": 10},
        ),
    )


def website() -> tuple[Made, ...]:
    """CloudFront reads a bucket of pages, by one distribution."""
    pages = bucket("pages", bucket="acme-pages")
    held = {"StringEquals": {"AWS:SourceArn": f"arn:aws:cloudfront::{ACCOUNT}:distribution/E1ABCDEFGHIJKL"}}
    plain = {"Bool": {"aws:SecureTransport": "false"}}
    both = ["arn:aws:s3:::acme-pages", "arn:aws:s3:::acme-pages/*"]
    return (
        pages,
        bucket_policy(
            "pages",
            bucket=pages.bucket,
            policy=policy(
                allow({"Service": "cloudfront.amazonaws.com"}, "s3:GetObject", both[1], held),
                {**allow("*", "s3:*", both, plain), "Effect": "Deny"},
            ),
        ),
    )


def secret_audit() -> tuple[Made, ...]:
    """A function looks after the secrets of an account every day, and reads none of them."""
    findings = make_table("findings")
    failed, alarm = make_dead_letters("secret-audit-failed")
    looking = ["secretsmanager:DescribeSecret", "secretsmanager:ListSecretVersionIds"]
    audit = make_worker(
        "secret-audit",
        grant(looking, f"arn:aws:secretsmanager:{REGION}:{ACCOUNT}:secret:*"),
        grant("secretsmanager:ListSecrets", "*"),
        grant("dynamodb:PutItem", findings.arn),
        grant("sqs:SendMessage", failed.arn),
    )
    daily = event_rule("daily", name="daily", scheduleExpression="rate(1 day)")
    letters, second_alarm = make_dead_letters("daily-dead-letters")
    return (
        findings,
        failed,
        alarm,
        letters,
        second_alarm,
        *audit,
        invoke_config(
            "secret-audit", functionName=audit[0].name, destinationConfig={"onFailure": {"destination": failed.arn}}
        ),
        daily,
        allow_senders("daily-dead-letters", letters, ("events.amazonaws.com", daily.arn)),
        permission(
            "secret-audit",
            function=audit[0].name,
            action="lambda:InvokeFunction",
            principal="events.amazonaws.com",
            sourceArn=daily.arn,
        ),
        event_target(
            "daily",
            rule=daily.name,
            arn=audit[0].arn,
            deadLetterConfig={"arn": letters.arn},
            retryPolicy={"maximumEventAgeInSeconds": 3600, "maximumRetryAttempts": 10},
        ),
    )
