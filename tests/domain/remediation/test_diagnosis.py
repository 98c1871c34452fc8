"""The diagnosis of a secret whose rotation failed, from the responses of AWS."""

import json
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from rotation_guard.domain.remediation.decisions import Mode
from rotation_guard.domain.remediation.diagnosis import (
    DescribedSecret,
    Diagnosis,
    UnreadableSecret,
    assess_pending_value,
    diagnose,
    diagnose_unreadable,
    find_probe,
    find_rotation_strategy,
    find_unsupported_reason,
    has_recovered,
    has_restart_on_rotation,
    resolve_mode,
)
from rotation_guard.domain.secret import ListedSecret
from rotation_guard.domain.secret_filter import SecretFilter

ARN = "arn:aws:secretsmanager:eu-west-1:111122223333:secret:orders/db-Ab12Cd"
PROBE = "arn:aws:lambda:eu-west-1:111122223333:function:can-login"
FUNCTION = "arn:aws:lambda:eu-west-1:111122223333:function:"
FAILED_AT = "2026-03-01T00:50:20Z"
SECRET = ListedSecret("orders/db", ARN, {}, "v2", "v3", "v1", rotation_enabled=True, primary_region="eu-west-1")
SETTLED = replace(SECRET, pending_version_id=None)


def with_tags(**tags):
    return replace(SECRET, tags={f"rotation-guard:{name.replace('_', '-')}": value for name, value in tags.items()})


@pytest.mark.parametrize(
    ("tag", "cap", "mode", "note"),
    [
        (None, "repair", Mode.NOTIFY, "has no tag"),
        ("", "repair", Mode.NOTIFY, "has no tag"),
        (" ", "repair", Mode.NOTIFY, "has no tag"),
        ("yes", "repair", Mode.NOTIFY, "neither retry nor repair"),
        ("repair!", "repair", Mode.NOTIFY, "neither retry nor repair"),
        ("retry,repair", "repair", Mode.NOTIFY, "neither retry nor repair"),
        ("notify", "repair", Mode.NOTIFY, ""),
        ("retry", "repair", Mode.RETRY, ""),
        # As in IAM's condition: a value that it would refuse is no opt-in.
        (" retry", "repair", Mode.NOTIFY, "neither retry nor repair"),
        ("Retry", "repair", Mode.NOTIFY, "neither retry nor repair"),
        ("repair", "repair", Mode.REPAIR, ""),
        ("repair", "retry", Mode.RETRY, "allows repair, but the stack's remediationMode is retry"),
        ("repair", "notify", Mode.NOTIFY, "remediationMode is notify"),
        ("retry", "notify", Mode.NOTIFY, "remediationMode is notify"),
        ("notify", "notify", Mode.NOTIFY, ""),
    ],
)
def test_the_mode_is_that_of_the_tag_capped_by_the_stack(tag, cap, mode, note):
    secret = SECRET if tag is None else with_tags(remediation=tag)

    result, reason = resolve_mode(secret, cap)

    assert result is mode
    assert note in reason
    assert bool(note) == bool(reason)


def test_the_value_of_a_malformed_tag_is_not_repeated():
    assert "hunter2" not in resolve_mode(with_tags(remediation="hunter2"), "repair")[1]
    assert "hunter2" not in find_probe(with_tags(probe="hunter2"), [PROBE])[1]


@pytest.mark.parametrize(
    ("secret", "reason"),
    [
        (SECRET, ""),
        (replace(SECRET, primary_region=None), ""),
        (replace(SECRET, deleted_at=datetime(2026, 3, 1, tzinfo=UTC)), "marked for deletion"),
        (replace(SECRET, owning_service="rds"), "belongs to the service rds, which rotates it by itself"),
        (replace(SECRET, owning_service="rds", rotation_enabled=False), "service rds; its rotation is off."),
        (replace(SECRET, owning_service="appflow"), "belongs to the service appflow, which does not rotate it."),
        (replace(SECRET, type="SalesforceClientSecret"), "external secret (SalesforceClientSecret), which its partner"),
        (replace(SECRET, type="Partner", rotation_enabled=False), "external secret (Partner); its rotation is off."),
        (replace(SECRET, primary_region="us-east-1"), "replica: repair its primary in us-east-1"),
        # Without AWSCURRENT: a rule of the decision covers it.
        (replace(SECRET, current_version_id=None), ""),
    ],
)
def test_an_unsupported_secret_has_a_reason(secret, reason):
    assert reason in find_unsupported_reason(secret)
    assert bool(reason) == bool(find_unsupported_reason(secret))


@pytest.mark.parametrize(
    ("tag", "function", "strategy"),
    [
        (None, None, "unknown"),
        (None, f"{FUNCTION}rotate-orders", "unknown"),
        (None, f"{FUNCTION}SecretsManagerRDSPostgreSQLRotationSingleUser", "single"),
        (None, f"{FUNCTION}SecretsManagerRDSPostgreSQLRotationMultiUser", "alternating"),
        (None, f"{FUNCTION}orders-single-user", "single"),
        (None, f"{FUNCTION}orders_alternating_users", "alternating"),
        (None, "arn:aws:lambda:eu-west-1:111122223333:function:single-user", "single"),
        ("alternating", f"{FUNCTION}orders-single-user", "alternating"),
        (" Single ", f"{FUNCTION}orders-multi-user", "single"),
        ("both", f"{FUNCTION}orders-multi-user", "alternating"),
        ("both", None, "unknown"),
    ],
)
def test_the_rotation_strategy_comes_from_the_tag_or_the_name_of_the_function(tag, function, strategy):
    secret = SECRET if tag is None else with_tags(users=tag)

    assert find_rotation_strategy(secret, function) == strategy


@pytest.mark.parametrize(
    ("tag", "allowed", "expected", "note"),
    [
        (None, [PROBE], "", "no probe can prove which version works"),
        (PROBE, [PROBE], PROBE, ""),
        ("can-login", [PROBE], PROBE, ""),
        (" can-login ", ["arn:aws:lambda:eu-west-1:1:function:other", PROBE], PROBE, ""),
        ("can-login", [], "", "not in probeFunctions"),
        ("can-log", [PROBE], "", "not in probeFunctions"),
        (f"{FUNCTION}other", [PROBE], "", "not in probeFunctions"),
        (PROBE.replace("eu-west-1", "us-east-1"), [PROBE], "", "not in probeFunctions"),
    ],
)
def test_only_a_configured_probe_is_used(tag, allowed, expected, note):
    secret = SECRET if tag is None else with_tags(probe=tag)

    probe, reason = find_probe(secret, allowed)

    assert probe == expected
    assert note in reason
    assert bool(note) == bool(reason)


@pytest.mark.parametrize(
    ("secret", "step", "expected"),
    [
        (SECRET, "createSecret", "unknown"),
        (SECRET, None, "unknown"),
        (SECRET, "setSecret", "yes"),
        (SECRET, "testSecret", "yes"),
        (SECRET, "finishSecret", "yes"),
        (SETTLED, "setSecret", "unknown"),
    ],
)
def test_the_failed_step_shows_whether_the_pending_version_has_a_value(secret, step, expected):
    assert assess_pending_value(secret, step) == expected


def settled_after_rotation(text):
    return replace(SETTLED, last_rotated_at=datetime.fromisoformat(text))


@pytest.mark.parametrize(
    ("secret", "opened_with", "expected"),
    [
        pytest.param(SETTLED, "v2", False, id="nothing has happened"),
        pytest.param(settled_after_rotation("2026-03-01T00:50:19Z"), "v2", False, id="rotated before it failed"),
        pytest.param(settled_after_rotation("2026-03-01T00:50:20Z"), "v2", True, id="rotated in the same second"),
        pytest.param(settled_after_rotation("2026-03-01T01:50:21+01:00"), "v2", True, id="rotated after it failed"),
        pytest.param(SETTLED, "v1", True, id="AWSCURRENT was moved by hand"),
        pytest.param(SETTLED, None, False, id="its former version is unknown"),
        pytest.param(
            settled_after_rotation("2026-03-01T01:00:00Z"),
            None,
            True,
            id="its former version is unknown, rotated since",
        ),
        pytest.param(SECRET, "v1", False, id="moved, and a rotation is stuck again"),
        pytest.param(replace(SETTLED, current_version_id=None), "v1", False, id="no version is in use"),
    ],
)
def test_a_secret_has_recovered_if_it_has_a_new_value_and_no_stuck_rotation(secret, opened_with, expected):
    assert has_recovered(secret, opened_with, FAILED_AT) is expected


@pytest.mark.parametrize(
    ("tag", "expected"), [(None, False), ("rotation", True), (" Rotation", True), ("repair", False), ("", False)]
)
def test_the_tag_decides_whether_dependents_restart_after_any_rotation(tag, expected):
    assert has_restart_on_rotation(SECRET if tag is None else with_tags(restart_on=tag)) is expected


def test_a_diagnosis_has_everything_for_a_decision_and_survives_json():
    labels = {"v1": ("AWSPREVIOUS",), "v2": ("AWSCURRENT",), "v3": ("AWSPENDING",)}
    secret = with_tags(remediation="repair", probe="can-login", fallback=" Allowed ", restart_on="rotation")
    planned = [{"target": "ecs:shop/orders", "arn": "arn", "state": "wanted", "why": ""}]
    created = {
        "v3": datetime(2026, 3, 1, 0, 50, tzinfo=UTC),
        "v2": datetime(2026, 2, 1, tzinfo=UTC),
        "gone": datetime(2025, 1, 1, tzinfo=UTC),
    }

    diagnosis = diagnose(
        DescribedSecret(secret, labels, f"{FUNCTION}orders-single-user"),
        kind="RotationFailed",
        failed_step="setSecret",
        cap="retry",
        probes=[PROBE],
        restarts=planned,
        created=created,
    )

    assert diagnosis == Diagnosis(
        secret_arn=ARN,
        name="orders/db",
        versions={version: list(labels_of_version) for version, labels_of_version in labels.items()},
        current="v2",
        pending="v3",
        previous="v1",
        created={"v3": "2026-03-01T00:50:00Z", "v2": "2026-02-01T00:00:00Z"},
        pending_has_value="yes",
        rotation_strategy="single",
        failed_step="setSecret",
        is_rotation_enabled=True,
        rotation_function=f"{FUNCTION}orders-single-user",
        unsupported_reason="",
        mode="retry",
        mode_note=diagnosis.mode_note,
        probe=PROBE,
        probe_note="",
        is_rollback_allowed=True,
        is_test_only=False,
        restart_on_rotation=True,
        restarts=planned,
    )
    assert "remediationMode is retry" in diagnosis.mode_note
    assert Diagnosis.from_payload(json.loads(json.dumps(diagnosis.to_payload()))) == diagnosis


def test_a_diagnosis_of_another_release_is_read_with_its_known_fields():
    """An execution may wait for hours with the diagnosis of one release while another is deployed."""
    diagnosis = Diagnosis(ARN, name="orders/db", current="v2", last_rotated_at=FAILED_AT)
    written = diagnosis.to_payload()

    assert Diagnosis.from_payload({**written, "a_field_of_tomorrow": True}) == diagnosis
    del written["last_rotated_at"]
    assert Diagnosis.from_payload(written) == replace(diagnosis, last_rotated_at=None)


def test_a_diagnosis_has_the_time_of_the_last_completed_rotation():
    rotated_at = datetime(2026, 3, 1, 0, 50, 20, tzinfo=UTC)
    described = DescribedSecret(replace(SECRET, last_rotated_at=rotated_at), {})

    diagnosis = diagnose(
        described, kind="RotationFailed", failed_step=None, cap="repair", probes=[], restarts=[], created={}
    )

    assert diagnosis.last_rotated_at == FAILED_AT


@pytest.mark.parametrize(
    ("tag", "expected"), [(None, False), ("allowed", True), ("yes", False), ("not allowed", False)]
)
def test_only_one_value_of_the_tag_allows_rolling_back(tag, expected):
    secret = SECRET if tag is None else with_tags(fallback=tag)
    described = DescribedSecret(secret, {})

    diagnosis = diagnose(
        described, kind="RotationFailed", failed_step=None, cap="repair", probes=[], restarts=[], created={}
    )

    assert diagnosis.is_rollback_allowed is expected


def test_a_failed_test_of_a_rotation_is_recognized():
    described = DescribedSecret(SECRET, {})

    diagnosis = diagnose(
        described, kind="TestRotationFailed", failed_step=None, cap="repair", probes=[], restarts=[], created={}
    )

    assert diagnosis.is_test_only is True


@pytest.mark.parametrize(
    ("scope", "is_included"),
    [
        (SecretFilter(), True),
        (SecretFilter("orders/*"), True),
        (SecretFilter("orders/??", "rotation-guard:remediation"), True),
        (SecretFilter("Orders/*"), False),
        (SecretFilter("orders"), False),
        (SecretFilter("orders/*", "stage", "dev"), False),
        (SecretFilter(None, "rotation-guard:remediation", "retry"), False),
    ],
)
def test_a_secret_outside_the_scope_is_neither_probed_nor_repaired_nor_are_its_dependents_restarted(scope, is_included):
    described = DescribedSecret(with_tags(remediation="repair", probe="can-login"), {})
    planned = [{"target": "lambda:orders", "arn": f"{FUNCTION}orders", "state": "wanted"}]

    diagnosis = diagnose(
        described,
        kind="RotationFailed",
        failed_step=None,
        cap="repair",
        probes=[PROBE],
        restarts=planned,
        created={},
        scope=scope,
    )

    notes = (diagnosis.mode_note, diagnosis.probe_note)
    if is_included:
        assert (diagnosis.mode, diagnosis.probe, diagnosis.restarts, notes) == ("repair", PROBE, planned, ("", ""))
    else:
        outside = f"It is outside the stack's remediationScope, {scope}."
        assert (diagnosis.mode, diagnosis.probe, diagnosis.restarts) == ("notify", "", [])
        assert notes == (outside, outside)


def test_the_diagnosis_of_an_unreadable_secret_has_its_name_and_the_reason():
    diagnosis = diagnose_unreadable(ARN, UnreadableSecret("It is gone."))

    assert (diagnosis.name, diagnosis.unsupported_reason, diagnosis.mode) == ("orders/db", "It is gone.", "notify")
    assert (diagnosis.current, diagnosis.probe, diagnosis.is_rotation_enabled) == (None, "", False)
