"""Dependents are restarted once for each new version, whichever event reports it."""

import json
from datetime import UTC, datetime

import pytest

from handlers.adapters.incidents import Incidents
from tests.handlers.scene import (
    EXECUTION,
    build_move_signal,
    build_signal,
    build_success_signal,
    crash_at_each_write,
    run_before,
)

FUNCTION = "arn:aws:lambda:eu-west-1:123456789012:function:orders"
WANTED = {"target": "lambda:orders", "arn": FUNCTION, "state": "wanted", "why": ""}
STARTED_AT = "2026-03-01T01:17:16.500Z"
SECOND, SECOND_AT = f"{EXECUTION}-2", "2026-03-01T01:20:00.000Z"


@pytest.fixture(autouse=True)
def targets(aws, monkeypatch):
    monkeypatch.setenv("RESTART_TARGETS", json.dumps([FUNCTION]))


@pytest.fixture
def make_rotated_secret(scene):
    """Creates a secret that has just been rotated, and whose dependent is restarted after any rotation."""

    def make(**tags):
        arn = scene.secret(pending=True, **{"restart": "lambda:orders", "restart_on": "rotation", **tags})
        scene.finish(arn)
        return arn

    return make


def build_event_signal(scene, arn, kind):
    return build_success_signal(arn) if kind == "RotationSucceeded" else build_move_signal(arn, scene.version(arn))


@pytest.mark.parametrize("kind", ["RotationSucceeded", "Secret Label Updated"])
def test_a_successful_rotation_has_its_dependents_restarted(scene, make_rotated_secret, kind):
    arn = make_rotated_secret()
    before = int(datetime.now(UTC).timestamp() * 1000)

    answer = scene.claim(build_event_signal(scene, arn, kind))

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
    assert scene.claim_row(arn) is None
    assert scene.unfinished(arn) == [STARTED_AT]


@pytest.mark.parametrize("first", ["RotationSucceeded", "Secret Label Updated"])
def test_two_events_of_one_rotation_restart_once(scene, make_rotated_secret, first):
    arn = make_rotated_secret()
    kinds = sorted(["RotationSucceeded", "Secret Label Updated"], key=lambda kind: kind != first)

    outcomes = [scene.claim(build_event_signal(scene, arn, kind), kind)["outcome"] for kind in kinds]
    repeated_outcomes = [
        scene.claim(build_event_signal(scene, arn, kind), f"{kind}-copy", SECOND_AT)["outcome"] for kind in kinds
    ]

    assert (outcomes, repeated_outcomes) == (["moved", "quiet"], ["quiet", "quiet"])
    assert len(scene.incidents(arn)) == 1


def test_the_next_rotation_restarts_again(scene, make_rotated_secret):
    arn = make_rotated_secret()
    scene.claim(build_success_signal(arn))
    scene.begin(arn)
    scene.finish(arn)

    answer = scene.claim(
        build_success_signal(arn, "2026-04-01T00:00:00Z", "success-2"), SECOND, "2026-04-01T00:01:00.000Z"
    )

    assert answer["outcome"] == "moved"
    assert len(scene.incidents(arn)) == 2


@pytest.mark.parametrize("tags", [{"restart_on": ""}, {"restart": ""}, {"restart_on": "repair"}])
def test_a_secret_that_does_not_opt_in_has_no_dependents_restarted(scene, make_rotated_secret, tags):
    arn = make_rotated_secret(**tags)

    assert scene.claim(build_success_signal(arn))["outcome"] == "quiet"
    assert scene.incidents(arn) == []


@pytest.mark.parametrize(("pattern", "outcome"), [("*", "moved"), ("no-such/*", "quiet")])
def test_dependents_of_a_secret_outside_the_scope_are_not_restarted(
    scene, make_rotated_secret, monkeypatch, pattern, outcome
):
    monkeypatch.setenv("REMEDIATION_SCOPE", json.dumps({"name": pattern}))

    assert scene.claim(build_success_signal(make_rotated_secret()))["outcome"] == outcome


def test_a_target_that_may_not_be_restarted_is_refused(scene, make_rotated_secret):
    arn = make_rotated_secret(restart="lambda:others")

    [entry] = scene.claim(build_success_signal(arn))["ending"]["restarts"]

    assert (entry["target"], entry["state"]) == ("lambda:others", "refused")


@pytest.mark.parametrize(
    ("restart_on", "attempts", "restarts"),
    [("rotation", 0, [WANTED]), ("", 0, []), ("", 1, [WANTED]), ("rotation", 2, [WANTED])],
)
def test_a_recovery_restarts_after_our_retry_or_if_any_rotation_does(
    scene, make_rotated_secret, restart_on, attempts, restarts
):
    arn = make_rotated_secret(restart_on=restart_on)
    scene.open(arn, attempts=attempts)

    answer = scene.claim(build_success_signal(arn), SECOND, SECOND_AT)

    assert answer["outcome"] == "recovered"
    assert answer["ending"]["restarts"] == restarts


def test_a_claim_that_crashes_wants_one_restart(aws, scene, make_rotated_secret):
    arns = []

    def prepare():
        arns.append(make_rotated_secret())
        return lambda: scene.claim(build_success_signal(arns[-1]))

    answers = list(crash_at_each_write(aws, prepare))

    assert len(answers) == 8
    assert {answer["outcome"] for _, answer in answers} == {"moved"}
    assert [len(scene.incidents(arn)) for arn in arns] == [1] * len(arns)


def test_only_one_of_two_concurrent_events_restarts(aws, scene, make_rotated_secret):
    arn = make_rotated_secret()
    run_before(
        aws,
        "UpdateItem",
        lambda: scene.claim(build_event_signal(scene, arn, "Secret Label Updated"), SECOND, SECOND_AT),
        2,
    )

    assert scene.claim(build_success_signal(arn))["outcome"] == "quiet"

    [row] = scene.incidents(arn)
    assert row["execution"] == SECOND


def test_an_incident_that_was_opened_at_the_same_time_is_not_overwritten(aws, scene, make_rotated_secret):
    arn, same_time = make_rotated_secret(), "2026-03-01T02:00:01.000Z"
    failure = build_signal(arn, at="2026-03-01T02:00:00Z", event="event-2")
    run_before(aws, "TransactWriteItems", lambda: scene.claim(failure, SECOND, same_time))

    assert scene.claim(build_success_signal(arn), started_at=same_time)["outcome"] == "known"

    [row] = scene.incidents(arn)
    assert (row["state"], row["execution"]) == ("open", SECOND)


def test_a_version_that_becomes_current_again_is_restarted_for_again(scene):
    incidents = Incidents("incidents")
    arn = scene.secret()

    claims = [incidents.claim_version(arn, version, by) for version, by in (("v2", "a"), ("v2", "b"), ("v2", "a"))]
    repeated_claims = [
        incidents.claim_version(arn, version, by) for version, by in (("v1", "c"), ("v1", "d"), ("v2", "e"))
    ]

    assert claims == [True, False, True]
    assert repeated_claims == [True, False, True]
