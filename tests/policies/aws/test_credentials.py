"""Credentials in environments are found by their form or name, and references to them are not reported."""

import base64
import string

import pytest

from policies.aws import credentials
from policies.model.evaluation import check
from tests.policies.programs import function, program

RULE = "function-environment-holds-no-credential"
LETTERS = string.ascii_letters + string.digits


def fill(length, alphabet=LETTERS, step=7):
    """Pseudorandom characters, so that no real credential is in this file."""
    return "".join(alphabet[(3 + step * number) % len(alphabet)] for number in range(length))


HEX, UPPER = "0123456789abcdef", string.ascii_uppercase + string.digits
PEM = f"-----BEGIN PRIVATE {'KEY'}-----\n{fill(64)}\n-----END PRIVATE {'KEY'}-----\n"

BY_SHAPE = {
    "GitHub, classic": "ghp" + "_" + fill(36),
    "GitHub, of an app": "ghs" + "_" + fill(36),
    "GitHub, fine-grained": "github" + "_pat_" + fill(22) + "_" + fill(59),
    "GitHub, in a URL's query": "https://api.example.com/?t=" + "gho" + "_" + fill(36),
    "GitLab, personal": "glpat" + "-" + fill(20),
    "GitLab, of a runner": "glrt" + "-" + fill(20),
    "GitLab, of a deployment": "gldt" + "-" + fill(20),
    "Slack, of a bot": "xoxb" + "-" + fill(12, string.digits) + "-" + fill(24),
    "Slack, of an app": "xapp" + "-1-" + fill(11, UPPER) + "-" + fill(64, HEX),
    "Slack, a webhook": "https://hooks.slack"
    + ".com/services/T"
    + fill(10, UPPER)
    + "/B"
    + fill(10, UPPER)
    + "/"
    + fill(24),
    "Stripe, live": "sk" + "_live_" + fill(24),
    "Stripe, restricted": "rk" + "_live_" + fill(24),
    "Stripe, test": "sk" + "_test_" + fill(24),
    "Stripe, of a webhook": "whsec" + "_" + fill(32),
    "npm": "npm" + "_" + fill(36),
    "PyPI": "pypi" + "-AgEIcHlwaS5vcmc" + fill(80),
    "Azure, a storage account": "DefaultEndpointsProtocol=https;AccountName=shop;Account" + "Key=" + fill(86) + "==;"
    "EndpointSuffix=core.windows.net",
    "Azure, a service bus": "Endpoint=sb://shop.servicebus.windows.net/;SharedAccessKeyName=all;SharedAccess"
    + "Key="
    + fill(43)
    + "=",
    "Azure, a client secret": fill(3) + "8Q" + "~" + fill(34),
    "Azure, a shared access signature": "https://shop.blob.core.windows.net/c?sv=2024-05-04&se=2030-01-01&si"
    + "g="
    + fill(43)
    + "%3D",
    "Google, an API key": "AIza" + "Sy" + fill(33),
    "Google, an OAuth client": "GOCSPX" + "-" + fill(28),
    "Google, a service account": '{"type": "service_account", "private_key": ' + repr(PEM).replace("'", '"') + "}",
    "AWS, an access key": "AKIA" + fill(16, UPPER),
    "AWS, a temporary access key": "ASIA" + fill(16, UPPER),
    "a JSON Web Token": "eyJ" + fill(20) + ".eyJ" + fill(40) + "." + fill(43),
    "a private key": PEM,
    "an encrypted private key": PEM.replace("PRIVATE", "ENCRYPTED PRIVATE"),
    "a private key in base64": base64.b64encode(PEM.encode()).decode(),
    "a URL with a password": "postgresql://shop:" + fill(12) + "@db.example.com:5432/shop",
    "a URL with a password that is percent-encoded": "amqps://shop:%40" + fill(12) + "@mq.example.com",
    "a URL with a password and no user": "rediss://:" + fill(12) + "@cache.example.com:6379",
    "a connection string": "Server=db;Database=shop;User Id=shop;Pass" + "word=" + fill(12) + ";",
    "Pulumi": "pul" + "-" + fill(40, HEX),
    "Vault": "hvs" + "." + fill(24),
    "SendGrid": "SG" + "." + fill(22) + "." + fill(43),
}
"""Each form, composed of parts so that scanners do not report this file."""

BY_NAME = {
    "CLIENT_SECRET": fill(32),
    "JWT_SECRET": "s3cr3t-" + fill(5),
    "APP_SECRET": '{"user": "shop", "pass": "' + fill(8) + '"}',
    "cookieSecret": fill(20, HEX),
    "SMTP_PASS": "hunt" + "er2",
    "DB_PASS": "$ecret" + "99",
    "MYSQL_ROOT_PASSWORD": "root",
    "DB_PASSWORD_PROD": "correct horse " + "battery",
    "DB_PWD": "1234",
    "WEBHOOK_TOKEN": fill(16, HEX),
    "GH_PAT": fill(40),
    "AZURE_STORAGE_ACCOUNT_KEY": fill(86) + "==",
    "SECRET_KEY_BASE": fill(128, HEX),
    "clientsecret": fill(24),
    "ACCESSTOKEN": fill(24),
    "AWS_SECRET_ACCESS_KEY": fill(20) + "/" + fill(19),
    "API_KEY": "01234567-89ab-" + "4def-8123-456789abcdef",
}

HARMLESS = {
    "an ARN": {"DB_SECRET": "arn:aws:secretsmanager:eu-west-1:111122223333:secret:orders-AbCdEf"},
    "a part of an ARN of another partition": {"API_TOKEN": "arn:aws-cn:ssm:cn-north-1:111122223333:parameter/token"},
    "the name of a secret": {"DB_SECRET": "orders-db-credentials", "API_TOKEN": "orders.api.token"},
    "the name of a password's secret": {"DB_PASSWORD": "orders-db-password"},
    "the name of a variable": {"DB_SECRET": "ORDERS_DB_SECRET", "DB_PASSWORD": "$DB_PASSWORD"},
    "a path": {"DB_PASSWORD": "/orders/dev/password", "API_SECRET": "orders/dev/api"},
    "a dynamic reference": {"DB_PASSWORD": "{{resolve:secretsmanager:orders:SecretString:password}}"},
    "a reference with a scheme": {"DB_PASSWORD": "ssm:/orders/dev/password", "API_TOKEN": "op://vault/item/field"},
    "a placeholder": {"DB_PASSWORD": "changeme", "API_SECRET": "<client secret>", "API_TOKEN": "REPLACE_ME"},
    "another placeholder": {"API_KEY": "your-api-key-here", "DB_PASS": "********", "APP_SECRET": "xxxxxxxx"},
    "one of a template": {"DB_PASS": "${DB_PASS}", "API_TOKEN": "%API_TOKEN%", "APP_SECRET": "{{ secret }}"},
    "what a manual shows": {"TOKEN": "ghp" + "_" + "x" * 36, "HOOK": "https://hooks.slack" + ".com/services/T00000000/B"
    "00000000/" + "X" * 24},
    "a URL whose password comes from elsewhere": {"DATABASE_URL": "postgres://shop:%s@db.example.com/shop"},
    "a URL with a placeholder": {"DATABASE_URL": "postgres://shop:<password>@db/shop", "CACHE": "redis://:changeme@c"},
    "yes and no": {"REQUIRE_SECRET": "true", "DB_PASS": "false", "USE_TOKEN": "1"},
    "what is true of one": {"SECRET_NAME": "orders", "SECRET_ARN": "x" * 3, "PASSWORD_MIN": "12"},
    "how many": {"MAX_TOKEN": "4096", "TOKEN": "3600"},
    "a key of KMS": {"SIGNING_KEY": "1234abcd-12ab-34cd-56ef-1234567890ab", "ENCRYPTION_KEY": "alias/orders"},
    "a header": {"API_KEY": "x-api-key", "AUTH_TOKEN": "Authorization"},
    "a file": {"PRIVATE_KEY": "signing.pem", "GOOGLE_CREDENTIALS": "account.json"},
    "a public key": {"VERIFIER": f"-----BEGIN PUBLIC {'KEY'}-----\n{fill(64)}\n-----END PUBLIC {'KEY'}-----"},
    "a key that may be public": {"STRIPE_KEY": "pk" + "_live_" + fill(24)},
    "digests and identifiers": {"COMMIT": fill(40, HEX), "DIGEST": "sha256:" + fill(64, HEX), "RUN": fill(22)},
    "words that only begin alike": {"BYPASS": "orders", "COMPASS": "north", "TOKENS": "a,b", "PATH_PATTERN": "a"},
}  # fmt: skip


def find_complaints(variables):
    stack = program(function("reader", environment={"variables": variables})).stack()
    config = {"all": "disabled", RULE: "mandatory"}
    return [complaint.message for complaint in check(stack.resources, config).complaints]


@pytest.mark.parametrize("what", BY_SHAPE)
def test_a_credential_is_found_by_its_form_under_any_name(what):
    [message] = find_complaints({"SETTING": BY_SHAPE[what]})

    assert "SETTING looks like" in message
    assert BY_SHAPE[what] not in message
    assert BY_SHAPE[what][8:40] not in message


@pytest.mark.parametrize("name", BY_NAME)
def test_a_credential_is_found_by_its_name_where_the_value_is_plausible(name):
    [message] = find_complaints({name: BY_NAME[name]})

    assert name in message
    assert BY_NAME[name] not in message


@pytest.mark.parametrize("what", HARMLESS)
def test_a_reference_to_a_credential_is_not_reported(what):
    assert find_complaints(HARMLESS[what]) == []


def test_a_value_longer_than_the_limit_of_aws_is_read_up_to_it():
    for text in ("?sv=" * 250_000, "a://" * 250_000, "password=" * 100_000, "A" * 1_000_000, "x-" * 500_000):
        assert credentials.may_be_credential("API_TOKEN", text) in (True, False)
        assert credentials.find_kind(text) in (None, "a connection string with a password")
