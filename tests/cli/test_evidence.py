"""`report --evidence` and `verify DIR`: a directory for an auditor, and whether it is as it was written."""

import csv
import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from .stacks import ACCOUNT

SHA256SUM, OPENSSL = (shutil.which(command) or command for command in ("sha256sum", "openssl"))


@pytest.fixture
def filled_stack(audit_stack, shared_client):
    """A stack with a secret over its limit, an exemption, and tables of events and incidents."""
    audit_stack.run(hours=2, settings={"max_age_days": 30})
    audit_stack.run(hours=1, settings={"max_age_days": 30})
    audit_stack.needs_attention("old")
    audit_stack.status("spared", 90, verdict="exempt", exempt_until="2099-01-01", exempt_reason="A reason.")
    outputs = json.loads(audit_stack.outputs.read_text())
    for output, table, sort_key in (
        ("audit_trail_table_name", "trail", "recorded"),
        ("incidents_table_name", "incidents", "opened_at"),
    ):
        outputs[output] = table
        shared_client("dynamodb").create_table(
            TableName=table,
            KeySchema=[
                {"AttributeName": "secret_arn", "KeyType": "HASH"},
                {"AttributeName": sort_key, "KeyType": "RANGE"},
            ],
            AttributeDefinitions=[{"AttributeName": name, "AttributeType": "S"} for name in ("secret_arn", sort_key)],
            BillingMode="PAY_PER_REQUEST",
        )
    audit_stack.outputs.write_text(json.dumps(outputs))
    return audit_stack


@pytest.fixture
def directory(filled_stack, run, tmp_path):
    """A directory of evidence."""
    path = tmp_path / "2026-Q3"
    result = run("report", "--stack-outputs", str(filled_stack.outputs), "--evidence", str(path))
    assert result.exit_code == 0, result.stderr
    return path


def change_manifest(directory, **fields):
    path = directory / "manifest.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | fields))


@pytest.fixture
def key(aws, shared_client):
    """A key of KMS that signs."""
    return shared_client("kms").create_key(KeyUsage="SIGN_VERIFY", KeySpec="ECC_NIST_P256")["KeyMetadata"]["Arn"]


def check(run, path, *options):
    result = run("verify", str(path), "--format", "json", *options)
    return result.exit_code, json.loads(result.stdout)


def states(answer):
    return {file["name"]: file["state"] for file in answer["files"]}


def test_every_file_has_the_sum_that_sha256sum_prints(directory):
    manifest = json.loads((directory / "manifest.json").read_text())

    names = {file["name"] for file in manifest["files"]}
    assert {"report.json", "report.csv", "settings.json", "runs.json", "verification.json"} < names
    assert names | {"manifest.json"} == {path.name for path in directory.iterdir()}
    for file in manifest["files"]:
        printed = subprocess.run([SHA256SUM, directory / file["name"]], capture_output=True, check=True, text=True)
        assert printed.stdout.split()[0] == file["sha256"]
        assert (directory / file["name"]).stat().st_size == file["bytes"]


def test_the_evidence_says_what_it_is_about(directory):
    manifest, settings, runs = (
        json.loads((directory / name).read_text()) for name in ("manifest.json", "settings.json", "runs.json")
    )

    assert manifest["headline"].startswith("1 of 2 secrets is over its limit; 0 could not be judged; 1 is accepted")
    assert manifest["parts"][0]["identity"]["account_id"] == ACCOUNT
    assert settings["parts"][0]["settings"]["max_age_days"] == 30
    assert len(runs["deployments"][0]["runs"]) == 2
    with (directory / "exemptions.csv").open(newline="") as file:
        assert [row["secret_name"] for row in csv.DictReader(file)] == ["spared"]


def test_evidence_as_it_was_written_is_ok_but_for_the_signature(run, directory):
    code, answer = check(run, directory)

    found = states(answer)
    assert (code, found.pop("manifest.json")) == (0, "cannot tell")
    assert set(found.values()) == {"ok"}


@pytest.mark.parametrize(
    ("tamper", "name", "reason"),
    [
        (lambda path: (path / "report.csv").write_text("nothing is overdue"), "report.csv", "was changed"),
        (lambda path: (path / "runs.json").unlink(), "runs.json", "is missing"),
        (lambda path: (path / "note.txt").write_text("by the way"), "note.txt", "was added"),
    ],
)
def test_a_file_that_was_changed_removed_or_added_is_named(run, directory, tamper, name, reason):
    tamper(directory)

    code, answer = check(run, directory)

    assert code == 1
    broken = [file for file in answer["files"] if file["state"] == "broken"]
    assert [file["name"] for file in broken] == [name]
    assert broken[0]["reason"].startswith(reason)
    assert name in run("verify", str(directory)).stdout


def test_a_manifest_that_lists_a_file_elsewhere_reads_nothing_there(run, directory):
    manifest = json.loads((directory / "manifest.json").read_text())
    manifest["files"].append({"name": "../outputs.json", "sha256": "0" * 64, "bytes": 1})
    (directory / "manifest.json").write_text(json.dumps(manifest))

    code, answer = check(run, directory)

    assert code == 1
    assert {file["name"]: file["reason"] for file in answer["files"]}["../outputs.json"] == (
        "is listed outside of the directory"
    )


def test_the_account_is_that_of_the_evidence_whoever_verifies_it(run, directory):
    path = directory / "manifest.json"
    content = json.loads(path.read_text())
    content["parts"][0]["identity"] = {"account_id": "999999999999", "account_alias": "audited", "region": "eu-north-1"}
    path.write_text(json.dumps(content))

    identity = check(run, directory)[1]["identity"]

    assert identity["caller_arn"].startswith(f"arn:aws:sts::{ACCOUNT}:")
    del identity["caller_arn"]
    assert identity == content["parts"][0]["identity"]
    assert "account: 999999999999 (audited), Region eu-north-1" in run("verify", str(directory), COLUMNS="200").stdout


def test_a_signed_manifest_is_verified_by_its_key(filled_stack, run, tmp_path, key):
    path = tmp_path / "signed"
    run("report", "--stack-outputs", str(filled_stack.outputs), "--evidence", str(path), "--sign-with", key)

    code, answer = check(run, path)
    assert (code, states(answer)["manifest.json"]) == (0, "ok")

    manifest = path / "manifest.json"
    manifest.write_text(manifest.read_text().replace("1 of 2", "0 of 2"))
    code, answer = check(run, path)
    assert (code, states(answer)["manifest.json"]) == (1, "broken")


def test_openssl_verifies_the_signature_without_aws(filled_stack, run, tmp_path):
    """KMS signs the digest that it is given (https://docs.aws.amazon.com/kms/latest/APIReference/API_Sign.html); moto
    hashes it once more."""
    private = ec.generate_private_key(ec.SECP256R1())
    key = "arn:aws:kms:eu-west-1:123456789012:key/k"
    algorithm = ec.ECDSA(Prehashed(hashes.SHA256()))
    public = private.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    offered = {"KeyId": key, "PublicKey": public, "SigningAlgorithms": ["ECDSA_SHA_256"]}
    filled_stack.answers["GetPublicKey"] = lambda _: offered
    filled_stack.answers["Sign"] = lambda asked: {"KeyId": key, "Signature": private.sign(asked["Message"], algorithm)}
    path = tmp_path / "signed"
    run("report", "--stack-outputs", str(filled_stack.outputs), "--evidence", str(path), "--sign-with", key)
    command = [OPENSSL, "dgst", "-sha256", "-verify", "public-key.pem", "-signature", "manifest.sig", "manifest.json"]

    assert subprocess.run(command, cwd=path, capture_output=True, check=False).stdout == b"Verified OK\n"
    (path / "manifest.json").write_text("{}")
    assert subprocess.run(command, cwd=path, capture_output=True, check=False).returncode == 1


def test_a_signature_that_cannot_be_checked_is_said(filled_stack, run, tmp_path, key):
    path = tmp_path / "signed"
    run("report", "--stack-outputs", str(filled_stack.outputs), "--evidence", str(path), "--sign-with", key)
    refusal = {
        "Error": {"Code": "AccessDeniedException", "Message": "No."},
        "ResponseMetadata": {"HTTPStatusCode": 400},
    }
    filled_stack.answers["Verify"] = lambda _: refusal

    result = run("verify", str(path), "--format", "json")

    assert result.exit_code == 3
    assert states(json.loads(result.stdout))["manifest.json"] == "cannot tell"
    assert "Verify was refused: AccessDeniedException" in result.stderr


def test_a_key_that_does_not_sign_writes_nothing(filled_stack, run, tmp_path, shared_client):
    key = shared_client("kms").create_key()["KeyMetadata"]["Arn"]
    refusal = {"Error": {"Code": "UnsupportedOperationException", "Message": "No."}, "ResponseMetadata": {}}
    filled_stack.answers["GetPublicKey"] = lambda _: refusal
    path = tmp_path / "signed"

    result = run("report", "--stack-outputs", str(filled_stack.outputs), "--evidence", str(path), "--sign-with", key)

    assert result.exit_code == 2
    assert result.stderr == f"--sign-with must be an asymmetric key of KMS that signs, got {key}.\n"
    assert not path.exists()


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda path: path.write_text(""), "--evidence must be a new or an empty directory"),
        (lambda path: (path.mkdir(), (path / "a").write_text("")), "--evidence must be a new or an empty directory"),
    ],
)
def test_nothing_is_overwritten(filled_stack, run, tmp_path, make, message):
    path = tmp_path / "there"
    make(path)

    result = run("report", "--stack-outputs", str(filled_stack.outputs), "--evidence", str(path))

    assert (result.exit_code, result.stdout) == (2, "")
    assert message in result.stderr


def test_an_empty_directory_is_filled(filled_stack, run, tmp_path):
    path = tmp_path / "there"
    path.mkdir()

    assert run("report", "--stack-outputs", str(filled_stack.outputs), "--evidence", str(path)).exit_code == 0
    assert (path / "manifest.json").exists()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--sign-with", "alias/a"], "--sign-with signs the manifest of --evidence DIR"),
        (["--evidence", "/nowhere/at/all"], "--evidence must be in a directory that exists"),
    ],
)
def test_options_that_cannot_work_are_refused(filled_stack, run, options, message):
    result = run("report", "--stack-outputs", str(filled_stack.outputs), *options)

    assert (result.exit_code, result.stdout) == (2, "")
    assert message in result.stderr


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{", "DIR must have a manifest.json of `report --evidence`"),
        ("[]", "DIR must have a manifest.json of `report --evidence`"),
        ('{"format": "x", "files": []}', "DIR must have evidence of the format rotation-guard.evidence/1, got 'x'"),
    ],
)
def test_a_directory_of_something_else_is_named(run, tmp_path, content, message):
    (tmp_path / "manifest.json").write_text(content)

    result = run("verify", str(tmp_path))

    assert (result.exit_code, result.stdout) == (2, "")
    assert message in result.stderr


@pytest.mark.parametrize("parts", [5, True, None, "words", {}])
def test_a_manifest_without_parts_is_named(directory, run, parts):
    change_manifest(directory, parts=parts)

    result = run("verify", str(directory))

    assert (result.exit_code, result.stdout) == (2, "")
    assert "with a list of parts" in " ".join(result.stderr.split())


@pytest.mark.parametrize("size", [float("inf"), float("nan"), "words", None, []])
def test_a_manifest_with_an_invalid_size_is_named(directory, run, size):
    change_manifest(directory, files=[{"name": "report.csv", "sha256": "0" * 64, "bytes": size}])

    result = run("verify", str(directory))

    assert (result.exit_code, result.stdout) == (2, "")
    assert "of `report --evidence`" in " ".join(result.stderr.split())


@pytest.mark.parametrize("name", ["a\0b", "\ud800", "a" * 300, "../report.csv", ".", ""])
def test_a_name_that_no_file_has_is_broken(directory, run, name):
    change_manifest(directory, files=[{"name": name, "sha256": "0" * 64, "bytes": 1}])

    result = run("verify", str(directory), "--format", "json")

    assert result.exit_code == 1
    assert json.loads(result.stdout)["files"][0]["state"] == "broken"


@pytest.mark.parametrize("kind", ["pipe", "device", "link", "directory"])
def test_what_is_no_file_is_broken_and_is_not_read(directory, run, tmp_path, kind):
    file = directory / "report.csv"
    file.rename(tmp_path / "moved")
    match kind:
        case "pipe":
            os.mkfifo(file)
        case "device":
            file.symlink_to("/dev/zero")
        case "link":
            file.symlink_to(tmp_path / "moved")
        case _:
            file.mkdir()

    result = run("verify", str(directory), "--format", "json")

    [checked] = [file for file in json.loads(result.stdout)["files"] if file["name"] == "report.csv"]
    assert (result.exit_code, checked["state"], checked["reason"]) == (1, "broken", "is no regular file")


def test_a_public_key_without_a_signature_was_added(directory, run):
    (directory / "public-key.pem").write_text("my own key")

    result = run("verify", str(directory), "--format", "json")

    [checked] = [file for file in json.loads(result.stdout)["files"] if file["name"] == "public-key.pem"]
    assert (result.exit_code, checked["state"]) == (1, "broken")


def test_a_secret_with_the_name_of_a_directory_is_a_secret(filled_stack, run, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("old").mkdir()

    result = run("verify", "old", "--stack-outputs", str(filled_stack.outputs))

    assert "SECRET must be the name or the ARN of a secret" in result.stderr
