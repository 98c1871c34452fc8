"""The demo secret's rotation, step by step, which passwords its database accepts, and what its probe answers."""

import hashlib
import json

import pytest
from botocore.exceptions import ClientError
from moto.backends import get_backend

from handlers.demo import probe as demo_probe
from handlers.demo import rotation

STEPS = ("createSecret", "setSecret", "testSecret", "finishSecret")
TOKEN = "7ac47c8c-f328-423b-9698-6926dd1f293e"
DATABASE = "demo-database"


@pytest.fixture
def rotating_secret(aws, create_secret, monkeypatch):
    """A secret whose rotation has started: its pending version has a label, but no value yet."""
    monkeypatch.setenv("DEMO_DATABASE_PARAMETER_NAME", DATABASE)
    aws.client("ssm").put_parameter(Name=DATABASE, Value=hashed("first"), Type="String")
    created = create_secret("demo/rotating", {"rotation-guard:remediation": "repair"})
    # RotateSecret would do this, but moto runs the four steps itself.
    versions = get_backend("secretsmanager")["123456789012"]["eu-west-1"].secrets[created["ARN"]].versions
    versions[TOKEN] = {"createdate": 1_772_326_220, "version_id": TOKEN, "version_stages": ["AWSPENDING"]}
    return created


def hashed(password):
    return hashlib.sha256(password.encode()).hexdigest()


@pytest.fixture
def step(rotating_secret, context):
    def take(name, token=TOKEN):
        rotation.handler({"Step": name, "SecretId": rotating_secret["ARN"], "ClientRequestToken": token}, context)

    return take


@pytest.fixture
def value(aws, rotating_secret):
    def read(label):
        answer = aws.client("secretsmanager").get_secret_value(SecretId=rotating_secret["ARN"], VersionStage=label)
        return answer["VersionId"], json.loads(answer["SecretString"])

    return read


@pytest.fixture
def accepted_labels(aws, value):
    """Reads the labels whose password the database accepts."""

    def read():
        stored_hash = aws.client("ssm").get_parameter(Name=DATABASE)["Parameter"]["Value"]
        return [label for label in ("AWSCURRENT", "AWSPENDING") if is_accepted(stored_hash, label)]

    def is_accepted(stored_hash, label):
        try:
            return hashed(value(label)[1]["password"]) == stored_hash
        except ClientError:
            return False

    return read


@pytest.fixture
def probe(aws, rotating_secret, context):
    """Invokes the probe for the version with a label."""

    def invoke(label):
        stages = aws.client("secretsmanager").describe_secret(SecretId=rotating_secret["ARN"])["VersionIdsToStages"]
        version = next(version for version, labels in stages.items() if label in labels)
        event = {"SecretId": rotating_secret["ARN"], "VersionId": version, "VersionStage": label}
        return demo_probe.handler(event, context)

    return invoke


def test_four_steps_make_a_new_value_current(aws, rotating_secret, step, value):
    for name in STEPS:
        step(name)

    version, new = value("AWSCURRENT")
    assert version == TOKEN
    assert new["username"] == "orders"
    assert len(new["password"]) == 32
    assert value("AWSPREVIOUS") == (rotating_secret["VersionId"], {"username": "orders", "password": "first"})


def test_the_value_in_use_stays_until_the_last_step(rotating_secret, step, value):
    for name in STEPS[:-1]:
        step(name)

    assert value("AWSCURRENT") == (rotating_secret["VersionId"], {"username": "orders", "password": "first"})
    assert value("AWSPENDING")[0] == TOKEN


def test_a_step_taken_twice_changes_nothing_the_second_time(step, value):
    step("createSecret")
    before = value("AWSPENDING")
    for name in ("createSecret", "setSecret", "setSecret", "testSecret", "testSecret", "finishSecret"):
        step(name)

    for name in STEPS:
        step(name)

    assert value("AWSCURRENT") == before


def test_a_step_after_the_end_changes_nothing(aws, rotating_secret, step, value):
    for name in STEPS:
        step(name)
    # After a rotation, AWS leaves AWSPENDING on the version in use, or removes it.
    aws.client("secretsmanager").update_secret_version_stage(
        SecretId=rotating_secret["ARN"], VersionStage="AWSPENDING", RemoveFromVersionId=TOKEN
    )
    before = value("AWSCURRENT")

    for name in STEPS:
        step(name)

    assert value("AWSCURRENT") == before


@pytest.mark.parametrize(
    ("broken", "works"),
    [
        ("createSecret", {"AWSCURRENT": True}),
        ("setSecret", {"AWSCURRENT": True, "AWSPENDING": False}),
        ("testSecret", {"AWSCURRENT": False, "AWSPENDING": True}),
        ("finishSecret", {"AWSCURRENT": False, "AWSPENDING": True}),
    ],
)
def test_a_rotation_breaks_at_the_step_that_its_tag_names(
    aws, rotating_secret, step, value, accepted_labels, probe, broken, works
):
    aws.client("secretsmanager").tag_resource(
        SecretId=rotating_secret["ARN"], Tags=[{"Key": rotation.BREAK_TAG, "Value": broken}]
    )
    for name in STEPS[: STEPS.index(broken)]:
        step(name)

    with pytest.raises(rotation.DemoBreak, match=f"^the tag {rotation.BREAK_TAG} makes {broken} fail$"):
        step(broken)

    assert value("AWSCURRENT")[0] == rotating_secret["VersionId"]
    assert accepted_labels() == [label for label, is_accepted in works.items() if is_accepted]
    assert {label: probe(label) for label in works} == {
        label: {"works": is_accepted} for label, is_accepted in works.items()
    }


def test_the_probe_raises_for_a_version_without_a_value(rotating_secret, probe):
    with pytest.raises(ClientError):
        probe("AWSPENDING")


def test_the_probe_raises_for_a_version_that_has_lost_its_label(rotating_secret, context):
    event = {
        "SecretId": rotating_secret["ARN"],
        "VersionId": rotating_secret["VersionId"],
        "VersionStage": "AWSPENDING",
    }

    with pytest.raises(ClientError):
        demo_probe.handler(event, context)


def test_a_password_that_was_not_set_fails_its_test(step):
    step("createSecret")

    with pytest.raises(rotation.LoginRefused, match=r"^the database rejects the pending password$"):
        step("testSecret")


def test_no_password_is_ever_logged(step, value, probe, log_text):
    for name in STEPS[:-1]:
        step(name)
    probe("AWSCURRENT")
    probe("AWSPENDING")

    assert "testSecret" in log_text()
    for label in ("AWSCURRENT", "AWSPENDING"):
        password = value(label)[1]["password"]
        assert f"'{password}'" not in log_text()
        assert hashed(password) not in log_text()


def test_the_probe_reads_exactly_the_requested_version(aws, rotating_secret, probe):
    probe("AWSCURRENT")

    assert aws.requests("GetSecretValue") == [
        {"SecretId": rotating_secret["ARN"], "VersionId": rotating_secret["VersionId"], "VersionStage": "AWSCURRENT"}
    ]


def test_a_broken_rotation_continues_once_the_tag_is_removed(aws, rotating_secret, step, value):
    secretsmanager = aws.client("secretsmanager")
    secretsmanager.tag_resource(
        SecretId=rotating_secret["ARN"], Tags=[{"Key": rotation.BREAK_TAG, "Value": "setSecret"}]
    )
    step("createSecret")
    with pytest.raises(rotation.DemoBreak):
        step("setSecret")

    secretsmanager.untag_resource(SecretId=rotating_secret["ARN"], TagKeys=[rotation.BREAK_TAG])
    for name in STEPS:
        step(name)

    assert value("AWSCURRENT")[0] == TOKEN


@pytest.mark.parametrize("name", STEPS)
def test_a_version_that_is_not_pending_is_not_rotated_to(aws, step, value, rotating_secret, name):
    with pytest.raises(ValueError, match=r"^version other must have AWSPENDING to be rotated to, got \[\]$"):
        step(name, token="other")

    assert value("AWSCURRENT")[0] == rotating_secret["VersionId"]
    assert aws.requests("PutSecretValue") == aws.requests("UpdateSecretVersionStage") == []


def test_the_label_moves_away_from_the_version_that_holds_it(aws, rotating_secret, step):
    for name in STEPS:
        step(name)

    # With both versions it is a compare-and-swap, and AWS accepts it only in this form.
    assert aws.requests("UpdateSecretVersionStage") == [
        {
            "SecretId": rotating_secret["ARN"],
            "VersionStage": "AWSCURRENT",
            "MoveToVersionId": TOKEN,
            "RemoveFromVersionId": rotating_secret["VersionId"],
        }
    ]
