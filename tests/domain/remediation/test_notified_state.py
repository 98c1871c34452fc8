"""What a notification says about the versions, the probe and the dependents of a secret."""

import pytest

from tests.handlers.remediation.transitions import (
    SETTLED,
    decided,
    incident,
    notification,
    unwrap,
)


@pytest.mark.parametrize("transition", ["opened", "escalated"])
def test_a_deleted_secret_is_reported_as_such(transition):
    reason = "It does not exist in Secrets Manager any more."
    row = incident(unreadable=reason, versions=None, failed_step=None, reason=reason, actions=[decided("untouchable")])

    lines = unwrap(notification(transition, row).text)

    assert lines[1] == reason.replace("It ", "The secret ")
    assert "Now: the labels could not be read." in lines


def test_after_createsecret_the_password_is_said_to_be_unchanged():
    assert "The password has not changed yet" in notification("opened", incident(failed_step="createSecret")).text
    both_steps = incident(failed_step="createSecret", failed_steps={"setSecret", "createSecret"})
    assert "The password has not changed yet" not in notification("opened", both_steps).text


@pytest.mark.parametrize(
    ("versions", "now"),
    [
        (None, "the labels are unknown."),
        ({}, "the labels are unknown."),
        ({"v1": ["AWSPENDING"]}, "no version has AWSCURRENT."),
        ({"v1": ["AWSCURRENT"]}, "AWSCURRENT is on version v1, which applications read."),
        ({"v1": ["AWSCURRENT", "AWSPENDING"]}, "AWSCURRENT is on version v1, which applications read."),
    ],
)
def test_a_notification_says_which_version_is_in_use(versions, now):
    assert f"Now: {now}" in unwrap(notification("opened", incident(versions=versions)).text)


@pytest.mark.parametrize(
    ("evidence", "line"),
    [
        ({"current": "broken", "pending": "works"}, "Probe: AWSCURRENT does not work, AWSPENDING works."),
        (
            {"current": "unknown", "pending": "absent", "notes": ["The probe of AWSCURRENT timed out after 10 s."]},
            "Probe: nothing is proven. The probe of AWSCURRENT timed out after 10 s.",
        ),
    ],
)
def test_a_notification_has_the_results_of_the_probe(evidence, line):
    assert line in unwrap(notification("escalated", incident(evidence=evidence)).text)


def test_a_notification_without_evidence_does_not_mention_a_probe():
    assert "Probe" not in notification("escalated").text


@pytest.mark.parametrize(
    ("state", "why", "line"),
    [
        ("failed", "AWS refused it: X.", "- restart of ecs:shop/orders: failed: AWS refused it: X."),
        ("covered", "", "- restart of ecs:shop/orders: covered"),
        ("refused", "It is not among them.", "- not restarted: ecs:shop/orders: It is not among them."),
    ],
)
def test_each_restart_is_listed_with_its_state_and_reason(state, why, line):
    restart = {**SETTLED, "state": state, "why": why}

    assert line in notification("escalated", incident(restarts=[restart])).text.splitlines()


@pytest.mark.parametrize("transition", ["escalated", "reminder"])
@pytest.mark.parametrize(
    ("rule", "reason", "labels", "line"),
    [
        (
            "untouchable",
            "It is marked for deletion.",
            {"v1": ["AWSCURRENT"]},
            "The secret is marked for deletion: applications cannot read it.",
        ),
        (
            "no AWSCURRENT",
            "No version has AWSCURRENT.",
            {"v2": ["AWSPENDING"]},
            "No version of the secret has AWSCURRENT: applications cannot read it.",
        ),
    ],
)
def test_an_unreadable_secret_is_never_said_to_be_read_by_applications(transition, rule, reason, labels, line):
    row = incident(outcome="escalated", reason=reason, versions=labels, actions=[decided(rule)])

    text = notification(transition, row).text

    assert line in text.splitlines()
    assert "which applications read" not in text
    assert "check that applications can log in" not in text


@pytest.mark.parametrize(
    ("reason", "step"),
    [
        ("It is marked for deletion.", "1. Applications cannot read it. If any of them still uses it, restore it:"),
        (
            "It is a replica: repair its primary in us-east-1.",
            "1. Repair it in its primary Region; its value is replicated from there.",
        ),
    ],
)
def test_the_first_notification_of_an_unsupported_secret_already_has_the_next_steps(reason, step):
    message = notification("opened", incident(untouchable=reason))

    lines = unwrap(message.text)
    assert f"Why: {reason}" in lines
    assert step in lines
    assert "rotation-guard diagnoses the secret" not in message.text
    assert ("which applications read" in message.text) is ("replica" in reason)
