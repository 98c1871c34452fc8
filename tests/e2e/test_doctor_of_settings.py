"""`rotation-guard doctor` on a local deployment with everything that settings add."""

import json
from datetime import UTC, datetime

import pytest

from local.deploy import deployment

SLACK = {
    "topic": "remediation",
    "protocol": "slack",
    "endpoint": "https://hooks.slack.com/services/T0/B0/secret",
    "name": "team",
}
CONFIG = {
    "canarySchedule": "rate(1 day)",
    "reportSchedule": "rate(1 day)",
    "reportObjectLockDays": "1",
    "securityHub": "true",
    "subscriptions": json.dumps([SLACK]),
}
NOT_HERE = {"alarm", "audit", "canary: last recorded"}
"""Subjects and links that need a run of the audit or a canary."""


@pytest.fixture(scope="module")
def extended(tmp_path_factory):
    """The dev stack with these settings, after its first report."""
    directory = tmp_path_factory.mktemp("extended") / ".local"
    with deployment.deploy_temporarily(directory, config=CONFIG) as stack:
        now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        response = stack.client("lambda").invoke(
            FunctionName=stack.outputs["function_names"]["report"], Payload=json.dumps({"scheduled_time": now})
        )
        assert "FunctionError" not in response, response["Payload"].read()
        yield stack


@pytest.fixture
def examine(extended, examine_own):
    def run():
        found = examine_own(extended).items()
        return {name: why for name, why in found if {name, name.partition(":")[0]}.isdisjoint(NOT_HERE)}

    return run


def test_nothing_is_wrong_with_what_settings_add(examine):
    assert examine() == {}


def test_what_is_taken_away_of_it_is_found(extended, examine):
    s3, bucket = extended.client("s3"), {"Bucket": extended.outputs["reports_bucket_name"]}
    s3.delete_public_access_block(**bucket)
    s3.put_object_lock_configuration(**bucket, ObjectLockConfiguration={"ObjectLockEnabled": "Enabled"})
    events = extended.client("events")
    for rule in extended.outputs["receiver_rule_names"].values():
        events.disable_rule(Name=rule)

    found = examine()

    assert found.keys() == {"bucket: reports", "rule: findings", "integration: remediation-slack-team"}
    assert "does not block public access: BlockPublicAcls" in found["bucket: reports"]
    assert "keeps a report for no time, and report_object_lock_days says 1 day" in found["bucket: reports"]
