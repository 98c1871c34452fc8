"""What people read about a failed rotation."""

from dataclasses import replace
from urllib.parse import parse_qs, urlsplit

import pytest

from handlers.domain.notices import SUBJECT_LENGTH, failure_notice
from handlers.events import parse

EXECUTION = "arn:aws:states:eu-west-1:111122223333:execution:remediation:0d9f6a1e"
OPENED_AT = "2026-03-01T00:50:21.000Z"
VERSIONS = {"v1": ["AWSCURRENT"], "v2": ["AWSPENDING"]}
ARN = "arn:aws:secretsmanager:eu-west-1:111122223333:secret:"


@pytest.fixture
def failure(recorded):
    return parse(recorded("rotation-failed"))


@pytest.fixture
def notice():
    def write(failure, versions=VERSIONS, execution=EXECUTION, opened_at=OPENED_AT):
        return failure_notice(failure, versions, execution, opened_at, "notify")

    return write


def test_a_notice_tells_what_when_why_and_where_to_look(failure, notice):
    told = notice(failure)

    assert told.subject == "Rotation failed: orders/db at createSecret"
    assert told.text.splitlines() == [
        "The rotation of orders/db failed at createSecret.",
        "",
        "When: 2026-03-01T00:50:20Z (RotationFailed)",
        "AWS says: Error when executing lambda "
        "arn:aws:lambda:eu-west-1:111122223333:function:orders-db-rotation during createSecret step",
        "Done so far: nothing but this notice (remediation mode notify, which this release does not act on).",
        "Now: AWSCURRENT is on version v1, which is what applications read; "
        "AWSPENDING is on version v2: the rotation is unfinished.",
        "Next: read the log of the rotation function. AWS tries again by itself within the rotation window.",
        "Secret: https://eu-west-1.console.aws.amazon.com/secretsmanager/secret?name=orders%2Fdb&region=eu-west-1",
        f"Execution: https://eu-west-1.console.aws.amazon.com/states/home?region=eu-west-1#/v2/executions/details/{EXECUTION}",
        f"Incident: {ARN}orders/db-Ab12Cd opened {OPENED_AT}",
    ]


@pytest.mark.parametrize(
    ("kind", "subject"),
    [
        ("RotationFailed", "Rotation failed: orders/db at createSecret"),
        ("RotationAbandoned", "Rotation was abandoned: orders/db at createSecret"),
        ("TestRotationFailed", "Rotation failed its test: orders/db at createSecret"),
        ("RotationRenamed", "Rotation reported RotationRenamed: orders/db at createSecret"),
    ],
)
def test_a_subject_says_what_happened(failure, notice, kind, subject):
    assert notice(replace(failure, kind=kind)).subject == subject


@pytest.mark.parametrize(
    "change",
    [
        {"secret_arn": f"{ARN}{'n' * 512}-Ab12Cd"},
        {"secret_arn": f"{ARN}commandes/référentiel-Ab12Cd"},
        {"secret_arn": f"{ARN}bell\x07and\x00null-Ab12Cd"},
        {"kind": "Rotation\nFailed"},
        {"kind": "Rotation\r\u2028Failed"},
        {"kind": "\U0001f4a5" * 300},
        {"failed_step": "create\tSecret" * 20},
        {"secret_arn": None},
    ],
    ids=ascii,
)
def test_a_subject_is_one_line_that_sns_takes(failure, notice, change):
    subject = notice(replace(failure, **change)).subject

    assert subject.startswith("Rotation ")
    assert len(subject) < 100
    assert all(" " <= character <= "~" for character in subject), subject


def test_a_subject_uses_what_sns_allows(failure, notice):
    assert len(notice(replace(failure, secret_arn=f"{ARN}{'n' * 512}-Ab12Cd")).subject) == SUBJECT_LENGTH == 99


@pytest.mark.parametrize(
    ("partition", "region", "host"),
    [
        ("aws", "eu-west-1", "eu-west-1.console.aws.amazon.com"),
        ("aws-cn", "cn-north-1", "cn-north-1.console.amazonaws.cn"),
        ("aws-us-gov", "us-gov-west-1", "us-gov-west-1.console.amazonaws-us-gov.com"),
    ],
)
def test_links_lead_to_the_console_of_their_partition(failure, notice, partition, region, host):
    secret = f"arn:{partition}:secretsmanager:{region}:111122223333:secret:a b&c/d-Ab12Cd"
    execution = f"arn:{partition}:states:{region}:111122223333:execution:remediation:0d9f6a1e"

    lines = dict(
        line.split(": ", 1)
        for line in notice(replace(failure, secret_arn=secret), execution=execution).text.split("\n")
        if ": " in line
    )

    secret_link, execution_link = urlsplit(lines["Secret"]), urlsplit(lines["Execution"])
    assert (secret_link.scheme, secret_link.netloc, secret_link.path) == ("https", host, "/secretsmanager/secret")
    assert parse_qs(secret_link.query) == {"name": ["a b&c/d"], "region": [region]}
    assert (execution_link.scheme, execution_link.netloc, execution_link.path) == ("https", host, "/states/home")
    assert execution_link.query == f"region={region}"
    assert execution_link.fragment == f"/v2/executions/details/{execution}"


@pytest.mark.parametrize(
    ("versions", "now"),
    [
        (None, "the secret's labels could not be read."),
        ({}, "no version holds AWSCURRENT."),
        ({"v1": ["AWSPENDING"]}, "no version holds AWSCURRENT."),
        ({"v1": ["AWSCURRENT"]}, "AWSCURRENT is on version v1, which is what applications read."),
        ({"v1": ["AWSCURRENT", "AWSPENDING"]}, "AWSCURRENT is on version v1, which is what applications read."),
    ],
)
def test_a_notice_says_which_version_is_in_use(failure, notice, versions, now):
    assert f"Now: {now}" in notice(failure, versions=versions).text.splitlines()


@pytest.mark.parametrize(
    ("step", "warned"),
    [(None, False), ("createSecret", False), ("setSecret", True), ("testSecret", True), ("finishSecret", True)],
)
def test_people_are_warned_of_clearing_what_may_be_the_live_password(failure, notice, step, warned):
    assert ("do not clear AWSPENDING" in notice(replace(failure, failed_step=step)).text) is warned


def test_a_failure_without_a_secret_is_told_all_the_same(failure, notice):
    told = notice(replace(failure, secret_arn=None, error_message=None), versions=None, opened_at=None)

    assert told.subject == "Rotation failed: an unnamed secret at createSecret"
    assert "AWS says: nothing about the cause" in told.text
    assert "Next: look into the event on the failures topic: it does not name its secret." in told.text
    assert "Secret:" not in told.text
    assert "Incident:" not in told.text
