"""`rotation-guard collect`: a file that `scan --from` judges as exactly as the account."""

import json

import boto3
import pytest
from moto.secretsmanager.models import SecretsManagerBackend

from .conftest import names

CREATED = 1767225600.123456
"""2026-01-01, with the fraction of a second that AWS's answer has."""


def list_dated_versions(backend, secret_id):
    """ListSecretVersionIds as AWS answers: the date of a version never changes, and later ones are younger."""
    secret = backend.secrets[secret_id]
    versions = [
        {"VersionId": version_id, "VersionStages": version["version_stages"], "CreatedDate": CREATED + number}
        for number, (version_id, version) in enumerate(secret.versions.items())
    ]
    return json.dumps({"ARN": secret.arn, "Name": secret.name, "Versions": versions})


@pytest.fixture
def secrets(aws, monkeypatch):
    """Secrets with and without values, tags and pending deletion; moto would date every version anew in each call."""
    monkeypatch.setattr(SecretsManagerBackend, "list_secret_version_ids", list_dated_versions)
    client = boto3.client("secretsmanager")
    client.create_secret(
        Name="one", SecretString="hidden", Description="private", Tags=[{"Key": "Managed", "Value": "true"}]
    )
    client.put_secret_value(SecretId="one", SecretString="hidden too")
    client.create_secret(Name="empty")
    client.create_secret(Name="going", SecretString="x")
    client.delete_secret(SecretId="going", RecoveryWindowInDays=7)
    return client


def test_a_collection_gives_the_verdicts_of_the_account(run, run_json, secrets, tmp_path):
    path = str(tmp_path / "account.json")
    live = run_json("scan", "--now", "2099-01-01")

    assert run("collect", "--output", path).stdout == f"Wrote {path}.\n"
    file = run_json("scan", "--from", path, "--now", "2099-01-01")

    assert file["secrets"] == live["secrets"]
    assert {secret["secret_name"]: secret["value_created_at"] for secret in file["secrets"]} == {
        "one": "2026-01-01T00:00:01Z",
        "empty": None,
        "going": None,
    }
    assert file["tally"] == live["tally"]
    assert file["identity"] == live["identity"]
    assert file["source"]["kind"] == "collection"


def test_a_collection_is_judged_as_of_its_time(run, run_json, secrets, tmp_path):
    path = tmp_path / "account.json"
    run("collect", "--output", str(path))
    content = json.loads(path.read_text())
    content["collected_at"] = "2030-01-01T00:00:00Z"
    path.write_text(json.dumps(content))

    assert run_json("scan", "--from", str(path))["as_of"] == "2030-01-01T00:00:00Z"
    assert run_json("scan", "--from", str(path), "--now", "2029-01-01")["as_of"] == "2029-01-01T00:00:00Z"


def test_a_collection_has_no_value_description_or_key(run, secrets):
    text = run("collect").stdout

    assert "hidden" not in text
    assert "private" not in text
    assert "KmsKeyId" not in text


def test_several_regions_are_one_file_and_one_report(run, run_json, secrets, tmp_path):
    boto3.client("secretsmanager", region_name="us-east-1").create_secret(Name="there", SecretString="x")
    path = str(tmp_path / "all.json")

    run("collect", "--region", "eu-west-1", "--region", "us-east-1", "--output", path)
    answer = run_json("scan", "--from", path)

    assert sorted(names(answer)) == ["empty", "going", "one", "there"]
    assert [part["identity"]["region"] for part in answer["parts"]] == ["eu-west-1", "us-east-1"]


def test_versions_that_are_denied_are_unknown_in_the_collection_too(run, run_json, list_file):
    page = {
        "format": "rotation-guard.collection/1",
        "collected_at": "2026-03-01T12:00:00Z",
        "SecretList": [
            {"Name": "one", "ARN": "arn:a", "SecretVersionsToStages": {"v": ["AWSCURRENT"]}, "VersionListError": code}
            for code in ("AccessDeniedException",)
        ],
    }

    [secret] = run_json("scan", "--from", "-", stdin=json.dumps(page))["secrets"]

    assert (secret["verdict"], secret["status"]) == ("unknown", "unknown")
    assert "access denied" in secret["reason"]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"format": "rotation-guard.collection/9"}, "must have the format rotation-guard.collection/1, got"),
        ({"collected_at": "yesterday"}, "must have a time as collected_at, got 'yesterday'."),
        ({"SecretList": {}}, "must contain a SecretList"),
    ],
)
def test_a_file_that_is_no_collection_is_named(run, change, message):
    page = {"format": "rotation-guard.collection/1", "collected_at": "2026-03-01T12:00:00Z", "SecretList": []}

    result = run("scan", "--from", "-", stdin=json.dumps(page | change))

    assert (result.exit_code, result.stdout) == (2, "")
    assert message in result.stderr


def test_a_file_that_cannot_be_written_is_named(run, aws, tmp_path):
    result = run("collect", "--output", str(tmp_path))

    assert result.exit_code == 2
    assert f"--output must be a file that can be written, got {tmp_path}" in result.stderr
