"""A Lambda function with its role, log group and settings."""

import pulumi
import pytest

from components import iam_policies
from components.function import Function, _published_layer

FUNCTION, LOG_GROUP = "aws:lambda/function:Function", "aws:cloudwatch/logGroup:LogGroup"
ROLE, ROLE_POLICY = "aws:iam/role:Role", "aws:iam/rolePolicy:RolePolicy"
INVOKE_CONFIG = "aws:lambda/functionEventInvokeConfig:FunctionEventInvokeConfig"
TABLE_ARN = "arn:aws:dynamodb:eu-west-1:111122223333:table/record"
QUEUE_ARN = "arn:aws:sqs:eu-west-1:111122223333:dead"
KEY_ARN = "arn:aws:kms:eu-west-1:111122223333:key/7d0e"
ARGS = {
    "handler": "handlers.trail.writer.handler",
    "description": "Records every rotation event",
    "statements": [iam_policies.allow("dynamodb:PutItem", TABLE_ARN)],
}


@pytest.fixture(scope="module")
def function(deploy):
    return deploy(Function, "writer", ARGS)


def inputs_of(recording):
    return recording.named(FUNCTION, "writer").inputs


def test_it_runs_the_archive_on_a_current_runtime(function):
    inputs = inputs_of(function)

    assert inputs["handler"] == "handlers.trail.writer.handler"
    assert (inputs["runtime"], inputs["architectures"]) == ("python3.13", ["arm64"])
    assert "handlers/trail/writer.py" in inputs["code"]


@pytest.mark.parametrize(
    ("args", "timeout", "memory"), [({}, 30, 256), ({"timeout_seconds": 900, "memory_mb": 512}, 900, 512)]
)
def test_it_has_the_configured_timeout_and_memory(deploy, args, timeout, memory):
    inputs = inputs_of(deploy(Function, "writer", {**ARGS, **args}))

    assert (inputs["timeout"], inputs["memorySize"]) == (timeout, memory)


@pytest.mark.parametrize(("runtime", "days"), [({}, 90), ({"log_retention_days": 1}, 1)])
def test_its_log_group_is_created_and_expires(deploy, runtime, days):
    recording = deploy(Function, "writer", {**ARGS, "runtime": runtime})

    log_group = recording.named(LOG_GROUP, "writer")
    assert log_group.inputs["retentionInDays"] == days
    assert inputs_of(recording)["loggingConfig"] == {"logFormat": "JSON", "logGroup": log_group.outputs["name"]}


def test_it_has_a_role_of_its_own_with_its_statements_and_access_to_its_log(function):
    role, policy = function.named(ROLE, "writer"), function.named(ROLE_POLICY, "writer")

    assert inputs_of(function)["role"] == role.arn
    assert role.policy("assumeRolePolicy") == [
        {"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}
    ]
    assert policy.inputs["role"] == role.outputs["name"]
    assert policy.policy() == [
        {
            "Effect": "Allow",
            "Action": ["logs:CreateLogStream", "logs:PutLogEvents"],
            "Resource": f"{function.named(LOG_GROUP, 'writer').arn}:*",
        },
        {"Effect": "Allow", "Action": "dynamodb:PutItem", "Resource": TABLE_ARN},
    ]
    assert policy.urn in function.named(FUNCTION, "writer").depends_on


def test_an_asynchronous_function_sends_failed_events_to_its_destination(deploy):
    recording = deploy(Function, "writer", {**ARGS, "on_failure_arn": QUEUE_ARN})

    config = recording.named(INVOKE_CONFIG, "writer")
    assert config.inputs["functionName"] == recording.named(FUNCTION, "writer").outputs["name"]
    assert config.inputs["destinationConfig"] == {"onFailure": {"destination": QUEUE_ARN}}
    assert config.inputs["maximumRetryAttempts"] == 2
    assert config.inputs["maximumEventAgeInSeconds"] == 3600
    policy = recording.named(ROLE_POLICY, "writer")
    assert {"Effect": "Allow", "Action": "sqs:SendMessage", "Resource": QUEUE_ARN} in policy.policy()
    assert policy.urn in config.depends_on


def test_a_synchronous_function_has_no_destination(function):
    assert function.of_type(INVOKE_CONFIG) == []
    assert "sqs:SendMessage" not in function.named(ROLE_POLICY, "writer").inputs["policy"]


@pytest.mark.parametrize("is_output", [False, True])
@pytest.mark.parametrize(
    ("calls", "key_actions"),
    [
        ("sns:Publish", ["kms:Decrypt", "kms:GenerateDataKey"]),
        (["dynamodb:GetItem", "sqs:SendMessage"], ["kms:Decrypt", "kms:GenerateDataKey"]),
        (["sqs:ReceiveMessage", "sqs:DeleteMessage"], "kms:Decrypt"),
    ],
)
def test_it_may_use_the_key_for_the_messages_that_it_sends_or_receives(deploy, is_output, calls, key_actions):
    def args():
        key = pulumi.Output.from_input(KEY_ARN) if is_output else KEY_ARN
        statements = [iam_policies.allow(calls, "arn:aws:sqs:eu-west-1:111122223333:events")]
        return {**ARGS, "statements": statements, "runtime": {"kms_key_arn": key}}

    *_, last = deploy(Function, "writer", args).named(ROLE_POLICY, "writer").policy()

    assert last == {"Effect": "Allow", "Action": key_actions, "Resource": KEY_ARN}


def test_it_may_not_use_the_key_if_it_sends_and_receives_nothing(deploy):
    recording = deploy(Function, "writer", lambda: {**ARGS, "runtime": {"kms_key_arn": KEY_ARN}})

    assert "kms:" not in recording.named(ROLE_POLICY, "writer").inputs["policy"]


def test_it_may_use_the_key_for_failed_events(deploy):
    queue_arn = "arn:aws:sqs:eu-west-1:111122223333:dead-letters"
    args = {**ARGS, "on_failure_arn": queue_arn, "runtime": {"kms_key_arn": KEY_ARN}}

    *_, last = deploy(Function, "writer", lambda: args).named(ROLE_POLICY, "writer").policy()

    assert last == {"Effect": "Allow", "Action": ["kms:Decrypt", "kms:GenerateDataKey"], "Resource": KEY_ARN}


def test_powertools_comes_from_the_public_layer_in_the_region(function):
    [layer] = inputs_of(function)["layers"]

    assert layer.startswith("arn:aws:lambda:eu-west-1:017000801446:layer:AWSLambdaPowertoolsPythonV3-python313-arm64:")
    assert layer.rpartition(":")[2].isdigit()


@pytest.mark.parametrize(
    ("partition", "region", "account"),
    [
        ("aws", "eu-west-1", "017000801446"),
        ("aws", "mx-central-1", "017000801446"),
        ("aws-us-gov", "us-gov-east-1", "165087284144"),
        ("aws-us-gov", "us-gov-west-1", "165093116878"),
        ("aws-cn", "cn-north-1", "498634801083"),
    ],
)
def test_the_layer_is_in_the_account_of_the_partition(run, partition, region, account):
    """As https://docs.aws.amazon.com/powertools/python/latest/getting-started/install/ lists them."""
    log_group = f"arn:{partition}:logs:{region}:111122223333:log-group:writer"

    recording = run(lambda: pulumi.export("layer", _published_layer(pulumi.Output.from_input(log_group))))

    layer = f"arn:{partition}:lambda:{region}:{account}:layer:AWSLambdaPowertoolsPythonV3-python313-arm64:27"
    assert recording.outputs == {"layer": layer}


@pytest.mark.parametrize("region", ["cn-northwest-1", "us-iso-east-1", "eusc-de-east-1"])
def test_a_deployment_to_a_region_without_the_layer_fails_with_one_message(run, region):
    log_group = f"arn:aws-x:logs:{region}:111122223333:log-group:writer"

    with pytest.raises(pulumi.RunError, match=f"^powertools_layer_arn must be given in {region}, .*, got nothing$"):
        run(lambda: pulumi.export("layer", _published_layer(pulumi.Output.from_input(log_group))))


@pytest.mark.parametrize("is_output", [False, True])
def test_another_layer_can_be_configured(deploy, is_output):
    arn = "arn:aws-cn:lambda:cn-north-1:498634801083:layer:powertools:7"

    def args():
        return {**ARGS, "runtime": {"powertools_layer_arn": pulumi.Output.from_input(arn) if is_output else arn}}

    assert inputs_of(deploy(Function, "writer", args))["layers"] == [arn]


def test_its_environment_is_the_configured_one_and_the_names_for_powertools(deploy):
    recording = deploy(Function, "writer", {**ARGS, "environment": {"HISTORY_DAYS": "0"}})

    assert inputs_of(recording)["environment"]["variables"] == {
        "HISTORY_DAYS": "0",
        "POWERTOOLS_SERVICE_NAME": "writer",
        "POWERTOOLS_METRICS_NAMESPACE": "rotation-guard",
    }


def test_the_outputs_identify_the_function_and_its_role(function):
    made = function.named(FUNCTION, "writer")

    assert function.outputs == {
        "arn": made.arn,
        "name": made.outputs["name"],
        "role_arn": function.named(ROLE, "writer").arn,
        "role_name": function.named(ROLE, "writer").outputs["name"],
    }
