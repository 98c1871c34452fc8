"""The rules match the events that AWS and the audit send, each event only the rules that it should."""

import json
from datetime import UTC, datetime

import pytest

from handlers.adapters import event_bus
from handlers.audit import page
from rotation_guard.domain.audit.audit_settings import AuditSettings
from rotation_guard.domain.audit.verdicts import judge
from rotation_guard.domain.event_parser import parse
from rotation_guard.domain.secret import VersionDates, parse_secret
from tests.paths import EVENTS

RULE = "aws:cloudwatch/eventRule:EventRule"
MATCHING_RULES = {
    "rotation-failed": {"failed"},
    "rotation-abandoned": {"failed"},
    "test-rotation-failed": {"failed"},
    "rotation-stuck": {"stuck"},
    "incident-stalled": {"stalled"},
    "rotation-started": {"service"},
    "rotation-succeeded": {"service", "success"},
    "put-secret-value": {"calls"},
    "get-secret-value": set(),
    "secret-label-updated": {"labels", "moved"},
    "instance-stopped": {"extra-instance-state"},
}
"""The rules that each recorded event matches, in the dev stack."""
TUTORIALS = {
    "source": ["aws.secretsmanager"],
    "detail-type": ["AWS API Call via CloudTrail"],
    "detail": {
        "eventSource": ["secretsmanager.amazonaws.com"],
        "eventName": ["RotationFailed", "RotationSucceeded"],
    },
}
"""The pattern in tutorials. EventBridge accepts it, but it never matches."""


def matches(pattern, event):
    """Whether EventBridge would match, for the operators that the patterns use; any other is an error."""
    return all(_matches_field(event, field, allowed) for field, allowed in pattern.items())


def _matches_field(event, field, allowed):
    # (https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-create-pattern-operators.html)
    return any(matches(one, event) for one in allowed) if field == "$or" else _field(allowed, event.get(field))


def _field(allowed, value):
    if isinstance(allowed, dict):
        return isinstance(value, dict) and matches(allowed, value)
    values = value if isinstance(value, list) else [value]
    return any(_matches_condition(condition, item) for condition in allowed for item in values)


def _matches_condition(condition, value):
    if not isinstance(condition, dict):
        return condition == value and type(condition) is type(value)
    [(operator, operand)] = condition.items()
    if operator == "exists":
        return (value is not None) is operand
    if operator != "anything-but":
        raise NotImplementedError(f"the matcher of this test does not know {operator}")
    return value is not None and value not in operand


def rules_of(deployed):
    return {
        rule.name.removeprefix("rotation-guard-events-"): json.loads(rule.inputs["eventPattern"])
        for rule in deployed.of_type(RULE)
    }


def matching_rules(rules, event):
    return {name for name, pattern in rules.items() if matches(pattern, event)}


def test_every_recorded_event_is_tested_here():
    assert {path.stem for path in EVENTS.glob("*.json")} == set(MATCHING_RULES)


def test_every_rule_of_the_stack_matches_an_event(dev):
    assert set(rules_of(dev)) == set().union(*MATCHING_RULES.values())


@pytest.mark.parametrize("name", MATCHING_RULES)
def test_an_event_matches_only_its_rules(dev, recorded, name):
    assert matching_rules(rules_of(dev), recorded(name)) == MATCHING_RULES[name]


@pytest.mark.parametrize("name", MATCHING_RULES)
def test_with_drill_the_same_event_matches_as_a_drill(dev, recorded, name):
    drill = {**recorded(name), "source": "rotation-guard.drill"}

    assert matching_rules(rules_of(dev), drill) == MATCHING_RULES[name]


@pytest.mark.parametrize("name", MATCHING_RULES)
def test_without_drill_no_drill_matches(prod, recorded, name):
    expected = {rule for rule in MATCHING_RULES[name] if not rule.startswith("extra-")}

    assert matching_rules(rules_of(prod), recorded(name)) == expected
    assert matching_rules(rules_of(prod), {**recorded(name), "source": "rotation-guard.drill"}) == set()


@pytest.mark.parametrize("name", ["rotation-stuck", "incident-stalled"])
def test_what_another_stack_of_the_account_reports_is_left_to_it(dev, prod, recorded, name):
    event = recorded(name)
    event["detail"]["incidents_table"] = "rotation-guard-repair-incidents-9f8e7d6"

    assert matching_rules(rules_of(dev), event) == set()
    assert matching_rules(rules_of(prod), event) == set()


@pytest.mark.parametrize("name", MATCHING_RULES)
def test_a_drill_for_one_stack_is_left_to_it(dev, recorded, name):
    drill = {**recorded(name), "source": "rotation-guard.drill"}
    for table, expected in (
        ("rotation-guard-repair-incidents-0a1b2c3", MATCHING_RULES[name]),
        # An extra rule is as its author wrote it.
        ("another", {rule for rule in MATCHING_RULES[name] if rule.startswith("extra-")}),
    ):
        drill["detail"] = {**drill["detail"], "incidents_table": table}
        assert matching_rules(rules_of(dev), drill) == expected


@pytest.mark.parametrize("name", MATCHING_RULES)
def test_an_event_of_another_source_does_not_match(dev, recorded, name):
    assert matching_rules(rules_of(dev), {**recorded(name), "source": "custom.secretsmanager"}) == set()


def test_a_future_service_event_of_aws_is_recorded(dev, recorded):
    event = recorded("rotation-started")
    event["detail"]["eventName"] = "RotationPostponed"

    assert matching_rules(rules_of(dev), event) == {"service"}


@pytest.mark.parametrize(
    "call",
    [
        "RotateSecret",
        "CancelRotateSecret",
        "PutSecretValue",
        "UpdateSecret",
        "UpdateSecretVersionStage",
        "DeleteSecret",
        "RestoreSecret",
    ],
)
def test_every_call_that_changes_a_rotation_or_a_version_is_recorded(dev, recorded, call):
    event = recorded("put-secret-value")
    event["detail"]["eventName"] = call

    assert matching_rules(rules_of(dev), event) == {"calls"}


def test_a_custom_label_is_recorded_but_is_no_new_value(dev, recorded):
    event = recorded("secret-label-updated")
    event["detail"]["labelUpdated"] = "BLUE"

    assert matching_rules(rules_of(dev), event) == {"labels"}


@pytest.mark.parametrize("name", MATCHING_RULES)
def test_the_tutorials_pattern_never_matches(recorded, name):
    assert matches(TUTORIALS, recorded(name)) is False


def test_the_tutorials_pattern_has_the_wrong_detail_type(dev, recorded):
    failed, succeeded = recorded("rotation-failed"), recorded("rotation-succeeded")

    assert matching_rules(rules_of(dev), failed) == {"failed"}
    assert matching_rules(rules_of(dev), succeeded) == {"service", "success"}
    # With AWS's own detail-type, their pattern would match both.
    corrected = {**TUTORIALS, "detail-type": ["AWS Service Event via CloudTrail"]}
    assert matches(corrected, failed)
    assert matches(corrected, succeeded)


def test_the_recorded_stuck_rotation_is_what_the_audit_puts_on_the_bus(recorded, monkeypatch):
    event, entries = recorded("rotation-stuck"), []

    class Bus:
        def put_events(self, **request):
            entries.extend(request["Entries"])
            return {"FailedEntryCount": 0, "Entries": [{"EventId": event["id"]}]}

    monkeypatch.setattr(event_bus, "client", lambda _: Bus())
    secret = parse_secret(
        {
            "Name": "orders/db",
            "ARN": event["resources"][0],
            "SecretVersionsToStages": {"before": ["AWSCURRENT"], event["detail"]["versionId"]: ["AWSPENDING"]},
        }
    )
    began = datetime(2026, 3, 1, 1, 17, 14, tzinfo=UTC)
    now = datetime.fromisoformat(event["time"])
    finding = judge(secret, VersionDates(began, pending_since=began), AuditSettings(), now)

    detail = page.build_stuck_detail(secret, event["detail"]["versionId"], finding.reason)
    event_bus.publish_event("Rotation Stuck", secret.arn, detail, event["detail"]["incidents_table"])

    assert finding.verdict == "rotation_failing"
    [entry] = entries
    assert json.loads(entry.pop("Detail")) == event["detail"]
    assert entry == {"Source": event["source"], "DetailType": event["detail-type"], "Resources": event["resources"]}


def test_a_stuck_rotation_opens_an_incident_of_its_secret(recorded):
    event = recorded("rotation-stuck")

    parsed = parse(event)

    assert (parsed.kind, parsed.source) == ("Rotation Stuck", "rotation-guard")
    assert parsed.secret_arn == parsed.subject == event["resources"][0]
    assert parsed.identity == event["detail"]["eventID"]
    assert parsed.occurred_at == event["time"]
    # It does not report a new value: the version that it names is the stuck one.
    assert parsed.current_version_id is None


@pytest.mark.parametrize(
    "name", sorted(set(MATCHING_RULES) - {"instance-stopped", "rotation-stuck", "incident-stalled"})
)
def test_recorded_events_have_the_shape_that_aws_documents(recorded, name):
    event = recorded(name)

    assert event["source"] == "aws.secretsmanager"
    detail = event["detail"]
    if event["detail-type"] == "AWS Service Event via CloudTrail":
        assert detail["requestParameters"] is detail["responseElements"] is None
        assert event["resources"] == []
        assert detail["additionalEventData"]["SecretId"].startswith("arn:aws:secretsmanager:")
        assert detail["requestID"].startswith(f"Rotation-{detail['additionalEventData']['SecretId']}-")
    elif event["detail-type"] == "AWS API Call via CloudTrail":
        assert detail["requestParameters"]["secretId"].startswith("arn:aws:secretsmanager:")
        assert detail["eventType"] == "AwsApiCall"
    else:
        assert event["resources"][0].startswith("arn:aws:secretsmanager:")
