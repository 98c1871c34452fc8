"""The demo secret's rotation, step by step, what it opens meanwhile, and what its probe says of that."""

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
def rotating(aws, secret, monkeypatch):
    """A secret whose rotation has begun: its pending version has a label, and no value yet."""
    monkeypatch.setenv("DEMO_DATABASE_PARAMETER_NAME", DATABASE)
    aws.client("ssm").put_parameter(Name=DATABASE, Value=hashed("first"), Type="String")
    made = secret("demo/rotating", {"rotation-guard:remediation": "repair"})
    # RotateSecret would do, if moto left the four steps to the test.
    versions = get_backend("secretsmanager")["123456789012"]["eu-west-1"].secrets[made["ARN"]].versions
    versions[TOKEN] = {"createdate": 1_772_326_220, "version_id": TOKEN, "version_stages": ["AWSPENDING"]}
    return made


def hashed(password):
    return hashlib.sha256(password.encode()).hexdigest()


@pytest.fixture
def step(rotating, context):
    def take(name, token=TOKEN):
        rotation.handler({"Step": name, "SecretId": rotating["ARN"], "ClientRequestToken": token}, context)

    return take


@pytest.fixture
def value(aws, rotating):
    def read(label):
        answer = aws.client("secretsmanager").get_secret_value(SecretId=rotating["ARN"], VersionStage=label)
        return answer["VersionId"], json.loads(answer["SecretString"])

    return read


@pytest.fixture
def taken(aws, value):
    """The label whose password the database takes."""

    def look():
        takes = aws.client("ssm").get_parameter(Name=DATABASE)["Parameter"]["Value"]
        return [label for label in ("AWSCURRENT", "AWSPENDING") if _takes(takes, label)]

    def _takes(takes, label):
        try:
            return hashed(value(label)[1]["password"]) == takes
        except ClientError:
            return False

    return look


@pytest.fixture
def probe(aws, rotating, context):
    """What the probe answers of the version that holds a label."""

    def ask(label):
        stages = aws.client("secretsmanager").describe_secret(SecretId=rotating["ARN"])["VersionIdsToStages"]
        version = next(version for version, labels in stages.items() if label in labels)
        event = {"SecretId": rotating["ARN"], "VersionId": version, "VersionStage": label}
        return demo_probe.handler(event, context)

    return ask


def test_four_steps_make_a_new_value_current(aws, rotating, step, value):
    for name in STEPS:
        step(name)

    version, new = value("AWSCURRENT")
    assert version == TOKEN
    assert new["username"] == "orders"
    assert len(new["password"]) == 32
    assert value("AWSPREVIOUS") == (rotating["VersionId"], {"username": "orders", "password": "first"})


def test_the_value_in_use_stays_until_the_last_step(rotating, step, value):
    for name in STEPS[:-1]:
        step(name)

    assert value("AWSCURRENT") == (rotating["VersionId"], {"username": "orders", "password": "first"})
    assert value("AWSPENDING")[0] == TOKEN


def test_a_step_taken_twice_changes_nothing_the_second_time(step, value):
    step("createSecret")
    made = value("AWSPENDING")
    for name in ("createSecret", "setSecret", "setSecret", "testSecret", "testSecret", "finishSecret"):
        step(name)

    for name in STEPS:
        step(name)

    assert value("AWSCURRENT") == made


def test_a_step_that_comes_after_the_end_is_quiet(aws, rotating, step, value):
    for name in STEPS:
        step(name)
    # AWS leaves the label of a finished rotation on the version in use, or takes it away.
    aws.client("secretsmanager").update_secret_version_stage(
        SecretId=rotating["ARN"], VersionStage="AWSPENDING", RemoveFromVersionId=TOKEN
    )
    made = value("AWSCURRENT")

    for name in STEPS:
        step(name)

    assert value("AWSCURRENT") == made


@pytest.mark.parametrize(
    ("broken", "works"),
    [
        ("createSecret", {"AWSCURRENT": True}),
        ("setSecret", {"AWSCURRENT": True, "AWSPENDING": False}),
        ("testSecret", {"AWSCURRENT": False, "AWSPENDING": True}),
        ("finishSecret", {"AWSCURRENT": False, "AWSPENDING": True}),
    ],
)
def test_a_rotation_breaks_where_it_is_told_to(aws, rotating, step, value, taken, probe, broken, works):
    aws.client("secretsmanager").tag_resource(
        SecretId=rotating["ARN"], Tags=[{"Key": rotation.BREAK_TAG, "Value": broken}]
    )
    for name in STEPS[: STEPS.index(broken)]:
        step(name)

    with pytest.raises(rotation.DemoBreak, match=f"^the tag {rotation.BREAK_TAG} makes {broken} fail$"):
        step(broken)

    assert value("AWSCURRENT")[0] == rotating["VersionId"]
    assert taken() == [label for label, does in works.items() if does]
    assert {label: probe(label) for label in works} == {label: {"works": does} for label, does in works.items()}


def test_a_version_without_a_value_is_neither_yes_nor_no(rotating, probe):
    with pytest.raises(ClientError):
        probe("AWSPENDING")


def test_a_version_that_has_lost_its_label_is_neither_yes_nor_no(rotating, context):
    event = {"SecretId": rotating["ARN"], "VersionId": rotating["VersionId"], "VersionStage": "AWSPENDING"}

    with pytest.raises(ClientError):
        demo_probe.handler(event, context)


def test_a_password_that_was_not_set_fails_its_test(step):
    step("createSecret")

    with pytest.raises(rotation.LoginRefused, match=r"^the database rejects the pending password$"):
        step("testSecret")


def test_no_password_is_ever_said(step, value, probe, logged):
    for name in STEPS[:-1]:
        step(name)
    probe("AWSCURRENT")
    probe("AWSPENDING")

    assert "testSecret" in logged()
    for label in ("AWSCURRENT", "AWSPENDING"):
        password = value(label)[1]["password"]
        assert f"'{password}'" not in logged()
        assert hashed(password) not in logged()


def test_the_probe_reads_the_very_version_that_it_is_asked_about(aws, rotating, probe):
    probe("AWSCURRENT")

    assert aws.asked("GetSecretValue") == [
        {"SecretId": rotating["ARN"], "VersionId": rotating["VersionId"], "VersionStage": "AWSCURRENT"}
    ]


def test_a_broken_rotation_goes_on_once_the_tag_is_gone(aws, rotating, step, value):
    secretsmanager = aws.client("secretsmanager")
    secretsmanager.tag_resource(SecretId=rotating["ARN"], Tags=[{"Key": rotation.BREAK_TAG, "Value": "setSecret"}])
    step("createSecret")
    with pytest.raises(rotation.DemoBreak):
        step("setSecret")

    secretsmanager.untag_resource(SecretId=rotating["ARN"], TagKeys=[rotation.BREAK_TAG])
    for name in STEPS:
        step(name)

    assert value("AWSCURRENT")[0] == TOKEN


@pytest.mark.parametrize("name", STEPS)
def test_a_version_that_is_not_pending_is_not_rotated_to(aws, step, value, rotating, name):
    with pytest.raises(ValueError, match=r"^version other must have AWSPENDING to be rotated to, got \[\]$"):
        step(name, token="other")

    assert value("AWSCURRENT")[0] == rotating["VersionId"]
    assert aws.asked("PutSecretValue") == aws.asked("UpdateSecretVersionStage") == []


def test_the_label_moves_away_from_the_version_that_holds_it(aws, rotating, step):
    for name in STEPS:
        step(name)

    # Named on both sides it is a compare-and-swap, and AWS takes it in no other way.
    assert aws.asked("UpdateSecretVersionStage") == [
        {
            "SecretId": rotating["ARN"],
            "VersionStage": "AWSCURRENT",
            "MoveToVersionId": TOKEN,
            "RemoveFromVersionId": rotating["VersionId"],
        }
    ]
