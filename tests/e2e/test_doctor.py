"""`rotation-guard doctor` on the local deployment: nothing is wrong, until something is taken away."""

import json

import pytest
from typer.testing import CliRunner

from local.waiting import eventually
from rotation_guard.cli.application import app
from rotation_guard.domain.canary import CANARY

from .test_canary import put_canary

SHARED = ("dead letters", "alarm", "audit")
"""Subjects that other scenarios of this deployment leave traces in, or that need a run of the audit."""


def has_canary(stack):
    key = {"KeyConditionExpression": "secret_arn = :it", "ExpressionAttributeValues": {":it": {"S": CANARY}}}
    return stack.client("dynamodb").query(TableName=stack.outputs["audit_trail_table_name"], **key)["Items"]


@pytest.fixture
def examine(stack, monkeypatch):
    """Runs the command as after `make up`, without options; returns the links that are not ok, but for shared ones."""
    monkeypatch.chdir(stack.directory.parent)
    put_canary(stack)
    eventually(lambda: has_canary(stack), "a canary in the audit trail")

    def run():
        result = CliRunner().invoke(app, ["doctor", "--format", "json"])
        assert result.exit_code == 0, result.output
        links = json.loads(result.stdout)["links"]
        assert len(links) > 50
        return {
            f"{link['subject']}: {link['link']}": link["verdict"]
            for link in links
            if link["verdict"] != "ok" and link["subject"] not in SHARED
        }

    return run


def test_nothing_is_wrong_with_the_local_deployment(examine):
    assert examine() == {}


def test_what_is_taken_away_is_found(stack, examine):
    events, functions, cloudtrail = (stack.client(service) for service in ("events", "lambda", "cloudtrail"))
    tables, iam = stack.client("dynamodb"), stack.client("iam")
    rule, function = stack.outputs["rule_names"]["labels"], stack.outputs["function_names"]["end"]
    # The account is shared, and another test may have made a trail of its own in it.
    trails = [trail["TrailARN"] for trail in cloudtrail.describe_trails()["trailList"]]
    assert trails
    table = stack.outputs["runs_table_name"]
    role = functions.get_function_configuration(FunctionName=function)["Role"].rpartition("/")[2]
    [policy] = iam.list_role_policies(RoleName=role)["PolicyNames"]
    document = iam.get_role_policy(RoleName=role, PolicyName=policy)["PolicyDocument"]

    events.disable_rule(Name=rule)
    functions.put_function_concurrency(FunctionName=function, ReservedConcurrentExecutions=0)
    for trail in trails:
        cloudtrail.stop_logging(Name=trail)
    tables.update_continuous_backups(
        TableName=table, PointInTimeRecoverySpecification={"PointInTimeRecoveryEnabled": False}
    )
    logging = {**document, "Statement": document["Statement"][:1]}
    iam.put_role_policy(RoleName=role, PolicyName=policy, PolicyDocument=json.dumps(logging))
    try:
        found = examine()
    finally:
        events.enable_rule(Name=rule)
        functions.delete_function_concurrency(FunctionName=function)
        for trail in trails:
            cloudtrail.start_logging(Name=trail)
        tables.update_continuous_backups(
            TableName=table, PointInTimeRecoverySpecification={"PointInTimeRecoveryEnabled": True}
        )
        iam.put_role_policy(RoleName=role, PolicyName=policy, PolicyDocument=json.dumps(document))

    assert found == dict.fromkeys(
        ("trail: CloudTrail", "rule: labels", "function: end", "permissions: end", "table: runs"), "broken"
    )
    assert examine() == {}
