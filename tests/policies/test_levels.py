"""A finding is mandatory if it loses messages, opens access or cannot work; otherwise it is advisory."""

import pytest
from pulumi.runtime import proto

from policies.model.evaluation import check
from policies.rules import RULES
from tests.policies.programs import (
    ACCOUNT,
    REGION,
    allow,
    function,
    json_of,
    make,
    mapping,
    policy,
    program,
    queue,
    role,
    schedule,
    state_machine,
)

LOSES, OPENS, FAILS = "loses messages", "opens access", "cannot work"
WHY_MANDATORY = {
    "exemptions-are-in-order": OPENS,
    "alarm-may-call-its-functions": FAILS,
    "no-full-access-policy-is-attached": OPENS,
    "bucket-notification-reaches-its-destination": LOSES,
    "bucket-sends-the-events-of-its-rule": FAILS,
    "queue-has-dead-letters": LOSES,
    "queue-dead-letters-are-reachable": LOSES,
    "dead-letters-outlive-their-sources": LOSES,
    "event-pattern-can-match": FAILS,
    "event-rule-schedule-is-accepted": FAILS,
    "event-rule-has-few-targets": FAILS,
    "event-target-has-dead-letters": LOSES,
    "event-target-dead-letters-are-reachable": LOSES,
    "event-target-is-permitted": FAILS,
    "function-environment-holds-no-credential": OPENS,
    "environment-holds-no-credential": OPENS,
    "policy-names-its-actions": OPENS,
    "policy-lists-what-it-allows": OPENS,
    "policy-names-its-resources": OPENS,
    "policy-covers-no-whole-type": OPENS,
    "passed-role-is-named": OPENS,
    "asynchronous-function-keeps-its-failures": LOSES,
    "failure-destination-is-reachable": LOSES,
    "audit-queue-is-read-whole": LOSES,
    "stream-reader-keeps-its-failures": LOSES,
    "pipe-role-may-do-its-work": FAILS,
    "pipe-dead-letters-are-reachable": LOSES,
    "pipe-enrichment-answers": FAILS,
    "actions-exist": FAILS,
    "policy-repeats-no-key": OPENS,
    "resource-is-not-public": OPENS,
    "api-authorizes-its-callers": OPENS,
    "search-domain-is-not-open": OPENS,
    "endpoint-service-is-not-open": OPENS,
    "queue-retries-before-dead-letters": FAILS,
    "queue-keeps-messages": LOSES,
    "queue-hides-messages-while-read": FAILS,
    "queue-key-admits-senders": LOSES,
    "queue-policy-is-not-open": OPENS,
    "schedule-has-dead-letters": LOSES,
    "schedule-dead-letters-are-reachable": LOSES,
    "schedule-role-may-call-its-target": FAILS,
    "schedule-role-trusts-its-group-alone": OPENS,
    "schedule-expression-is-accepted": FAILS,
    "auditor-reads-no-secret": OPENS,
    "state-machine-logs-errors": FAILS,
    "state-machine-role-is-limited-to-its-calls": OPENS,
    "state-machine-role-may-make-its-calls": FAILS,
    "subscription-reaches-its-endpoint": LOSES,
    "topic-subscription-has-dead-letters": LOSES,
    "topic-dead-letters-are-reachable": LOSES,
    "topic-publishers-are-limited": OPENS,
    "topic-policy-is-not-open": OPENS,
    "topic-policy-for-events-has-no-condition": FAILS,
    "topic-key-admits-publishers": LOSES,
    "topic-policy-admits-alarms": FAILS,
    "role-trust-is-not-open": OPENS,
    "resource-policy-is-not-open": OPENS,
    "trusted-service-acts-for-a-known-source": OPENS,
    "admitted-service-acts-for-a-known-source": OPENS,
}


def test_a_rule_is_mandatory_for_one_of_three_reasons():
    assert {name for name, rule in RULES.items() if rule.enforcement == "mandatory"} == set(WHY_MANDATORY)


managed = make("aws:iam/policy:Policy")
LOGS = f"arn:aws:logs:{REGION}:{ACCOUNT}"
dead = queue("dead", messageRetentionSeconds=1_209_600)
reader = function("reader", timeout=60)
starter_of = {"StringEquals": {"aws:SourceAccount": ACCOUNT}}


def managed_policy_for(action, resource):
    return managed("p", policy=policy({"Effect": "Allow", "Action": action, "Resource": resource}))


def role_trusting(service, condition=None):
    return role(
        "r", assumeRolePolicy=policy(allow({"Service": f"{service}.amazonaws.com"}, "sts:AssumeRole", None, condition))
    )


def retried(count):
    return queue("orders", redrivePolicy=json_of(deadLetterTargetArn=dead.arn, maxReceiveCount=count))


def read(seconds):
    orders = queue("orders", visibilityTimeoutSeconds=seconds)
    return program(orders, reader, mapping("reads", eventSourceArn=orders.arn, functionName=reader.arn))


def logs_to(**configuration):
    return program(state_machine("flow", loggingConfiguration=configuration))


def started_by(condition):
    starter = role_trusting("scheduler", condition)
    return program(starter, schedule("nightly", target={"arn": reader.arn, "roleArn": starter.arn}))


WHOLE, RESOURCES = "policy-covers-no-whole-type", "policy-names-its-resources"
TRUSTED, GROUP = "trusted-service-acts-for-a-known-source", "schedule-role-trusts-its-group-alone"
KEEPS, RETRIES = "queue-keeps-messages", "queue-retries-before-dead-letters"
HIDES, LOGGED = "queue-hides-messages-while-read", "state-machine-logs-errors"
BY_GROUP = {"ArnLike": {"aws:SourceArn": f"arn:aws:scheduler:{REGION}:{ACCOUNT}:schedule-group/*"}}
FINDINGS = {
    # https://docs.aws.amazon.com/lambda/latest/dg/lambda-intro-execution-role.html
    "the Lambda console's log group": (
        program(managed_policy_for("logs:CreateLogGroup", f"{LOGS}:*")),
        WHOLE,
        "advisory",
    ),
    "any log stream": (
        program(managed_policy_for(["logs:CreateLogStream", "logs:PutLogEvents"], f"{LOGS}:log-group:*")),
        WHOLE,
        "advisory",
    ),
    "logs of everything": (
        program(managed_policy_for(["logs:CreateLogGroup", "logs:PutLogEvents"], "*")),
        RESOURCES,
        "advisory",
    ),
    "any log group to delete": (
        program(managed_policy_for("logs:DeleteLogGroup", f"{LOGS}:log-group:*")),
        WHOLE,
        "mandatory",
    ),
    "logs of everything, and messages": (
        program(managed_policy_for(["logs:PutLogEvents", "sqs:SendMessage"], "*")),
        RESOURCES,
        "mandatory",
    ),
    "tasks of ECS": (program(role_trusting("ecs-tasks")), TRUSTED, "advisory"),
    # https://docs.aws.amazon.com/batch/latest/userguide/CWE_IAM_role.html
    "rules of EventBridge": (program(role_trusting("events")), TRUSTED, "advisory"),
    # https://docs.aws.amazon.com/step-functions/latest/dg/procedure-create-iam-role.html
    "state machines": (program(role_trusting("states")), TRUSTED, "mandatory"),
    "a retention that is set": (program(queue("q", messageRetentionSeconds=86_400)), KEEPS, "advisory"),
    "a retention that is AWS's": (program(queue("q")), KEEPS, "mandatory"),
    "few receives": (program(dead, retried(1)), RETRIES, "advisory"),
    "more receives than SQS takes": (program(dead, retried(1001)), RETRIES, "mandatory"),
    # https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-configure.html
    "as long as the function may run": (read(60), HIDES, "advisory"),
    "shorter than the function may run": (read(59), HIDES, "mandatory"),
    "no log": (logs_to(level="OFF"), LOGGED, "advisory"),
    # https://docs.aws.amazon.com/step-functions/latest/apireference/API_CloudWatchLogsLogGroup.html
    "a log group without :*": (logs_to(level="ALL", logDestination=f"{LOGS}:log-group:flow"), LOGGED, "mandatory"),
    "every schedule of the account": (started_by(starter_of), GROUP, "advisory"),
    "every group of the account": (started_by(starter_of | BY_GROUP), GROUP, "advisory"),
    "schedules of any account": (
        started_by({"ArnLike": {"aws:SourceArn": "arn:aws:scheduler:*:*:schedule-group/*"}}),
        GROUP,
        "mandatory",
    ),
}


@pytest.mark.parametrize("what", FINDINGS)
def test_a_finding_has_the_level_that_fits_it(what):
    whole, name, level = FINDINGS[what]
    complaints = check(whole.stack().resources, {"all": "disabled", name: RULES[name].enforcement}).complaints
    assert [complaint.enforcement for complaint in complaints] == [level]


@pytest.mark.parametrize("what", FINDINGS)
def test_the_engine_gets_the_same_level(what, engine):
    whole, name, level = FINDINGS[what]
    diagnostics = engine(only=name).run(whole, preview=False)
    levels = {proto.ADVISORY: "advisory", proto.MANDATORY: "mandatory"}
    assert [levels[diagnostic.enforcementLevel] for _, diagnostic in diagnostics if diagnostic.policyName == name] == [
        level
    ]
