"""Event Ruler, the matcher that AWS has published of EventBridge, on every pattern and every recorded event.

What each event is, and so who has to hear it, is from AWS's documentation of the events:
https://docs.aws.amazon.com/secretsmanager/latest/userguide/cloudtrail_log_entries.html (which names come as service
events and which as calls), https://docs.aws.amazon.com/secretsmanager/latest/userguide/retrieve-ct-entries.html (what
the service events mean),
https://docs.aws.amazon.com/secretsmanager/latest/userguide/monitoring-eventbridge.html (labels) and
https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/monitoring-instance-state-changes.html.
"""

import copy
import json
from typing import Any

import pytest

from local.mocks.recording import Recording
from tests.paths import EVENTS, ROOT
from tests.validators import tools
from tests.validators.configurations import CONFIGURATIONS, EXTRA_RULES, FILTER, read_config

RULE, TARGET, SUBSCRIPTION = (
    "aws:cloudwatch/eventRule:EventRule",
    "aws:cloudwatch/eventTarget:EventTarget",
    "aws:sns/topicSubscription:TopicSubscription",
)
DRILL = "rotation-guard.drill"
PEOPLE, RECORD, REPAIR = "failures", "audit", "remediation"
DESTINATIONS: dict[str, set[str]] = {
    # "Secret rotation failed", an abandoned one, and one that failed its test: people, the record and the repair.
    "rotation-failed": {PEOPLE, RECORD, REPAIR},
    "rotation-abandoned": {PEOPLE, RECORD, REPAIR},
    "test-rotation-failed": {PEOPLE, RECORD, REPAIR},
    "rotation-started": {RECORD},
    # A new value ends what is being repaired.
    "rotation-succeeded": {RECORD, REPAIR},
    "secret-label-updated": {RECORD, REPAIR},
    "put-secret-value": {RECORD},
    # A read, of which an account makes millions.
    "get-secret-value": set(),
    # Our own, which docs/architecture.md describes.
    "rotation-stuck": {PEOPLE, RECORD, REPAIR},
    "incident-stalled": {REPAIR},
    # Of another service, which only a rule of the configuration's own can hear.
    "instance-stopped": set(),
}
"""A recorded event -> where it goes without extra rules."""
OF_EXTRA_RULES: dict[str, dict[str, set[str]]] = {
    # Those that begin with the dev stack have its rule for instances.
    **{name: {"instance-stopped": {PEOPLE, RECORD}} for name in ("dev", "least", "most", "notify", "retry")},
    "everything": {"instance-stopped": {PEOPLE, RECORD}},
    # The reader's address is in the network of the rule `office`, and so is the writer's.
    "extra-rules": {
        "instance-stopped": {PEOPLE},
        "put-secret-value": {PEOPLE, RECORD},
        "get-secret-value": {PEOPLE, RECORD},
    },
}
"""A configuration -> where its extra rules send recorded events."""
SERVICE_EVENTS: dict[str, set[str]] = {
    "RotationFailed": {PEOPLE, RECORD, REPAIR},
    "RotationAbandoned": {PEOPLE, RECORD, REPAIR},
    "TestRotationFailed": {PEOPLE, RECORD, REPAIR},
    "RotationSucceeded": {RECORD, REPAIR},
    "RotationStarted": {RECORD},
    "TestRotationStarted": {RECORD},
    "TestRotationSucceeded": {RECORD},
    "StartSecretVersionDelete": {RECORD},
    "CancelSecretVersionDelete": {RECORD},
    "EndSecretVersionDelete": {RECORD},
}
"""Every service event -> where it goes."""
CALLS: dict[str, set[str]] = {
    "RotateSecret": {RECORD},
    "CancelRotateSecret": {RECORD},
    "PutSecretValue": {RECORD},
    "UpdateSecret": {RECORD},
    "UpdateSecretVersionStage": {RECORD},
    "DeleteSecret": {RECORD},
    "RestoreSecret": {RECORD},
    "BatchGetSecretValue": set(),
    "DescribeSecret": set(),
    "GetRandomPassword": set(),
    "GetResourcePolicy": set(),
    "GetSecretValue": set(),
    "ListSecretVersionIds": set(),
    "ListSecrets": set(),
    "ValidateResourcePolicy": set(),
}
"""Calls that change a rotation or a version, and calls that only read -> where they go."""
WRONG: dict[str, tuple[dict[str, Any], str]] = {
    "the detail-type of a call for a service event": (
        {"detail-type": ["AWS API Call via CloudTrail"], "detail": {"eventName": ["RotationFailed"]}},
        "rotation-failed",
    ),
    "a detail-type in other letters": ({"detail-type": ["AWS Service Event via Cloudtrail"]}, "rotation-failed"),
    "a name in other letters": ({"detail": {"eventName": ["rotationFailed"]}}, "rotation-failed"),
    "a field of the detail outside of it": ({"eventName": ["RotationFailed"]}, "rotation-failed"),
    "the secret in the resources of a service event": (
        {"resources": [{"prefix": "arn:aws:secretsmanager:"}]},
        "rotation-failed",
    ),
    "the secret where calls have it": (
        {"detail": {"requestParameters": {"secretId": [{"exists": True}]}}},
        "rotation-failed",
    ),
    "the name of the service for the source": ({"source": ["secretsmanager.amazonaws.com"]}, "rotation-failed"),
    "a label of the past": ({"detail": {"labelUpdated": ["AWSPREVIOUS"]}}, "secret-label-updated"),
}
"""Patterns that EventBridge accepts and that never match the event: what the documentation of the event contradicts."""
REFUSED: list[dict[str, Any]] = [
    {"source": "aws.secretsmanager"},
    {"source": []},
    {"source": [{"prefixes": "aws."}]},
    {"source": [["aws.secretsmanager"]]},
    {"source": [{"anything-but": {"prefixed": "aws."}}]},
    {"detail": {"days": [{"numeric": ["=>", 30]}]}},
    {"detail": {"address": [{"cidr": "203.0.113.0/33"}]}},
    {"detail": {}},
]


def read_event(name: str) -> dict[str, Any]:
    return json.loads((EVENTS / f"{name}.json").read_text())


def list_patterns(recording: Recording) -> dict[str, tuple[dict[str, Any], set[str]]]:
    """The name of every rule -> its pattern and where it leads."""
    leads: dict[str, set[str]] = {}
    for target in recording.of_type(TARGET):
        leads.setdefault(target.inputs["rule"], set()).add(target.inputs["targetId"])
    return {
        rule.outputs["name"]: (json.loads(rule.inputs["eventPattern"]), leads[rule.outputs["name"]])
        for rule in recording.of_type(RULE)
    }


def find_destinations(
    run_validator, cases: dict[str, tuple[Recording, dict[str, dict[str, Any]]]]
) -> dict[str, dict[str, set[str]]]:
    """Where the events of each case go in its configuration, by Event Ruler."""
    rules = {case: list_patterns(recording) for case, (recording, _) in cases.items()}
    questions = [(case, rule, name) for case, (_, events) in cases.items() for rule in rules[case] for name in events]
    asked = [(rules[case][rule][0], cases[case][1][name]) for case, rule, name in questions]
    found: dict[str, dict[str, set[str]]] = {
        case: {name: set() for name in events} for case, (_, events) in cases.items()
    }
    for (case, rule, name), answer in zip(questions, run_validator(tools.match_events, asked), strict=True):
        assert answer in ("true", "false"), (case, rule, answer)
        if answer == "true":
            found[case][name] |= rules[case][rule][1]
    return found


@pytest.fixture(scope="module")
def destinations(recordings, run_validator):
    """Where every recorded event goes in each configuration."""
    events = {name: read_event(name) for name in DESTINATIONS}
    return find_destinations(run_validator, {name: (recording, events) for name, recording in recordings.items()})


@pytest.fixture(scope="module")
def drill_destinations(recordings, run_validator):
    """The same of drills; what is for instances only is the extra rules' own business."""
    drills = {name: {**read_event(name), "source": DRILL} for name in DESTINATIONS if name != "instance-stopped"}
    return find_destinations(run_validator, {name: (recording, drills) for name, recording in recordings.items()})


def test_every_recorded_event_is_looked_at_here():
    assert {path.stem for path in EVENTS.glob("*.json")} == set(DESTINATIONS)


@pytest.mark.parametrize("configuration", CONFIGURATIONS)
def test_every_recorded_event_goes_where_it_should(destinations, configuration):
    of_extra_rules = OF_EXTRA_RULES.get(configuration, {})

    assert destinations[configuration] == {
        name: to | of_extra_rules.get(name, set()) for name, to in DESTINATIONS.items()
    }


@pytest.mark.parametrize("configuration", CONFIGURATIONS)
def test_a_drill_is_heard_where_drills_are_allowed_and_nowhere_else(drill_destinations, configuration):
    is_allowed = read_config(configuration).get("rotation-guard:drill") == "true"
    of_extra_rules = OF_EXTRA_RULES["extra-rules"] if configuration == "extra-rules" else {}

    assert drill_destinations[configuration] == {
        name: (DESTINATIONS[name] if is_allowed else set()) | of_extra_rules.get(name, set())
        for name in drill_destinations[configuration]
    }


def test_every_service_event_goes_where_it_should(recordings, run_validator):
    events = {name: read_event("rotation-started") for name in SERVICE_EVENTS}
    for name, event in events.items():
        event["detail"]["eventName"] = name

    assert find_destinations(run_validator, {"prod": (recordings["prod"], events)})["prod"] == SERVICE_EVENTS


def test_every_call_goes_where_it_should(recordings, run_validator):
    events = {name: read_event("put-secret-value") for name in CALLS}
    for name, event in events.items():
        event["detail"]["eventName"] = name

    assert find_destinations(run_validator, {"prod": (recordings["prod"], events)})["prod"] == CALLS


def test_only_the_label_of_the_value_in_use_reaches_the_repair(recordings, run_validator):
    event = read_event("secret-label-updated")
    other = copy.deepcopy(event)
    other["detail"]["labelUpdated"] = "BLUE"

    events = {"AWSCURRENT": event, "BLUE": other}

    assert find_destinations(run_validator, {"prod": (recordings["prod"], events)})["prod"] == {
        "AWSCURRENT": {RECORD, REPAIR},
        "BLUE": {RECORD},
    }


def test_every_pattern_of_every_configuration_is_accepted(recordings, run_validator):
    patterns = [pattern for recording in recordings.values() for pattern, _ in list_patterns(recording).values()]
    filters = [
        json.loads(resource.inputs["filterPolicy"])
        for recording in recordings.values()
        for resource in recording.of_type(SUBSCRIPTION)
        if resource.inputs.get("filterPolicy")
    ]
    assert len(patterns) > 80
    assert len(filters) >= 3
    assert all(rule["eventPattern"] in patterns for rule in EXTRA_RULES)

    assert set(run_validator(tools.check_patterns, patterns + filters)) == {"true"}


def test_a_filter_policy_lets_through_what_it_should(run_validator):
    """SNS reads filter policies with EventBridge's matcher, flat attributes as a flat event
    (https://docs.aws.amazon.com/sns/latest/dg/sns-subscription-filter-policies.html)."""
    passes = {
        '{"severity": "OUTAGE", "owner": "payments"}': "true",
        '{"severity": "AT RISK", "owner": "payments"}': "true",
        '{"severity": "RESOLVED", "owner": "payments"}': "false",
        '{"severity": "OUTAGE", "owner": "nobody"}': "false",
        # A notice of many secrets has lists.
        '{"severity": "OUTAGE", "owner": ["nobody", "payments"]}': "true",
        '{"severity": "OUTAGE"}': "false",
    }

    answers = run_validator(tools.match_events, [(FILTER, json.loads(message)) for message in passes])

    assert dict(zip(passes, answers, strict=True)) == passes


def test_a_wrong_pattern_is_accepted_and_never_matches(run_validator):
    questions = [(pattern, read_event(event)) for pattern, event in WRONG.values()]

    answers = run_validator(tools.match_events, questions)

    assert dict(zip(WRONG, answers, strict=True)) == dict.fromkeys(WRONG, "false")


def test_a_pattern_that_is_none_is_refused(run_validator):
    answers = run_validator(tools.check_patterns, REFUSED)

    assert len(answers) == len(REFUSED)
    assert [pattern for pattern, answer in zip(REFUSED, answers, strict=True) if answer == "true"] == []


def test_the_recorded_verdicts_are_those_of_event_ruler(run_validator):
    """The tests of the syntax, which need no Java, rest on these."""
    samples = json.loads((ROOT / "tests" / "policies" / "samples" / "event_ruler.json").read_text())
    refused = [pattern for pattern, _ in samples["refused"]]

    accepted = run_validator(tools.check_patterns, samples["accepted"])
    reasons = run_validator(tools.check_patterns, refused)

    assert set(accepted) == {"true"}
    # Its first line says why, further ones where in the text.
    assert reasons == [reason.splitlines()[0].rstrip() for _, reason in samples["refused"]]
    assert samples["oracle"].startswith(f"event-ruler {tools.ruler_version()} ")
