"""The whole product as one component: properties of all its resources."""

import importlib
import json
from functools import cache

import pulumi
import pytest

from components.release import VERSION
from components.rotation_guard import RotationGuard
from components.settings.declarations import SETTINGS
from components.settings.validation import InvalidSettings

from .samples.everything import EVERYTHING, KEY, LAYER
from .statements import as_list

QUEUE, TOPIC, TABLE = "aws:sqs/queue:Queue", "aws:sns/topic:Topic", "aws:dynamodb/table:Table"
FUNCTION, LOG_GROUP = "aws:lambda/function:Function", "aws:cloudwatch/logGroup:LogGroup"
PARAMETER = "aws:ssm/parameter:Parameter"
ROLE, ROLE_POLICY = "aws:iam/role:Role", "aws:iam/rolePolicy:RolePolicy"
RULE, TARGET = "aws:cloudwatch/eventRule:EventRule", "aws:cloudwatch/eventTarget:EventTarget"
SCHEDULE, MACHINE = "aws:scheduler/schedule:Schedule", "aws:sfn/stateMachine:StateMachine"
ALARM = "aws:cloudwatch/metricAlarm:MetricAlarm"
PAGE = "aws:cloudwatch/compositeAlarm:CompositeAlarm"
SECRET, SUBSCRIPTION = "aws:secretsmanager/secret:Secret", "aws:sns/topicSubscription:TopicSubscription"
KINDS = (TOPIC, TABLE, FUNCTION, SCHEDULE, MACHINE, RULE, ALARM, PAGE, SECRET)


@pytest.fixture(scope="module")
def plain(guard):
    return guard()


@pytest.fixture(scope="module")
def full(guard):
    return guard(**EVERYTHING)


@cache
def resource_class(token):
    package, _, kind = token.removeprefix("aws:").partition("/")
    module = importlib.import_module(f"pulumi_aws.{'lambda_' if package == 'lambda' else package}")
    return getattr(module, kind.partition(":")[2])


def test_every_setting_has_a_sample():
    assert set(EVERYTHING) == set(SETTINGS)


def test_by_default_everything_but_the_demo_is_deployed(plain):
    counts = {kind: len(plain.of_type(kind)) for kind in KINDS}

    assert counts == {TOPIC: 3, TABLE: 5, FUNCTION: 8, SCHEDULE: 1, MACHINE: 1, RULE: 8, ALARM: 49, PAGE: 6, SECRET: 0}


def test_every_resource_is_a_descendant_of_the_component(full):
    [root] = [resource for resource in full.resources if resource.type == "rotation-guard:index:RotationGuard"]
    parents = {resource.urn: resource.parent for resource in full.resources}

    assert len(parents) == len(full.resources) > 80
    for resource in full.resources:
        ancestors = [resource.urn]
        while ancestors[-1] in parents:
            ancestors.append(parents[ancestors[-1]])
        assert root.urn in ancestors
        assert resource.name.startswith("guard")


def test_names_leave_room_for_the_suffix_of_pulumi(full):
    extra_length = len("rotation-guard") - len("guard")
    limits = {ROLE: 64, FUNCTION: 64, RULE: 64, SCHEDULE: 64, QUEUE: 80, MACHINE: 80}

    for kind, limit in limits.items():
        names = [resource.name for resource in full.of_type(kind)]
        assert names
        assert max(map(len, names)) + extra_length + len("-0123456") <= limit


def test_all_log_groups_expire(full):
    assert [resource.inputs["retentionInDays"] for resource in full.of_type(LOG_GROUP)] == [5] * 18


def test_all_queues_have_sse_without_a_key(plain):
    queues = plain.of_type(QUEUE)

    assert len(queues) == 5
    for queue in queues:
        assert queue.inputs["sqsManagedSseEnabled"] is True
        assert "kmsMasterKeyId" not in queue.inputs


def test_all_queues_accept_events_of_the_maximum_size(plain):
    # An EventBridge event has up to 1 MB, and the provider's default for a queue is 256 KB.
    assert {queue.inputs["maxMessageSize"] for queue in plain.of_type(QUEUE)} == {1_048_576}


def test_all_queues_and_topics_have_the_configured_key(full):
    encrypted = full.of_type(QUEUE) + [topic for topic in full.of_type(TOPIC) if topic.name != "guard-alarms"]

    assert len(encrypted) == 14
    assert {resource.inputs["kmsMasterKeyId"] for resource in encrypted} == {KEY}


def test_tables_are_protected_from_deletion_by_default(plain, full):
    assert [table.inputs["deletionProtectionEnabled"] for table in plain.of_type(TABLE)] == [True] * 5
    assert [table.inputs["deletionProtectionEnabled"] for table in full.of_type(TABLE)] == [False] * 5


def test_all_tables_have_recovery_expiry_and_on_demand_billing(full):
    tables = full.of_type(TABLE)

    assert len(tables) == 5
    for table in tables:
        assert table.inputs["pointInTimeRecovery"] == {"enabled": True}
        assert table.inputs["ttl"] == {"attributeName": "expires_at", "enabled": True}
        assert table.inputs["billingMode"] == "PAY_PER_REQUEST"


def test_all_dead_letters_are_kept_for_the_configured_days(full):
    kept = {resource.name: resource.inputs["messageRetentionSeconds"] // 86_400 for resource in full.of_type(QUEUE)}

    assert kept.pop("guard-trail-events") == kept.pop("guard-findings-reports") == 2
    assert len(kept) == 8
    assert set(kept.values()) == {3}


def test_tags_reach_every_taggable_resource(full):
    taggable = [resource for resource in full.custom() if hasattr(resource_class(resource.type), "tags")]

    assert {QUEUE, TOPIC, TABLE, FUNCTION, LOG_GROUP, ROLE, RULE, SCHEDULE, MACHINE, SECRET} - {SCHEDULE} <= {
        resource.type for resource in taggable
    }
    assert [resource.urn for resource in taggable if resource.inputs.get("tags", {}).get("team") != "platform"] == []


def test_settings_reach_the_functions(full):
    functions = {resource.name: resource.inputs for resource in full.of_type(FUNCTION)}

    assert {tuple(function["layers"]) for function in functions.values()} == {(LAYER,)}
    check = functions["guard-audit-check"]["environment"]["variables"]
    assert (check["MAX_AGE_DAYS"], check["MANAGED_TAG_KEY"], check["MANAGED_TAG_VALUE"]) == ("90", "audit", "yes")
    assert (check["WARN_DAYS"], check["STUCK_HOURS"], check["MISSED_HOURS"]) == ("14", "2", "2")
    assert check["HISTORY_MODE"] == "changes"
    assert [age_class["days"] for age_class in json.loads(check["MAX_AGE_CLASSES"])] == [7, 365]
    days = {function["environment"]["variables"].get("HISTORY_DAYS") for function in functions.values()}
    assert days == {"10", None}
    claim, diagnose = (functions[f"guard-repair-{step}"]["environment"] for step in ("claim", "diagnose"))
    assert claim["variables"]["SETTLE_MINUTES"] == "1"
    assert diagnose["variables"]["REMEDIATION_MODE"] == "repair"


def test_remediation_gets_its_settings_and_the_functions_of_the_demo(full):
    root = next(resource for resource in full.resources if resource.type == "rotation-guard:index:RotationGuard").inputs
    inputs = next(resource for resource in full.resources if resource.type == "rotation-guard:index:Remediation").inputs

    settings = [name for name, setting in SETTINGS.items() if "remediation" in setting.used_by and name in root]
    assert len(settings) > 10
    lists = {"probe_functions": "guard-demo-probe", "rotation_functions": "guard-demo-rotation"}
    for name in settings:
        more = [full.named(FUNCTION, lists[name]).arn] if name in lists else []
        assert inputs[name] == (root[name] + more if more else root[name]), name


def test_schedule_subscriptions_rules_and_demo_follow_the_settings(full):
    schedule = full.of_type(SCHEDULE)[0].inputs
    assert schedule["scheduleExpression"] == "cron(0 6 ? * * *)"
    assert schedule["scheduleExpressionTimezone"] == "Europe/Berlin"
    assert schedule["flexibleTimeWindow"]["maximumWindowInMinutes"] == 5
    subscribed = [(resource.name, resource.inputs["protocol"]) for resource in full.of_type(SUBSCRIPTION)]
    assert sorted((name.split("-")[1], protocol) for name, protocol in subscribed) == [
        ("alarms", "email"),
        ("critical", "email"),
        ("failures", "sqs"),
    ]
    pattern = json.loads(full.named(RULE, "guard-events-extra-instances").inputs["eventPattern"])
    assert pattern["source"] == ["aws.ec2", "rotation-guard.drill"]
    assert full.named(SECRET, "guard-demo-fresh").inputs["tags"] == {"team": "platform", "audit": "yes"}


def test_rules_target_the_topic_the_queue_and_the_workflow_of_this_stack(plain):
    targets = {resource.inputs["arn"] for resource in plain.of_type(TARGET)}

    assert targets == {
        plain.named(TOPIC, "guard-failures").arn,
        plain.named(QUEUE, "guard-trail-events").arn,
        plain.named(FUNCTION, "guard-repair-start").arn,
    }


def test_writer_and_audit_share_the_status_table(plain):
    status = plain.named(TABLE, "guard-audit-status")
    functions = {name: plain.named(FUNCTION, f"guard-{name}").inputs for name in ("trail-writer", "audit-check")}

    table_names = {function["environment"]["variables"]["STATUS_TABLE_NAME"] for function in functions.values()}
    assert table_names == {status.outputs["name"]}
    for name in functions:
        statements = plain.named(ROLE_POLICY, f"guard-{name}").policy()
        assert any(status.arn in as_list(statement["Resource"]) for statement in statements)


def test_the_audit_reads_the_audit_trail_and_the_incidents_of_this_stack(plain):
    record, incidents = plain.named(TABLE, "guard-trail-record"), plain.named(TABLE, "guard-repair-incidents")
    variables = plain.named(FUNCTION, "guard-audit-check").inputs["environment"]["variables"]

    assert variables["AUDIT_TRAIL_TABLE_NAME"] == record.outputs["name"]
    assert variables["INCIDENTS_TABLE_NAME"] == incidents.outputs["name"]
    statements = plain.named(ROLE_POLICY, "guard-audit-check").policy()
    assert {"Effect": "Allow", "Action": "dynamodb:Query", "Resource": record.arn} in statements
    reads = ["dynamodb:GetItem", "dynamodb:Query"]
    assert {"Effect": "Allow", "Action": reads, "Resource": incidents.arn} in statements


def test_alarms_publish_to_the_critical_topic_which_admits_them(plain):
    pages, topic = plain.of_type(PAGE), plain.named(TOPIC, "guard-critical")

    assert len(pages) == 6
    assert all(page.inputs["alarmActions"] == page.inputs["okActions"] == [topic.arn] for page in pages)
    statements = plain.named("aws:sns/topicPolicy:TopicPolicy", "guard-critical").policy()
    services = [statement["Principal"].get("Service") for statement in statements if statement["Resource"] == topic.arn]
    assert "cloudwatch.amazonaws.com" in services


def test_with_a_customer_key_no_alarm_depends_on_it(full):
    pages, topic = full.of_type(PAGE), full.named(TOPIC, "guard-alarms")

    assert len(pages) == 7
    assert {action for page in pages for action in page.inputs["alarmActions"]} == {topic.arn}
    assert "kmsMasterKeyId" not in topic.inputs
    assert full.outputs["alarms_topic_arn"] == topic.arn
    subscribers = {topic: set() for topic in ("critical", "alarms")}
    for resource in full.of_type(SUBSCRIPTION):
        for topic, endpoints in subscribers.items():
            if resource.inputs["topic"] == full.named(TOPIC, f"guard-{topic}").arn:
                endpoints.add((resource.inputs["protocol"], resource.inputs["endpoint"]))
    assert subscribers["critical"] == subscribers["alarms"] == {("email", "on-call@example.com")}


def test_each_queue_has_at_most_one_policy(full):
    urls = [resource.inputs["queueUrl"] for resource in full.of_type("aws:sqs/queuePolicy:QueuePolicy")]

    assert len(urls) == 6
    assert len(urls) == len(set(urls))


def test_false_and_zero_are_not_absent(guard, plain):
    settings = {"demo": False, "drill": False, "history_days": 0, "max_age_days": 0, "schedule_flexible_minutes": 0}
    recording = guard(**settings, warn_days=0, max_age_classes=[])

    assert recording.of_type(SECRET) == []
    assert recording.named(RULE, "guard-events-failed").inputs == plain.named(RULE, "guard-events-failed").inputs
    check = recording.named(FUNCTION, "guard-audit-check").inputs["environment"]["variables"]
    assert (check["MAX_AGE_DAYS"], check["HISTORY_DAYS"], check["WARN_DAYS"]) == ("0", "0", "0")
    assert check["MAX_AGE_CLASSES"] == "[]"


def test_children_do_not_inherit_the_options_of_the_caller(run, plain):
    opts = pulumi.ResourceOptions(aliases=[pulumi.Alias(name="formerly")], ignore_changes=["tags"], protect=True)

    recording = run(lambda: RotationGuard("guard", {}, opts))

    root, *children = recording.resources
    assert (root.aliases, root.protect) == (("formerly",), True)
    assert len(children) > 50
    # The kill switch keeps its current value; functions and log groups keep their names.
    own = {(child.type, child.ignore_changes) for child in children if child.ignore_changes}
    [ignored_inputs] = {ignored for type_, ignored in own if type_ == PARAMETER}
    assert set(ignored_inputs) > {"value", "description", "tags"}
    assert own == {
        (PARAMETER, ignored_inputs),
        (FUNCTION, ("name",)),
        (LOG_GROUP, ("name",)),
        (LOG_GROUP, ("name", "namePrefix")),
    }
    assert "formerly" not in {alias for child in children for alias in child.aliases}
    assert recording.shape() == plain.shape()
    # Children inherit protection by Pulumi itself: nothing is protected unless the caller asks for it.
    assert not [resource.urn for resource in plain.resources if resource.protect]


@pytest.mark.parametrize("settings", [{}, EVERYTHING], ids=["defaults", "everything"])
def test_a_preview_before_the_first_deployment_works(guard, settings):
    preview, real = guard(preview=True, **settings), guard(**settings)

    assert {resource.urn for resource in preview.resources} == {resource.urn for resource in real.resources}
    unknown = {resource.name for resource in preview.of_type(ROLE_POLICY) if "policy" in resource.unknown_inputs}
    assert unknown == {resource.name for resource in real.of_type(ROLE_POLICY)}
    assert preview.outputs["function_name"] is None


def test_a_preview_shows_known_inputs(guard):
    settings = {**EVERYTHING, "drill": False, "canary_schedule": ""}
    preview, real = guard(preview=True, **settings), guard(**settings)

    def inputs(recording, kind):
        # The pattern of what a stack reports itself has the name of one of its tables.
        return {
            resource.urn: resource.inputs
            for resource in recording.of_type(kind)
            if not resource.name.endswith(("-events-stuck", "-events-stalled"))
            and not resource.name.startswith(("guard-critical-", "guard-remediation-", "guard-findings"))
        }

    for kind in (TABLE, RULE, TOPIC):
        assert inputs(preview, kind) == inputs(real, kind) != {}


def test_a_key_created_in_the_same_program_is_used_in_a_preview(deploy):
    def args():
        return {"kms_key_arn": pulumi.Output.from_input(pulumi.output.Unknown())}

    recording = deploy(RotationGuard, "guard", args, preview=True)

    queues = recording.of_type(QUEUE)
    assert len(queues) == 5
    assert all(
        "kmsMasterKeyId" in queue.unknown_inputs and "sqsManagedSseEnabled" not in queue.inputs for queue in queues
    )


def test_a_program_may_have_two_guards(run):
    def program():
        RotationGuard("one")
        RotationGuard("other")

    urns = [resource.urn for resource in run(program).resources]

    assert len(urns) == len(set(urns)) > 100


def test_the_outputs_identify_the_resources(full):
    assert full.outputs["function_name"] == full.named(FUNCTION, "guard-audit-check").outputs["name"]
    assert full.outputs["schedule_name"] == full.named(SCHEDULE, "guard-audit").outputs["name"]
    assert full.outputs["schedule_expression"] == "cron(0 6 ? * * *)"
    assert full.outputs["state_machine_arn"] == full.named(MACHINE, "guard-repair").arn
    switch = full.named("aws:ssm/parameter:Parameter", "guard-repair-kill-switch")
    assert full.outputs["kill_switch_parameter_name"] == switch.outputs["name"]
    for output, table in {
        "table_name": "guard-audit-history",
        "status_table_name": "guard-audit-status",
        "runs_table_name": "guard-audit-runs",
        "audit_trail_table_name": "guard-trail-record",
        "incidents_table_name": "guard-repair-incidents",
    }.items():
        assert full.outputs[output] == full.named(TABLE, table).outputs["name"]
    queues = {
        "audit_queue_url": "guard-trail-events",
        "undelivered_events_dead_letters_url": "guard-events-dead-letters",
        "unrecorded_events_dead_letters_url": "guard-trail-dead-letters",
        "audit_dead_letters_url": "guard-trail-dead-letters",
        "unstarted_remediations_dead_letters_url": "guard-repair-dead-letters",
        "failed_audits_dead_letters_url": "guard-audit-dead-letters",
        "failed_reports_dead_letters_url": "guard-reports-dead-letters",
        "undelivered_notices_dead_letters_url": "guard-dead-letters",
        "undelivered_incidents_dead_letters_url": "guard-integrations-dead-letters",
        "unimported_findings_dead_letters_url": "guard-findings-dead-letters",
    }
    assert {full.named(QUEUE, queue).name for queue in queues.values()} == {
        resource.name for resource in full.of_type(QUEUE) if resource.name != "guard-findings-reports"
    }
    for output, queue in queues.items():
        assert full.outputs[output] == full.named(QUEUE, queue).outputs["url"]
    assert full.outputs["dashboard_url"].endswith(
        full.named("aws:cloudwatch/dashboard:Dashboard", "guard-observability").inputs["dashboardName"]
    )
    for topic in ("failures", "remediation", "critical"):
        assert full.outputs[f"{topic}_topic_arn"] == full.named(TOPIC, f"guard-{topic}").arn
    rules = {rule.outputs["name"] for rule in full.of_type(RULE) if rule.name.startswith("guard-events-")}
    assert set(full.outputs["rule_names"].values()) == rules
    others = {rule.outputs["name"] for rule in full.of_type(RULE)} - rules
    assert set(full.outputs["receiver_rule_names"].values()) == others
    assert full.outputs["findings_queue_url"] == full.named(QUEUE, "guard-findings-reports").outputs["url"]
    own = {
        function.outputs["name"] for function in full.of_type(FUNCTION) if not function.name.startswith("guard-demo-")
    }
    assert set(full.outputs["function_names"].values()) == own
    paging = [alarm for alarm in full.of_type(PAGE) if alarm.inputs["alarmActions"]]
    assert set(full.outputs["alarm_names"].values()) == {alarm.inputs["alarmName"] for alarm in paging}
    assert (full.outputs["version"], full.outputs["event_bus_name"]) == (VERSION, "default")


def test_optional_resources_that_are_absent_have_no_output(plain):
    assert {"undelivered_notices_dead_letters_url", "alarms_topic_arn"}.isdisjoint(plain.outputs)


def test_the_log_group_is_named_after_the_function(full):
    functions = full.of_type(FUNCTION)
    groups = {resource.outputs["name"]: resource for resource in full.of_type(LOG_GROUP)}

    assert len(functions) > 10
    for function in functions:
        name = f"/aws/lambda/{function.outputs['name']}"
        assert function.inputs["loggingConfig"]["logGroup"] == name
        # Both are named after the role. The mocks give every resource the same suffix, so equal names prove nothing.
        assert function.property_dependencies["name"] == groups[name].property_dependencies["name"] != frozenset()
        # Before the function, so that no invocation can find it missing.
        assert groups[name].urn in function.property_dependencies["loggingConfig"]
    assert len(groups) == len(functions) + 1


def test_the_log_group_of_the_workflow_has_the_prefix_for_vended_logs(full):
    group = full.named(LOG_GROUP, "guard-repair-workflow")

    assert group.inputs["namePrefix"] == "/aws/vendedlogs/states/guard-repair-"
    assert "name" not in group.inputs


def test_invalid_settings_are_rejected_before_creating_resources(run):
    messages = []

    def program():
        try:
            RotationGuard("guard", {"max_age_days": -1, "schedule_expression": "rate(0 hours)"})
        except InvalidSettings as error:
            messages.append(str(error))

    assert run(program).resources == []
    [message] = messages
    assert "max_age_days must be an integer from 0 to 3650, got -1" in message
    assert "schedule_expression must be" in message
