"""Every setting changed in turn: its own resources change, and nothing that holds data is replaced or deleted."""

from typing import Any

import pytest
import yaml

from components.settings.declarations import SETTINGS as DECLARED
from components.settings.setting import to_camel_case
from tests.components.samples.everything import EVERYTHING
from tests.engine.configurations import LAYER
from tests.engine.harness import ROOT, Outcome

FUNCTION_WITH_PARTS = "create Function, create LogGroup, create Role, create RolePolicy, "
"""Changes for a new step of remediation: its function, and what runs and monitors it."""
NEW_STEP = (
    f"{FUNCTION_WITH_PARTS}create MetricAlarm, update CompositeAlarm, update Function, update RolePolicy, "
    "update StateMachine"
)
CHANGES = {to_camel_case(name): "update Function" for name, setting in DECLARED.items() if setting.read_by} | {
    "scheduleExpression": "update Schedule, update Function, update MetricAlarm",
    "scheduleTimezone": "update Schedule",
    "scheduleFlexibleMinutes": "update Schedule",
    "maxAgeClasses": "update Function",
    "managedTag": "update Function",
    "subscriptions": "create TopicSubscription, delete TopicSubscription, create Queue, create QueuePolicy, "
    "create MetricAlarm, update CompositeAlarm, update Dashboard, create EventApiDestination, create EventConnection, "
    "create EventRule, create EventTarget, create Role, create RolePolicy",
    "reportSchedule": "create Bucket, create BucketLifecycleConfiguration, create BucketPolicy, "
    "create BucketPublicAccessBlock, create BucketServerSideEncryptionConfiguration, create BucketVersioning, "
    "create Function, create FunctionEventInvokeConfig, create LogGroup, create MetricAlarm, create Queue, "
    "create Role, create RolePolicy, create Schedule, create ScheduleGroup, create Topic, create TopicPolicy, "
    "update CompositeAlarm",
    # Without a schedule there is no bucket.
    "reportObjectLockDays": "",
    "queueRetentionDays": "update Queue",
    "deadLetterRetentionDays": "update Queue",
    "maxOverdue": "create MetricAlarm, create CompositeAlarm, update Dashboard",
    "history": "update Function",
    "publishStatus": "update Function",
    "deletionProtection": "update Table",
    "logRetentionDays": "update LogGroup",
    "remediationMode": NEW_STEP,
    "reservedConcurrency": "update Function",
    "probeFunctions": NEW_STEP,
    # Without a probe, a restart or a retry, no function reads these.
    "rotationFunctions": "",
    "restartRoleArns": "",
    "restartTimeoutMinutes": "",
    "restartTargets": NEW_STEP,
    "runbookUrl": "update Function, update StateMachine, update MetricAlarm, update CompositeAlarm, update Dashboard",
    "extraRules": "create EventRule, create EventTarget, create MetricAlarm, update CompositeAlarm, update QueuePolicy",
    "securityHub": "create Queue, create QueuePolicy, create EventRule, create EventTarget, create Role, "
    "create RolePolicy, create LogGroup, create Function, create EventSourceMapping, create MetricAlarm, "
    "update CompositeAlarm, update Function",
    "createTrail": "create Bucket, create BucketLifecycleConfiguration, create BucketPolicy, "
    "create BucketPublicAccessBlock, create BucketServerSideEncryptionConfiguration, create BucketVersioning, "
    "create Trail",
    "powertoolsLayerArn": "update Function",
    "kmsKeyArn": "update Queue, update Topic, update RolePolicy, create Topic, create TopicPolicy, "
    "create TopicSubscription, create MetricAlarm, update CompositeAlarm",
    "tags": "update CompositeAlarm, update EventRule, update EventSourceMapping, update Function, update LogGroup, "
    "update MetricAlarm, update Queue, update Role, update ScheduleGroup, update StateMachine, update Table, "
    "update Topic",
    "demo": f"{NEW_STEP}, create Parameter, create Permission, create Secret, create SecretRotation, "
    "create SecretVersion",
    "drill": "update EventRule",
    "canarySchedule": "create ScheduleGroup, create Role, create RolePolicy, create Schedule, create MetricAlarm, "
    "update CompositeAlarm, update EventRule",
}
"""The expected changes of the prod stack, by setting: a function for settings that it reads, the others from their
descriptions in Pulumi.yaml."""
FITTING: dict[str, Any] = {
    "powertoolsLayerArn": LAYER,
    # Beside the other settings of the prod stack.
    "deadLetterRetentionDays": 10,
    "deletionProtection": True,
}
VALUES = {to_camel_case(name): value for name, value in EVERYTHING.items()} | FITTING
DEMO = ("Secret", "SecretVersion", "SecretRotation", "Parameter")
GO_WITH_THEIR_SETTING = {
    "Bucket rotation-guard-management-trail",
    "Bucket rotation-guard-reports",
    "Queue rotation-guard-reports-dead-letters",
    "Queue rotation-guard-findings-reports",
    "Queue rotation-guard-findings-dead-letters",
    "Queue rotation-guard-integrations-dead-letters",
    "Topic rotation-guard-reports",
    # The only subscription that has dead letters, and the topic that a customer key brings.
    "TopicSubscription rotation-guard-failures-sqs-5cb3965f",
    "Queue rotation-guard-dead-letters",
    "Topic rotation-guard-alarms",
    "TopicSubscription rotation-guard-alarms-email-c63654f3",
}
HOLDS_DATA = {"Bucket", "Table", "Topic", "TopicSubscription", "Queue", "LogGroup", *DEMO}
SETTINGS = yaml.safe_load((ROOT / "Pulumi.yaml").read_text())["config"]


def summarise(outcome: Outcome) -> set[str]:
    """What is to happen to resources of AWS: `update Queue`, each kind once."""
    steps = [step for step in outcome.changes() if step.type.startswith("aws:")]
    return {f"{step.op} {step.type.rpartition(':')[2]}" for step in steps}


@pytest.fixture(scope="module")
def stack(new_stack):
    stack = new_stack("prod")
    assert not stack.up().failed
    yield stack
    assert not stack.destroy().failed


def test_every_setting_is_changed_here():
    missing = sorted(set(SETTINGS) - set(CHANGES))
    assert not missing, f"add what a change of {', '.join(missing)} changes to CHANGES in tests/engine/test_settings.py"
    assert set(CHANGES) == set(VALUES) == set(SETTINGS)


@pytest.mark.parametrize("setting", CHANGES)
def test_a_setting_changes_exactly_its_own_resources(setting, stack):
    before = stack.read_config()

    stack.configure({setting: VALUES[setting]})
    preview = stack.preview()
    stack.replace_config(before)

    assert (preview.failed, preview.messages) == (False, [])
    assert summarise(preview) == set(filter(None, CHANGES[setting].split(", ")))


def test_the_engine_names_the_first_setting_of_another_type(stack):
    before = stack.read_config()

    stack.configure({"maxAgeDays": "ninety", "warnDays": "seven"})
    preview = stack.preview()
    stack.replace_config(before)

    assert preview.failed
    quoted = "Stack 'prod' with configuration key 'maxAgeDays' must be of type 'integer'"
    assert quoted in preview.messages[0]
    assert "warnDays" not in preview.messages[0]
    assert quoted in (ROOT / "README.md").read_text(encoding="utf-8")


def test_removing_settings_deletes_only_their_own_resources(stack):
    before = stack.read_config()
    stack.configure(VALUES | {"deletionProtection": False})
    assert not stack.up().failed
    retained = stack.list_retained()

    stack.replace_config(before)
    preview = stack.preview()

    assert (preview.failed, preview.messages) == (False, [])
    steps = [step for step in preview.changes() if step.op not in ("create", "update")]
    gone = {f"{step.type.rpartition(':')[2]} {step.name}" for step in steps if step.type.startswith("aws:")}
    retained_in_aws = {resource for resource in gone if resource in retained}
    assert {resource.partition(" ")[0] for resource in retained_in_aws} == {"LogGroup"}
    deleted = {resource for resource in gone - retained_in_aws if resource.partition(" ")[0] in HOLDS_DATA}
    assert {resource for resource in deleted if " rotation-guard-demo-" not in resource} == GO_WITH_THEIR_SETTING
