"""Secrets Manager in the embedded AWS: labels, values, errors and events of a rotation."""

import json
import uuid
from typing import NamedTuple

import pytest
from botocore.exceptions import ClientError

from local.demo.secret import STEPS
from local.emulator import aws_retries
from local.errors import LocalError
from local.waiting import eventually

RECORDED = {"AWS Service Event via CloudTrail", "AWS API Call via CloudTrail"}


@pytest.fixture
def manager(aws):
    return aws.client("secretsmanager")


@pytest.fixture
def secret(manager):
    arn = manager.create_secret(Name=f"orders/{uuid.uuid4()}", SecretString="first")["ARN"]
    yield arn
    manager.delete_secret(SecretId=arn, ForceDeleteWithoutRecovery=True)


class History(NamedTuple):
    order: list[str]
    events: dict[str, dict]


@pytest.fixture
def wait_for_events(events, secret):
    """Waits for events of these names about this secret, and returns all since the last call."""
    received: list[dict] = []

    def until(*names: str) -> History:
        def has_all() -> bool:
            received.extend(event for event in events() if secret in json.dumps(event))
            return set(names) <= {_name(event) for event in received}

        eventually(has_all, f"{names}", seconds=20)
        history = History([_name(event) for event in received], {_name(event): event for event in received})
        received.clear()
        return history

    events()
    return until


def _name(event: dict) -> str:
    return event["detail"].get("eventName", event["detail-type"])


def read_labels(manager, secret: str) -> dict[str, list[str]]:
    described = manager.describe_secret(SecretId=secret)
    return {label: version for version, labels in described["VersionIdsToStages"].items() for label in labels}


def rotate(manager, secret: str, function: str, **more) -> str:
    return manager.rotate_secret(
        SecretId=secret, RotationLambdaARN=function, RotationRules={"AutomaticallyAfterDays": 30}, **more
    )["VersionId"]


def get_error(call, *args, **kwargs) -> str:
    with pytest.raises(ClientError) as error:
        call(*args, **kwargs)
    return f"{error.value.response['Error']['Code']}: {error.value.response['Error']['Message']}"


def test_a_rotation_moves_current_to_the_new_value_and_previous_to_the_old_one(
    manager, secret, wait_for_events, rotation_function
):
    before = read_labels(manager, secret)["AWSCURRENT"]
    version = rotate(manager, secret, rotation_function)
    history = wait_for_events("RotationSucceeded")

    after = read_labels(manager, secret)
    assert (after["AWSCURRENT"], after["AWSPREVIOUS"]) == (version, before)
    assert after.get("AWSPENDING", version) == version
    assert manager.get_secret_value(SecretId=secret)["SecretString"] == "rotated"
    described = manager.describe_secret(SecretId=secret)
    assert described["RotationEnabled"]
    assert (described["NextRotationDate"] - described["LastRotatedDate"]).days == 30
    assert history.order.index("RotationStarted") < history.order.index("RotationSucceeded")
    assert history.order.count("Secret Label Updated") == 1


@pytest.mark.parametrize("step", STEPS)
def test_a_failed_rotation_leaves_current_and_names_the_step(manager, secret, wait_for_events, rotation_function, step):
    before = read_labels(manager, secret)["AWSCURRENT"]
    manager.tag_resource(SecretId=secret, Tags=[{"Key": "break-at", "Value": step}])
    version = rotate(manager, secret, rotation_function)
    detail = wait_for_events("RotationFailed").events["RotationFailed"]["detail"]

    assert detail["errorMessage"] == f"Error when executing lambda {rotation_function} during {step} step"
    assert read_labels(manager, secret) == {"AWSCURRENT": before, "AWSPENDING": version}
    assert "LastRotatedDate" not in manager.describe_secret(SecretId=secret)
    if step == "createSecret":
        message = get_error(manager.get_secret_value, SecretId=secret, VersionId=version)
        assert message.endswith(f"Secrets Manager can't find the specified secret value for VersionId: {version}")
        assert message.startswith("ResourceNotFoundException")


def test_rotate_secret_is_rejected_and_retries_an_incomplete_rotation(
    manager, secret, wait_for_events, rotation_function
):
    manager.tag_resource(SecretId=secret, Tags=[{"Key": "break-at", "Value": "testSecret"}])
    version = rotate(manager, secret, rotation_function)
    first = wait_for_events("RotationFailed").events["RotationFailed"]["detail"]["requestID"]
    manager.untag_resource(SecretId=secret, TagKeys=["break-at"])

    assert get_error(manager.rotate_secret, SecretId=secret) == (
        "InvalidRequestException: A previous rotation isn't complete. That rotation will be reattempted."
    )
    second = wait_for_events("RotationSucceeded").events["RotationSucceeded"]["detail"]["requestID"]
    assert read_labels(manager, secret)["AWSCURRENT"] == version
    assert first != second
    assert first.startswith(f"Rotation-{secret}-")


def test_aws_retries_a_failed_rotation_on_request(aws, manager, secret, wait_for_events, rotation_function):
    with pytest.raises(LocalError, match=r"has no rotation of .* to retry"):
        aws_retries.retry(aws, secret)
    manager.tag_resource(SecretId=secret, Tags=[{"Key": "break-at", "Value": "finishSecret"}])
    version = rotate(manager, secret, rotation_function)
    wait_for_events("RotationFailed")

    aws_retries.retry(aws, secret)
    assert wait_for_events("RotationFailed").order.count("RotateSecret") == 0

    manager.untag_resource(SecretId=secret, TagKeys=["break-at"])
    aws_retries.retry(aws, manager.describe_secret(SecretId=secret)["Name"])
    wait_for_events("RotationSucceeded")
    assert read_labels(manager, secret)["AWSCURRENT"] == version


def test_a_rotation_that_is_off_is_not_retried(aws, manager, secret, wait_for_events, rotation_function):
    manager.tag_resource(SecretId=secret, Tags=[{"Key": "break-at", "Value": "setSecret"}])
    rotate(manager, secret, rotation_function)
    wait_for_events("RotationFailed")
    manager.cancel_rotate_secret(SecretId=secret)

    with pytest.raises(LocalError, match="or its rotation is off"):
        aws_retries.retry(aws, secret)


def test_events_of_a_failed_rotation_have_the_shape_of_the_recorded_one(
    manager, secret, wait_for_events, rotation_function, recorded
):
    manager.tag_resource(SecretId=secret, Tags=[{"Key": "break-at", "Value": "setSecret"}])
    rotate(manager, secret, rotation_function)
    sent, expected = wait_for_events("RotationFailed").events["RotationFailed"], recorded("rotation-failed")
    assert shape(sent) == shape(expected)
    for key in ("requestParameters", "responseElements", "eventType", "eventSource", "managementEvent"):
        assert sent["detail"][key] == expected["detail"][key]
    assert sent["detail"]["additionalEventData"] == {"SecretId": secret}
    assert sent["source"] == "rotation-guard.drill"


def shape(value):
    return {key: shape(inner) for key, inner in value.items()} if isinstance(value, dict) else type(value).__name__


def test_testing_a_rotation_invokes_one_step_and_leaves_no_version(manager, secret, wait_for_events, rotation_function):
    before = read_labels(manager, secret)
    manager.tag_resource(SecretId=secret, Tags=[{"Key": "break-at", "Value": "createSecret"}])
    rotate(manager, secret, rotation_function, RotateImmediately=False)
    history = wait_for_events("TestRotationSucceeded")
    assert [name for name in history.order if "Rotation" in name] == ["TestRotationStarted", "TestRotationSucceeded"]
    assert eventually(lambda: read_labels(manager, secret) == before, "the version to go")
    assert manager.get_secret_value(SecretId=secret)["SecretString"] == "first"


def test_a_test_that_fails_sends_an_event(manager, secret, wait_for_events, rotation_function):
    manager.tag_resource(SecretId=secret, Tags=[{"Key": "break-at", "Value": "testSecret"}])
    rotate(manager, secret, rotation_function, RotateImmediately=False)
    assert (
        "during testSecret step"
        in wait_for_events("TestRotationFailed").events["TestRotationFailed"]["detail"]["errorMessage"]
    )


def test_rotating_without_a_function_is_refused(manager, secret):
    assert get_error(manager.rotate_secret, SecretId=secret) == (
        "InvalidRequestException: No Lambda rotation function ARN is associated with this secret."
    )


def test_rotating_with_a_function_that_does_not_admit_secrets_manager_is_refused(manager, secret):
    function = "arn:aws:lambda:eu-west-1:111122223333:function:nobody"
    assert get_error(manager.rotate_secret, SecretId=secret, RotationLambdaARN=function).startswith("AccessDenied")


def test_cancelling_switches_rotation_off(manager, secret, wait_for_events, rotation_function):
    rotate(manager, secret, rotation_function)
    wait_for_events("RotationSucceeded")
    manager.cancel_rotate_secret(SecretId=secret)
    described = manager.describe_secret(SecretId=secret)
    assert described["RotationEnabled"] is False
    assert "LastRotatedDate" not in described
    assert described["RotationLambdaARN"] == rotation_function
    wait_for_events("CancelRotateSecret")


def test_a_listed_secret_includes_its_rotation_settings_and_dates(manager, secret, wait_for_events, rotation_function):
    rotate(manager, secret, rotation_function)
    wait_for_events("RotationSucceeded")
    name = manager.describe_secret(SecretId=secret)["Name"]
    [entry] = manager.list_secrets(Filters=[{"Key": "name", "Values": [name]}])["SecretList"]
    fields = {"RotationEnabled", "RotationLambdaARN", "RotationRules", "LastRotatedDate", "NextRotationDate"}
    assert fields <= set(entry)
    assert entry["SecretVersionsToStages"] == manager.describe_secret(SecretId=secret)["VersionIdsToStages"]


def test_current_cannot_be_removed_without_a_destination(manager, secret):
    current = read_labels(manager, secret)["AWSCURRENT"]
    assert get_error(
        manager.update_secret_version_stage, SecretId=secret, VersionStage="AWSCURRENT", RemoveFromVersionId=current
    ).startswith("InvalidParameterException")
    assert read_labels(manager, secret)["AWSCURRENT"] == current


def test_current_moves_only_from_the_version_that_holds_it_and_that_is_named(manager, secret):
    first = read_labels(manager, secret)["AWSCURRENT"]
    second = manager.put_secret_value(SecretId=secret, SecretString="second")["VersionId"]
    third = manager.put_secret_value(SecretId=secret, SecretString="third", VersionStages=["candidate"])["VersionId"]
    before = read_labels(manager, secret)

    def move(**named):
        return get_error(
            manager.update_secret_version_stage, SecretId=secret, VersionStage="AWSCURRENT", **named
        ).partition(": ")

    code, _, history = move(MoveToVersionId=third)
    assert code == "InvalidParameterException"
    assert history == (
        "The parameter RemoveFromVersionId can't be empty. Staging label AWSCURRENT is currently attached to version "
        f"{second}, so you must explicitly reference that version in RemoveFromVersionId."
    )
    code, _, history = move(MoveToVersionId=third, RemoveFromVersionId=first)
    assert code == "InvalidParameterException"
    assert history.endswith("it must be set to the version that currently has the staging label AWSCURRENT.")
    code, _, _ = move(MoveToVersionId=str(uuid.uuid4()), RemoveFromVersionId=first)
    assert code == "ResourceNotFoundException"
    assert read_labels(manager, secret) == before

    manager.update_secret_version_stage(
        SecretId=secret, VersionStage="AWSCURRENT", MoveToVersionId=third, RemoveFromVersionId=second
    )
    assert read_labels(manager, secret) == {"AWSCURRENT": third, "AWSPREVIOUS": second, "candidate": third}


def test_a_moved_label_sends_aws_event(manager, secret, wait_for_events, recorded):
    put = manager.put_secret_value(SecretId=secret, SecretString="second")["VersionId"]
    by_value = wait_for_events("Secret Label Updated").events["Secret Label Updated"]
    first = read_labels(manager, secret)["AWSPREVIOUS"]
    manager.update_secret_version_stage(
        SecretId=secret, VersionStage="AWSCURRENT", MoveToVersionId=first, RemoveFromVersionId=put
    )
    by_hand = wait_for_events("Secret Label Updated").events["Secret Label Updated"]

    assert shape(by_value) == shape(by_hand) == shape(recorded("secret-label-updated"))
    assert [history["detail"]["versionId"] for history in (by_value, by_hand)] == [put, first]
    for history in (by_value, by_hand):
        assert (history["source"], history["resources"]) == ("aws.secretsmanager", [secret])
        assert history["detail"]["labelUpdated"] == "AWSCURRENT"


def test_a_pending_value_moves_the_label_and_is_never_rewritten(manager, secret):
    first, second = str(uuid.uuid4()), str(uuid.uuid4())
    put = {"SecretId": secret, "VersionStages": ["AWSPENDING"]}
    manager.put_secret_value(**put, ClientRequestToken=first, SecretString="a")
    manager.put_secret_value(**put, ClientRequestToken=second, SecretString="b")
    assert read_labels(manager, secret)["AWSPENDING"] == second

    manager.put_secret_value(**put, ClientRequestToken=second, SecretString="b")
    assert get_error(manager.put_secret_value, **put, ClientRequestToken=second, SecretString="c").startswith(
        "ResourceExistsException"
    )
    assert manager.get_secret_value(SecretId=secret, VersionStage="AWSPENDING")["SecretString"] == "b"


def test_a_secret_without_a_value_has_no_version(manager):
    answer = manager.create_secret(Name=f"empty/{uuid.uuid4()}")
    assert "VersionId" not in answer
    assert manager.describe_secret(SecretId=answer["ARN"])["VersionIdsToStages"] == {}
    manager.put_secret_value(SecretId=answer["ARN"], SecretString="first")
    assert list(read_labels(manager, answer["ARN"])) == ["AWSCURRENT"]
    manager.delete_secret(SecretId=answer["ARN"], ForceDeleteWithoutRecovery=True)


def test_a_call_is_recorded_without_its_value(manager, secret, wait_for_events):
    manager.put_secret_value(SecretId=secret, SecretString="hunter2")
    event = wait_for_events("PutSecretValue").events["PutSecretValue"]
    assert event["detail"]["requestParameters"]["secretId"] == secret
    assert event["detail"]["responseElements"] == {"arn": secret}
    assert "hunter2" not in json.dumps(event)
    assert event["detail-type"] in RECORDED


def test_a_refused_call_is_not_recorded(manager, secret, wait_for_events, events):
    get_error(manager.rotate_secret, SecretId=secret)
    manager.update_secret(SecretId=secret, Description="a later call")
    assert "RotateSecret" not in wait_for_events("UpdateSecret").order


def test_a_role_without_permission_may_neither_rotate_nor_cancel(aws, manager, secret):
    iam, name = aws.client("iam"), f"nobody-{uuid.uuid4().hex[:8]}"
    iam.create_user(UserName=name)
    key = iam.create_access_key(UserName=name)["AccessKey"]
    powerless = type(aws)(aws.endpoint_url, aws.region, aws.account_id, key["AccessKeyId"], key["SecretAccessKey"])
    for call in ("rotate_secret", "cancel_rotate_secret"):
        assert get_error(getattr(powerless.client("secretsmanager"), call), SecretId=secret).startswith("AccessDenied")
