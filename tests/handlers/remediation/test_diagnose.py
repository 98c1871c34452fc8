"""The current state of a secret whose rotation failed, which never includes its value."""

import json
from datetime import UTC, datetime

import pytest
from botocore.exceptions import ClientError

from handlers.adapters.incidents import IncidentMissing
from handlers.environment import InvalidEnvironment
from handlers.remediation import diagnose as remediation_diagnose
from rotation_guard.domain.remediation.diagnosis import Diagnosis
from tests.handlers.scene import (
    EXECUTION,
    FAILED_AT,
    build_signal,
    build_success_signal,
    crash_at_each_write,
    run_before,
)

PROBE = "arn:aws:lambda:eu-west-1:123456789012:function:can-login"
ROTATION = "arn:aws:lambda:eu-west-1:123456789012:function:orders-SingleUser"
SERVICE = "arn:aws:ecs:eu-west-1:123456789012:service/shop/orders"
GONE = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:gone-Ab12Cd"
OVER = {"state": "over", "recovered": False, "rotation": "under way", "probe": "", "diagnosis": {}}


@pytest.fixture
def diagnose(context):
    """Diagnoses the secret of an incident."""

    def run(incident, execution=EXECUTION):
        return remediation_diagnose.handler({"execution": execution, "incident": incident}, context)

    return run


@pytest.fixture
def repair(aws, monkeypatch):
    """Lets the stack allow everything that a secret may opt in to."""
    monkeypatch.setenv("REMEDIATION_MODE", "repair")
    monkeypatch.setenv("PROBE_FUNCTIONS", json.dumps([PROBE]))
    monkeypatch.setenv("RESTART_TARGETS", json.dumps([SERVICE]))


def test_a_diagnosis_has_the_labels_and_the_permitted_actions(scene, repair, diagnose):
    arn = scene.secret(
        remediation="repair", probe="can-login", fallback="allowed", restart="ecs:shop/orders", restart_on="rotation"
    )
    scene.begin(arn, labels=["AWSCURRENT"])
    scene.begin(arn)
    scene.describe_overrides[arn] |= {"RotationLambdaARN": ROTATION}
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
    # These fields of the notifications may have changed since the incident was opened, or could not be read then.
    assert (row["rotation_function"], row["rotation_on"]) == (ROTATION, True)


def test_a_diagnosis_is_json(scene, repair, diagnose):
    answer = diagnose(scene.open(scene.secret(True, remediation="repair", restart="ecs:shop/orders")))

    assert json.loads(json.dumps(answer)) == answer


def test_a_secret_value_is_never_read(aws, scene, repair, diagnose):
    diagnose(scene.open(scene.secret(True, remediation="repair")))

    assert aws.requests("GetSecretValue") == aws.requests("BatchGetSecretValue") == []


@pytest.mark.parametrize(
    ("tags", "stack_mode", "mode"),
    [
        ({}, "repair", "notify"),
        ({"remediation": "repair"}, "notify", "notify"),
        ({"remediation": "repair"}, "retry", "retry"),
        ({"remediation": "retry"}, "repair", "retry"),
        ({"remediation": "mend"}, "repair", "notify"),
    ],
)
def test_the_mode_is_the_secrets_opt_in_capped_by_the_stack(scene, diagnose, monkeypatch, tags, stack_mode, mode):
    monkeypatch.setenv("REMEDIATION_MODE", stack_mode)
    incident = scene.open(scene.secret(**tags))

    diagnosis = diagnose(incident)["diagnosis"]

    assert (diagnosis["mode"], scene.row(incident)["mode"]) == (mode, mode)


@pytest.mark.parametrize(
    ("description", "reason"),
    [
        ({"DeletedDate": datetime(2026, 3, 1, tzinfo=UTC)}, "marked for deletion"),
        ({"OwningService": "rds"}, "belongs to the service rds"),
        ({"Type": "SalesforceClientSecret"}, "managed external secret"),
        ({"PrimaryRegion": "us-east-1"}, "replica: repair its primary in us-east-1"),
    ],
)
def test_an_unsupported_secret_is_diagnosed_with_the_reason(scene, repair, diagnose, description, reason):
    arn = scene.secret(remediation="repair")
    scene.describe_overrides[arn] |= description

    assert reason in diagnose(scene.open(arn))["diagnosis"]["untouchable"]


def test_a_primary_in_this_region_is_supported(scene, repair, diagnose):
    arn = scene.secret(remediation="repair")
    scene.describe_overrides[arn] |= {"PrimaryRegion": "eu-west-1"}

    assert diagnose(scene.open(arn))["diagnosis"]["untouchable"] == ""


def test_a_deleted_secret_is_unsupported(scene, diagnose):
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
def test_a_secret_that_may_not_be_described_is_unsupported(aws, scene, diagnose, code):
    incident = scene.open(scene.secret(remediation="repair"))
    aws.answer("DescribeSecret", lambda _: aws.Refusal(code, message="hunter2"))

    answer = diagnose(incident)

    assert "access denied" in answer["diagnosis"]["untouchable"]
    assert "hunter2" not in json.dumps(answer)


@pytest.mark.parametrize("code", ["ThrottlingException", "InternalServiceError"])
def test_a_transient_error_is_left_to_the_workflows_retry(aws, scene, diagnose, code):
    incident = scene.open(scene.secret())
    aws.answer("DescribeSecret", lambda _: aws.Refusal(code))

    with pytest.raises(ClientError, match=code):
        diagnose(incident)


@pytest.mark.parametrize("code", ["AccessDeniedException", "ThrottlingException", "ResourceNotFoundException"])
def test_a_secret_is_diagnosed_without_dates_if_they_cannot_be_read(aws, scene, repair, diagnose, code):
    incident = scene.open(scene.secret(True, remediation="repair"))
    aws.answer("ListSecretVersionIds", lambda _: aws.Refusal(code))

    diagnosis = diagnose(incident)["diagnosis"]

    assert (diagnosis["created"], diagnosis["mode"], diagnosis["untouchable"]) == ({}, "repair", "")


def test_a_failed_test_of_a_rotation_is_marked(scene, diagnose):
    arn = scene.secret()

    assert diagnose(scene.open(arn, build_signal(arn, "TestRotationFailed")))["diagnosis"]["test_only"] is True


# --- the result of the rotation ---------------------------------------------------------------------------------------


def test_a_rotation_that_was_completed_since_the_failure_is_a_recovery(scene, diagnose):
    arn = scene.secret(pending=True)
    incident = scene.open(arn)
    scene.finish(arn)

    answer = diagnose(incident)

    assert (answer["recovered"], answer["rotation"]) == (True, "succeeded")


def test_a_rotation_date_shows_a_recovery_if_no_version_is_stored(aws, scene, diagnose):
    arn = scene.secret()
    incident = scene.open(arn, current_version_id=None)
    scene.describe_overrides[arn]["LastRotatedDate"] = datetime.fromisoformat(FAILED_AT)

    assert diagnose(incident)["recovered"] is True


def test_a_stuck_rotation_is_not_a_recovery(scene, diagnose):
    arn = scene.secret(pending=True)
    incident = scene.open(arn)
    scene.finish(arn)
    scene.begin(arn)

    assert diagnose(incident)["recovered"] is False


@pytest.mark.parametrize(
    ("failures", "failures_at_retry", "rotation"), [(1, None, "under way"), (1, 1, "under way"), (2, 1, "failed")]
)
def test_a_failure_since_the_last_retry_is_a_failure_of_that_retry(
    scene, diagnose, failures, failures_at_retry, rotation
):
    incident = scene.open(scene.secret(pending=True), failures=failures, failures_when_asked=failures_at_retry)

    assert diagnose(incident)["rotation"] == rotation


def test_a_failure_event_after_a_retry_is_a_failure_of_that_retry(scene, diagnose):
    arn = scene.secret(pending=True)
    incident = scene.open(arn, attempts=1, failures_when_asked=1)
    # An earlier success is not a failure.
    scene.claim(build_success_signal(arn, "2026-03-01T00:40:00Z"), "execution-2")
    assert diagnose(incident)["rotation"] == "under way"

    scene.claim(build_signal(arn, event="event-2"), "execution-3")

    assert diagnose(incident)["rotation"] == "failed"


# --- incidents that have ended, and crashes ---------------------------------------------------------------------------


@pytest.mark.parametrize("state", ["closed", "restarting"])
def test_the_secret_of_an_incident_that_has_ended_is_not_read(aws, scene, diagnose, state):
    incident = scene.open(scene.secret(), state=state)
    aws.forget()

    assert diagnose(incident) == OVER
    assert aws.requests("DescribeSecret") == []


def test_the_secret_of_another_executions_incident_is_not_read(aws, scene, diagnose):
    incident = scene.open(scene.secret())
    aws.forget()

    assert diagnose(incident, f"{EXECUTION}-2") == OVER
    assert aws.requests("DescribeSecret") == []


def test_an_incident_without_a_row_raises(scene, diagnose):
    with pytest.raises(IncidentMissing, match=r"that was opened at never has no row$"):
        diagnose({"secret_arn": scene.secret(), "opened_at": "never"})


def test_an_incident_that_ends_meanwhile_is_not_updated(aws, scene, diagnose):
    incident = scene.open(scene.secret(True, remediation="repair"))
    run_before(aws, "UpdateItem", lambda: scene.close(incident))

    diagnose(incident)

    assert "mode" not in scene.row(incident)


def test_a_diagnosis_that_crashes_is_repeated_with_the_same_result(aws, scene, repair, diagnose):
    def prepare():
        incident = scene.open(scene.secret(True, remediation="repair"))
        return lambda: diagnose(incident)

    answers = list(crash_at_each_write(aws, prepare))

    assert len(answers) == 2
    assert all(answer["diagnosis"]["mode"] == "repair" for _, answer in answers)


def test_an_incomplete_environment_raises(scene, diagnose, monkeypatch):
    incident = scene.open(scene.secret())
    monkeypatch.delenv("PROBE_FUNCTIONS")

    with pytest.raises(InvalidEnvironment, match=r"^PROBE_FUNCTIONS must be set"):
        diagnose(incident)
