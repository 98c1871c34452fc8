"""Cases of the rules about secrets: rotation, deletion and reading."""

from tests.policies.programs import UNKNOWN, Case, Made, allow, make, policy, program, role, role_policy, secret

rotation = make("aws:secretsmanager/secretRotation:SecretRotation")
version = make("aws:secretsmanager/secretVersion:SecretVersion")
secret_policy = make("aws:secretsmanager/secretPolicy:SecretPolicy")
attachment = make("aws:iam/rolePolicyAttachment:RolePolicyAttachment")
managed_policy = make("aws:iam/policy:Policy")

database = secret("database")
value = version("database", secretId=database.id, secretString="x", arn=database.arn)
MONTHLY = {"automaticallyAfterDays": 30}
ANYTHING = "arn:aws:secretsmanager:eu-west-1:111122223333:secret:*"
auditor = role("rotation-audit")
app = role("app")


def rotated(rules: object, name: str = "database", **more: object):
    """A rotation with these rules."""
    return rotation(name, secretId=database.id, rotationLambdaArn="f", rotationRules=rules, **more)


def reading_policy(holder: Made, action: object = "secretsmanager:GetSecretValue", resource: object = ANYTHING):
    """A role policy that allows this on secrets."""
    statement = {"Effect": "Allow", "Action": action, "Resource": resource}
    return role_policy("reads", role=holder.id, policy=policy(statement))


ROTATES, OFTEN = "secret-has-rotation", "secret-rotates-often"
RECOVERS, AUDITS = "secret-can-be-recovered", "auditor-reads-no-secret"
NOWHERE = {"stacksWithoutRecovery": []}

CASES = [
    # --- secret-has-rotation
    Case(ROTATES, "typical", "no rotation", program(database), {"database": ("never rotated", "SecretRotation")}),
    Case(
        ROTATES,
        "variant",
        "another one's",
        program(
            database, value, secret("other"), rotation("other", secretId=secret("other").id, rotationRules=MONTHLY)
        ),
        {"database": "never rotated"},
    ),
    Case(ROTATES, "compliant", "a rotation", program(database, rotated(MONTHLY))),
    Case(
        ROTATES,
        "compliant",
        "by its ARN",
        program(database, rotation("r", secretId=database.arn, rotationRules=MONTHLY)),
    ),
    Case(ROTATES, "unknown", "of which", program(database, rotation("r", secretId=UNKNOWN, rotationRules=MONTHLY))),
    Case(
        ROTATES,
        "near miss",
        "by way of its version, so that there is a value",
        program(
            database,
            value,
            rotation("r", secretId=value.arn, rotationRules=MONTHLY),
        ),
    ),
    Case(
        ROTATES,
        "near miss",
        "by itself, as older providers have it",
        program(secret("database", rotationLambdaArn="f", rotationRules=MONTHLY)),
    ),
    Case(ROTATES, "near miss", "looked up", program(rotated(MONTHLY), external=[database])),
    # --- secret-rotates-often
    Case(
        OFTEN,
        "typical",
        "a rotation every year",
        program(database, rotated({"automaticallyAfterDays": 365})),
        {"database": ("automaticallyAfterDays is 365", "90 days")},
    ),
    Case(
        OFTEN,
        "variant",
        "as text, in a list of one",
        program(database, rotated([{"automaticallyAfterDays": "120"}])),
        {"database": "is 120"},
    ),
    *(
        Case(
            OFTEN,
            "variant",
            expression,
            program(database, rotated({"scheduleExpression": expression})),
            {"database": days},
        )
        for expression, days in {
            "rate(100 days)": "100 days",
            "cron(0 8 1 JAN,JUL ? *)": "184 days",
            "cron(0 8 1 1 ? *)": "366 days",
            "cron(0 8 1 */4 ? *)": "123 days",
            "cron(0 8 29 2 ? *)": "1461 days",
            "cron(0 8 30 2 ? *)": "a day that never comes",
            "cron(0 8 ? * 2#5 *)": "119 days",
            "cron(0 1 ? FEB,AUG sun *)": "days",
        }.items()
    ),
    Case(
        OFTEN,
        "variant",
        "the 31st, which two months on end may not have",
        program(database, rotated({"scheduleExpression": "cron(0 8 31 * ? *)"})),
        {"database": "61 days"},
        config={"maxRotationDays": 60},
    ),
    Case(
        OFTEN,
        "near miss",
        "working days, which are three days apart at most",
        program(database, rotated({"scheduleExpression": "cron(0 8 ? * mon-fri *)"})),
        config={"maxRotationDays": 3},
    ),
    Case(
        OFTEN,
        "typical",
        "less often than configured",
        program(database, rotated(MONTHLY)),
        {"database": "7 days or less"},
        config={"maxRotationDays": 7},
    ),
    Case(
        OFTEN,
        "variant",
        "no rules",
        program(database, rotation("database", secretId=database.id, rotationLambdaArn="f")),
        {"database": "rotationRules is absent"},
    ),
    Case(OFTEN, "compliant", "a rotation every month", program(database, rotated(MONTHLY))),
    Case(OFTEN, "unknown", "how often", program(database, rotated({"automaticallyAfterDays": UNKNOWN}))),
    *(
        Case(OFTEN, "near miss", expression, program(database, rotated({"scheduleExpression": expression})))
        for expression in (
            "rate(4 hours)",
            "rate(1 hours)",
            "cron(0 16 1 * ? *)",
            "cron(0 8 31 * ? *)",
            "cron(0 8 1 1/2 ? *)",
            "cron(0 9 ? * 2#1 *)",
        )
    ),
    Case(
        OFTEN,
        "near miss",
        "twice a month, which is what is configured",
        program(database, rotated({"scheduleExpression": "cron(0 8 1,16 * ? *)"})),
        config={"maxRotationDays": 16},
    ),
    Case(OFTEN, "near miss", "once in a given year", program(rotated({"scheduleExpression": "cron(0 8 1 1 ? 2030)"}))),
    # --- secret-can-be-recovered
    Case(
        RECOVERS,
        "typical",
        "no recovery window",
        program(secret("database", recoveryWindowInDays=0)),
        {"database": ("is 0 in the stack dev", "7 to 30")},
        config=NOWHERE,
    ),
    Case(
        RECOVERS,
        "variant",
        "as text, where only test may",
        program(secret("database", recoveryWindowInDays="0")),
        {"database": "is 0"},
        config={"stacksWithoutRecovery": ["test-*"]},
    ),
    Case(
        RECOVERS,
        "compliant",
        "a recovery window of a week",
        program(secret("database", recoveryWindowInDays=7)),
        config=NOWHERE,
    ),
    Case(RECOVERS, "unknown", "when", program(secret("database", recoveryWindowInDays=UNKNOWN)), config=NOWHERE),
    Case(RECOVERS, "near miss", "left to AWS", program(database), config=NOWHERE),
    Case(RECOVERS, "near miss", "at once, in dev", program(secret("database", recoveryWindowInDays=0))),
    Case(
        RECOVERS,
        "near miss",
        "at once, where a pattern allows it",
        program(secret("database", recoveryWindowInDays=0)),
        config={"stacksWithoutRecovery": ["de*"]},
    ),
    # --- auditor-reads-no-secret
    Case(
        AUDITS,
        "typical",
        "reading the value of any secret",
        program(auditor, reading_policy(auditor)),
        {"rotation-audit": ("secretsmanager:GetSecretValue", "reads")},
    ),
    Case(
        AUDITS,
        "variant",
        "by a pattern, attached",
        program(
            auditor,
            managed_policy(
                "look", policy=policy({"Effect": "Allow", "Action": "secretsmanager:*et*", "Resource": "*"})
            ),
            attachment(
                "look",
                role=auditor.name,
                policyArn=managed_policy(
                    "look", policy=policy({"Effect": "Allow", "Action": "secretsmanager:*et*", "Resource": "*"})
                ).arn,
            ),
        ),
        {"rotation-audit": "look"},
    ),
    Case(
        AUDITS,
        "variant",
        "by the secret's own policy",
        program(
            auditor,
            database,
            secret_policy(
                "database",
                secretArn=database.arn,
                policy=policy(allow({"AWS": auditor.arn}, "secretsmanager:GetSecretValue", "*")),
            ),
        ),
        {"rotation-audit": "in database"},
        silent_at_preview=True,
    ),
    Case(
        AUDITS,
        "variant",
        "an auditor by AWS's policy",
        program(
            app,
            attachment("looks", role=app.name, policyArn="arn:aws:iam::aws:policy/SecurityAudit"),
            reading_policy(app, ["secretsmanager:ListSecrets", "secretsmanager:BatchGetSecretValue"], "*"),
        ),
        {"app": "secretsmanager:BatchGetSecretValue"},
    ),
    Case(
        AUDITS,
        "compliant",
        "reading metadata",
        program(
            auditor, reading_policy(auditor, ["secretsmanager:DescribeSecret", "secretsmanager:ListSecretVersionIds"])
        ),
    ),
    Case(AUDITS, "unknown", "what it may", program(auditor, role_policy("reads", role=auditor.id, policy=UNKNOWN))),
    Case(
        AUDITS,
        "near miss",
        "everything, on a bucket",
        program(auditor, reading_policy(auditor, "*", "arn:aws:s3:::b/*")),
    ),
    Case(AUDITS, "near miss", "one that uses them", program(app, reading_policy(app))),
    Case(
        AUDITS,
        "near miss",
        "denied after all",
        program(
            auditor,
            reading_policy(auditor, "secretsmanager:Get*"),
            role_policy(
                "not",
                role=auditor.id,
                policy=policy({"Effect": "Deny", "Action": "secretsmanager:GetSecretValue", "Resource": ANYTHING}),
            ),
        ),
    ),
    Case(
        AUDITS,
        "near miss",
        "configured otherwise",
        program(auditor, reading_policy(auditor)),
        config={"auditRoles": ["inspector-*"]},
    ),
]
