"""The severity of a notification follows from what is proven."""

import pytest

from tests.handlers.remediation.transitions import (
    NOT_LISTED,
    SETTLED,
    TRANSITIONS,
    incident,
    notification,
    rate_limited,
)

BROKEN, WORKS = {"current": "broken"}, {"current": "works"}
UNSETTLED = ("opened", "retried", "escalated", "held", "reminder", "missing")


@pytest.mark.parametrize("transition", UNSETTLED)
@pytest.mark.parametrize(
    ("evidence", "severity"),
    [
        (BROKEN, "OUTAGE"),
        (WORKS, "AT RISK"),
        ({"current": "unknown"}, "AT RISK"),
        ({"current": "absent"}, "AT RISK"),
        # What a probe says of other versions proves nothing of the one in use.
        ({"pending": "broken", "previous": "broken"}, "AT RISK"),
        (None, "AT RISK"),
    ],
)
def test_only_a_probe_that_disproved_awscurrent_makes_an_outage(transition, evidence, severity):
    message = notification(transition, incident(evidence=evidence))

    assert message.payload["severity"] == severity
    assert message.subject.startswith(f"{severity} orders/db ")
    assert message.text.startswith(f"{severity}: ")


@pytest.mark.parametrize("outcome", ["recovered by AWS", "recovered by retry", "rolled forward", "fallen back", None])
def test_every_recovery_is_resolved(outcome):
    assert notification("recovered", incident(outcome=outcome)).payload["severity"] == "RESOLVED"
    assert notification("resolved", incident(outcome="resolved", evidence=BROKEN)).payload["severity"] == "RESOLVED"


@pytest.mark.parametrize("transition", ["opened", "escalated", "unidentified"])
def test_a_failed_test_of_a_rotation_is_only_information(transition):
    assert notification(transition, incident(event_type="TestRotationFailed")).payload["severity"] == "INFO"


def test_restarted_dependents_are_information_and_others_are_a_risk():
    assert notification("restarted", incident(restarts=[SETTLED])).payload["severity"] == "INFO"
    assert notification("restarted", incident(restarts=[SETTLED, NOT_LISTED])).payload["severity"] == "AT RISK"


@pytest.mark.parametrize(
    ("severities", "expected"),
    [([None, None], "AT RISK"), (["AT RISK", "OUTAGE"], "OUTAGE"), (["AT RISK", "AT RISK"], "AT RISK")],
)
def test_a_digest_has_the_severity_of_its_worst_incident(severities, expected):
    digest = [{**row, "severity": severity} for row, severity in zip(rate_limited(2), severities, strict=True)]

    message = notification("held_burst", {}, digest=digest)

    assert message.payload["severity"] == expected
    assert ("- orders/db-2: OUTAGE" in message.text.splitlines()) is ("OUTAGE" in severities)


def test_a_digest_names_outages_first():
    digest = [
        {**row, "severity": "OUTAGE" if row["secret_name"] == "orders/db-24" else "AT RISK"} for row in rate_limited(25)
    ]

    message = notification("held_burst", {}, digest=digest)

    assert message.subject.startswith("OUTAGE orders/db-24 and 24 more ")
    assert "- orders/db-24: OUTAGE" in message.text.splitlines()
    assert "cannot log in with those marked OUTAGE." in " ".join(message.text.split())
    assert "orders/db-24-Ab12Cd" in next(
        command for command in message.payload["commands"] if "rotate-secret" in command
    )


def test_the_first_command_of_a_digest_shows_the_evidence_of_an_outage():
    digest = [
        {**row, "severity": "OUTAGE" if row["secret_name"] == "orders/db-3" else "AT RISK"} for row in rate_limited(4)
    ]

    message = notification("held_burst", {}, digest=digest)

    assert message.payload["commands"][0].startswith("rotation-guard incidents show orders/db-3 ")
    assert "incidents show" not in notification("held_burst", {}, digest=rate_limited(4)).text


def test_a_digest_with_more_outages_than_it_names_says_that_there_may_be_others():
    message = notification("held_burst", {}, digest=[{**row, "severity": "OUTAGE"} for row in rate_limited(25)])

    assert "those marked OUTAGE, and possibly with others." in " ".join(message.text.split())


@pytest.mark.parametrize("transition", TRANSITIONS)
def test_every_transition_has_one_of_four_severities(transition):
    assert notification(transition).payload["severity"] in ("OUTAGE", "AT RISK", "RESOLVED", "INFO")
