"""Rows of earlier runs that somebody damaged: the audit goes on, and writes them anew."""

import pytest

from tests.wrong_types import WRONG

OF_STATUS = (
    *("verdict", "reason", "owner", "secret_arn", "value_created_at", "checked_at", "since", "due_at"),
    *("pending_since", "accounted_at", "accounted_event_at", "heard_at", "limit_days", "current_version_id"),
)
OF_RUN = ("started_at", "finished_at", "complete", "checked", "unknown", "listed", "counted", "lease_until", "accepted")


@pytest.fixture(autouse=True)
def tables(aws):
    aws.create_tables("history", "status", "runs", "incidents", "audit-trail")


@pytest.mark.parametrize("kind", WRONG)
def test_a_damaged_status_is_overwritten(aws, create_aged_secret, run, status, kind):
    create_aged_secret("fine", days=3)
    for attribute in OF_STATUS:
        create_aged_secret(attribute, days=3)
    run()
    written = status()
    for attribute in OF_STATUS:
        aws.put("status", written[attribute] | {attribute: WRONG[kind]})

    assert run()["checked"] == len(OF_STATUS) + 1

    verdicts = {name: (row["verdict"], row["value_created_at"]) for name, row in status().items()}
    assert verdicts == {name: (row["verdict"], row["value_created_at"]) for name, row in written.items()}


@pytest.mark.parametrize("kind", [*WRONG, "missing"])
@pytest.mark.parametrize("run_id", ["2026-02-28T12:00:00Z", "0d4e4f5a-0000-4000-8000-000000000000"])
def test_a_damaged_run_stops_no_other(aws, create_aged_secret, run, kind, run_id):
    create_aged_secret("fine", days=3)
    damaged = {} if kind == "missing" else dict.fromkeys(OF_RUN, WRONG[kind])
    aws.put("runs", {"audit": "rotation", "run_id": run_id, **damaged})

    assert run({"scheduled_time": "2026-03-01T12:00:00Z"})["checked"] == 1
