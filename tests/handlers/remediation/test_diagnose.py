"""What is true of a secret whose rotation failed, as AWS says it now, and never its value."""

import json
from datetime import UTC, datetime

import pytest
from botocore.exceptions import ClientError

from handlers.adapters.incidents import IncidentMissing
from handlers.environment import InvalidEnvironment
from handlers.remediation import diagnose as remediation_diagnose
from rotation_guard.domain.remediation.diagnosis import Diagnosis
from tests.handlers.scene import EXECUTION, FAILED_AT, build_signal, crashes, once, succeeded

PROBE = "arn:aws:lambda:eu-west-1:123456789012:function:can-login"
ROTATION = "arn:aws:lambda:eu-west-1:123456789012:function:orders-SingleUser"
SERVICE = "arn:aws:ecs:eu-west-1:123456789012:service/shop/orders"
GONE = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:gone-Ab12Cd"
OVER = {"state": "over", "recovered": False, "rotation": "under way", "probe": "", "diagnosis": {}}


@pytest.fixture
def diagnose(context):
    """Looks at the secret of an incident."""

    def run(incident, execution=EXECUTION):
        return remediation_diagnose.handler({"execution": execution, "incident": incident}, context)

    return run


@pytest.fixture
def repair(aws, monkeypatch):
    """The stack allows everything that a secret may opt in to."""
    monkeypatch.setenv("REMEDIATION_MODE", "repair")
    monkeypatch.setenv("PROBE_FUNCTIONS", json.dumps([PROBE]))
    monkeypatch.setenv("RESTART_TARGETS", json.dumps([SERVICE]))


def test_a_diagnosis_says_what_holds_which_label_and_what_may_be_done(scene, repair, diagnose):
    arn = scene.secret(
        remediation="repair", probe="can-login", fallback="allowed", restart="ecs:shop/orders", restart_on="rotation"
    )
    scene.begin(arn, labels=["AWSCURRENT"])
    scene.begin(arn)
    scene.stated[arn] |= {"RotationLambdaARN": ROTATION}
    incident = scene.open(arn)

    answer = diagnose(incident)

    diagnosis = Diagnosis.from_payload(answer.pop("diagnosis"))
    assert answer == {"state": "mine", "recovered": False, "rotation": "under way", "probe": PROBE}
    labels = {name: scene.version(arn, f"AWS{name.upper()}") for name in ("current", "pending", "previous")}
    assert (diagnosis.current, diagnosis.pending, diagnosis.previous) == tuple(labels.values())
    assert set(diagnosis.created) == set(labels.values())
    assert (diagnosis.mode, diagnosis.rotation_strategy, diagnosis.failed_step) == ("repair", "single", "setSecret")
    assert (diagnosis.pending_has_value, diagnosis.is_rotation_enabled, diagnosis.is_rollback_allowed) == (
        "yes",
        True,
        True,
    )
    assert (diagnosis.unsupported_reason, diagnosis.is_test_only, diagnosis.restart_on_rotation) == ("", False, True)
    assert [(restart["target"], restart["state"]) for restart in diagnosis.restarts] == [("ecs:shop/orders", "wanted")]
    row = scene.row(incident)
    assert (row["versions"], row["mode"]) == (diagnosis.versions, "repair")
    # What notices tell of the secret may have changed since it was opened, or could not be read then.
    assert (row["rotation_function"], row["rotation_on"]) == (ROTATION, True)


def test_it_can_be_sent_from_step_to_step(scene, repair, diagnose):
    answer = diagnose(scene.open(scene.secret(True, remediation="repair", restart="ecs:shop/orders")))

    assert json.loads(json.dumps(answer)) == answer


def test_a_value_is_never_asked_for(aws, scene, repair, diagnose):
    diagnose(scene.open(scene.secret(True, remediation="repair")))

    assert aws.asked("GetSecretValue") == aws.asked("BatchGetSecretValue") == []


@pytest.mark.parametrize(
    ("tags", "cap", "mode"),
    [
        ({}, "repair", "notify"),
        ({"remediation": "repair"}, "notify", "notify"),
        ({"remediation": "repair"}, "retry", "retry"),
        ({"remediation": "retry"}, "repair", "retry"),
        ({"remediation": "mend"}, "repair", "notify"),
    ],
)
def test_a_secret_opts_in_and_the_stack_caps_it(scene, diagnose, monkeypatch, tags, cap, mode):
    monkeypatch.setenv("REMEDIATION_MODE", cap)
    incident = scene.open(scene.secret(**tags))

    diagnosis = diagnose(incident)["diagnosis"]

    assert (diagnosis["mode"], scene.row(incident)["mode"]) == (mode, mode)


@pytest.mark.parametrize(
    ("stated", "why"),
    [
        ({"DeletedDate": datetime(2026, 3, 1, tzinfo=UTC)}, "marked for deletion"),
        ({"OwningService": "rds"}, "belongs to the service rds"),
        ({"Type": "SalesforceClientSecret"}, "managed external secret"),
        ({"PrimaryRegion": "us-east-1"}, "replica: repair its primary in us-east-1"),
    ],
)
def test_what_is_not_ours_is_told_and_why(scene, repair, diagnose, stated, why):
    arn = scene.secret(remediation="repair")
    scene.stated[arn] |= stated

    assert why in diagnose(scene.open(arn))["diagnosis"]["untouchable"]


def test_a_primary_of_this_region_may_be_touched(scene, repair, diagnose):
    arn = scene.secret(remediation="repair")
    scene.stated[arn] |= {"PrimaryRegion": "eu-west-1"}

    assert diagnose(scene.open(arn))["diagnosis"]["untouchable"] == ""


def test_a_secret_that_is_gone_is_told_and_not_touched(scene, diagnose):
    incident = scene.open(GONE)

    answer = diagnose(incident)

    assert (answer["state"], answer["recovered"], answer["probe"]) == ("mine", False, "")
    assert "does not exist" in answer["diagnosis"]["untouchable"]
    assert scene.row(incident)["mode"] == "notify"
    assert scene.row(incident)["unreadable"] == "It does not exist in Secrets Manager any more."


def test_a_secret_that_can_be_read_again_is_not_reported_as_unreadable(scene, diagnose):
    incident = scene.open(scene.secret(owner="payments"))
    scene.change(incident, unreadable="It cannot be read.", owner=None)

    diagnose(incident)

    row = scene.row(incident)
    assert "unreadable" not in row
    assert row["owner"] == "payments"


@pytest.mark.parametrize("code", ["AccessDeniedException", "AccessDenied"])
def test_a_secret_that_may_not_be_looked_at_is_told_and_not_touched(aws, scene, diagnose, code):
    incident = scene.open(scene.secret(remediation="repair"))
    aws.answer("DescribeSecret", lambda _: aws.Refusal(code, message="hunter2"))

    answer = diagnose(incident)

    assert "access denied" in answer["diagnosis"]["untouchable"]
    assert "hunter2" not in json.dumps(answer)


@pytest.mark.parametrize("code", ["ThrottlingException", "InternalServiceError"])
def test_a_passing_trouble_is_for_the_workflow_to_try_again(aws, scene, diagnose, code):
    incident = scene.open(scene.secret())
    aws.answer("DescribeSecret", lambda _: aws.Refusal(code))

    with pytest.raises(ClientError, match=code):
        diagnose(incident)


@pytest.mark.parametrize("code", ["AccessDeniedException", "ThrottlingException", "ResourceNotFoundException"])
def test_dates_that_are_not_to_be_had_keep_nothing_from_being_diagnosed(aws, scene, repair, diagnose, code):
    incident = scene.open(scene.secret(True, remediation="repair"))
    aws.answer("ListSecretVersionIds", lambda _: aws.Refusal(code))

    diagnosis = diagnose(incident)["diagnosis"]

    assert (diagnosis["created"], diagnosis["mode"], diagnosis["untouchable"]) == ({}, "repair", "")


def test_the_test_of_a_rotation_is_told_apart(scene, diagnose):
    arn = scene.secret()

    assert diagnose(scene.open(arn, build_signal(arn, "TestRotationFailed")))["diagnosis"]["test_only"] is True


# --- what became of it ------------------------------------------------------------------------------------------------


def test_a_rotation_that_was_completed_since_is_a_recovery(scene, diagnose):
    arn = scene.secret(pending=True)
    incident = scene.open(arn)
    scene.finish(arn)

    answer = diagnose(incident)

    assert (answer["recovered"], answer["rotation"]) == (True, "succeeded")


def test_a_date_tells_of_it_where_no_version_is_known(aws, scene, diagnose):
    arn = scene.secret()
    incident = scene.open(arn, current_version_id=None)
    scene.stated[arn]["LastRotatedDate"] = datetime.fromisoformat(FAILED_AT)

    assert diagnose(incident)["recovered"] is True


def test_a_rotation_that_is_stuck_is_no_recovery(scene, diagnose):
    arn = scene.secret(pending=True)
    incident = scene.open(arn)
    scene.finish(arn)
    scene.begin(arn)

    assert diagnose(incident)["recovered"] is False


@pytest.mark.parametrize(
    ("failures", "when_asked", "rotation"), [(1, None, "under way"), (1, 1, "under way"), (2, 1, "failed")]
)
def test_a_failure_since_the_last_retry_is_its_own(scene, diagnose, failures, when_asked, rotation):
    incident = scene.open(scene.secret(pending=True), failures=failures, failures_when_asked=when_asked)

    assert diagnose(incident)["rotation"] == rotation


def test_what_is_heard_after_a_retry_is_counted_for_it(scene, diagnose):
    arn = scene.secret(pending=True)
    incident = scene.open(arn, attempts=1, failures_when_asked=1)
    # A success of before is no failure.
    scene.claim(succeeded(arn, "2026-03-01T00:40:00Z"), "execution-2")
    assert diagnose(incident)["rotation"] == "under way"

    scene.claim(build_signal(arn, event="event-2"), "execution-3")

    assert diagnose(incident)["rotation"] == "failed"


# --- over, and cut short ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("state", ["closed", "restarting"])
def test_an_incident_that_is_over_is_not_looked_at(aws, scene, diagnose, state):
    incident = scene.open(scene.secret(), state=state)
    aws.forget()

    assert diagnose(incident) == OVER
    assert aws.asked("DescribeSecret") == []


def test_an_incident_of_another_execution_is_not_looked_at(aws, scene, diagnose):
    incident = scene.open(scene.secret())
    aws.forget()

    assert diagnose(incident, f"{EXECUTION}-2") == OVER
    assert aws.asked("DescribeSecret") == []


def test_an_incident_without_a_row_is_an_error(scene, diagnose):
    with pytest.raises(IncidentMissing, match=r"that was opened at never has no row$"):
        diagnose({"secret_arn": scene.secret(), "opened_at": "never"})


def test_what_was_ended_in_between_is_not_written_into(aws, scene, diagnose):
    incident = scene.open(scene.secret(True, remediation="repair"))
    once(aws, "UpdateItem", lambda: scene.close(incident))

    diagnose(incident)

    assert "mode" not in scene.row(incident)


def test_a_diagnosis_that_is_cut_short_is_the_same_again(aws, scene, repair, diagnose):
    def prepare():
        incident = scene.open(scene.secret(True, remediation="repair"))
        return lambda: diagnose(incident)

    answers = list(crashes(aws, prepare))

    assert len(answers) == 2
    assert all(answer["diagnosis"]["mode"] == "repair" for _, answer in answers)


def test_an_incomplete_environment_is_told_as_what_it_is(scene, diagnose, monkeypatch):
    incident = scene.open(scene.secret())
    monkeypatch.delenv("PROBE_FUNCTIONS")

    with pytest.raises(InvalidEnvironment, match=r"^PROBE_FUNCTIONS must be set"):
        diagnose(incident)
