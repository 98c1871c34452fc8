"""Rows of secrets and runs with attributes of types that nothing writes: every report still answers, and says so."""

import csv
import io
import json

import pytest

from tests.wrong_types import WRONG

TEXTS = ("secret_arn", "status", "verdict", "reason", "owner", "current_version_id", "exempt_until", "exempt_reason")
TIMES = ("value_created_at", "due_at", "since", "checked_at")
OF_RUN = (
    *("finished_at", "complete", "checked", "flagged", "unknown", "outdated_replicas", "listed", "counted", "recorded"),
    *("period_seconds", "settings", "accepted", "verdicts", "incomplete_because", "changed", "history_mode"),
    *("lease_until", "findings"),
)
FORMATS = (
    *(("report",), ("report", "--attention"), ("report", "--older-than", "3d"), ("exemptions",)),
    *(("report", "--format", "csv"), ("report", "--format", "html", "--output", "-"), ("report", "--since", "1d")),
)


def damaged(types):
    """The values that are wrong for an attribute of these types."""
    return {name: value for name, value in WRONG.items() if name not in types}


OF_TEXT = ("text", "empty text", "time", "time before the first")
DAMAGED = [
    *((name, kind, value) for name in TEXTS for kind, value in damaged(OF_TEXT).items()),
    *((name, kind, value) for name in TIMES for kind, value in damaged(()).items()),
    *(("limit_days", kind, value) for kind, value in damaged(("number", "fraction")).items()),
]


def test_a_secret_with_a_damaged_row_is_unknown_and_needs_attention(audit_stack, run_on_stack):
    audit_stack.run()
    audit_stack.status("fine")
    for name, kind, value in DAMAGED:
        audit_stack.status(f"{name} {kind}", **{name: value})

    answer = json.loads(run_on_stack("report", "--format", "json").stdout)

    secrets = {secret["secret_name"]: secret for secret in answer["secrets"]}
    assert answer["tally"]["unknown"] == len(DAMAGED)
    assert (secrets.pop("fine")["verdict"], len(secrets)) == ("fresh", len(DAMAGED))
    for name, secret in secrets.items():
        assert (secret["status"], secret["verdict"], secret["attention"]) == ("unknown", "unknown", True), name
        assert f"is damaged: {name.partition(' ')[0]} is " in secret["reason"]
    for words in FORMATS:
        assert run_on_stack(*words).exit_code == 0, words
    rows = csv.DictReader(io.StringIO(run_on_stack("report", "--format", "csv").stdout, newline=""))
    assert len([*rows]) == len(DAMAGED) + 1


@pytest.mark.parametrize("kind", WRONG)
def test_a_run_with_damaged_attributes_ends_no_report(audit_stack, run_on_stack, kind):
    audit_stack.status("fine")
    audit_stack.run(**dict.fromkeys(OF_RUN, WRONG[kind]))

    for words in FORMATS:
        result = run_on_stack(*words)
        assert result.exit_code == 0, words
    assert json.loads(run_on_stack("report", "--format", "json").stdout)["secrets"][0]["secret_name"] == "fine"


@pytest.mark.parametrize("kind", WRONG)
def test_a_run_that_began_at_no_known_time_is_no_run(audit_stack, run_on_stack, kind):
    audit_stack.status("fine")
    audit_stack.run(run_id=audit_stack.ago(hours=1), started_at=WRONG[kind])

    answer = json.loads(run_on_stack("report", "--format", "json").stdout)

    assert answer["run"] is None
    assert "No run of the audit had finished" in answer["warnings"][0]
    for words in FORMATS:
        assert run_on_stack(*words).exit_code == 0, words
