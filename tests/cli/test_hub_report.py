"""`rotation-guard report` on a hub: one report on every account that reports to it."""

import json
from datetime import timedelta

import pytest
from boto3.dynamodb.types import TypeSerializer

from rotation_guard.domain.organization.deliveries import read_delivery
from rotation_guard.domain.organization.statuses import build_run_row, build_status_row
from rotation_guard.domain.timestamps import to_iso
from tests.domain.organization.test_statuses import ARN, run_event, status_event
from tests.organization_events import MEMBER, OTHER

from .conftest import names
from .stacks import ACCOUNT
from .test_json_schema import complaints

_serialize = TypeSerializer().serialize


class ReportingHub:
    """A hub with the rows of what its members report."""

    def __init__(self, dynamodb, outputs, now):
        self._dynamodb, self._outputs, self.now = dynamodb, outputs, now

    def record(self, event, account):
        """Write what the hub's record function writes of this event."""
        event = json.loads(json.dumps(event).replace(MEMBER, account))
        is_run = "Finished" in event["detail-type"]
        row = (build_run_row if is_run else build_status_row)(read_delivery(event))
        item = {name: _serialize(value) for name, value in row.items() if value is not None}
        self._dynamodb.put_item(TableName="hub-runs" if is_run else "hub-status", Item=item)

    def report(self, run, *options):
        """The JSON of a report on it, or the result if there is none."""
        result = run("report", "--stack-outputs", str(self._outputs), "--format", "json", *options)
        return json.loads(result.stdout) if result.stdout else result


@pytest.fixture
def hub(audit_stack, shared_client, tmp_path):
    """A hub without members."""
    dynamodb = shared_client("dynamodb")
    tables = {"hub-status": ("secret_arn",), "hub-runs": ("audit", "run_id")}
    for name, keys in tables.items():
        attributes = [*keys, "attention", "attention_since"] if name == "hub-status" else keys
        index = {
            "IndexName": "attention",
            "KeySchema": [
                {"AttributeName": "attention", "KeyType": "HASH"},
                {"AttributeName": "attention_since", "KeyType": "RANGE"},
            ],
            "Projection": {"ProjectionType": "ALL"},
        }
        dynamodb.create_table(
            TableName=name,
            KeySchema=[
                {"AttributeName": key, "KeyType": kind} for key, kind in zip(keys, ("HASH", "RANGE"), strict=False)
            ],
            AttributeDefinitions=[{"AttributeName": key, "AttributeType": "S"} for key in attributes],
            BillingMode="PAY_PER_REQUEST",
            **({"GlobalSecondaryIndexes": [index]} if name == "hub-status" else {}),
        )
    outputs = tmp_path / "hub.json"
    names = {"status_table_name": "hub-status", "runs_table_name": "hub-runs", "incidents_table_name": "hub-incidents"}
    bus = f"arn:aws:events:eu-west-1:{ACCOUNT}:event-bus/hub"
    outputs.write_text(json.dumps({**names, "event_bus_arn": bus}))

    return ReportingHub(dynamodb, outputs, audit_stack.now)


@pytest.fixture
def two_members(hub):
    """Two accounts, of which one has been silent for three days."""
    recently, long_ago = (to_iso(hub.now - timedelta(minutes=minutes)) for minutes in (12, 3 * 1440))
    for account, at in ((MEMBER, recently), (OTHER, long_ago)):
        hub.record(run_event(started_at=at, finished_at=at, run_id=at), account)
        hub.record(status_event(), account)
        fresh = {"status": "ok", "verdict": "fresh", "attention": None}
        hub.record(status_event(**fresh, secret_name="a", secret_arn=ARN.replace("orders/db", "a")), account)
    return hub


def test_a_hub_is_reported_by_account_and_region(two_members, run):
    answer = two_members.report(run)

    assert [part["identity"]["account_id"] for part in answer["parts"]] == [MEMBER, OTHER]
    assert {secret["account_id"] for secret in answer["secrets"]} == {MEMBER, OTHER}
    assert names(answer)[:2] == ["orders/db", "orders/db"]
    assert answer["headline"] == (
        "2 of 4 secrets are over their limit; 0 could not be judged; 0 are accepted; "
        "oldest last complete run 3 days ago"
    )
    assert [part["settings"]["max_age_days"] for part in answer["parts"]] == [30, 30]


def test_its_json_is_as_the_schema_says(two_members, run):
    assert complaints("report", two_members.report(run)) == []


def test_a_member_that_fell_silent_causes_a_warning(two_members, run):
    [warning] = two_members.report(run)["warnings"]

    assert warning.startswith(f"Account {OTHER}, Region eu-west-1: The run ")
    assert "the audit may have stopped" in warning


def test_attention_is_a_query_at_a_hub_too(two_members, run):
    assert names(two_members.report(run, "--attention")) == ["orders/db", "orders/db"]


@pytest.mark.parametrize("option", ["--as-of", "--since"])
def test_a_hub_has_no_past(two_members, run, option):
    result = two_members.report(run, option, "2026-01-01")

    assert result.exit_code == 2
    assert f"{option} needs the tables of one account" in result.stderr


def test_a_hub_without_members_says_so(hub, run):
    answer = hub.report(run)

    assert answer["secrets"] == []
    assert answer["warnings"] == ["No account has reported to this hub yet."]


def test_a_hub_and_another_stack_are_one_report(two_members, audit_stack, run):
    audit_stack.run()
    audit_stack.status("own")

    answer = two_members.report(run, "--stack-outputs", str(audit_stack.outputs))

    assert len(answer["parts"]) == 3
    assert "own" in names(answer)
