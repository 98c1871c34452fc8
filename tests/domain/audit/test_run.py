"""The id of a run, its counts, and whether it is complete."""

import json

import pytest

from rotation_guard.domain.audit.reconciliation import Discrepancy
from rotation_guard.domain.audit.run import (
    MAX_LISTED,
    Progress,
    choose_run_id,
    find_incomplete_reasons,
    may_have_vanished,
    restore_discrepancies,
    restore_progress,
)


def make_run(**more):
    return {"checked": 10, "complete": True, **more}


def test_progress_survives_a_round_trip_through_its_row():
    progress = Progress(checked=3, flagged=1, unknown=1, listed=9, added=2, pages=1, calls=4, seconds=1.25)
    progress.verdicts = {"fresh": 2, "overdue": 1}
    progress.add_discrepancies([Discrepancy("vanished", "orders", "It is gone.")])

    assert restore_progress(progress.to_row()) == progress


def test_a_discrepancy_is_counted_once():
    progress = Progress()
    discrepancy = Discrepancy("vanished", "orders", "It is gone.")

    assert progress.add_discrepancies([discrepancy, discrepancy]) is True
    assert progress.add_discrepancies([discrepancy]) is False
    assert progress.discrepancies == {"vanished": 1}
    assert progress.findings == [{"kind": "vanished", "secret_name": "orders", "detail": "It is gone."}]


def test_a_run_lists_the_first_discrepancies_and_counts_all():
    progress = Progress()
    progress.add_discrepancies(
        Discrepancy("vanished", f"secret-{number}", "It is gone.") for number in range(MAX_LISTED + 5)
    )

    assert len(progress.findings) == MAX_LISTED
    assert progress.discrepancies == {"vanished": MAX_LISTED + 5}
    assert len(json.dumps(progress.findings)) < 400_000


def test_a_restarted_run_keeps_its_discrepancies_and_resets_its_counts():
    previous = Progress(checked=5)
    previous.add_discrepancies([Discrepancy("vanished", "orders", "It is gone.")])

    progress = restore_discrepancies(Progress(), previous.to_row())

    assert progress.checked == 0
    assert progress.findings == previous.findings


@pytest.mark.parametrize(
    ("listed", "counted", "complete"), [(10, None, True), (10, 10, True), (10, 9, True), (10, 11, False)]
)
def test_a_run_that_listed_fewer_secrets_than_counted_is_incomplete(listed, counted, complete):
    reasons = find_incomplete_reasons(Progress(checked=10, listed=listed), counted, None)

    assert (reasons == []) is complete


@pytest.mark.parametrize(
    ("checked", "previous", "complete"), [(5, 10, True), (4, 10, False), (0, 1, False), (0, 0, True), (20, 10, True)]
)
def test_a_run_that_checked_less_than_half_of_the_previous_one_is_incomplete(checked, previous, complete):
    reasons = find_incomplete_reasons(Progress(checked=checked), None, make_run(checked=previous))

    assert (reasons == []) is complete


@pytest.mark.parametrize(
    ("checked", "added", "previous", "expected"),
    [
        (10, 0, make_run(), False),
        (9, 0, make_run(), True),
        (10, 1, make_run(), True),  # one was added, so one must have vanished
        (11, 1, make_run(), False),
        (10, 10, None, False),  # there is no earlier run
        (10, 0, make_run(complete=False), True),  # unknown
    ],
)
def test_the_counts_show_whether_a_secret_may_have_vanished(checked, added, previous, expected):
    assert may_have_vanished(Progress(checked=checked, added=added), previous) is expected


@pytest.mark.parametrize("scheduled_time", ["2026-03-01T12:00:00Z", "2026-03-01T12:00:00.123Z"])
def test_the_id_of_a_scheduled_run_is_its_scheduled_time(scheduled_time):
    assert choose_run_id(scheduled_time, "request") == scheduled_time


@pytest.mark.parametrize(
    "scheduled_time",
    [
        None,
        "",
        "<aws.scheduler.scheduled-time>",  # sent by hand, so the placeholder was not replaced
        "2026-03-01",
        "2026-03-01T12:00:00Z\n",
        "yesterday 2026-03-01T12:00:00Z",
        1772366400,
        ["2026-03-01T12:00:00Z"],
    ],
)
def test_the_id_of_a_manual_run_is_its_request_id(scheduled_time):
    assert choose_run_id(scheduled_time, "request") == "request"


def test_a_run_lists_the_first_changed_secrets_and_counts_all():
    progress = Progress()

    assert progress.add_changed(["orders", "search"]) is True
    assert progress.add_changed(["orders"]) is False
    assert (progress.recorded, progress.changed) == (2, ["orders", "search"])
    assert progress.add_changed(f"secret-{number}" for number in range(MAX_LISTED)) is True
    assert progress.add_changed(["another"]) is False
    assert (progress.recorded, len(progress.changed)) == (MAX_LISTED + 3, MAX_LISTED)


def make_progress(checked, answered=0, unknown=None, **by_reason):
    refusals = {name.replace("_", " "): count for name, count in by_reason.items()}
    unknown = sum(refusals.values()) if unknown is None else unknown
    return Progress(checked=checked, listed=checked, unknown=unknown, answered=answered, refused=refusals)


@pytest.mark.parametrize(
    ("progress", "complete"),
    [
        (make_progress(6), True),
        (make_progress(6, access_denied=6), False),
        (make_progress(1, access_denied=1), False),
        (make_progress(6, answered=5, access_denied=1), True),
        (make_progress(6, answered=4, access_denied=2), False),
        (make_progress(7, answered=5, access_denied=2), True),
        (make_progress(1000, answered=1, access_denied=30), True),
        (make_progress(1000, answered=666, access_denied=334), False),
        (make_progress(1000, answered=999, throttled=1), True),
        (make_progress(1000, answered=998, throttled=2), False),
        (make_progress(1000, answered=998, throttled=1, no_answer=1), False),
    ],
)
def test_a_run_with_more_refusals_than_single_policies_explain_is_incomplete(progress, complete):
    assert (find_incomplete_reasons(progress, None, None) == []) is complete


@pytest.mark.parametrize(
    ("checked", "unknown", "previous", "complete"),
    [
        (6, 1, 0, True),
        (6, 2, 0, False),
        (6, 3, 2, True),
        (100, 5, 0, True),
        (100, 6, 0, False),
        (100, 40, 40, True),
        (100, 0, 40, True),
    ],
)
def test_a_run_with_clearly_more_unknown_secrets_than_the_last_complete_one_is_incomplete(
    checked, unknown, previous, complete
):
    progress = Progress(checked=checked, listed=checked, unknown=unknown)

    reasons = find_incomplete_reasons(progress, None, None, last_complete=make_run(unknown=previous))

    assert (reasons == []) is complete


@pytest.mark.parametrize(
    ("listed_recently", "complete"), [(0, False), (10, False), (11, False), (12, True), (20, True)]
)
def test_recently_listed_secrets_explain_an_outdated_count(listed_recently, complete):
    reasons = find_incomplete_reasons(Progress(checked=10, listed=10), 12, None, max_listed_recently=listed_recently)

    assert (reasons == []) is complete


def test_refusals_survive_a_handover_and_the_attribute_is_absent_without_any():
    progress = make_progress(6, answered=4, access_denied=2)

    assert restore_progress(progress.to_row() | {"answered": progress.answered}) == progress
    assert Progress().to_row()["refused"] is None
    assert "answered" not in progress.to_row()


def test_a_discrepancy_whose_detail_contains_an_age_is_counted_once():
    progress = Progress()

    assert progress.add_discrepancies([Discrepancy("stuck_without_incident", "orders", "2 days old.")]) is True
    assert progress.add_discrepancies([Discrepancy("stuck_without_incident", "orders", "3 days old.")]) is False
    assert progress.add_discrepancies([Discrepancy("moved_unheard", "orders", "It moved.")]) is True
