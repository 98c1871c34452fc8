"""Findings in the local deployment: of a secret that is overdue and of an incident, until each is fixed."""

from datetime import UTC, datetime, timedelta

import pytest

from local.demo import portfolio
from local.demo.secret import DemoSecret
from local.deploy import deployment
from local.waiting import eventually

NAME = "findings/orders"


@pytest.fixture(scope="module")
def watched(tmp_path_factory):
    """The dev stack with Security Hub, in which remediation only notifies."""
    directory = tmp_path_factory.mktemp("findings") / ".local"
    config = {"securityHub": "true", "remediationMode": "notify"}
    with deployment.deploy_temporarily(directory, config=config) as stack:
        yield stack


@pytest.fixture
def find_findings(watched):
    """The findings about a secret, by what they are about."""
    hub = watched.client("securityhub")

    def find(secret_arn):
        findings = [
            finding
            for finding in hub.get_findings()["Findings"]
            if [resource["Id"] for resource in finding["Resources"]] == [secret_arn]
        ]
        return {finding["GeneratorId"].split("/")[1]: finding for finding in findings}

    return find


@pytest.fixture
def audit(watched):
    """Audits a secret whose value is so many days old; returns its ARN."""

    def run(days):
        created_at = (datetime.now(UTC) - timedelta(days=days)).strftime("%Y-%m-%dT%H:%M:%SZ")
        version = f"{days:08}-0000-4000-8000-000000000000"
        arn = f"arn:aws:secretsmanager:{watched.region}:{watched.account_id}:secret:{NAME}-Ab12Cd"
        entry = {
            "Name": NAME,
            "ARN": arn,
            "Tags": [{"Key": "Managed", "Value": "true"}, {"Key": "rotation-guard:owner", "Value": "payments"}],
            "SecretVersionsToStages": {version: ["AWSCURRENT"]},
            "VersionCreatedDates": {version: created_at},
            "CreatedDate": created_at,
            "LastChangedDate": created_at,
            "RotationEnabled": False,
        }
        portfolio.seed(watched, [entry])
        answer = watched.client("lambda").invoke(FunctionName=watched.outputs["function_name"], Payload=b"{}")
        assert "FunctionError" not in answer, answer["Payload"].read()
        return arn

    return run


def wait_for(find, secret_arn, about, state):
    def is_there():
        finding = find(secret_arn).get(about)
        return finding if finding and finding["RecordState"] == state else None

    return eventually(is_there, f"the {state} finding about the {about} of {secret_arn}", seconds=60.0)


def test_an_overdue_secret_is_a_finding_until_its_value_is_new(watched, audit, find_findings):
    arn = audit(days=40)
    overdue = wait_for(find_findings, arn, "audit", "ACTIVE")
    audit(days=1)
    fixed = wait_for(find_findings, arn, "audit", "ARCHIVED")

    assert overdue["Title"] == f"Secret {NAME}: never rotated"
    assert (overdue["Compliance"]["Status"], overdue["Severity"]["Label"]) == ("FAILED", "MEDIUM")
    assert overdue["ProductFields"]["rotation-guard/owner"] == "payments"
    assert fixed["Id"] == overdue["Id"]
    assert (fixed["Compliance"]["Status"], fixed["Severity"]["Label"]) == ("PASSED", "INFORMATIONAL")
    # Customers manage it.
    assert fixed["Workflow"] == {"Status": "NEW"}
    queue = {"QueueUrl": watched.outputs["unimported_findings_dead_letters_url"]}
    dead_letters = watched.client("sqs").get_queue_attributes(**queue, AttributeNames=["ApproximateNumberOfMessages"])
    assert dead_letters["Attributes"]["ApproximateNumberOfMessages"] == "0"


def test_an_incident_is_a_finding_until_a_rotation_succeeds(watched, find_findings):
    secret = DemoSecret(watched)
    with secret.break_at("testSecret"):
        secret.rotate_and_wait("RotationFailed")
        failed = wait_for(find_findings, secret.arn, "incident", "ACTIVE")
    secret.finish_pending_work()
    fixed = wait_for(find_findings, secret.arn, "incident", "ARCHIVED")

    assert failed["Compliance"]["Status"] == "FAILED"
    assert fixed["Id"] == failed["Id"]
    assert (fixed["Compliance"]["Status"], fixed["Severity"]["Label"]) == ("PASSED", "INFORMATIONAL")
