"""`rotation-guard scan` of an account: what it asks, and what it makes of a refusal."""

import json

import boto3
import pytest
from botocore.awsrequest import AWSResponse

from .conftest import names

DENIED = "AccessDeniedException"


@pytest.fixture
def secret(aws):
    """Makes a secret with these tags."""

    def make(name, **tags):
        listed = [{"Key": key, "Value": value} for key, value in tags.items()]
        boto3.client("secretsmanager").create_secret(Name=name, SecretString="x", Tags=listed)

    return make


@pytest.fixture
def account(monkeypatch):
    """What the product asks of Secrets Manager, and the errors that it is answered: operation and name -> code."""

    class Account:
        def __init__(self):
            self.calls, self.refusals = [], {}

        def asked(self, operation):
            return [asked for name, asked in self.calls if name == operation]

        def note(self, params, model, context, **_):
            context["asked"] = params
            self.calls.append((model.name, params))

        def answer(self, model, context, **_):
            for (operation, secret), code in self.refusals.items():
                if model.name == operation and secret in context["asked"].get("SecretId", ""):
                    return AWSResponse("", 400, {}, None), {
                        "Error": {"Code": code, "Message": "no"},
                        "ResponseMetadata": {},
                    }
            return None

    watched, make = Account(), boto3.Session.client

    def client(session, *arguments, **more):
        made = make(session, *arguments, **more)
        made.meta.events.register("provide-client-params", watched.note)
        made.meta.events.register("before-call", watched.answer)
        return made

    monkeypatch.setattr(boto3.Session, "client", client)
    return watched


def test_every_secret_of_the_account_gets_a_verdict(answered, secret, account):
    for index in range(101):
        secret(f"s/{index}")
    account.calls.clear()

    answer = answered("scan")

    assert len(answer["secrets"]) == 101
    assert answer["summary"]["verdicts"] == {"in_grace": 101}
    assert answer["source"]["description"] == "The account 123456789012 in eu-west-1"
    assert [asked["MaxResults"] for asked in account.asked("ListSecrets")] == [100, 100]
    assert all(asked["IncludePlannedDeletion"] for asked in account.asked("ListSecrets"))
    assert len(account.asked("ListSecretVersionIds")) == 101
    assert {name for name, _ in account.calls} == {"ListSecrets", "ListSecretVersionIds"}


def test_an_account_without_secrets_is_an_answer(answered, aws):
    answer = answered("scan", "--exit-code")

    assert answer["secrets"] == []
    assert answer["source"]["description"] == "The account in eu-west-1"


def test_the_region_is_an_option(answered, aws):
    boto3.client("secretsmanager", region_name="us-east-1").create_secret(Name="there", SecretString="x")

    assert names(answered("scan", "--region", "us-east-1")) == ["there"]
    assert names(answered("scan")) == []


def test_only_secrets_with_the_managed_tag_are_asked_for(answered, secret, account):
    secret("ours", Managed="true")
    secret("theirs")

    assert names(answered("scan", "--managed-tag", "Managed=true")) == ["ours"]
    assert len(account.asked("ListSecretVersionIds")) == 1


def test_a_secret_that_is_to_be_deleted_is_listed_and_not_asked_for(answered, secret, account):
    secret("going")
    boto3.client("secretsmanager").delete_secret(SecretId="going", RecoveryWindowInDays=7)
    account.calls.clear()

    assert answered("scan")["secrets"][0]["verdict"] == "pending_deletion"
    assert account.asked("ListSecretVersionIds") == []


def test_a_replica_is_asked_how_old_its_own_value_is(answered, aws, account):
    elsewhere = boto3.client("secretsmanager", region_name="us-east-1")
    elsewhere.create_secret(Name="copied", SecretString="x", AddReplicaRegions=[{"Region": "eu-west-1"}])
    account.calls.clear()

    [secret] = answered("scan")["secrets"]

    assert (secret["verdict"], secret["age_days"], secret["attention"]) == ("replica", 0, False)
    assert len(account.asked("ListSecretVersionIds")) == 1


@pytest.mark.parametrize(
    ("code", "because"),
    [
        (DENIED, "access denied"),
        ("ResourceNotFoundException", "was gone"),
        ("InternalServiceError", "InternalServiceError"),
    ],
)
def test_a_secret_whose_versions_cannot_be_read_is_unknown_and_the_others_are_judged(
    answered, secret, account, code, because
):
    secret("mine")
    secret("hidden")
    account.refusals["ListSecretVersionIds", "hidden"] = code

    found = {one["secret_name"]: one for one in answered("scan")["secrets"]}

    assert found["mine"]["verdict"] == "in_grace"
    assert (found["hidden"]["verdict"], found["hidden"]["status"]) == ("unknown", "unknown")
    assert because in found["hidden"]["reason"]


def test_a_list_that_is_denied_is_one_sentence_and_an_exit_code_of_its_own(run, aws, account):
    account.refusals["ListSecrets", ""] = DENIED

    result = run("scan")

    assert result.exit_code == 4
    assert result.stderr == "The caller must be allowed secretsmanager:ListSecrets on *, and access was denied.\n"
    assert result.stdout == ""


@pytest.mark.parametrize("operation", ["ListSecrets", "ListSecretVersionIds"])
def test_credentials_that_have_expired_end_the_scan(run, secret, account, operation):
    secret("one")
    account.refusals[operation, ""] = "ExpiredTokenException"

    result = run("scan")

    assert result.exit_code == 3
    assert f"{operation} was refused: ExpiredTokenException" in result.stderr


@pytest.mark.parametrize(
    ("options", "environment", "said"),
    [
        (["--profile", "nobody"], {}, "--profile must be a profile of the AWS configuration, got 'nobody'."),
        (["--region", "not a region"], {}, "cannot be reached"),
        ([], {"AWS_REGION": None, "AWS_DEFAULT_REGION": None}, "No Region is known"),
        ([], {"AWS_ENDPOINT_URL": "http://127.0.0.1:9", "AWS_MAX_ATTEMPTS": "1"}, "does not answer"),
        ([], {"AWS_ENDPOINT_URL": "nonsense"}, "cannot be reached"),
        (
            [],
            {"AWS_ACCESS_KEY_ID": None, "AWS_SECRET_ACCESS_KEY": None, "AWS_EC2_METADATA_DISABLED": "true"},
            "No AWS credentials are known",
        ),
    ],
)
def test_an_account_that_cannot_be_reached_is_a_sentence(run, monkeypatch, options, environment, said):
    monkeypatch.setattr("rotation_guard.cli.aws._PATIENCE", None)

    result = run("scan", *options, **environment)

    assert result.exit_code == 3
    assert said in result.stderr
    assert result.stderr.count("\n") == 1


def test_what_a_scan_finds_can_be_read_again_from_a_file(answered, secret, tmp_path):
    secret("one")
    entries = boto3.client("secretsmanager").list_secrets()["SecretList"]
    path = tmp_path / "list.json"
    path.write_text(json.dumps({"SecretList": entries}, default=lambda moment: moment.isoformat()))

    live, file = answered("scan")["secrets"], answered("scan", "--from", str(path))["secrets"]

    assert [one["verdict"] for one in live] == [one["verdict"] for one in file] == ["in_grace"]
