"""Four secrets to try the product on."""

import json

import pytest

from components.demo_secrets import DemoSecrets

SECRET, VERSION = "aws:secretsmanager/secret:Secret", "aws:secretsmanager/secretVersion:SecretVersion"
ROTATION = "aws:secretsmanager/secretRotation:SecretRotation"
FUNCTION, PERMISSION = "aws:lambda/function:Function", "aws:lambda/permission:Permission"
ROLE_POLICY = "aws:iam/rolePolicy:RolePolicy"
KINDS = ["fresh", "stale", "ignored", "rotating"]


@pytest.fixture(scope="module")
def demo(deploy):
    return deploy(DemoSecrets, "demo")


def tags_of(recording):
    return {secret.name.removeprefix("demo-"): secret.inputs.get("tags") for secret in recording.of_type(SECRET)}


def test_there_are_four_and_each_is_deleted_at_once(demo):
    secrets = demo.of_type(SECRET)

    assert [secret.name for secret in secrets] == [f"demo-{kind}" for kind in KINDS]
    assert [secret.inputs["recoveryWindowInDays"] for secret in secrets] == [0] * 4
    assert demo.outputs == {f"{kind}_secret_name": demo.named(SECRET, f"demo-{kind}").outputs["name"] for kind in KINDS}


def test_two_are_managed_one_has_another_value_and_one_is_up_for_repair(demo):
    assert tags_of(demo) == {
        "fresh": {"Managed": "true"},
        "stale": {"Managed": "true"},
        "ignored": {"Managed": "false"},
        "rotating": {"rotation-guard:remediation": "repair"},
    }


@pytest.mark.parametrize(("value", "other"), [("yes", "false"), ("false", "true"), ("", "false")])
def test_the_ignored_one_never_has_the_managed_value(deploy, value, other):
    recording = deploy(DemoSecrets, "demo", {"managed_tag": {"key": "audit", "value": value}})

    assert tags_of(recording)["fresh"] == {"audit": value}
    assert tags_of(recording)["ignored"] == {"audit": other}


def test_tags_for_everything_bring_no_secret_more_under_audit(deploy):
    recording = deploy(DemoSecrets, "demo", {"tags": {"Managed": "true", "environment": "dev"}})

    assert tags_of(recording) == {
        "fresh": {"environment": "dev", "Managed": "true"},
        "stale": {"environment": "dev", "Managed": "true"},
        "ignored": {"environment": "dev", "Managed": "false"},
        "rotating": {"environment": "dev", "rotation-guard:remediation": "repair"},
    }


def test_each_has_a_value_and_a_rotated_value_is_not_drift(demo):
    versions = demo.of_type(VERSION)

    assert {one.inputs["secretId"] for one in versions} == {one.id for one in demo.of_type(SECRET)}
    for one in versions:
        assert set(json.loads(one.inputs["secretString"])) == {"username", "password"}
        assert one.ignore_changes == ("secretString",)
        assert "secretString" in one.secret_inputs


def test_one_is_rotated_by_its_own_function_and_not_at_once(demo):
    [rotation] = demo.of_type(ROTATION)
    [function] = demo.of_type(FUNCTION)
    secret = demo.named(SECRET, "demo-rotating")

    assert rotation.inputs["secretId"] == secret.id
    assert rotation.inputs["rotationLambdaArn"] == function.arn
    assert rotation.inputs["rotationRules"] == {"automaticallyAfterDays": 30}
    assert rotation.inputs["rotateImmediately"] is False
    assert function.inputs["handler"] == "handlers.demo_rotation.handler"


def test_secrets_manager_of_this_account_may_call_the_function_before_rotation_is_set(demo):
    [permission] = demo.of_type(PERMISSION)
    [rotation] = demo.of_type(ROTATION)

    assert permission.inputs == {
        "action": "lambda:InvokeFunction",
        "function": demo.of_type(FUNCTION)[0].outputs["name"],
        "principal": "secretsmanager.amazonaws.com",
        "sourceAccount": "111122223333",
    }
    assert permission.urn in rotation.depends_on


def test_the_function_handles_that_one_secret(demo):
    _, on_secret, on_star = demo.named(ROLE_POLICY, "demo-rotation").policy()

    assert on_secret["Resource"] == demo.named(SECRET, "demo-rotating").arn
    assert (on_star["Action"], on_star["Resource"]) == ("secretsmanager:GetRandomPassword", "*")
