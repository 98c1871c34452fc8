"""The roles of remediation's steps, put to the embedded AWS's IAM: each may do its own, where a tag opts in."""

import uuid

import boto3
import pytest
from botocore.exceptions import ClientError

DENIED = {"AccessDenied", "AccessDeniedException", "AuthorizationError"}
NOBODYS, SOMEBODYS = "0" * 32, "1" * 32
CALLS = {
    "describe": ("describe_secret", {}),
    "read the value": ("get_secret_value", {}),
    "rotate": ("rotate_secret", {}),
    "stop rotating": ("cancel_rotate_secret", {}),
    "move AWSCURRENT": (
        "update_secret_version_stage",
        {"VersionStage": "AWSCURRENT", "MoveToVersionId": NOBODYS, "RemoveFromVersionId": SOMEBODYS},
    ),
    "write a value": ("put_secret_value", {"SecretString": "x"}),
    "delete": ("delete_secret", {"RecoveryWindowInDays": 7}),
}
"""What is asked of a secret without a rotation and such versions: some of what is allowed fails, but not for that."""
ALWAYS = {"claim": {"describe"}, "diagnose": {"describe"}, "retry": {"describe"}, "move": {"describe"}}
OPTED_IN = {
    None: {},
    "retry": {"retry": {"rotate"}},
    "repair": {"retry": {"rotate"}, "move": {"move AWSCURRENT"}},
    "Repair": {},
}
"""Value of the tag -> step -> what it may do besides."""
STEPS = ("start", "claim", "diagnose", "probe", "decide", "retry", "move", "end", "notify")


@pytest.fixture(scope="module")
def acting_as(stack):
    """A client of a service with the credentials of a step's role."""
    pages = stack.client("iam").get_paginator("list_roles").paginate()
    roles = {role["RoleName"]: role["Arn"] for page in pages for role in page["Roles"]}

    def client(step, service):
        [arn] = [arn for name, arn in roles.items() if name.startswith(f"rotation-guard-remediation-{step}-")]
        given = stack.client("sts").assume_role(RoleArn=arn, RoleSessionName=f"as-{step}")["Credentials"]
        return boto3.client(
            service,
            endpoint_url=stack.endpoint_url,
            region_name=stack.region,
            aws_access_key_id=given["AccessKeyId"],
            aws_secret_access_key=given["SecretAccessKey"],
            aws_session_token=given["SessionToken"],
        )

    return client


@pytest.fixture
def secret(stack):
    """Makes a secret with this value of the tag, or without it."""
    made, client = [], stack.client("secretsmanager")

    def make(mode):
        tags = [{"Key": "rotation-guard:remediation", "Value": mode}] if mode else []
        made.append(client.create_secret(Name=f"roles/{uuid.uuid4()}", SecretString="x", Tags=tags)["ARN"])
        return made[-1]

    yield make
    for arn in made:
        client.delete_secret(SecretId=arn, ForceDeleteWithoutRecovery=True)


def is_allowed(call, **given):
    try:
        call(**given)
    except ClientError as error:
        return error.response["Error"]["Code"] not in DENIED
    return True


@pytest.mark.parametrize("mode", OPTED_IN)
@pytest.mark.parametrize("step", STEPS)
def test_a_step_may_do_to_a_secret_what_it_is_there_for_and_the_tag_opts_in_to(acting_as, secret, step, mode):
    arn, client = secret(mode), acting_as(step, "secretsmanager")

    may = {what for what, (call, given) in CALLS.items() if is_allowed(getattr(client, call), SecretId=arn, **given)}

    assert may == ALWAYS.get(step, set()) | OPTED_IN[mode].get(step, set())


def test_the_kill_switch_is_read_by_who_decides_and_set_by_no_step(acting_as, stack):
    name = stack.outputs["kill_switch_parameter_name"]

    readers = {step for step in STEPS if is_allowed(acting_as(step, "ssm").get_parameter, Name=name)}
    setters = [
        step
        for step in STEPS
        if is_allowed(acting_as(step, "ssm").put_parameter, Name=name, Value="go", Overwrite=True)
    ]

    assert readers == {"decide"}
    assert setters == []


def test_no_step_but_the_one_that_hears_events_starts_an_execution(acting_as, stack):
    machine = stack.outputs["state_machine_arn"]
    others = [step for step in STEPS if step != "start"]

    assert not [
        one for one in others if is_allowed(acting_as(one, "stepfunctions").start_execution, stateMachineArn=machine)
    ]


def test_no_step_but_the_one_that_tells_publishes_and_that_one_not_to_every_topic(acting_as, stack):
    topics = [stack.outputs[f"{topic}_topic_arn"] for topic in ("failures", "remediation", "critical")]
    others = [(step, topic) for step in STEPS for topic in topics if step != "notify"]

    assert not [
        (step, topic)
        for step, topic in [*others, ("notify", topics[0])]
        if is_allowed(acting_as(step, "sns").publish, TopicArn=topic, Message="x")
    ]
