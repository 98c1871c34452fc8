"""The roles of remediation's steps in the embedded AWS's IAM: each allows only its step's calls, by tag."""

import uuid

import boto3
import pytest
from botocore.exceptions import ClientError

DENIED = {"AccessDenied", "AccessDeniedException", "AuthorizationError"}
VERSION, OTHER_VERSION = "0" * 32, "1" * 32
CALLS = {
    "describe": ("describe_secret", {}),
    "read the value": ("get_secret_value", {}),
    "rotate": ("rotate_secret", {}),
    "stop rotating": ("cancel_rotate_secret", {}),
    "move AWSCURRENT": (
        "update_secret_version_stage",
        {"VersionStage": "AWSCURRENT", "MoveToVersionId": VERSION, "RemoveFromVersionId": OTHER_VERSION},
    ),
    "write a value": ("put_secret_value", {"SecretString": "x"}),
    "delete": ("delete_secret", {"RecoveryWindowInDays": 7}),
}
"""Calls on a secret without rotation and without these versions: allowed calls may fail, but not as denied."""
ALWAYS = {"claim": {"describe"}, "diagnose": {"describe"}, "retry": {"describe"}, "move": {"describe"}}
OPTED_IN = {
    None: {},
    "retry": {"retry": {"rotate"}},
    "repair": {"retry": {"rotate"}, "move": {"move AWSCURRENT"}},
    "Repair": {},
}
"""Value of the tag -> step -> further allowed calls."""
STEPS = ("start", "claim", "diagnose", "probe", "decide", "retry", "move", "end", "notify")


@pytest.fixture(scope="module")
def acting_as(stack):
    """Creates a client of a service with the credentials of a step's role."""
    pages = stack.client("iam").get_paginator("list_roles").paginate()
    roles = {role["RoleName"]: role["Arn"] for page in pages for role in page["Roles"]}

    def client(step, service):
        [arn] = [arn for name, arn in roles.items() if name.startswith(f"rotation-guard-repair-{step}-")]
        credentials = stack.client("sts").assume_role(RoleArn=arn, RoleSessionName=f"as-{step}")["Credentials"]
        return boto3.client(
            service,
            endpoint_url=stack.endpoint_url,
            region_name=stack.region,
            aws_access_key_id=credentials["AccessKeyId"],
            aws_secret_access_key=credentials["SecretAccessKey"],
            aws_session_token=credentials["SessionToken"],
        )

    return client


@pytest.fixture
def secret(stack):
    """Creates a secret with this value of the tag, or without the tag."""
    arns, client = [], stack.client("secretsmanager")

    def create(mode):
        tags = [{"Key": "rotation-guard:remediation", "Value": mode}] if mode else []
        arns.append(client.create_secret(Name=f"roles/{uuid.uuid4()}", SecretString="x", Tags=tags)["ARN"])
        return arns[-1]

    yield create
    for arn in arns:
        client.delete_secret(SecretId=arn, ForceDeleteWithoutRecovery=True)


def is_allowed(call, **parameters):
    try:
        call(**parameters)
    except ClientError as error:
        return error.response["Error"]["Code"] not in DENIED
    return True


@pytest.mark.parametrize("mode", OPTED_IN)
@pytest.mark.parametrize("step", STEPS)
def test_a_role_allows_the_calls_of_its_step_that_the_tag_opts_in_to(acting_as, secret, step, mode):
    arn, client = secret(mode), acting_as(step, "secretsmanager")

    allowed = {
        name
        for name, (call, parameters) in CALLS.items()
        if is_allowed(getattr(client, call), SecretId=arn, **parameters)
    }

    assert allowed == ALWAYS.get(step, set()) | OPTED_IN[mode].get(step, set())


def test_only_the_decide_step_reads_the_kill_switch_and_no_step_sets_it(acting_as, stack):
    name = stack.outputs["kill_switch_parameter_name"]

    readers = {step for step in STEPS if is_allowed(acting_as(step, "ssm").get_parameter, Name=name)}
    setters = [
        step
        for step in STEPS
        if is_allowed(acting_as(step, "ssm").put_parameter, Name=name, Value="go", Overwrite=True)
    ]

    assert readers == {"decide"}
    assert setters == []


def test_only_the_start_function_starts_executions(acting_as, stack):
    machine = stack.outputs["state_machine_arn"]
    others = [step for step in STEPS if step != "start"]

    assert not [
        step for step in others if is_allowed(acting_as(step, "stepfunctions").start_execution, stateMachineArn=machine)
    ]


def test_only_the_notify_step_publishes_and_not_to_every_topic(acting_as, stack):
    topics = [stack.outputs[f"{topic}_topic_arn"] for topic in ("failures", "remediation", "critical")]
    others = [(step, topic) for step in STEPS for topic in topics if step != "notify"]

    assert not [
        (step, topic)
        for step, topic in [*others, ("notify", topics[0])]
        if is_allowed(acting_as(step, "sns").publish, TopicArn=topic, Message="x")
    ]
