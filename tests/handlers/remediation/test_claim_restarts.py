"""What waits for a new value is restarted after it, once for each version, whichever event tells of it."""

import json
from datetime import UTC, datetime

import pytest

from handlers.adapters.incidents import Incidents
from tests.handlers.scene import EXECUTION, build_signal, crashes, moved, once, succeeded

FUNCTION = "arn:aws:lambda:eu-west-1:123456789012:function:orders"
WANTED = {"target": "lambda:orders", "arn": FUNCTION, "state": "wanted", "why": ""}
STARTED_AT = "2026-03-01T01:17:16.500Z"
SECOND, SECOND_AT = f"{EXECUTION}-2", "2026-03-01T01:20:00.000Z"


@pytest.fixture(autouse=True)
def targets(aws, monkeypatch):
    monkeypatch.setenv("RESTART_TARGETS", json.dumps([FUNCTION]))


@pytest.fixture
def rotated(scene):
    """Makes a secret whose dependent is restarted after any rotation, and that has just been rotated."""

    def make(**tags):
        arn = scene.secret(pending=True, **{"restart": "lambda:orders", "restart_on": "rotation", **tags})
        scene.finish(arn)
        return arn

    return make


def heard(scene, arn, kind):
    return succeeded(arn) if kind == "RotationSucceeded" else moved(arn, scene.version(arn))


@pytest.mark.parametrize("kind", ["RotationSucceeded", "Secret Label Updated"])
def test_a_rotation_that_succeeded_has_dependents_to_restart(scene, rotated, kind):
    arn = rotated()
    before = int(datetime.now(UTC).timestamp() * 1000)

    answer = scene.claim(heard(scene, arn, kind))

    assert answer == {
        "outcome": "moved",
        "incident": {"secret_arn": arn, "opened_at": STARTED_AT},
        "wait_seconds": 0,
        "ending": {
            "outcome": "restarted",
            "reason": "A new value is in use since 2026-03-01T01:17:16Z.",
            "restarts": [WANTED],
            "version": scene.version(arn),
        },
    }
    [row] = scene.incidents(arn)
    assert (row["state"], row["outcome"], row["failures"]) == ("restarting", "restarted", 0)
    assert (row["execution"], row["ended_by"], row["event_type"]) == (EXECUTION, EXECUTION, kind)
    assert row["restarts"] == [WANTED]
    assert before <= row["restarts_wanted_at"] <= datetime.now(UTC).timestamp() * 1000
    assert scene.claimed(arn) is None
    assert scene.unfinished(arn) == [STARTED_AT]


@pytest.mark.parametrize("first", ["RotationSucceeded", "Secret Label Updated"])
def test_two_events_of_one_rotation_restart_once(scene, rotated, first):
    arn = rotated()
    kinds = sorted(["RotationSucceeded", "Secret Label Updated"], key=lambda kind: kind != first)

    outcomes = [scene.claim(heard(scene, arn, kind), kind)["outcome"] for kind in kinds]
    again = [scene.claim(heard(scene, arn, kind), f"{kind}-copy", SECOND_AT)["outcome"] for kind in kinds]

    assert (outcomes, again) == (["moved", "quiet"], ["quiet", "quiet"])
    assert len(scene.incidents(arn)) == 1


def test_the_next_rotation_restarts_again(scene, rotated):
    arn = rotated()
    scene.claim(succeeded(arn))
    scene.begin(arn)
    scene.finish(arn)

    answer = scene.claim(succeeded(arn, "2026-04-01T00:00:00Z", "success-2"), SECOND, "2026-04-01T00:01:00.000Z")

    assert answer["outcome"] == "moved"
    assert len(scene.incidents(arn)) == 2


@pytest.mark.parametrize("tags", [{"restart_on": ""}, {"restart": ""}, {"restart_on": "repair"}])
def test_who_does_not_ask_for_it_is_left_alone(scene, rotated, tags):
    arn = rotated(**tags)

    assert scene.claim(succeeded(arn))["outcome"] == "quiet"
    assert scene.incidents(arn) == []


def test_what_may_not_be_restarted_is_told_as_refused(scene, rotated):
    arn = rotated(restart="lambda:others")

    [entry] = scene.claim(succeeded(arn))["ending"]["restarts"]

    assert (entry["target"], entry["state"]) == ("lambda:others", "refused")


@pytest.mark.parametrize(
    ("restart_on", "attempts", "restarts"),
    [("rotation", 0, [WANTED]), ("", 0, []), ("", 1, [WANTED]), ("rotation", 2, [WANTED])],
)
def test_the_end_of_an_incident_restarts_after_our_retry_and_where_any_rotation_does(
    scene, rotated, restart_on, attempts, restarts
):
    arn = rotated(restart_on=restart_on)
    scene.open(arn, attempts=attempts)

    answer = scene.claim(succeeded(arn), SECOND, SECOND_AT)

    assert answer["outcome"] == "recovered"
    assert answer["ending"]["restarts"] == restarts


def test_a_restart_that_is_cut_short_is_wanted_once(aws, scene, rotated):
    arns = []

    def prepare():
        arns.append(rotated())
        return lambda: scene.claim(succeeded(arns[-1]))

    answers = list(crashes(aws, prepare))

    assert len(answers) == 8
    assert {answer["outcome"] for _, answer in answers} == {"moved"}
    assert [len(scene.incidents(arn)) for arn in arns] == [1] * len(arns)


def test_of_two_events_at_once_one_restarts(aws, scene, rotated):
    arn = rotated()
    once(aws, "UpdateItem", lambda: scene.claim(heard(scene, arn, "Secret Label Updated"), SECOND, SECOND_AT), 2)

    assert scene.claim(succeeded(arn))["outcome"] == "quiet"

    [row] = scene.incidents(arn)
    assert row["execution"] == SECOND


def test_an_incident_that_was_opened_in_the_same_instant_is_not_written_over(aws, scene, rotated):
    arn, instant = rotated(), "2026-03-01T02:00:01.000Z"
    late = build_signal(arn, at="2026-03-01T02:00:00Z", event="event-2")
    once(aws, "TransactWriteItems", lambda: scene.claim(late, SECOND, instant))

    assert scene.claim(succeeded(arn), started_at=instant)["outcome"] == "known"

    [row] = scene.incidents(arn)
    assert (row["state"], row["execution"]) == ("open", SECOND)


def test_a_version_that_comes_back_is_picked_up_by_another_restart(scene):
    register = Incidents("incidents")
    arn = scene.secret()

    taken = [register.claim_version(arn, version, by) for version, by in (("v2", "a"), ("v2", "b"), ("v2", "a"))]
    back = [register.claim_version(arn, version, by) for version, by in (("v1", "c"), ("v1", "d"), ("v2", "e"))]

    assert taken == [True, False, True]
    assert back == [True, False, True]
