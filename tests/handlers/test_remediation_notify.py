"""What people are told of an incident, and what is noted of it."""

from datetime import UTC, datetime

import pytest
from botocore.exceptions import ClientError

from handlers import remediation_claim, remediation_notify

EXECUTION = "arn:aws:states:eu-west-1:123456789012:execution:remediation:0d9f6a1e"
STARTED_AT = "2026-03-01T00:50:21.000Z"


@pytest.fixture(autouse=True)
def tables(aws):
    aws.create_tables("incidents")


@pytest.fixture
def topic_arn(aws, monkeypatch):
    arn = aws.client("sns").create_topic(Name="remediation")["TopicArn"]
    monkeypatch.setenv("REMEDIATION_TOPIC_ARN", arn)
    return arn


@pytest.fixture
def claimed(context):
    """The incident that the step before claimed for this event."""

    def claim(event):
        told = {"event": event, "execution": EXECUTION, "started_at": STARTED_AT}
        return remediation_claim.handler(told, context)["incident"]

    return claim


@pytest.fixture
def notify(topic_arn, context):
    def tell(event, incident):
        return remediation_notify.handler({"event": event, "execution": EXECUTION, "incident": incident}, context)

    return tell


@pytest.fixture
def incident(aws):
    """The row of the one incident."""

    def read():
        [row] = [row for row in aws.rows("incidents") if not row["secret_arn"].startswith("open#")]
        return row

    return read


def test_people_are_told_once_in_words(aws, secret, failed, claimed, notify, topic_arn):
    made = secret()
    event = failed(made["ARN"])
    incident = claimed(event)

    answer = notify(event, incident)

    assert answer == {"outcome": "told", "incident": incident}
    [published] = aws.asked("Publish")
    assert published["TopicArn"] == topic_arn
    assert published["Subject"] == "Rotation failed: orders/db at createSecret"
    assert "The rotation of orders/db failed at createSecret." in published["Message"]
    assert f"AWSCURRENT is on version {made['VersionId']}" in published["Message"]
    assert f"Incident: {made['ARN']} opened {STARTED_AT}" in published["Message"]
    assert EXECUTION in published["Message"]


def test_the_notice_says_how_far_remediation_may_go(aws, secret, failed, claimed, notify, monkeypatch):
    monkeypatch.setenv("REMEDIATION_MODE", "repair")
    event = failed(secret()["ARN"])

    notify(event, claimed(event))

    assert "remediation mode repair" in aws.asked("Publish")[0]["Message"]


def test_the_incident_notes_that_people_were_told(aws, secret, failed, claimed, notify, incident):
    event = failed(secret()["ARN"])
    before = datetime.now(UTC).replace(microsecond=0)

    opened = claimed(event)
    message_ids = []
    aws.answer("Publish", lambda asked: message_ids.append(str(len(message_ids))) or {"MessageId": message_ids[-1]})
    notify(event, opened)

    [action] = incident()["actions"]
    assert before <= datetime.fromisoformat(action.pop("at")) <= datetime.now(UTC)
    assert action == {"action": "notify", "outcome": "told", "message_id": "0"}
    assert message_ids == ["0"]


def test_notes_are_added_to_what_the_incident_holds(secret, failed, claimed, notify, incident):
    event = failed(secret()["ARN"])
    opened = claimed(event)

    notify(event, opened)
    notify(event, opened)

    actions = incident()["actions"]
    assert [action["action"] for action in actions] == ["notify", "notify"]
    assert len({action["message_id"] for action in actions}) == 2


def test_a_failure_without_a_secret_is_told_and_noted_nowhere(aws, failed, claimed, notify):
    event = failed("no-arn")

    answer = notify(event, claimed(event))

    assert answer["outcome"] == "told"
    [published] = aws.asked("Publish")
    assert published["Subject"] == "Rotation failed: an unnamed secret at createSecret"
    assert aws.rows("incidents") == []


def test_a_name_that_sns_would_refuse_in_a_subject_is_told_all_the_same(aws, failed, claimed, notify):
    event = failed(f"arn:aws:secretsmanager:eu-west-1:123456789012:secret:{'référence/' * 20}db-Ab12Cd")

    assert notify(event, claimed(event))["outcome"] == "told"

    [published] = aws.asked("Publish")
    assert published["Subject"].isascii()
    assert len(published["Subject"]) < 100


def test_nothing_is_noted_of_a_notice_that_sns_did_not_take(aws, secret, failed, claimed, notify, incident):
    event = failed(secret()["ARN"])
    opened = claimed(event)
    aws.answer("Publish", lambda _: aws.Refusal("InternalError", 500))

    with pytest.raises(ClientError, match="InternalError"):
        notify(event, opened)

    assert incident()["actions"] == []


def test_an_incident_that_is_gone_is_not_made_up_again(aws, secret, failed, notify):
    event = failed(secret()["ARN"])

    with pytest.raises(ClientError, match="ConditionalCheckFailedException"):
        notify(event, {"opened_at": STARTED_AT, "versions": None})

    assert aws.rows("incidents") == []
