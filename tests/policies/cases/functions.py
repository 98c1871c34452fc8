"""Cases of the rules about functions: logs, roles, environments and runtimes."""

from tests.policies.programs import (
    ACCOUNT,
    REGION,
    UNKNOWN,
    Case,
    Secret,
    alias,
    concat,
    function,
    make,
    program,
    queue,
    role,
    secret,
    state_machine,
)

log_group = make("aws:cloudwatch/logGroup:LogGroup")
parameter = make("aws:ssm/parameter:Parameter")

DECLARES, EXPIRES = "function-declares-its-log-group", "log-group-expires"
ROLE, CREDENTIAL = "function-has-a-role-of-its-own", "function-environment-holds-no-credential"
SUPPORTED = "function-runtime-is-supported"

KEY_ID = "AKIA" + "IOSFODNN7EXAMPLE"
PRIVATE_KEY = "-----BEGIN RSA PRIVATE " + "KEY-----\nMIIEowIBAAKCAQEA\n-----END RSA PRIVATE " + "KEY-----"

reader = function("reader", name="reader")
unnamed = function("reader")
shared = role("shared")
logs = log_group("reader", retentionInDays=30)
database = secret("database", name="shop-database")
THEIRS = f"arn:aws:iam::{ACCOUNT}:role/theirs"


def with_variables(**variables: object):
    """A function with this environment."""
    return function("reader", environment={"variables": variables})


CASES = [
    # --- function-declares-its-log-group
    Case(DECLARES, "typical", "no log group", program(reader), {"reader": ("never expire", "/aws/lambda/reader")}),
    Case(DECLARES, "variant", "a function without a name", program(unnamed), {"reader": "Declare a LogGroup"}),
    Case(
        DECLARES,
        "variant",
        "of another name",
        program(reader, log_group("reader", name="/aws/lambda/Reader", retentionInDays=30)),
        {"reader": "/aws/lambda/reader"},
    ),
    Case(
        DECLARES,
        "variant",
        "declared, and not said to the function",
        program(reader, log_group("reader", retentionInDays=30)),
        {"reader": "loggingConfig.logGroup"},
    ),
    Case(
        DECLARES,
        "variant",
        "of the function's own name",
        program(reader, log_group("reader", name="reader", retentionInDays=30)),
        {"reader": "/aws/lambda/reader"},
    ),
    Case(
        DECLARES,
        "variant",
        "only the format is set",
        program(function("reader", name="reader", loggingConfig={"logFormat": "JSON"})),
        {"reader": "loggingConfig.logGroup is absent"},
    ),
    Case(
        DECLARES,
        "compliant",
        "a log group with the default name",
        program(reader, log_group("reader", name="/aws/lambda/reader", retentionInDays=30)),
    ),
    Case(
        DECLARES,
        "compliant",
        "said to the function",
        program(logs, function("reader", loggingConfig={"logFormat": "JSON", "logGroup": logs.name})),
    ),
    Case(DECLARES, "unknown", "how it logs", program(function("reader", loggingConfig=UNKNOWN))),
    Case(DECLARES, "unknown", "a group's name", program(reader, log_group("some", name=UNKNOWN))),
    Case(
        DECLARES,
        "near miss",
        "by the output of a function without a name",
        program(unnamed, log_group("reader", name=concat("/aws/lambda/", unnamed.name), retentionInDays=30)),
    ),
    Case(
        DECLARES,
        "near miss",
        "a group that lies elsewhere",
        program(function("reader", loggingConfig={"logGroup": "/shared/functions"})),
    ),
    # --- log-group-expires
    Case(
        EXPIRES,
        "typical",
        "no retention",
        program(log_group("logs")),
        {"logs": ("is absent", "Set retentionInDays to 90")},
    ),
    Case(
        EXPIRES,
        "variant",
        "for ever, as the provider writes it",
        program(log_group("logs", retentionInDays=0)),
        {"logs": "is 0"},
    ),
    Case(
        EXPIRES,
        "variant",
        "another advice",
        program(log_group("logs", retentionInDays="0")),
        {"logs": "Set retentionInDays to 400"},
        config={"logRetentionDays": 400},
    ),
    Case(EXPIRES, "compliant", "a retention of a month", program(log_group("logs", retentionInDays=30))),
    Case(EXPIRES, "unknown", "how long", program(log_group("logs", retentionInDays=UNKNOWN))),
    Case(EXPIRES, "near miss", "a year, as text", program(log_group("logs", retentionInDays="365"))),
    Case(EXPIRES, "near miss", "looked up", program(reader, external=[log_group("theirs")])),
    # --- function-has-a-role-of-its-own
    Case(
        ROLE,
        "typical",
        "two functions with one role",
        program(shared, function("a", role=shared.arn), function("b", role=shared.arn)),
        {"a": ("shared", "with b"), "b": "with a"},
    ),
    Case(
        ROLE,
        "variant",
        "one that lies elsewhere",
        program(function("a", role=THEIRS), function("b", role=THEIRS), function("c", role=THEIRS)),
        {"a": (THEIRS, "and 1 more"), "b": "with a", "c": "with a"},
    ),
    Case(
        ROLE,
        "variant",
        "with a state machine",
        program(shared, function("a", role=shared.arn), state_machine("flow", roleArn=shared.arn, definition="{}")),
        {"a": "with flow"},
    ),
    Case(
        ROLE,
        "compliant",
        "a role for each function",
        program(shared, role("b"), function("a", role=shared.arn), function("b", role=role("b").arn)),
    ),
    Case(ROLE, "unknown", "the roles", program(shared, function("a", role=UNKNOWN), function("b", role=UNKNOWN))),
    Case(ROLE, "unknown", "one of them", program(shared, function("a", role=shared.arn), function("b", role=UNKNOWN))),
    Case(
        ROLE,
        "near miss",
        "an alias of the same function",
        program(shared, function("a", role=shared.arn), alias("live", functionName=function("a").name)),
    ),
    Case(ROLE, "near miss", "none given", program(function("a"), function("b"))),
    # --- function-environment-holds-no-credential
    Case(
        CREDENTIAL,
        "typical",
        "a password by the variable's name",
        program(with_variables(DB_PASSWORD="hunter2")),
        {"reader": ("DB_PASSWORD is named as a credential", "Secrets Manager")},
    ),
    *(
        Case(CREDENTIAL, "variant", what, program(with_variables(**variables)), {"reader": words})
        for what, variables, words in [
            ("an AWS key", {"SETTING": KEY_ID}, "an AWS access key"),
            ("an AWS key within a text", {"CONFIG": f'{{"key": "{KEY_ID}"}}'}, "an AWS access key"),
            (
                "a secret key",
                {"AWS_SECRET_ACCESS_KEY": "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"},
                "named as a credential",
            ),
            ("a private key", {"SIGNER": PRIVATE_KEY}, "a private key"),
            ("a URL with a password", {"DATABASE_URL": "postgres://shop:hunter2@db.example.com/shop"}, "a URL with"),
            ("a URL without a user", {"CACHE": "redis://:hunter2@cache.example.com:6379/0"}, "a URL with a password"),
            ("a token, in camel case", {"githubToken": "0123456789abcdef"}, "githubToken"),
            ("a token by its shape", {"HUB": "ghp_" + "a1B2" * 9}, "a token"),
            ("a key of an API, numbered", {"STRIPE_API_KEY_2": "live-4242"}, "STRIPE_API_KEY_2"),
            ("a password of digits", {"DB_PASSWORD": 12345678}, "DB_PASSWORD"),
            ("a secret of the program", {"DB_PASSWORD": Secret("hunter2")}, "DB_PASSWORD"),
            ("for short", {"DB_PASS": "hunter2"}, "DB_PASS"),
            ("a licence", {"NEW_RELIC_LICENSE_KEY": "0123456789abcdef"}, "NEW_RELIC_LICENSE_KEY"),
            ("in one word, as PostgreSQL reads it", {"PGPASSWORD": "hunter2"}, "PGPASSWORD"),
            ("a JDBC URL", {"URL": "jdbc:postgresql://db/shop?user=a&password=hunter2"}, "a connection string"),
            ("a connection string", {"DB": "Server=db;User Id=app;Password=hunter2;"}, "a connection string"),
            ("a signed token", {"ACCESS": f"eyJ{'a' * 20}.eyJ{'b' * 20}.{'c' * 43}"}, "a token"),
        ]
    ),
    Case(
        CREDENTIAL,
        "compliant",
        "a reference to a secret",
        program(database, with_variables(DB_SECRET_ARN=database.arn, TABLE_NAME="orders")),
    ),
    Case(CREDENTIAL, "unknown", "the environment", program(function("reader", environment=UNKNOWN))),
    Case(CREDENTIAL, "unknown", "the value", program(with_variables(DB_PASSWORD=UNKNOWN))),
    *(
        Case(
            CREDENTIAL, "near miss", what, program(database, parameter("p", name="dbpass"), with_variables(**variables))
        )
        for what, variables in {
            "an ARN": {"DB_SECRET": f"arn:aws:secretsmanager:{REGION}:{ACCOUNT}:secret:shop-AbCdEf"},
            "the name of a secret of this program": {"DB_SECRET": "shop-database"},
            "the output of a secret": {"DB_PASSWORD": database.name},
            "the name of a parameter of this program": {"DB_PASSWORD": "dbpass"},
            "a path": {"DB_PASSWORD": "/shop/dev/db/password", "API_TOKEN": "shop/dev/token"},
            "what is true of one": {"PASSWORD_LENGTH": "16", "TOKEN_TTL": "3600", "REQUIRE_PASSWORD": "true"},
            "the name of one": {"SECRET_NAME": "shop", "TOKEN_TABLE": "tokens", "API_KEY_ID": "a1b2c3"},
            "tokens that are counted": {"MAX_TOKENS": "4096"},
            "a key that opens nothing": {"MANAGED_TAG_KEY": "Managed", "PARTITION_KEY": "id"},
            "a URL without a password": {"DATABASE_URL": "postgres://shop@db.example.com/shop"},
            "a URL of a token's address": {"AUTH_TOKEN": "https://login.example.com/oauth2/token"},
            "a placeholder": {"DATABASE_URL": "postgres://shop:${PASSWORD}@db.example.com/shop"},
            "nothing": {"DB_PASSWORD": "", "BYPASS": "orders"},
            "a query, and a template": {"SQL": "where password = 'x'", "URL": "https://h/?password=${PASSWORD}"},
            "a secret of the program, not a credential": {"CUSTOMER_LIST": Secret("a,b")},
            "a time and an address": {"STARTS": "https://example.com:8443/a@b", "RUNS": "cron(0 3 * * ? *)"},
        }.items()
    ),
    # --- function-runtime-is-supported
    Case(
        SUPPORTED,
        "typical",
        "a deprecated runtime",
        program(function("reader", runtime="python3.7")),
        {"reader": ("python3.7", "2023-12-04", "python3.")},
    ),
    *(
        Case(SUPPORTED, "variant", runtime, program(function("reader", runtime=runtime)), {"reader": runtime})
        for runtime in ("nodejs16.x", "go1.x", "provided", "java8", "dotnetcore3.1", "ruby2.7", "nodejs")
    ),
    Case(
        SUPPORTED,
        "variant",
        "with the newest of its language to take, not another operating system",
        program(function("reader", runtime="java8")),
        {"reader": "Set runtime to java25"},
    ),
    Case(SUPPORTED, "compliant", "a supported runtime", program(function("reader", runtime="python3.13"))),
    Case(SUPPORTED, "unknown", "the runtime", program(function("reader", runtime=UNKNOWN))),
    Case(SUPPORTED, "near miss", "an image", program(function("reader", packageType="Image", imageUri="x"))),
    Case(SUPPORTED, "near miss", "newer than our list", program(function("reader", runtime="nodejs98.x"))),
    Case(
        SUPPORTED,
        "near miss",
        "an operating system",
        program(function("reader", runtime="provided.al2023"), queue("q")),
    ),
]
