"""A notice is as urgent as what is proven, and no more."""

import pytest

from tests.handlers.remediation.transitions import NOT_LISTED, SETTLED, TURNS, held, incident, told

BROKEN, WORKS = {"current": "broken"}, {"current": "works"}
UNSETTLED = ("opened", "retried", "escalated", "held", "reminder", "missing")


@pytest.mark.parametrize("turn", UNSETTLED)
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
def test_only_a_probe_that_disproved_awscurrent_makes_an_outage(turn, evidence, severity):
    notice = told(turn, incident(evidence=evidence))

    assert notice.facts["severity"] == severity
    assert notice.subject.startswith(f"{severity} orders/db ")
    assert notice.text.startswith(f"{severity}: ")


@pytest.mark.parametrize("outcome", ["recovered by AWS", "recovered by retry", "rolled forward", "fallen back", None])
def test_whatever_recovered_is_resolved(outcome):
    assert told("recovered", incident(outcome=outcome)).facts["severity"] == "RESOLVED"
    assert told("resolved", incident(outcome="resolved", evidence=BROKEN)).facts["severity"] == "RESOLVED"


@pytest.mark.parametrize("turn", ["opened", "escalated", "unidentified"])
def test_a_test_of_a_rotation_that_fails_breaks_nothing(turn):
    assert told(turn, incident(event_type="TestRotationFailed")).facts["severity"] == "INFO"


def test_dependents_that_were_restarted_are_news_and_those_that_were_not_are_a_risk():
    assert told("restarted", incident(restarts=[SETTLED])).facts["severity"] == "INFO"
    assert told("restarted", incident(restarts=[SETTLED, NOT_LISTED])).facts["severity"] == "AT RISK"


@pytest.mark.parametrize(
    ("severities", "expected"),
    [([None, None], "AT RISK"), (["AT RISK", "OUTAGE"], "OUTAGE"), (["AT RISK", "AT RISK"], "AT RISK")],
)
def test_a_burst_is_as_severe_as_the_worst_in_it(severities, expected):
    burst = [{**one, "severity": severity} for one, severity in zip(held(2), severities, strict=True)]

    notice = told("held_burst", {}, held=burst)

    assert notice.facts["severity"] == expected
    assert ("- orders/db-2: OUTAGE" in notice.text.splitlines()) is ("OUTAGE" in severities)


def test_a_burst_names_the_outages_in_it_first():
    burst = [{**one, "severity": "OUTAGE" if one["secret_name"] == "orders/db-24" else "AT RISK"} for one in held(25)]

    notice = told("held_burst", {}, held=burst)

    assert notice.subject.startswith("OUTAGE orders/db-24 and 24 more ")
    assert "- orders/db-24: OUTAGE" in notice.text.splitlines()
    assert "cannot log in with those marked OUTAGE." in " ".join(notice.text.split())
    assert "orders/db-24-Ab12Cd" in next(one for one in notice.facts["commands"] if "rotate-secret" in one)


def test_a_burst_leads_to_what_was_proven_of_its_outages_before_all_else():
    burst = [{**one, "severity": "OUTAGE" if one["secret_name"] == "orders/db-3" else "AT RISK"} for one in held(4)]

    notice = told("held_burst", {}, held=burst)

    assert notice.facts["commands"][0].startswith("rotation-guard incidents show orders/db-3 ")
    assert "incidents show" not in told("held_burst", {}, held=held(4)).text


def test_a_burst_of_more_outages_than_it_names_says_that_there_may_be_others():
    notice = told("held_burst", {}, held=[{**one, "severity": "OUTAGE"} for one in held(25)])

    assert "those marked OUTAGE, and perhaps with others." in " ".join(notice.text.split())


@pytest.mark.parametrize("turn", TURNS)
def test_every_transition_has_one_of_four_severities(turn):
    assert told(turn).facts["severity"] in ("OUTAGE", "AT RISK", "RESOLVED", "INFO")
