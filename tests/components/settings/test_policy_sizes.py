"""Lists that do not fit into a policy are rejected; the limits are compared with the component's own policies."""

import re
from typing import Any

import pulumi
import pytest

from components.events.rotation_events import RotationEvents
from components.remediation.remediation import Remediation
from components.settings.validation import complaints_about
from tests.components.samples.messages import rule

QUOTA = 10_240
"""Characters without white space, of all inline policies of a role
(https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html)."""
ROLE_POLICY = "aws:iam/rolePolicy:RolePolicy"
TOPIC = "arn:aws:sns:eu-west-1:111122223333:alerts"
TOPICS = {"remediation_topic_arn": TOPIC, "critical_topic_arn": TOPIC, "remediation_mode": "repair"}


def functions(count):
    return [f"arn:aws:lambda:eu-west-1:111122223333:function:rotate-{number:04}" for number in range(count)]


def roles(count):
    return [f"arn:aws:iam::111122223333:role/automation/restart-{number:04}" for number in range(count)]


def find_maximum(setting, make, **others):
    """The maximum number of entries that are accepted, by bisection."""
    low, high = 0, 1000
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if complaints_about({setting: make(middle), **others}) else (middle, high)
    return low


def policy_length(recording, step):
    """The number of characters in a step's policy."""
    return len(re.sub(r"\s", "", recording.named(ROLE_POLICY, f"rotation-guard-repair-{step}").inputs["policy"]))


@pytest.mark.parametrize(
    ("setting", "make", "step"), [("rotation_functions", functions, "retry"), ("restart_role_arns", roles, "restart")]
)
def test_a_list_may_be_as_long_as_fits_into_its_policy(deploy, setting, make, step):
    others = {"restart_targets": functions(1)} if step == "restart" else {}
    maximum = find_maximum(setting, make, **others)
    assert maximum > 50

    fewer, fits = (
        policy_length(deploy(Remediation, "rotation-guard-repair", {**TOPICS, **others, setting: make(count)}), step)
        for count in (maximum - 1, maximum)
    )

    # What the names of other resources add is not exact to the character.
    assert fits <= QUOTA < fits + (fits - fewer) + 30


@pytest.mark.parametrize(
    ("setting", "make", "limit"),
    [
        ("rotation_functions", functions, " must be at most 10240 characters as a role's policy holds them, got "),
        (
            "restart_role_arns",
            roles,
            " must be, with restart_targets, at most 10240 characters as a role's policy holds them, got ",
        ),
    ],
)
def test_a_list_that_does_not_fit_is_rejected(setting, make, limit):
    [complaint] = complaints_about({setting: make(300)})
    [hidden] = complaints_about({setting: make(300)}, secret_settings=frozenset({setting}))

    assert complaint.startswith(f"{setting}{limit}")
    assert int(complaint.rpartition(" ")[2]) > QUOTA
    assert hidden == f"{setting}{limit}a secret value"


EVENTS_ARGS = {
    "failures_topic_arn": "arn:aws:sns:eu-west-1:111122223333:rotation-guard-failures-0a1b2c3",
    "audit_queue_arn": "arn:aws:sqs:eu-west-1:111122223333:rotation-guard-trail-events-0a1b2c3",
    "audit_queue_url": "https://sqs.eu-west-1.amazonaws.com/111122223333/rotation-guard-trail-events-0a1b2c3",
    "start_function_arn": "arn:aws:lambda:eu-west-1:111122223333:function:rotation-guard-repair-start-0a1b2c3",
    "start_function_name": "rotation-guard-repair-start-0a1b2c3",
}
"""Arguments with names as long as those in a deployment of the whole product."""


def rules(count):
    return [rule(name=f"r{number:04}") for number in range(count)]


def test_extra_rules_may_be_as_many_as_fit_into_the_policy_of_their_queue(deploy):
    """8,192 bytes (https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/quotas-policies.html)."""
    maximum = find_maximum("extra_rules", rules)
    recording = deploy(RotationEvents, "rotation-guard-events", {**EVENTS_ARGS, "extra_rules": rules(maximum)})
    policies = {
        resource.name: len(resource.inputs["policy"])
        for resource in recording.of_type("aws:sqs/queuePolicy:QueuePolicy")
    }
    of_a_rule = len(', "arn:aws:events:eu-west-1:111122223333:rule/rotation-guard-events-extra-r0001-0a1b2c3"')

    assert 8192 - of_a_rule - 30 < max(policies.values()) <= 8192

    [complaint] = complaints_about({"extra_rules": rules(maximum + 1)})

    assert complaint.startswith("extra_rules must be at most 8192 bytes as the policy of their queue names them, got 8")


def test_the_functions_of_the_demo_count_towards_the_limit():
    maximum = find_maximum("rotation_functions", functions)
    key = {"kms_key_arn": "arn:aws:kms:eu-west-1:111122223333:key/7d0e-11"}

    assert find_maximum("rotation_functions", functions, demo=True) == maximum - 1
    # It retries nothing with the key.
    assert find_maximum("rotation_functions", functions, **key) == maximum


def test_outputs_are_left_to_the_deployment():
    assert complaints_about({"rotation_functions": [pulumi.Output.from_input(arn) for arn in functions(300)]}) == []


def test_a_policy_of_outputs_that_is_too_large_fails_the_deployment_with_one_message(run):
    def program():
        args: Any = {**TOPICS, "rotation_functions": [pulumi.Output.from_input(arn) for arn in functions(300)]}
        Remediation("guard-repair", args)

    with pytest.raises(pulumi.RunError, match=r"^the policy of guard-repair-retry must be at most 10240 characters"):
        run(program)
