"""What is heard: rules, targets, and the dead letters of both."""

import json

import pytest

from components.events import event_patterns
from components.events.rotation_events import RotationEvents

RULE, TARGET = "aws:cloudwatch/eventRule:EventRule", "aws:cloudwatch/eventTarget:EventTarget"
QUEUE, QUEUE_POLICY = "aws:sqs/queue:Queue", "aws:sqs/queuePolicy:QueuePolicy"
ROLE, PERMISSION = "aws:iam/role:Role", "aws:lambda/permission:Permission"
WHERE = {
    "failures_topic_arn": "arn:aws:sns:eu-west-1:111122223333:failures",
    "audit_queue_arn": "arn:aws:sqs:eu-west-1:111122223333:audit",
    "audit_queue_url": "https://sqs.eu-west-1.amazonaws.com/111122223333/audit",
    "start_function_arn": "arn:aws:lambda:eu-west-1:111122223333:function:start-0a1b2c3",
    "start_function_name": "start-0a1b2c3",
}
DESTINATIONS = {
    "failures": WHERE["failures_topic_arn"],
    "audit": WHERE["audit_queue_arn"],
    "remediation": WHERE["start_function_arn"],
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
    "service-events": {"audit"},
    "api-calls": {"audit"},
    "label-updates": {"audit"},
    "succeeded": {"remediation"},
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
    "service-events": event_patterns.OTHER_SERVICE_EVENTS,
    "api-calls": event_patterns.API_CALLS,
    "label-updates": event_patterns.LABEL_UPDATES,
    "succeeded": event_patterns.ROTATION_SUCCESSES,
    "moved": event_patterns.NEW_VALUES,
    "extra-instances": EC2,
    "extra-failover": FROM_RDS,
    "extra-lambda.errors": WITHOUT_SOURCE,
}


@pytest.fixture(scope="module")
def plain(deploy):
    return deploy(RotationEvents, "heard", WHERE)


@pytest.fixture(scope="module")
def extended(deploy):
    return deploy(RotationEvents, "heard", {**WHERE, "extra_rules": EXTRA})


def routes(recording):
    """Which destinations each rule has, read from the targets."""
    rules = {rule.outputs["name"]: rule.name.removeprefix("heard-") for rule in recording.of_type(RULE)}
    found = {name: set() for name in rules.values()}
    for target in recording.of_type(TARGET):
        [destination] = [name for name, arn in DESTINATIONS.items() if arn == target.inputs["arn"]]
        found[rules[target.inputs["rule"]]].add(destination)
    return found


def rules_to(recording, destination):
    names = {name for name, to in routes(recording).items() if destination in to}
    return [rule.arn for rule in recording.of_type(RULE) if rule.name.removeprefix("heard-") in names]


def test_failed_and_stuck_rotations_go_everywhere_new_values_to_remediation_and_the_rest_to_the_record(plain):
    assert routes(plain) == ROUTES


def test_extra_rules_go_where_they_were_told_to(extended):
    assert routes(extended) == {**ROUTES, **EXTRA_ROUTES}


def test_every_rule_is_enabled_and_says_what_it_is_for(extended):
    rules = extended.of_type(RULE)

    assert len(rules) == 11
    for rule in rules:
        assert rule.inputs["state"] == "ENABLED"
        assert rule.inputs["description"]
        assert "eventBusName" not in rule.inputs  # service events land on the default bus alone


@pytest.mark.parametrize("route", PATTERNS)
def test_without_drill_a_rule_listens_for_its_own_sources_alone(extended, route):
    assert json.loads(extended.named(RULE, f"heard-{route}").inputs["eventPattern"]) == PATTERNS[route]


@pytest.mark.parametrize("route", PATTERNS)
def test_with_drill_every_rule_also_accepts_drills(deploy, route):
    recording = deploy(RotationEvents, "heard", {**WHERE, "extra_rules": EXTRA, "drill": True})

    pattern = json.loads(recording.named(RULE, f"heard-{route}").inputs["eventPattern"])
    expected = PATTERNS[route]
    if "source" in expected:
        expected = {**expected, "source": [*expected["source"], "rotation-guard.drill"]}
    assert pattern == expected


def test_drills_leave_the_patterns_themselves_as_they_were(deploy):
    deploy(RotationEvents, "heard", {**WHERE, "extra_rules": EXTRA, "drill": True})

    assert event_patterns.ROTATION_FAILURES["source"] == ["aws.secretsmanager"]
    assert event_patterns.STUCK_ROTATIONS["source"] == ["rotation-guard"]
    assert EC2["source"] == ["aws.ec2"]


@pytest.mark.parametrize("given", [[], EXTRA], ids=["own rules", "extra rules"])
def test_every_target_has_dead_letters_and_a_bounded_retry(deploy, given):
    recording = deploy(RotationEvents, "heard", {**WHERE, "extra_rules": given})

    dead_letters = recording.named(QUEUE, "heard-dead-letters")
    admission = recording.named(QUEUE_POLICY, "heard-dead-letters")
    targets = recording.of_type(TARGET)
    assert len(targets) == sum(len(to) for to in routes(recording).values()) > 8
    for target in targets:
        assert target.inputs["deadLetterConfig"] == {"arn": dead_letters.arn}
        retry = target.inputs["retryPolicy"]
        assert 60 <= retry["maximumEventAgeInSeconds"] <= 3600
        assert 0 < retry["maximumRetryAttempts"] < 185
        assert admission.urn in target.depends_on


def test_targets_pass_the_whole_event_on(extended):
    targets = extended.of_type(TARGET)

    assert targets
    assert all({"input", "inputPath", "inputTransformer"}.isdisjoint(target.inputs) for target in targets)


@pytest.mark.parametrize("given", [[], EXTRA], ids=["own rules", "extra rules"])
def test_dead_letters_admit_exactly_the_rules(deploy, given):
    recording = deploy(RotationEvents, "heard", {**WHERE, "extra_rules": given})

    queue = recording.named(QUEUE, "heard-dead-letters")
    policy = recording.named(QUEUE_POLICY, "heard-dead-letters")
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


@pytest.mark.parametrize("given", [[], EXTRA], ids=["own rules", "extra rules"])
def test_the_audit_queue_admits_exactly_the_rules_that_feed_it(deploy, given):
    recording = deploy(RotationEvents, "heard", {**WHERE, "extra_rules": given})

    policy = recording.named(QUEUE_POLICY, "heard-audit")
    assert policy.inputs["queueUrl"] == WHERE["audit_queue_url"]
    [statement] = policy.policy()
    assert statement["Principal"] == {"Service": "events.amazonaws.com"}
    assert (statement["Action"], statement["Resource"]) == ("sqs:SendMessage", WHERE["audit_queue_arn"])
    assert statement["Condition"] == {"ArnEquals": {"aws:SourceArn": rules_to(recording, "audit")}}
    feeding = [resource for resource in recording.of_type(TARGET) if resource.inputs["arn"] == WHERE["audit_queue_arn"]]
    assert len(feeding) == len(rules_to(recording, "audit")) >= 5
    assert all(policy.urn in target.depends_on for target in feeding)


def test_remediation_is_started_by_exactly_the_rules_that_lead_to_it(extended):
    feeding = [
        resource for resource in extended.of_type(TARGET) if resource.inputs["arn"] == WHERE["start_function_arn"]
    ]

    permissions = {resource.inputs["sourceArn"]: resource for resource in extended.of_type(PERMISSION)}
    assert sorted(permissions) == sorted(rules_to(extended, "remediation"))
    assert len(feeding) == len(permissions) == 5
    for permission in permissions.values():
        assert (permission.inputs["action"], permission.inputs["principal"]) == (
            "lambda:InvokeFunction",
            "events.amazonaws.com",
        )
        assert permission.inputs["function"] == WHERE["start_function_name"]
    for target in feeding:
        [rule] = [resource for resource in extended.of_type(RULE) if resource.outputs["name"] == target.inputs["rule"]]
        assert permissions[rule.arn].urn in target.depends_on


def test_no_target_is_reached_through_a_role(extended):
    assert extended.of_type(ROLE) == []
    assert {target.inputs.get("roleArn") for target in extended.of_type(TARGET)} == {None}


def test_what_is_heard_of_a_new_value_is_that_awscurrent_moved_and_not_any_label():
    assert event_patterns.NEW_VALUES["detail"] == {"labelUpdated": ["AWSCURRENT"]}
    assert event_patterns.ROTATION_SUCCESSES["detail"] == {"eventName": ["RotationSucceeded"]}


def test_reordering_extra_rules_renames_none_of_them(deploy):
    before = deploy(RotationEvents, "heard", {**WHERE, "extra_rules": EXTRA})
    after = deploy(RotationEvents, "heard", {**WHERE, "extra_rules": EXTRA[::-1]})

    names = {resource.urn for resource in before.resources}
    assert names == {resource.urn for resource in after.resources}
    assert any("extra-instances" in name for name in names)


def test_a_name_leaves_room_for_what_pulumi_adds(deploy):
    longest = {"name": "x" * 24, "event_pattern": EC2, "to": "both"}

    recording = deploy(RotationEvents, "rotation-guard-events", {**WHERE, "extra_rules": [longest]})

    names = [rule.name for rule in recording.of_type(RULE)]
    assert max(map(len, names)) + len("-0123456") <= 64


@pytest.mark.parametrize(("given", "seconds"), [({}, 14 * 86400), ({"dead_letter_retention_days": 2}, 2 * 86400)])
def test_dead_letters_are_kept_as_long_as_said(deploy, given, seconds):
    recording = deploy(RotationEvents, "heard", {**WHERE, **given})

    assert recording.named(QUEUE, "heard-dead-letters").inputs["messageRetentionSeconds"] == seconds


def test_dead_letters_are_encrypted_so_that_eventbridge_can_reach_them(deploy, plain):
    key = "arn:aws:kms:eu-west-1:111122223333:key/7d0e"
    with_key = deploy(RotationEvents, "heard", {**WHERE, "kms_key_arn": key})

    assert plain.named(QUEUE, "heard-dead-letters").inputs["sqsManagedSseEnabled"] is True
    assert with_key.named(QUEUE, "heard-dead-letters").inputs["kmsMasterKeyId"] == key
    assert "sqsManagedSseEnabled" not in with_key.named(QUEUE, "heard-dead-letters").inputs
