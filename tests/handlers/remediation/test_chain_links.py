"""A closed incident is in the chain of its secret, and what is added to it later breaks nothing."""

from datetime import UTC, datetime, timedelta

import pytest

from handlers.adapters.incidents import Incidents
from handlers.remediation import end as remediation_end
from handlers.remediation import notify as remediation_notify
from rotation_guard.domain.remediation.incidents import Incident
from tests.handlers.scene import EXECUTION, build_signal
from tests.incident_chains import verify_incidents

LATER = timedelta(days=2)


@pytest.fixture(autouse=True)
def channels(aws):
    aws.answer("Publish", lambda _: {"MessageId": "message"})
    aws.answer("PutEvents", lambda _: {"FailedEntryCount": 0, "Entries": [{"EventId": "event"}]})


@pytest.fixture
def end(context):
    def run(incident, outcome="escalated", restarts=()):
        ending = {"outcome": outcome, "reason": "So it ended.", "restarts": list(restarts), "version": "v2"}
        return remediation_end.handler({"execution": EXECUTION, "incident": incident, "ending": ending}, context)

    return run


@pytest.fixture
def notify(context):
    return lambda incident, transition: remediation_notify.handler(
        {"execution": EXECUTION, "incident": incident, "turn": transition}, context
    )


@pytest.fixture
def verify(aws):
    """Verifies the table; returns what is named for this secret, or None."""

    def run(arn, after=LATER):
        return verify_incidents(aws.items("incidents"), datetime.now(UTC) + after)[arn]

    return run


def read_item(aws, incident):
    key = {name: {"S": incident[name]} for name in ("secret_arn", "opened_at")}
    return aws.client("dynamodb").get_item(TableName="incidents", Key=key)["Item"]


def test_an_open_incident_is_in_no_chain_and_a_closed_one_is(aws, scene, end, verify):
    incident = scene.open(scene.secret())
    assert verify_incidents(aws.items("incidents"), datetime.now(UTC) + LATER) == {}

    end(incident)

    verified = verify(incident["secret_arn"])
    assert (verified.first, verified.rows) == (None, 1)


def test_incidents_of_a_secret_are_linked_in_the_order_in_which_they_are_closed(scene, end, verify):
    arn = scene.secret()
    rows = []
    for number in range(3):
        at = f"2026-03-0{number + 2}T00:00:00Z"
        failure = build_signal(arn, at=at, event=f"event-{number}", rotation=f"rotation-{number}")
        incident = scene.open(arn, failure, started_at=at.replace("Z", ".123Z"))
        end(incident, "recovered by AWS")
        rows.append(scene.row(incident)["link"])

    assert [int(link["sequence"]) for link in rows] == [1, 2, 3]
    assert [link["previous_hash"] for link in rows] == ["0" * 64, rows[0]["hash"], rows[1]["hash"]]
    assert verify(arn).first is None


@pytest.mark.parametrize(
    "change",
    [
        {"reason": "It was nothing."},
        {"outcome": "recovered by AWS"},
        {"failures": 0},
        {"state": "open"},
        {"closed_at": "2026-03-01T00:00:00Z"},
        {"actions": []},
        {"failed_step": None},
    ],
    ids=lambda change: next(iter(change)),
)
def test_a_changed_incident_is_named(scene, end, verify, change):
    incident = scene.open(scene.secret(), actions=[{"action": "retry", "outcome": "refused"}])
    end(incident)
    assert verify(incident["secret_arn"]).first is None

    scene.change(incident, **change)

    finding = verify(incident["secret_arn"]).first
    assert (str(finding.kind), finding.sequence, finding.row) == ("changed", 1, incident["opened_at"])


def test_what_is_added_after_the_end_breaks_nothing(aws, scene, end, notify, verify):
    incident = scene.open(scene.secret())
    end(incident)
    key = (incident["secret_arn"], incident["opened_at"])

    notify(incident, "escalated")
    Incidents("incidents").append_actions(*key, {"action": "release", "at": "2026-03-02T00:00:00Z"})
    Incidents("incidents").update(*key, {"reminded_at": "2026-03-02T00:00:00Z", "reminded_step": "setSecret"})
    Incidents("incidents").update(*key, {"acknowledged_by": "a later release"})

    assert len(scene.actions(incident)) > 2
    assert verify(incident["secret_arn"]).first is None


def test_a_resolved_incident_gets_a_second_link_for_that(scene, end, notify, verify):
    arn = scene.secret()
    incident = scene.open(arn)
    end(incident)
    closed = Incident.from_row(scene.row(incident))
    Incidents("incidents").resolve(closed, "2026-03-02T00:00:00Z", "RotationSucceeded", None)
    notify(incident, "resolved")

    assert (verify(arn).first, verify(arn).rows) == (None, 2)
    scene.change(incident, resolved_by="Secret Label Updated")
    finding = verify(arn).first
    assert (str(finding.kind), finding.sequence, finding.row) == ("changed", 2, f"{incident['opened_at']}, resolved")


def test_an_incident_that_is_made_to_look_resolved_is_named(scene, end, verify):
    incident = scene.open(scene.secret())
    end(incident)

    changes = {"outcome": "resolved", "resolved_outcome": "escalated", "resolved_at": "2026-03-02T00:00:00Z"}
    scene.change(incident, **changes)

    finding = verify(incident["secret_arn"]).first
    assert (str(finding.kind), finding.row) == ("changed", f"{incident['opened_at']}, resolved")


def test_an_incident_that_cannot_be_linked_is_ended_all_the_same_and_linked_by_its_notification(
    aws, scene, end, notify, verify
):
    incident = scene.open(scene.secret())
    ends = iter([None])
    aws.answer("TransactWriteItems", lambda _: next(ends, aws.Refusal("InternalServerError", 500)))

    assert end(incident) == {"state": "mine", "restarts": False}
    assert "link" not in scene.row(incident)

    notify(incident, "escalated")  # its transaction fails as well
    assert scene.unfinished(incident["secret_arn"]) == [incident["opened_at"]]
    del aws.answers["TransactWriteItems"]
    notify(incident, "escalated")
    assert verify(incident["secret_arn"]).rows == 1
    assert scene.unfinished(incident["secret_arn"]) == []


def test_a_damaged_head_keeps_no_incident_unfinished(aws, scene, end, notify):
    incident = scene.open(scene.secret())
    aws.put("incidents", {"secret_arn": f"chain#{incident['secret_arn']}", "opened_at": "head", "sequence": "1"})

    assert end(incident) == {"state": "mine", "restarts": False}
    notify(incident, "escalated")

    assert "link" not in scene.row(incident)
    assert scene.unfinished(incident["secret_arn"]) == []


def test_an_incident_without_a_link_is_named_once_its_workflow_must_have_added_it(aws, scene, end, verify):
    arn = scene.secret()
    end(scene.open(arn), "recovered by AWS")
    failure = build_signal(arn, at="2026-03-05T00:00:00Z", event="event-2", rotation="rotation-2")
    incident = scene.open(arn, failure, started_at="2026-03-05T00:00:00.123Z")
    closed_at = datetime.now(UTC) + timedelta(hours=10)
    scene.change(incident, state="closed", outcome="escalated", closed_at=f"{closed_at:%Y-%m-%dT%H:%M:%SZ}")

    assert verify(arn, after=timedelta(hours=20)).first is None
    finding = verify(arn, after=LATER).first
    assert (str(finding.kind), finding.row) == ("inserted", incident["opened_at"])


def test_a_link_is_added_once(aws, scene, end, notify):
    incident = scene.open(scene.secret())
    end(incident)
    before = read_item(aws, incident)["link"]

    end(incident)
    notify(incident, "escalated")

    assert read_item(aws, incident)["link"] == before
