"""An incident that has dependents to restart, and the two steps that do so."""

import time
from datetime import UTC, datetime

import pytest

from handlers.adapters.incidents import Incidents
from handlers.adapters.items import to_item
from handlers.remediation import restart as remediation_restart
from handlers.remediation import watch as remediation_watch
from tests.handlers.remediation.dependents import (
    AUTOMATION,
    DOCUMENT,
    FUNCTION,
    LABELS,
    OPENED_AT,
    SECRET,
    SERVICE,
    Dependents,
    entry,
)

HANDLES = {SERVICE: "ecs-svc/2", FUNCTION: "token", DOCUMENT: f"{AUTOMATION}1"}
BEFORE = {SERVICE: ["ecs-svc/1"], FUNCTION: [], DOCUMENT: []}


@pytest.fixture
def ms():
    """Epoch milliseconds, this many seconds ago."""
    return lambda seconds_ago=0.0: int((datetime.now(UTC).timestamp() - seconds_ago) * 1000)


@pytest.fixture
def dependents(aws, monkeypatch):
    monkeypatch.setenv("KILL_SWITCH_PARAMETER_NAME", "/rotation-guard/kill-switch")
    aws.client("ssm").put_parameter(Name="/rotation-guard/kill-switch", Value="go", Type="String")
    aws.create_tables("incidents")
    return Dependents(aws)


@pytest.fixture
def write_wanted(aws, ms):
    """Writes the row of an incident with these restarts to start, as `end` does for the execution that ends it."""

    def write(*arns, secret=SECRET, since=None, execution="execution-1", **more):
        entries = [{"target": LABELS[arn], "arn": arn, "state": "wanted", "why": ""} for arn in arns]
        row = {
            "secret_arn": secret,
            "opened_at": OPENED_AT,
            "state": "restarting",
            "ended_by": execution,
            "restarts": entries,
            "restarts_wanted_at": ms(60) if since is None else since,
            **more,
        }
        aws.client("dynamodb").put_item(TableName="incidents", Item=to_item(row))

    return write


@pytest.fixture
def row(aws):
    """Reads a row of the table by its key."""
    return lambda arn=SECRET: next((row for row in aws.rows("incidents") if row["secret_arn"] == arn), None)


@pytest.fixture
def states(row):
    """Reads the states of an incident's restarts, by target."""
    return lambda arn=SECRET: {entry["target"]: entry["state"] for entry in row(arn)["restarts"]}


@pytest.fixture
def restart(context):
    def run(execution="execution-1", secret=SECRET):
        incident = {"secret_arn": secret, "opened_at": OPENED_AT}
        return remediation_restart.handler({"execution": execution, "incident": incident}, context)["state"]

    return run


@pytest.fixture
def watch(context):
    def run(execution="execution-1", secret=SECRET):
        incident = {"secret_arn": secret, "opened_at": OPENED_AT}
        return remediation_watch.handler({"execution": execution, "incident": incident}, context)["state"]

    return run


@pytest.fixture
def take_over(aws):
    """Lets another execution take over an incident's restarts, at this time in epoch seconds."""

    def run(execution, now, secret=SECRET):
        incidents = Incidents("incidents")
        return incidents.resume(incidents.read_existing(secret, OPENED_AT), execution, int(now), int(now) + 3600)

    return run


@pytest.fixture
def restarts_in_progress(dependents):
    """A restart of each kind is in progress."""
    dependents.service["deployments"] = [
        dependents.deployment("ecs-svc/2", rollout="IN_PROGRESS"),
        dependents.deployment("ecs-svc/1", 3600, "ACTIVE"),
    ]
    dependents.function["LastUpdateStatus"] = "InProgress"
    dependents.automations[f"{AUTOMATION}1"] = "InProgress"
    return dependents


@pytest.fixture
def write(aws):
    """Writes the row of an incident with these restarts, whose workflow is alive."""

    def write(*entries, secret=SECRET, execution="execution-1", **more):
        row = {
            "secret_arn": secret,
            "opened_at": OPENED_AT,
            "state": "restarting",
            "ended_by": execution,
            "alive_until": int(time.time()) + 7200,
            "restarts": list(entries),
        }
        aws.client("dynamodb").put_item(TableName="incidents", Item=to_item(row | more))

    return write


@pytest.fixture
def write_started(write):
    """Writes the row of an incident that has started these restarts."""

    def run(*arns):
        write(*({**entry(arn, "started", HANDLES[arn]), "before": BEFORE[arn]} for arn in arns))

    return run


@pytest.fixture
def outcome(row):
    """Reads state and reason of the only restart."""

    def read():
        [restart] = row()["restarts"]
        return restart["state"], restart["why"]

    return read
