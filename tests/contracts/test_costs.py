"""The costs in the README follow from prices and from the rows that the audit writes."""

import importlib.util

import pytest

from rotation_guard.domain.audit.run import CHANGES, EVERY_RUN
from rotation_guard.domain.metrics import (
    AUDIT_RUN_METRICS,
    CANARY_METRICS,
    HEALTHY_METRICS,
    PROBLEM_METRICS,
    MetricName,
)
from tests.paths import ROOT

SOURCE = ROOT / "docs" / "costs.py"


@pytest.fixture(scope="module")
def costs():
    return load(SOURCE)


@pytest.fixture(scope="module")
def optional_costs():
    return load(SOURCE.with_name("optional_costs.py"))


def load(path):
    spec = importlib.util.spec_from_file_location(f"{path.stem}_of_the_documents", path)
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_each_cost_is_its_units_times_their_price(costs):
    written = costs.Written(history_bytes=1024, status_bytes=1025, history_rows=730, status_rows=100)

    month = costs.monthly(1_000_000, written)

    # One unit for each row of history, two for each status, and as many for the one in twenty that is in the index.
    assert month.writes == pytest.approx((730 + 2 * 100 * 1.05) * 0.625)
    assert month.reads == pytest.approx(730 / 2 * 0.125)
    assert month.storage == pytest.approx((24 * 400 * 1124 + 1.05 * 1125) / 1000 * 0.45)
    assert month.secrets_manager == pytest.approx((10_000 * 730 + 1_000_000) / 10_000 * 0.05)
    assert month.function == pytest.approx(10_000 * 730 * 0.2 * 0.5 * 0.0000133334)
    assert month.metrics == pytest.approx(len(AUDIT_RUN_METRICS) * 0.30)
    assert month.total == pytest.approx(
        month.writes + month.reads + month.storage + month.secrets_manager + month.function + month.metrics
    )


def test_settings_that_are_off_by_default_cost_their_alarms_and_what_they_do(optional_costs):
    """List prices: $0.10 an alarm, $0.30 a metric, $0.023 a GB of files, $0.00003 a finding, $0.20 a million calls."""
    alarms = dict.fromkeys(("reportSchedule", "securityHub", "canarySchedule", "subscriptions"), 10)
    none = dict.fromkeys(alarms, 0)
    paid, without = (
        {name: float(cost.removeprefix("$")) for name, _, cost in optional_costs.list_costs(counts)}
        for counts in (alarms, none)
    )

    assert {name: round(cost - without[name], 2) for name, cost in paid.items()} == dict.fromkeys(without, 1.0)
    assert without["`canarySchedule`"] == 0.30
    # A daily report: 10 s of 1.73 GB on arm64 and two files of $0.005 per 1 000, 0.26 GB of them after 400 days; and
    # reads of 1 000 incidents of 5 KB a month for 400 days, 8 KB for a unit of $0.125 a million.
    days, gigabyte_second = 730 / 24, 0.0000133334
    incidents = 1000 * 400 / days * 5000 / 8192 * 0.125 / 1_000_000
    daily = days * (10 * 1.73 * gigabyte_second + 2 * 0.005 / 1000 + incidents) + 0.26 * 0.023
    assert optional_costs.cost_of_reports() == pytest.approx(daily, abs=0.005)
    # One secret in twenty every day; three changes of each a month, each told three days in a row.
    imports = 1000 * (0.05 * days + 3 * 3)
    assert optional_costs.count_findings() == pytest.approx(imports)
    assert optional_costs.cost_of_findings() > imports * 0.00003
    assert without["`subscriptions`"] == pytest.approx(3000 * 0.20 / 1_000_000, abs=0.005)


def test_every_metric_is_counted_once(costs):
    [row] = [
        what
        for what, _ in costs.list_other_costs(dict.fromkeys(("alarms", "composite_alarms", "dashboards"), 0))
        if "metrics of events" in what
    ]

    counted = [*AUDIT_RUN_METRICS, *CANARY_METRICS, *HEALTHY_METRICS, *PROBLEM_METRICS]
    assert sorted(counted) == sorted(MetricName)
    assert row.startswith(f"{len(HEALTHY_METRICS)} metrics")
    assert f"each of {len(PROBLEM_METRICS)} others" in row


def test_a_partial_page_is_a_whole_call(costs):
    written = costs.written(EVERY_RUN)

    assert costs.monthly(101, written).function == pytest.approx(2 * costs.monthly(100, written).function)


def test_the_size_of_a_row_follows_the_rule_of_dynamodb(costs):
    row = {"name": {"S": "é"}, "age": {"N": "120"}, "on": {"BOOL": True}}

    assert costs.item_bytes(row) == len("name") + 2 + len("age") + 3 + len("on") + 1


def test_each_row_of_the_audit_takes_one_write_unit(costs):
    written = costs.written(EVERY_RUN)

    assert 0 < written.history_bytes <= costs.WRITE_BYTES
    assert 0 < written.status_bytes <= costs.WRITE_BYTES


def test_a_history_of_changes_costs_less_than_a_tenth_of_the_writes(costs):
    every_run, changes = (costs.monthly(100_000, costs.written(mode)) for mode in (EVERY_RUN, CHANGES))

    assert changes.writes < every_run.writes / 10


def test_the_cost_of_alarms_follows_from_their_number(costs):
    """List prices: $0.10 a metric, $0.50 a composite alarm, $3 a dashboard (https://aws.amazon.com/cloudwatch/pricing/)."""
    rows = list(costs.list_other_costs({"alarms": 30, "composite_alarms": 4, "dashboards": 2}))

    assert [cost for _, cost in rows[:3]] == ["$3.00", "$2.00", "$6.00"]
    assert [what.split(" ")[:3] for what, _ in rows[:3]] == [
        ["CloudWatch:", "30", "alarms"],
        ["4", "composite", "alarms"],
        ["2", "dashboard", "(3"],
    ]
