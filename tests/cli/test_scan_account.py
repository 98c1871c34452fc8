"""`rotation-guard scan` of an account: its calls, and how it handles refusals."""

import json

import boto3
import pytest
from botocore.awsrequest import AWSResponse
from botocore.parsers import ResponseParserError

from .conftest import names

DENIED = "AccessDeniedException"


@pytest.fixture
def secret(aws):
    """Creates a secret with these tags."""

    def make(name, **tags):
        listed = [{"Key": key, "Value": value} for key, value in tags.items()]
        boto3.client("secretsmanager").create_secret(Name=name, SecretString="x", Tags=listed)

    return make


@pytest.fixture
def account(monkeypatch):
    """The product's calls of Secrets Manager, and the errors that it gets: operation and secret name -> code."""

    class Account:
        def __init__(self):
            self.calls, self.refusals = [], {}

        def calls_of(self, operation):
            return [request for name, request in self.calls if name == operation]

        def note(self, params, model, context, **_):
            context["request"] = params
            self.calls.append((model.name, params))

        def answer(self, model, context, **_):
            for (operation, secret), code in self.refusals.items():
                if model.name == operation and secret in context["request"].get("SecretId", ""):
                    return AWSResponse("", 400, {}, None), {
                        "Error": {"Code": code, "Message": "no"},
                        "ResponseMetadata": {},
                    }
            return None

    watched, make = Account(), boto3.Session.client

    def client(session, *arguments, **more):
        created = make(session, *arguments, **more)
        created.meta.events.register("provide-client-params", watched.note)
        created.meta.events.register("before-call", watched.answer)
        return created

    monkeypatch.setattr(boto3.Session, "client", client)
    return watched


def test_every_secret_of_the_account_gets_a_verdict(run_json, secret, account):
    for index in range(101):
        secret(f"s/{index}")
    account.calls.clear()

    answer = run_json("scan")

    assert len(answer["secrets"]) == 101
    assert answer["summary"]["verdicts"] == {"in_grace": 101}
    assert answer["source"]["description"] == "The account 123456789012 in eu-west-1"
    assert [request["MaxResults"] for request in account.calls_of("ListSecrets")] == [100, 100]
    assert all(request["IncludePlannedDeletion"] for request in account.calls_of("ListSecrets"))
    assert len(account.calls_of("ListSecretVersionIds")) == 101
    reads = {"ListSecrets", "ListSecretVersionIds"}
    assert {name for name, _ in account.calls} == reads | {"GetCallerIdentity", "ListAccountAliases"}


def test_an_account_without_secrets_is_a_valid_report(run_json, aws):
    answer = run_json("scan", "--exit-code")

    assert answer["secrets"] == []
    assert answer["source"]["description"] == "The account 123456789012 in eu-west-1"


def test_the_region_is_an_option(run_json, aws):
    boto3.client("secretsmanager", region_name="us-east-1").create_secret(Name="there", SecretString="x")

    assert names(run_json("scan", "--region", "us-east-1")) == ["there"]
    assert names(run_json("scan")) == []


def test_versions_are_listed_only_for_secrets_with_the_managed_tag(run_json, secret, account):
    secret("ours", Managed="true")
    secret("theirs")

    assert names(run_json("scan", "--managed-tag", "Managed=true")) == ["ours"]
    assert len(account.calls_of("ListSecretVersionIds")) == 1


def test_versions_of_a_secret_that_is_scheduled_for_deletion_are_not_listed(run_json, secret, account):
    secret("going")
    boto3.client("secretsmanager").delete_secret(SecretId="going", RecoveryWindowInDays=7)
    account.calls.clear()

    assert run_json("scan")["secrets"][0]["verdict"] == "pending_deletion"
    assert account.calls_of("ListSecretVersionIds") == []


def test_a_replica_has_the_age_of_its_own_value(run_json, aws, account):
    elsewhere = boto3.client("secretsmanager", region_name="us-east-1")
    elsewhere.create_secret(Name="copied", SecretString="x", AddReplicaRegions=[{"Region": "eu-west-1"}])
    account.calls.clear()

    [secret] = run_json("scan")["secrets"]

    assert (secret["verdict"], secret["age_days"], secret["attention"]) == ("replica", 0, False)
    assert len(account.calls_of("ListSecretVersionIds")) == 1


@pytest.mark.parametrize(
    ("code", "because"),
    [
        (DENIED, "access denied"),
        ("ResourceNotFoundException", "was deleted before its versions were listed"),
        ("InternalServiceError", "InternalServiceError"),
    ],
)
def test_only_a_secret_whose_versions_cannot_be_listed_is_unknown(run_json, secret, account, code, because):
    secret("mine")
    secret("hidden")
    account.refusals["ListSecretVersionIds", "hidden"] = code

    secrets = {entry["secret_name"]: entry for entry in run_json("scan")["secrets"]}

    assert secrets["mine"]["verdict"] == "in_grace"
    assert (secrets["hidden"]["verdict"], secrets["hidden"]["status"]) == ("unknown", "unknown")
    assert because in secrets["hidden"]["reason"]


def test_a_denied_list_is_one_sentence_with_its_own_exit_code(run, aws, account):
    account.refusals["ListSecrets", ""] = DENIED

    result = run("scan")

    assert result.exit_code == 4
    assert result.stderr == "Access denied: the caller needs secretsmanager:ListSecrets on *.\n"
    assert result.stdout == ""


@pytest.mark.parametrize("operation", ["ListSecrets", "ListSecretVersionIds"])
def test_expired_credentials_end_the_scan(run, secret, account, operation):
    secret("one")
    account.refusals[operation, ""] = "ExpiredTokenException"

    result = run("scan")

    assert result.exit_code == 3
    assert f"{operation} was refused: ExpiredTokenException" in result.stderr


@pytest.mark.parametrize(
    ("options", "environment", "message"),
    [
        (["--profile", "nobody"], {}, "--profile must be a profile of the AWS configuration, got 'nobody'."),
        (["--region", "not a region"], {}, "cannot be reached"),
        ([], {"AWS_REGION": None, "AWS_DEFAULT_REGION": None}, "No Region is configured"),
        ([], {"AWS_ENDPOINT_URL": "http://127.0.0.1:9", "AWS_MAX_ATTEMPTS": "1"}, "does not answer"),
        ([], {"AWS_ENDPOINT_URL": "nonsense"}, "cannot be reached"),
        (
            [],
            {"AWS_ACCESS_KEY_ID": None, "AWS_SECRET_ACCESS_KEY": None, "AWS_EC2_METADATA_DISABLED": "true"},
            "No AWS credentials are configured",
        ),
    ],
)
def test_an_unreachable_account_is_one_sentence(run, monkeypatch, options, environment, message):
    monkeypatch.setattr("rotation_guard.cli.aws._CLIENT_CONFIG", {})

    result = run("scan", *options, **environment)

    assert result.exit_code == 3
    assert message in result.stderr
    assert result.stderr.count("\n") == 1


def unreadable(**_):
    raise ResponseParserError("Unable to parse response (not well-formed)")


def without_fields(**_):
    """botocore takes a body that is no JSON for an answer without any field."""
    return AWSResponse("", 200, {}, None), {"ResponseMetadata": {"HTTPStatusCode": 200}}


@pytest.mark.parametrize("answer", [unreadable, without_fields])
def test_an_answer_that_is_not_awss_is_one_sentence(run, aws, monkeypatch, answer):
    make = boto3.Session.client

    def client(session, *arguments, **more):
        created = make(session, *arguments, **more)
        created.meta.events.register_first("before-call", answer)
        return created

    monkeypatch.setattr(boto3.Session, "client", client)

    result = run("scan")

    assert (result.exit_code, result.stdout) == (3, "")
    assert result.stderr.endswith("does not answer as AWS does: a proxy or another server may have answered.\n")
    assert result.stderr.count("\n") == 1


def test_a_scan_of_an_account_equals_that_of_its_listing(run_json, secret, tmp_path):
    secret("one")
    entries = boto3.client("secretsmanager").list_secrets()["SecretList"]
    path = tmp_path / "list.json"
    path.write_text(json.dumps({"SecretList": entries}, default=lambda time: time.isoformat()))

    live, file = run_json("scan")["secrets"], run_json("scan", "--from", str(path))["secrets"]

    assert [entry["verdict"] for entry in live] == [entry["verdict"] for entry in file] == ["in_grace"]
