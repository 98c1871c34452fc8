"""Four secrets to try the product on."""

import hashlib
import json

import pytest

from components.demo.demo_secrets import DemoSecrets

SECRET, VERSION = "aws:secretsmanager/secret:Secret", "aws:secretsmanager/secretVersion:SecretVersion"
ROTATION = "aws:secretsmanager/secretRotation:SecretRotation"
FUNCTION, PERMISSION = "aws:lambda/function:Function", "aws:lambda/permission:Permission"
ROLE, ROLE_POLICY = "aws:iam/role:Role", "aws:iam/rolePolicy:RolePolicy"
PARAMETER = "aws:ssm/parameter:Parameter"
KINDS = ["fresh", "stale", "ignored", "rotating"]


@pytest.fixture(scope="module")
def demo(deploy):
    return deploy(DemoSecrets, "demo")


def tags_of(recording):
    return {secret.name.removeprefix("demo-"): secret.inputs.get("tags") for secret in recording.of_type(SECRET)}


def test_there_are_four_secrets_without_a_recovery_window(demo):
    secrets = demo.of_type(SECRET)

    assert [secret.name for secret in secrets] == [f"demo-{kind}" for kind in KINDS]
    assert [secret.inputs["recoveryWindowInDays"] for secret in secrets] == [0] * 4
    assert demo.outputs == {
        **{f"{kind}_secret_name": demo.named(SECRET, f"demo-{kind}").outputs["name"] for kind in KINDS},
        **{f"{kind}_function_arn": demo.named(FUNCTION, f"demo-{kind}").arn for kind in ("rotation", "probe")},
    }


def test_two_are_managed_one_has_another_value_and_one_opts_in_to_repair(demo):
    assert tags_of(demo) == {
        "fresh": {"Managed": "true"},
        "stale": {"Managed": "true"},
        "ignored": {"Managed": "false"},
        "rotating": {"rotation-guard:remediation": "repair", "rotation-guard:probe": "demo-probe-0a1b2c3"},
    }


@pytest.mark.parametrize(("value", "other"), [("yes", "false"), ("false", "true"), ("", "false")])
def test_the_ignored_secret_never_has_the_managed_value(deploy, value, other):
    recording = deploy(DemoSecrets, "demo", {"managed_tag": {"key": "audit", "value": value}})

    assert tags_of(recording)["fresh"] == {"audit": value}
    assert tags_of(recording)["ignored"] == {"audit": other}


def test_tags_of_the_stack_put_no_additional_secret_under_audit(deploy):
    recording = deploy(DemoSecrets, "demo", {"tags": {"Managed": "true", "environment": "dev"}})

    assert tags_of(recording) == {
        "fresh": {"environment": "dev", "Managed": "true"},
        "stale": {"environment": "dev", "Managed": "true"},
        "ignored": {"environment": "dev", "Managed": "false"},
        "rotating": {
            "environment": "dev",
            "rotation-guard:remediation": "repair",
            "rotation-guard:probe": "demo-probe-0a1b2c3",
        },
    }


def test_each_has_a_value_and_a_rotated_value_is_not_drift(demo):
    versions = demo.of_type(VERSION)

    assert {version.inputs["secretId"] for version in versions} == {resource.id for resource in demo.of_type(SECRET)}
    for version in versions:
        assert set(json.loads(version.inputs["secretString"])) == {"username", "password"}
        assert version.ignore_changes == ("secretString",)
        assert "secretString" in version.secret_inputs


def test_one_secret_is_rotated_by_its_own_function_but_not_immediately(demo):
    [rotation] = demo.of_type(ROTATION)
    function = demo.named(FUNCTION, "demo-rotation")
    secret = demo.named(SECRET, "demo-rotating")

    assert rotation.inputs["secretId"] == secret.id
    assert rotation.inputs["rotationLambdaArn"] == function.arn
    assert rotation.inputs["rotationRules"] == {"automaticallyAfterDays": 30}
    assert rotation.inputs["rotateImmediately"] is False
    assert function.inputs["handler"] == "handlers.demo.rotation.handler"


def test_secrets_manager_of_this_account_may_call_the_function_before_rotation_is_set(demo):
    [permission] = demo.of_type(PERMISSION)
    [rotation] = demo.of_type(ROTATION)

    assert permission.inputs == {
        "action": "lambda:InvokeFunction",
        "function": demo.named(FUNCTION, "demo-rotation").outputs["name"],
        "principal": "secretsmanager.amazonaws.com",
        "sourceAccount": "111122223333",
    }
    assert permission.urn in rotation.depends_on


def test_the_probe_tag_has_the_physical_name_of_the_function(demo):
    probe, secret = demo.named(FUNCTION, "demo-probe"), demo.named(SECRET, "demo-rotating")

    assert secret.inputs["tags"]["rotation-guard:probe"] == probe.outputs["name"]
    assert probe.urn in secret.property_dependencies["tags"]
    assert probe.inputs["handler"] == "handlers.demo.probe.handler"


def test_the_demo_database_accepts_the_first_password_and_a_rotated_one_is_not_drift(demo):
    [database] = demo.of_type(PARAMETER)
    [value] = [resource for resource in demo.of_type(VERSION) if resource.name == "demo-rotating"]

    password = json.loads(value.inputs["secretString"])["password"]
    assert database.inputs["value"] == hashlib.sha256(password.encode()).hexdigest()
    assert database.inputs["type"] == "String"
    assert database.ignore_changes == ("value",)
    for function in demo.of_type(FUNCTION):
        variables = function.inputs["environment"]["variables"]
        assert variables["DEMO_DATABASE_PARAMETER_NAME"] == database.outputs["name"]


def test_the_rotation_function_may_change_only_its_secret_and_the_demo_database(demo):
    _, on_secret, on_star, on_database = demo.named(ROLE_POLICY, "demo-rotation").policy()

    assert on_secret["Resource"] == demo.named(SECRET, "demo-rotating").arn
    assert (on_star["Action"], on_star["Resource"]) == ("secretsmanager:GetRandomPassword", "*")
    assert on_database["Resource"] == demo.of_type(PARAMETER)[0].arn
    assert on_database["Action"] == ["ssm:GetParameter", "ssm:PutParameter"]


def test_the_probe_may_only_read_its_secret_and_the_demo_database(demo):
    [role] = [resource for resource in demo.of_type(ROLE) if resource.name == "demo-probe"]
    policies = [resource for resource in demo.of_type(ROLE_POLICY) if resource.inputs["role"] == role.outputs["name"]]

    assert {
        statement["Action"]: statement["Resource"]
        for policy in policies
        for statement in policy.policy()
        if "logs" not in str(statement)
    } == {
        "secretsmanager:GetSecretValue": demo.named(SECRET, "demo-rotating").arn,
        "ssm:GetParameter": demo.of_type(PARAMETER)[0].arn,
    }
