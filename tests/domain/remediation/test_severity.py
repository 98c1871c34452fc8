"""A message is as urgent as what is proven, and no more."""

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
def test_whatever_recovered_is_resolved(outcome):
    assert notification("recovered", incident(outcome=outcome)).payload["severity"] == "RESOLVED"
    assert notification("resolved", incident(outcome="resolved", evidence=BROKEN)).payload["severity"] == "RESOLVED"


@pytest.mark.parametrize("transition", ["opened", "escalated", "unidentified"])
def test_a_test_of_a_rotation_that_fails_breaks_nothing(transition):
    assert notification(transition, incident(event_type="TestRotationFailed")).payload["severity"] == "INFO"


def test_dependents_that_were_restarted_are_news_and_those_that_were_not_are_a_risk():
    assert notification("restarted", incident(restarts=[SETTLED])).payload["severity"] == "INFO"
    assert notification("restarted", incident(restarts=[SETTLED, NOT_LISTED])).payload["severity"] == "AT RISK"


@pytest.mark.parametrize(
    ("severities", "expected"),
    [([None, None], "AT RISK"), (["AT RISK", "OUTAGE"], "OUTAGE"), (["AT RISK", "AT RISK"], "AT RISK")],
)
def test_a_burst_is_as_severe_as_the_worst_in_it(severities, expected):
    burst = [{**each, "severity": severity} for each, severity in zip(rate_limited(2), severities, strict=True)]

    message = notification("held_burst", {}, digest=burst)

    assert message.payload["severity"] == expected
    assert ("- orders/db-2: OUTAGE" in message.text.splitlines()) is ("OUTAGE" in severities)


def test_a_burst_names_the_outages_in_it_first():
    burst = [
        {**each, "severity": "OUTAGE" if each["secret_name"] == "orders/db-24" else "AT RISK"}
        for each in rate_limited(25)
    ]

    message = notification("held_burst", {}, digest=burst)

    assert message.subject.startswith("OUTAGE orders/db-24 and 24 more ")
    assert "- orders/db-24: OUTAGE" in message.text.splitlines()
    assert "cannot log in with those marked OUTAGE." in " ".join(message.text.split())
    assert "orders/db-24-Ab12Cd" in next(
        command for command in message.payload["commands"] if "rotate-secret" in command
    )


def test_a_burst_leads_to_what_was_proven_of_its_outages_before_all_else():
    burst = [
        {**each, "severity": "OUTAGE" if each["secret_name"] == "orders/db-3" else "AT RISK"}
        for each in rate_limited(4)
    ]

    message = notification("held_burst", {}, digest=burst)

    assert message.payload["commands"][0].startswith("rotation-guard incidents show orders/db-3 ")
    assert "incidents show" not in notification("held_burst", {}, digest=rate_limited(4)).text


def test_a_burst_of_more_outages_than_it_names_says_that_there_may_be_others():
    message = notification("held_burst", {}, digest=[{**each, "severity": "OUTAGE"} for each in rate_limited(25)])

    assert "those marked OUTAGE, and possibly with others." in " ".join(message.text.split())


@pytest.mark.parametrize("transition", TRANSITIONS)
def test_every_transition_has_one_of_four_severities(transition):
    assert notification(transition).payload["severity"] in ("OUTAGE", "AT RISK", "RESOLVED", "INFO")
