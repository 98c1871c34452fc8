"""A hub and its members agree with each other, with the handlers, with AWS's documents, and with the policies."""

import json

import pytest
from moto.events.models import EventPattern

from components.organization.patterns import FORWARDED, HUB_ROUTES
from components.release import resolve_runbook
from handlers.adapters.hub_bus import REDELIVERED
from handlers.organization import record
from local.check_own_stack import read_resources
from local.mocks.organization import deploy_organization
from policies.model.evaluation import check
from rotation_guard.domain.audit.status_events import RUN_FINISHED, STATUS_CHANGED
from rotation_guard.domain.remediation.transition_events import DETAIL_TYPES
from tests.contracts.test_alarms_and_metrics import ALARM, DOCUMENTED, headings
from tests.organization_events import envelope, wrap
from tests.paths import EVENTS, ROOT

COMPOSITE = "aws:cloudwatch/compositeAlarm:CompositeAlarm"
ON_A_CUSTOM_BUS = frozenset({"EventBusName", "RuleName"})
"""https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-monitoring.html"""
REPORTS = [*DETAIL_TYPES.values(), STATUS_CHANGED, RUN_FINISHED]


def is_forwarded(event):
    return any(EventPattern.load(_write(pattern)).matches_event(event) for _, pattern in FORWARDED.values())


def find_targets(event):
    """Where the hub keeps an event: not its notification."""
    return {
        target
        for _, pattern, targets in HUB_ROUTES.values()
        for target in targets
        if target != "failures" and EventPattern.load(_write(pattern)).matches_event(event)
    }


def _write(pattern):
    return json.dumps(pattern)


@pytest.mark.parametrize("name", sorted(path.stem for path in EVENTS.glob("*.json")))
def test_the_hub_keeps_what_a_member_forwards_whether_it_arrives_at_once_or_late(recorded, name):
    event = recorded(name)

    assert bool(find_targets(event)) == is_forwarded(event)
    if is_forwarded(event):
        assert find_targets(wrap(event)) == find_targets(event) == {"trail"}


@pytest.mark.parametrize("detail_type", REPORTS)
def test_the_hub_keeps_every_report_that_a_member_forwards(detail_type):
    event = envelope(detail_type, {})

    assert is_forwarded(event)
    assert find_targets(event) == find_targets(wrap(event)) == {"reports"}
    assert not is_forwarded(wrap(event))


def test_every_transition_has_its_topics():
    assert set(record.CHANNELS) == set(DETAIL_TYPES)


def test_the_redelivery_uses_the_source_that_the_hubs_rules_match():
    assert all(REDELIVERED in HUB_ROUTES[route][1]["source"] for route in ("late-events", "late-reports"))
    # https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_PutEventsRequestEntry.html
    assert not REDELIVERED.startswith("aws.")


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {
            "drill": True,
            "subscriptions": [{"topic": "critical", "protocol": "https", "endpoint": "https://example.com/page"}],
        },
    ],
)
def test_no_policy_complains_about_a_hub_or_a_member(settings):
    report = check(read_resources(deploy_organization(**settings)))

    assert report.resources > 90
    assert [(complaint.policy, complaint.urn, complaint.message) for complaint in report.complaints] == []


def test_every_alarm_is_on_a_documented_metric_and_links_to_a_heading_of_the_runbook(organization):
    documented = {(namespace, name, dimensions) for namespace, name, dimensions, _ in DOCUMENTED}
    documented |= {("AWS/Events", "InvocationsFailedToBeSentToDlq", ON_A_CUSTOM_BUS)}
    alarms = organization.of_type(ALARM)

    assert len(alarms) > 20
    for alarm in alarms:
        metric = (alarm.inputs["namespace"], alarm.inputs["metricName"], frozenset(alarm.inputs["dimensions"]))
        assert metric in documented
    links = [
        alarm.inputs["alarmDescription"].rpartition(" ")[2] for alarm in [*alarms, *organization.of_type(COMPOSITE)]
    ]
    assert {link.partition("#")[0] for link in links} == {resolve_runbook()}
    assert {link.partition("#")[2] for link in links} <= headings()


def test_every_role_of_hub_and_member_is_on_the_page_of_permissions(organization):
    page = (ROOT / "docs" / "permissions.md").read_text()
    roles = [role.name for role in organization.of_type("aws:iam/role:Role")]

    assert len(roles) == 5
    assert all(page.count(f"| `{role}` |") == 1 for role in roles)
