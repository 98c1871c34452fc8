"""Incidents with attributes of types that nothing writes: each is still listed and shown, by every command and page."""

import csv
import io
import json
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from rotation_guard.domain.remediation.incident_scan import separate
from rotation_guard.html_report.incidents import build_incidents
from rotation_guard.html_report.render import render_page
from tests.cli.stacks import ARN
from tests.html_report import sample
from tests.wrong_types import WRONG

ENTRIES = [
    {},
    {"at": 5, "action": ["words"], "outcome": {"a": 1}, "reason": 7, "evidence": "words"},
    {"at": "soon", "action": "retry", "evidence": {"current": 5, "notes": "words"}},
    {"at": "2026-01-01T00:00:00Z", "action": "notify", "turn": ["a"], "evidence": {"notes": [5, None]}},
]
ATTRIBUTES = (
    *("secret_name", "state", "outcome", "failed_step", "reason", "event_type", "mode", "execution", "ended_by"),
    *("occurred_at", "last_failure_at", "closed_at", "resolved_at", "resolved_by", "resolved_outcome", "alive_until"),
    *("acknowledged_at", "acknowledged_by", "acknowledged_until", "acknowledged_reason", "attempts", "failures"),
    *(
        "versions",
        "evidence",
        "moved",
        "actions",
        "restarts",
        "current_version_id",
        "rule",
        "event_ids",
        "source",
    ),
)


def assert_shown(run_on_stack):
    arn = f"{ARN}:orders-AbCdEf"
    listed = run_on_stack("incidents", "--format", "json")
    assert (listed.exit_code, listed.stderr) == (0, "")
    assert [incident["secret_arn"] for incident in json.loads(listed.stdout)["incidents"]] == [arn]
    [row] = csv.DictReader(io.StringIO(run_on_stack("incidents", "--format", "csv").stdout, newline=""))
    assert row["secret_arn"] == arn
    for words in (["incidents"], ["incidents", "show", arn], ["incidents", "show", arn, "--format", "json"]):
        shown = run_on_stack(*words)
        assert (shown.exit_code, shown.stderr) == (0, ""), words


@pytest.mark.parametrize("name", WRONG)
def test_an_incident_whose_attributes_have_one_wrong_type_is_shown(stack, run_on_stack, name):
    stack.incident("orders", **dict.fromkeys(ATTRIBUTES, WRONG[name]))
    stack.set_state("orders", succeeded_at=WRONG[name], orphaned_at=WRONG[name], released_at=WRONG[name])

    assert_shown(run_on_stack)
    assert run_on_stack("incidents", "orphaned").exit_code == 0


@pytest.mark.parametrize("state", ["open", "restarting", "closed"])
@pytest.mark.parametrize("attribute", ["actions", "restarts"])
def test_an_incident_with_malformed_actions_is_shown_with_all_of_them(stack, run_on_stack, state, attribute):
    closed = {"closed_at": stack.ago(hours=0.5), "outcome": "escalated"} if state == "closed" else {}
    stack.incident("orders", state=state, **closed, **{attribute: ENTRIES})

    assert_shown(run_on_stack)
    if attribute == "actions":
        shown = run_on_stack("incidents", "show", "orders", "--format", "json")
        timeline = json.loads(shown.stdout)["timeline"]
        actions = [entry["action"] for entry in timeline if entry["action"] not in ("RotationFailed", "open", "close")]
        assert actions == ["unknown action", "['words']", "retry", "notify"]


def test_a_page_shows_malformed_incidents_beside_others():
    now = datetime(2026, 11, 30, tzinfo=UTC)
    attributes = [dict.fromkeys(ATTRIBUTES, value) for value in (*WRONG.values(), None)]
    changes = [*attributes, {"actions": ENTRIES, "restarts": ENTRIES}, {}]
    rows: list[dict[str, Any]] = [
        {"secret_arn": f"{ARN}:orders-AbCdEf", "opened_at": f"2026-11-{day:02}T00:00:00Z", **change}
        for day, change in enumerate(changes, 1)
    ]
    states = [
        {"secret_arn": f"secret#{ARN}:{name}-AbCdEf", "opened_at": "standing", "succeeded_at": 5} for name in "ab"
    ]

    page = build_incidents(*separate([*rows, *states]), now, now)
    text = render_page(replace(sample.build_page(), incidents=page.incidents, notes=page.notes))

    assert len(page.incidents) == len(rows)
    assert page.notes == []
    assert text.count("unknown action") >= 1


def test_an_incident_with_an_invalid_opening_is_left_out_where_one_is_chosen(stack, run_on_stack):
    stack.incident("orders", opened_at="soon")
    stack.incident("orders", hours=2, opened_at="2026-11-01T00:00:00Z")

    result = run_on_stack("incidents", "show", "orders", "--opened-at", "2026-11-01T00:00:00Z")

    assert (result.exit_code, result.stderr) == (0, "")
