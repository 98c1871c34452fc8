"""What stops remediation: the breaker of a secret, the account's cap, the kill switch, the change window."""

import json
from datetime import UTC, datetime, timedelta

import pytest
from botocore.exceptions import ClientError

from handlers.adapters.remediation_states import RemediationStates
from handlers.remediation import decide
from tests.handlers.scene import build_signal, once

NOON = datetime(2026, 3, 4, 12, 0, tzinfo=UTC)  # a Wednesday
FORWARD = {"current": "broken", "pending": "works", "previous": "broken"}
SWITCH = "/rotation-guard/kill-switch"


@pytest.fixture
def clock(monkeypatch):
    """The time of those who decide, which stands still until it is set."""

    class Clock(datetime):
        moment = NOON

        @classmethod
        def now(cls, tz=None):
            return cls.moment

    monkeypatch.setattr(decide, "datetime", Clock)
    return Clock


@pytest.fixture(autouse=True)
def switch(aws, scene):
    """Sets the kill switch, which says go at first."""

    def say(value):
        aws.client("ssm").put_parameter(Name=SWITCH, Value=value, Type="String", Overwrite=True)

    say("go")
    return say


@pytest.fixture
def had(scene):
    """An incident that a secret has had so many hours before noon; each with a failure of its own."""

    def make(arn, hours, outcome="escalated", **changes):
        at = NOON - timedelta(hours=hours)
        heard = build_signal(
            arn, at=at.strftime("%Y-%m-%dT%H:%M:%SZ"), event=f"event-{hours}", rotation=f"rotation-{hours}"
        )
        tried = {"rule": "retries used up", **changes}
        opened = scene.open(arn, heard, at.strftime("%Y-%m-%dT%H:%M:%S.500Z"), **tried)
        if outcome:
            scene.change(opened, outcome=outcome)
            scene.close(opened)
        return opened

    return make


# --- the breaker ------------------------------------------------------------------------------------------------------


def decided(scene, incident, **more):
    answer = scene.decide(incident, FORWARD, **more)
    return "orphaned" if "are suspended" in answer["reason"] else answer["action"]


@pytest.mark.parametrize(
    ("hours", "answer"),
    [
        ([], "move"),
        ([2, 1], "move"),
        ([3, 2, 1], "orphaned"),
        ([5, 4, 3, 2, 1], "orphaned"),
        ([72, 48, 24], "orphaned"),
        ([240, 120, 1], "orphaned"),
    ],
    ids=str,
)
def test_after_so_many_failed_incidents_in_a_row_repairs_are_suspended_however_far_apart_they_are(
    clock, scene, had, hours, answer
):
    arn = scene.secret()
    for number in hours:
        had(arn, number)

    assert decided(scene, had(arn, 0, outcome="")) == answer

    orphaned_at = "2026-03-04T12:00:00Z" if answer == "orphaned" else ""
    assert RemediationStates("incidents").read(arn).suspended_at == orphaned_at


def test_it_may_be_given_up_after_the_first(clock, scene, had, monkeypatch):
    monkeypatch.setenv("BREAKER_THRESHOLD", "1")
    arn = scene.secret()
    assert decided(scene, had(arn, 1, outcome="")) == "move"
    first = {"secret_arn": arn, "opened_at": "2026-03-04T11:00:00.500Z"}
    scene.change(first, outcome="escalated")
    scene.close(first)

    assert decided(scene, had(arn, 0, outcome="")) == "orphaned"


@pytest.mark.parametrize("rule", ["retries used up", "nothing works", "moved in vain", "exhausted"])
def test_an_incident_counts_in_which_something_was_tried_in_vain(clock, scene, had, rule):
    arn = scene.secret()
    for number in (3, 2, 1):
        had(arn, number, rule=rule)

    assert decided(scene, had(arn, 0, outcome="")) == "orphaned"


@pytest.mark.parametrize("rule", ["notify", "untouchable", "stopped", "held", "test only", "orphaned"])
def test_an_incident_in_which_nothing_was_tried_neither_counts_nor_closes_the_breaker(clock, scene, had, rule):
    arn = scene.secret()
    for number in (6, 4, 2):
        had(arn, number, rule="retries used up")
    had(arn, 1, rule=rule)
    assert decided(scene, had(arn, 0, outcome="")) == "orphaned"

    other = scene.secret()
    for number in (3, 2, 1):
        had(other, number, rule=rule)
    assert decided(scene, had(other, 0, outcome="")) == "move"


def test_one_that_was_resolved_by_hand_counts(clock, scene, had):
    arn = scene.secret()
    for number in (3, 2, 1):
        had(arn, number, "resolved")

    assert decided(scene, had(arn, 0, outcome="")) == "orphaned"


@pytest.mark.parametrize("outcome", ["recovered by AWS", "recovered by retry", "rolled forward", "fallen back"])
def test_an_incident_that_recovered_does_not_count(clock, scene, had, monkeypatch, outcome):
    monkeypatch.setenv("BREAKER_THRESHOLD", "1")
    arn = scene.secret()
    had(arn, 1, outcome)

    assert decided(scene, had(arn, 0, outcome="")) == "move"


@pytest.mark.parametrize(
    ("success", "answer"), [("2026-03-04T10:30:00Z", "move"), ("2026-03-04T08:30:00Z", "orphaned")]
)
def test_a_verified_success_lets_it_begin_anew(clock, scene, had, success, answer):
    arn = scene.secret()
    for number in (3, 2, 1):
        had(arn, number)
    RemediationStates("incidents").record_success(arn, success, is_verified=True)

    assert decided(scene, had(arn, 0, outcome="")) == answer


def test_a_label_that_moved_is_no_verified_success(clock, scene, had):
    arn = scene.secret()
    for number in (3, 2, 1):
        had(arn, number)
        RemediationStates("incidents").record_success(arn, f"2026-03-04T{12 - number:02d}:30:00Z", is_verified=False)

    assert decided(scene, had(arn, 0, outcome="")) == "orphaned"


@pytest.mark.parametrize(
    ("rotated_at", "answer"), [("2026-03-04T10:30:00Z", "move"), ("2026-03-04T08:30:00Z", "orphaned")]
)
def test_a_rotation_that_aws_has_completed_is_one_though_nobody_heard_of_it(clock, scene, had, rotated_at, answer):
    arn = scene.secret()
    for number in (3, 2, 1):
        had(arn, number)

    assert decided(scene, had(arn, 0, outcome=""), last_rotated_at=rotated_at) == answer


def test_what_was_released_begins_anew(aws, clock, scene, had):
    arn = scene.secret()
    for number in (5, 4, 3):
        had(arn, number)
    standing = {"secret_arn": f"secret#{arn}", "opened_at": "standing"}
    aws.put("incidents", {**standing, "orphaned_at": "2026-03-04T09:10:00Z", "released_at": "2026-03-04T09:30:00Z"})
    for number in (2, 1):
        had(arn, number)

    assert decided(scene, had(arn, 0, outcome="")) == "move"


def test_a_row_of_restarts_is_no_incident(clock, scene, had):
    arn = scene.secret()
    for number in (3, 2, 1):
        had(arn, number, failures=0)

    assert decided(scene, had(arn, 0, outcome="")) == "move"


def test_incidents_of_others_do_not_count(clock, scene, had):
    other = scene.secret()
    for number in (3, 2, 1):
        had(other, number)

    assert decided(scene, had(scene.secret(), 0, outcome="")) == "move"


def test_it_is_left_alone_until_it_is_released_whatever_succeeds(aws, clock, scene, had):
    arn = scene.secret()
    for number in (3, 2, 1):
        had(arn, number)
    incident = had(arn, 0, outcome="")
    assert decided(scene, incident) == "orphaned"

    clock.moment = NOON + timedelta(days=60)
    RemediationStates("incidents").record_success(arn, "2026-05-01T12:00:00Z", is_verified=True)
    assert decided(scene, incident) == "orphaned"
    assert RemediationStates("incidents").read(arn).suspended_at == "2026-03-04T12:00:00Z"

    standing = {"secret_arn": f"secret#{arn}", "opened_at": "standing"}
    aws.put("incidents", {**standing, "orphaned_at": "2026-03-04T12:00:00Z", "released_at": "2026-05-03T11:00:00Z"})
    assert decided(scene, incident) == "move"


@pytest.mark.parametrize(("recovered", "found"), [(False, {"mode": "notify"}), (True, {})])
def test_what_would_not_be_touched_anyway_opens_no_breaker(clock, scene, had, recovered, found):
    arn = scene.secret()
    for number in (3, 2, 1):
        had(arn, number)

    scene.decide(had(arn, 0, outcome=""), {}, recovered, **found)

    assert not RemediationStates("incidents").read(arn).is_suspended


def test_a_breaker_that_is_open_stays_so_where_the_step_is_cut_short(aws, clock, scene, had):
    arn = scene.secret()
    for number in (3, 2, 1):
        had(arn, number)
    incident = had(arn, 0, outcome="")
    aws.crash(1, "after")
    with pytest.raises(aws.Crash):
        scene.decide(incident, FORWARD)
    aws.crash(0, "")
    clock.moment += timedelta(minutes=1)

    assert decided(scene, incident) == "orphaned"
    assert RemediationStates("incidents").read(arn).suspended_at == "2026-03-04T12:00:00Z"


# --- the cap ----------------------------------------------------------------------------------------------------------


def test_beyond_the_cap_incidents_are_held(clock, scene, monkeypatch):
    monkeypatch.setenv("MAX_ACTIONS_PER_HOUR", "3")
    incidents = [scene.open(scene.secret()) for _ in range(5)]

    answers = [scene.decide(incident, FORWARD) for incident in incidents]

    assert [answer["action"] for answer in answers] == ["move", "move", "move", "end", "end"]
    assert {answer["outcome"] for answer in answers[3:]} == {"held"}
    assert {scene.actions(incident)[-1]["outcome"] for incident in incidents[3:]} == {"held"}
    # Those that were let in are let in again.
    assert [scene.decide(incident, FORWARD)["action"] for incident in incidents[:3]] == ["move"] * 3


def test_an_hour_later_there_is_room_again(clock, scene, monkeypatch):
    monkeypatch.setenv("MAX_ACTIONS_PER_HOUR", "1")
    scene.decide(scene.open(scene.secret()))
    incident = scene.open(scene.secret())

    clock.moment = NOON + timedelta(seconds=3599)
    assert scene.decide(incident)["outcome"] == "held"
    clock.moment = NOON + timedelta(seconds=3600)
    assert scene.decide(incident)["action"] == "retry"


def test_each_action_of_an_incident_counts(clock, scene, monkeypatch):
    monkeypatch.setenv("MAX_ACTIONS_PER_HOUR", "2")
    incident = scene.open(scene.secret())
    assert scene.decide(incident)["action"] == "retry"
    scene.change(incident, attempts=1)
    assert scene.decide(incident, FORWARD)["action"] == "move"
    scene.change(incident, attempts=2)

    assert scene.decide(incident)["outcome"] == "held"


def test_none_at_all_may_be_allowed(clock, scene, monkeypatch):
    monkeypatch.setenv("MAX_ACTIONS_PER_HOUR", "0")

    assert scene.decide(scene.open(scene.secret()))["outcome"] == "held"


@pytest.mark.parametrize(
    ("recovered", "found"), [(False, {"mode": "notify"}), (True, {}), (False, {"untouchable": "It is a replica."})]
)
def test_what_does_nothing_takes_no_room(aws, clock, scene, recovered, found):
    scene.decide(scene.open(scene.secret()), {}, recovered, **found)

    assert not [row for row in aws.rows("incidents") if row["secret_arn"] == "limit#actions"]


def test_of_those_that_decide_at_once_no_more_than_the_cap_act(aws, clock, scene, monkeypatch):
    monkeypatch.setenv("MAX_ACTIONS_PER_HOUR", "1")
    first, second = scene.open(scene.secret()), scene.open(scene.secret())
    answers = []
    once(aws, "UpdateItem", lambda: answers.append(scene.decide(first, FORWARD)))

    answers.append(scene.decide(second, FORWARD))

    assert [answer["action"] for answer in answers] == ["move", "end"]


# --- the kill switch --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("value", ["stop", "Stop now", "no", "gone", "go go", "-"])
def test_while_the_switch_does_not_say_go_everything_is_told(aws, scene, switch, value):
    incident = scene.open(scene.secret())
    switch(value)

    answer = scene.decide(incident, FORWARD)

    assert (answer["action"], answer["outcome"]) == ("end", "escalated")
    assert "kill switch" in answer["reason"]
    assert aws.asked("GetParameter") == [{"Name": SWITCH}]


@pytest.mark.parametrize("value", ["go", "GO", " go "])
def test_while_it_says_go_everything_goes_on(scene, switch, value):
    incident = scene.open(scene.secret())
    switch(value)

    assert scene.decide(incident, FORWARD)["action"] == "move"


def test_it_is_read_at_each_decision(scene, switch):
    incident = scene.open(scene.secret())
    actions = []
    for value in ("go", "stop", "go"):
        switch(value)
        actions.append(scene.decide(incident, FORWARD)["action"])

    assert actions == ["move", "end", "move"]


def test_a_switch_that_is_gone_says_stop(aws, scene):
    incident = scene.open(scene.secret())
    aws.client("ssm").delete_parameter(Name=SWITCH)

    assert scene.decide(incident, FORWARD)["outcome"] == "escalated"


def test_a_switch_that_cannot_be_read_permits_nothing(aws, scene):
    incident = scene.open(scene.secret())
    aws.answer("GetParameter", lambda _: aws.Refusal("AccessDeniedException"))

    with pytest.raises(ClientError, match="AccessDeniedException"):
        scene.decide(incident, FORWARD)

    assert scene.actions(incident) == []


def test_what_recovers_while_it_says_stop_has_recovered(scene, switch):
    incident = scene.open(scene.secret())
    switch("stop")

    assert scene.decide(incident, {}, recovered=True)["outcome"] == "recovered by AWS"


# --- the change window ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("window", "action", "wait"),
    [
        ({}, "move", 0),
        ({"start": "11:00", "end": "13:00"}, "move", 0),
        ({"start": "12:00", "end": "12:01"}, "move", 0),
        ({"start": "13:00", "end": "14:00"}, "wait", 3600),
        ({"start": "22:00", "end": "04:00"}, "wait", 10 * 3600),
        ({"days": ["thu"], "start": "11:00", "end": "13:00"}, "wait", 23 * 3600),
    ],
    ids=str,
)
def test_an_action_waits_for_the_window(clock, scene, monkeypatch, window, action, wait):
    monkeypatch.setenv("CHANGE_WINDOW", json.dumps(window))
    incident = scene.open(scene.secret())

    answer = scene.decide(incident, FORWARD)

    assert (answer["action"], answer["wait_seconds"]) == (action, wait)
    # It will be heard of again when the window opens, and is no dead one until then.
    assert scene.row(incident)["alive_until"] == int(NOON.timestamp()) + wait + 7200


@pytest.mark.parametrize(("found", "outcome"), [({"mode": "notify"}, "escalated"), ({}, "recovered by AWS")])
def test_an_end_does_not_wait(clock, scene, monkeypatch, found, outcome):
    monkeypatch.setenv("CHANGE_WINDOW", json.dumps({"start": "13:00", "end": "14:00"}))

    answer = scene.decide(scene.open(scene.secret()), {}, recovered=not found, **found)

    assert (answer["outcome"], answer["wait_seconds"]) == (outcome, 0)


def test_what_waits_takes_no_room(aws, clock, scene, monkeypatch):
    monkeypatch.setenv("CHANGE_WINDOW", json.dumps({"start": "13:00", "end": "14:00"}))

    scene.decide(scene.open(scene.secret()), FORWARD)

    assert not [row for row in aws.rows("incidents") if row["secret_arn"] == "limit#actions"]
