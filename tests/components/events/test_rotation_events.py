"""EventBridge rules, their targets, and the dead-letter queue."""

import json

import pytest

from components.events import event_patterns
from components.events.rotation_events import RotationEvents

RULE, TARGET = "aws:cloudwatch/eventRule:EventRule", "aws:cloudwatch/eventTarget:EventTarget"
QUEUE, QUEUE_POLICY = "aws:sqs/queue:Queue", "aws:sqs/queuePolicy:QueuePolicy"
ROLE, PERMISSION = "aws:iam/role:Role", "aws:lambda/permission:Permission"
ARGS = {
    "failures_topic_arn": "arn:aws:sns:eu-west-1:111122223333:failures",
    "audit_queue_arn": "arn:aws:sqs:eu-west-1:111122223333:audit",
    "audit_queue_url": "https://sqs.eu-west-1.amazonaws.com/111122223333/audit",
    "start_function_arn": "arn:aws:lambda:eu-west-1:111122223333:function:start-0a1b2c3",
    "start_function_name": "start-0a1b2c3",
}
DESTINATIONS = {
    "failures": ARGS["failures_topic_arn"],
    "audit": ARGS["audit_queue_arn"],
    "remediation": ARGS["start_function_arn"],
}
EC2 = {"source": ["aws.ec2"], "detail-type": ["EC2 Instance State-change Notification"]}
FROM_RDS = {"source": ["aws.rds"], "detail": {"EventID": ["RDS-EVENT-0049"]}}
WITHOUT_SOURCE = {"detail-type": ["Lambda Function Invocation Result - Failure"]}
EXTRA = [
    {"name": "instances", "event_pattern": EC2, "to": "both"},
    {"name": "failover", "event_pattern": FROM_RDS, "to": "failures"},
    {"name": "lambda.errors", "event_pattern": WITHOUT_SOURCE, "to": "audit"},
]
ROUTES = {
    "failed": {"failures", "audit", "remediation"},
    "stuck": {"failures", "audit", "remediation"},
    "stalled": {"remediation"},
    "service": {"audit"},
    "calls": {"audit"},
    "labels": {"audit"},
    "success": {"remediation"},
    "moved": {"remediation"},
}
EXTRA_ROUTES = {
    "extra-instances": {"failures", "audit"},
    "extra-failover": {"failures"},
    "extra-lambda.errors": {"audit"},
}
PATTERNS = {
    "failed": event_patterns.ROTATION_FAILURES,
    "stuck": event_patterns.STUCK_ROTATIONS,
    "stalled": event_patterns.STALLED_INCIDENTS,
    "service": event_patterns.OTHER_SERVICE_EVENTS,
    "calls": event_patterns.API_CALLS,
    "labels": event_patterns.LABEL_UPDATES,
    "success": event_patterns.ROTATION_SUCCESSES,
    "moved": event_patterns.NEW_VALUES,
    "extra-instances": EC2,
    "extra-failover": FROM_RDS,
    "extra-lambda.errors": WITHOUT_SOURCE,
}


@pytest.fixture(scope="module")
def plain(deploy):
    return deploy(RotationEvents, "events", ARGS)


@pytest.fixture(scope="module")
def extended(deploy):
    return deploy(RotationEvents, "events", {**ARGS, "extra_rules": EXTRA})


def routes(recording):
    """Which destinations each rule has, read from the targets."""
    rules = {rule.outputs["name"]: rule.name.removeprefix("events-") for rule in recording.of_type(RULE)}
    destinations = {name: set() for name in rules.values()}
    for target in recording.of_type(TARGET):
        [destination] = [name for name, arn in DESTINATIONS.items() if arn == target.inputs["arn"]]
        destinations[rules[target.inputs["rule"]]].add(destination)
    return destinations


def rules_to(recording, destination):
    names = {name for name, to in routes(recording).items() if destination in to}
    return [rule.arn for rule in recording.of_type(RULE) if rule.name.removeprefix("events-") in names]


def test_each_rule_has_its_destinations(plain):
    assert routes(plain) == ROUTES


def test_extra_rules_have_the_configured_destinations(extended):
    assert routes(extended) == {**ROUTES, **EXTRA_ROUTES}


def test_every_rule_is_enabled_and_has_a_description(extended):
    rules = extended.of_type(RULE)

    assert len(rules) == 11
    for rule in rules:
        assert rule.inputs["state"] == "ENABLED"
        assert rule.inputs["description"]
        assert "eventBusName" not in rule.inputs  # service events land on the default bus alone


@pytest.mark.parametrize("route", PATTERNS)
def test_without_drill_a_rule_matches_only_its_own_sources(extended, route):
    assert json.loads(extended.named(RULE, f"events-{route}").inputs["eventPattern"]) == PATTERNS[route]


@pytest.mark.parametrize("route", PATTERNS)
def test_with_drill_every_rule_also_matches_drills(deploy, route):
    recording = deploy(RotationEvents, "events", {**ARGS, "extra_rules": EXTRA, "drill": True})

    pattern = json.loads(recording.named(RULE, f"events-{route}").inputs["eventPattern"])
    expected = PATTERNS[route]
    if "source" in expected:
        expected = {**expected, "source": [*expected["source"], "rotation-guard.drill"]}
    assert pattern == expected


def test_drills_leave_the_patterns_themselves_as_they_were(deploy):
    deploy(RotationEvents, "events", {**ARGS, "extra_rules": EXTRA, "drill": True})

    assert event_patterns.ROTATION_FAILURES["source"] == ["aws.secretsmanager"]
    assert event_patterns.STUCK_ROTATIONS["source"] == ["rotation-guard"]
    assert EC2["source"] == ["aws.ec2"]


@pytest.mark.parametrize("extra_rules", [[], EXTRA], ids=["own rules", "extra rules"])
def test_every_target_has_a_dead_letter_queue_and_a_bounded_retry(deploy, extra_rules):
    recording = deploy(RotationEvents, "events", {**ARGS, "extra_rules": extra_rules})

    dead_letters = recording.named(QUEUE, "events-dead-letters")
    admission = recording.named(QUEUE_POLICY, "events-dead-letters")
    targets = recording.of_type(TARGET)
    assert len(targets) == sum(len(to) for to in routes(recording).values()) > 8
    for target in targets:
        assert target.inputs["deadLetterConfig"] == {"arn": dead_letters.arn}
        retry = target.inputs["retryPolicy"]
        assert 60 <= retry["maximumEventAgeInSeconds"] <= 3600
        assert 0 < retry["maximumRetryAttempts"] < 185
        assert admission.urn in target.depends_on


def test_targets_get_the_whole_event(extended):
    targets = extended.of_type(TARGET)

    assert targets
    assert all({"input", "inputPath", "inputTransformer"}.isdisjoint(target.inputs) for target in targets)


@pytest.mark.parametrize("extra_rules", [[], EXTRA], ids=["own rules", "extra rules"])
def test_the_dead_letter_queue_admits_exactly_the_rules(deploy, extra_rules):
    recording = deploy(RotationEvents, "events", {**ARGS, "extra_rules": extra_rules})

    queue = recording.named(QUEUE, "events-dead-letters")
    policy = recording.named(QUEUE_POLICY, "events-dead-letters")
    assert policy.inputs["queueUrl"] == queue.outputs["url"]
    assert policy.policy() == [
        {
            "Effect": "Allow",
            "Principal": {"Service": "events.amazonaws.com"},
            "Action": "sqs:SendMessage",
            "Resource": queue.arn,
            "Condition": {"ArnEquals": {"aws:SourceArn": [rule.arn for rule in recording.of_type(RULE)]}},
        }
    ]


@pytest.mark.parametrize("extra_rules", [[], EXTRA], ids=["own rules", "extra rules"])
def test_the_audit_queue_admits_exactly_the_rules_that_feed_it(deploy, extra_rules):
    recording = deploy(RotationEvents, "events", {**ARGS, "extra_rules": extra_rules})

    policy = recording.named(QUEUE_POLICY, "events-audit")
    assert policy.inputs["queueUrl"] == ARGS["audit_queue_url"]
    [statement] = policy.policy()
    assert statement["Principal"] == {"Service": "events.amazonaws.com"}
    assert (statement["Action"], statement["Resource"]) == ("sqs:SendMessage", ARGS["audit_queue_arn"])
    assert statement["Condition"] == {"ArnEquals": {"aws:SourceArn": rules_to(recording, "audit")}}
    targets = [resource for resource in recording.of_type(TARGET) if resource.inputs["arn"] == ARGS["audit_queue_arn"]]
    assert len(targets) == len(rules_to(recording, "audit")) >= 5
    assert all(policy.urn in target.depends_on for target in targets)


def test_remediation_is_started_by_exactly_the_rules_that_lead_to_it(extended):
    targets = [
        resource for resource in extended.of_type(TARGET) if resource.inputs["arn"] == ARGS["start_function_arn"]
    ]

    permissions = {resource.inputs["sourceArn"]: resource for resource in extended.of_type(PERMISSION)}
    assert sorted(permissions) == sorted(rules_to(extended, "remediation"))
    assert len(targets) == len(permissions) == 5
    for permission in permissions.values():
        assert (permission.inputs["action"], permission.inputs["principal"]) == (
            "lambda:InvokeFunction",
            "events.amazonaws.com",
        )
        assert permission.inputs["function"] == ARGS["start_function_name"]
    for target in targets:
        [rule] = [resource for resource in extended.of_type(RULE) if resource.outputs["name"] == target.inputs["rule"]]
        assert permissions[rule.arn].urn in target.depends_on


def test_no_target_is_reached_through_a_role(extended):
    assert extended.of_type(ROLE) == []
    assert {target.inputs.get("roleArn") for target in extended.of_type(TARGET)} == {None}


def test_the_rule_for_new_values_matches_only_moves_of_awscurrent():
    assert event_patterns.NEW_VALUES["detail"] == {"labelUpdated": ["AWSCURRENT"]}
    assert event_patterns.ROTATION_SUCCESSES["detail"] == {"eventName": ["RotationSucceeded"]}


def test_reordering_extra_rules_renames_none_of_them(deploy):
    before = deploy(RotationEvents, "events", {**ARGS, "extra_rules": EXTRA})
    after = deploy(RotationEvents, "events", {**ARGS, "extra_rules": EXTRA[::-1]})

    names = {resource.urn for resource in before.resources}
    assert names == {resource.urn for resource in after.resources}
    assert any("extra-instances" in name for name in names)


def test_the_name_of_a_rule_leaves_room_for_the_suffix_of_pulumi(deploy):
    longest = {"name": "x" * 24, "event_pattern": EC2, "to": "both"}

    recording = deploy(RotationEvents, "rotation-guard-events", {**ARGS, "extra_rules": [longest]})

    names = [rule.name for rule in recording.of_type(RULE)]
    assert max(map(len, names)) + len("-0123456") <= 64


@pytest.mark.parametrize(("args", "seconds"), [({}, 14 * 86400), ({"dead_letter_retention_days": 2}, 2 * 86400)])
def test_dead_letters_are_kept_for_the_configured_days(deploy, args, seconds):
    recording = deploy(RotationEvents, "events", {**ARGS, **args})

    assert recording.named(QUEUE, "events-dead-letters").inputs["messageRetentionSeconds"] == seconds


def test_the_dead_letter_queue_is_encrypted_with_a_key_that_eventbridge_may_use(deploy, plain):
    key = "arn:aws:kms:eu-west-1:111122223333:key/7d0e"
    with_key = deploy(RotationEvents, "events", {**ARGS, "kms_key_arn": key})

    assert plain.named(QUEUE, "events-dead-letters").inputs["sqsManagedSseEnabled"] is True
    assert with_key.named(QUEUE, "events-dead-letters").inputs["kmsMasterKeyId"] == key
    assert "sqsManagedSseEnabled" not in with_key.named(QUEUE, "events-dead-letters").inputs
