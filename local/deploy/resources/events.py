"""EventBridge rules, and EventBridge Scheduler."""

from collections.abc import Iterable
from typing import Any

from ...aws import Aws
from ...errors import LocalError
from .entry import CreatedResource, Entry, Inputs, build_tag_list, select_inputs, supported_inputs, to_api_case

_DEFAULT_BUS = "default"
_DEFAULT_GROUP = "default"


def _create_rule(aws: Aws, inputs: Inputs) -> CreatedResource:
    name, bus = inputs["name"], inputs.get("eventBusName") or _DEFAULT_BUS
    arn = aws.client("events").put_rule(
        Name=name,
        EventBusName=bus,
        State=inputs.get("state") or "ENABLED",
        **select_inputs(inputs, EventPattern="eventPattern", Description="description"),
        Tags=build_tag_list(inputs),
    )["RuleArn"]
    id_ = name if bus == _DEFAULT_BUS else f"{bus}/{name}"
    return CreatedResource(id_, {"arn": arn, "name": name, "eventBusName": bus})


def _delete_rule(aws: Aws, rule: CreatedResource) -> None:
    aws.client("events").delete_rule(Name=rule.outputs["name"], EventBusName=rule.outputs["eventBusName"])


def _list_rules(aws: Aws) -> Iterable[str]:
    pages = aws.client("events").get_paginator("list_rules").paginate()
    return (rule["Arn"] for page in pages for rule in page["Rules"])


def _create_target(aws: Aws, inputs: Inputs) -> CreatedResource:
    """Add a target. `deliveries.py` emulates its retry policy and dead-letter queue, but checks no queue policy."""
    rule, bus, target_id = inputs["rule"], inputs.get("eventBusName") or _DEFAULT_BUS, inputs["targetId"]
    target = select_inputs(inputs, Arn="arn", RoleArn="roleArn", Input="input", InputPath="inputPath")
    if inputs.get("deadLetterConfig"):
        target["DeadLetterConfig"] = to_api_case(inputs["deadLetterConfig"])
    if inputs.get("retryPolicy"):
        target["RetryPolicy"] = to_api_case(inputs["retryPolicy"])
    if transformer := inputs.get("inputTransformer"):
        target["InputTransformer"] = {
            "InputPathsMap": transformer.get("inputPaths") or {},
            "InputTemplate": transformer["inputTemplate"],
        }
    answer = aws.client("events").put_targets(Rule=rule, EventBusName=bus, Targets=[{"Id": target_id, **target}])
    if answer["FailedEntryCount"]:
        raise LocalError(f"EventBridge refused target {target_id}: {answer['FailedEntries'][0]['ErrorMessage']}")
    return CreatedResource(f"{rule}-{target_id}", {"rule": rule, "eventBusName": bus, "targetId": target_id})


def _delete_target(aws: Aws, target: CreatedResource) -> None:
    outputs = target.outputs
    aws.client("events").remove_targets(
        Rule=outputs["rule"], EventBusName=outputs["eventBusName"], Ids=[outputs["targetId"]]
    )


def _create_schedule_group(aws: Aws, inputs: Inputs) -> CreatedResource:
    name = inputs["name"]
    answer = aws.client("scheduler").create_schedule_group(Name=name, Tags=build_tag_list(inputs))
    return CreatedResource(name, {"arn": answer["ScheduleGroupArn"], "state": "ACTIVE"})


def _delete_schedule_group(aws: Aws, group: CreatedResource) -> None:
    aws.client("scheduler").delete_schedule_group(Name=group.id)


def _list_schedule_groups(aws: Aws) -> Iterable[str]:
    pages = aws.client("scheduler").get_paginator("list_schedule_groups").paginate()
    return (group["Arn"] for page in pages for group in page["ScheduleGroups"] if group["Name"] != _DEFAULT_GROUP)


def build_schedule_request(inputs: Inputs) -> dict[str, Any]:
    """Build the request of CreateSchedule and UpdateSchedule."""
    target = to_api_case(inputs["target"])
    if "EventbridgeParameters" in target:
        target["EventBridgeParameters"] = target.pop("EventbridgeParameters")
    return {
        "Name": inputs["name"],
        "GroupName": inputs.get("groupName") or _DEFAULT_GROUP,
        "FlexibleTimeWindow": to_api_case(inputs["flexibleTimeWindow"]),
        "Target": target,
        "State": inputs.get("state") or "ENABLED",
        **select_inputs(
            inputs,
            ScheduleExpression="scheduleExpression",
            ScheduleExpressionTimezone="scheduleExpressionTimezone",
            Description="description",
        ),
    }


def _create_schedule(aws: Aws, inputs: Inputs) -> CreatedResource:
    """Create a schedule, which the emulator runs."""
    request = build_schedule_request(inputs)
    arn = aws.client("scheduler").create_schedule(**request)["ScheduleArn"]
    name, group = request["Name"], request["GroupName"]
    return CreatedResource(f"{group}/{name}", {"arn": arn, "name": name, "groupName": group})


def _delete_schedule(aws: Aws, schedule: CreatedResource) -> None:
    aws.client("scheduler").delete_schedule(Name=schedule.outputs["name"], GroupName=schedule.outputs["groupName"])


def _list_schedules(aws: Aws) -> Iterable[str]:
    pages = aws.client("scheduler").get_paginator("list_schedules").paginate()
    return (schedule["Arn"] for page in pages for schedule in page["Schedules"])


def _create_bus(aws: Aws, inputs: Inputs) -> CreatedResource:
    arn = aws.client("events").create_event_bus(
        Name=inputs["name"], Tags=build_tag_list(inputs), **select_inputs(inputs, Description="description")
    )["EventBusArn"]
    return CreatedResource(inputs["name"], {"arn": arn, "name": inputs["name"]})


def _delete_bus(aws: Aws, bus: CreatedResource) -> None:
    aws.client("events").delete_event_bus(Name=bus.id)


def _list_buses(aws: Aws) -> Iterable[str]:
    return (bus["Arn"] for bus in aws.client("events").list_event_buses()["EventBuses"] if bus["Name"] != _DEFAULT_BUS)


def _create_bus_policy(aws: Aws, inputs: Inputs) -> CreatedResource:
    """Set the policy, which `other_accounts.py` applies to events of other accounts."""
    aws.client("events").put_permission(EventBusName=inputs["eventBusName"], Policy=inputs["policy"])
    return CreatedResource(inputs["eventBusName"], {})


ENTRIES = (
    Entry(
        "aws:cloudwatch/eventBus:EventBus",
        supported_inputs("name", "description", "tags"),
        _create_bus,
        _delete_bus,
        name_input="name",
        list_names=_list_buses,
    ),
    Entry(
        "aws:cloudwatch/eventBusPolicy:EventBusPolicy",
        supported_inputs("eventBusName", "policy"),
        _create_bus_policy,
    ),
    Entry(
        "aws:cloudwatch/eventRule:EventRule",
        supported_inputs("name", "description", "eventPattern", "state", "eventBusName", "tags"),
        _create_rule,
        _delete_rule,
        name_input="name",
        list_names=_list_rules,
    ),
    Entry(
        "aws:cloudwatch/eventTarget:EventTarget",
        supported_inputs(
            "rule",
            "eventBusName",
            "targetId",
            "arn",
            "roleArn",
            "input",
            "inputPath",
            "inputTransformer.inputPaths",
            "inputTransformer.inputTemplate",
            "deadLetterConfig.arn",
            "retryPolicy.maximumEventAgeInSeconds",
            "retryPolicy.maximumRetryAttempts",
        ),
        _create_target,
        _delete_target,
        name_input="targetId",
    ),
    Entry(
        "aws:scheduler/scheduleGroup:ScheduleGroup",
        supported_inputs("name", "tags"),
        _create_schedule_group,
        _delete_schedule_group,
        name_input="name",
        list_names=_list_schedule_groups,
    ),
    Entry(
        "aws:scheduler/schedule:Schedule",
        supported_inputs(
            "name",
            "groupName",
            "description",
            "scheduleExpression",
            "scheduleExpressionTimezone",
            "state",
            "flexibleTimeWindow.mode",
            "flexibleTimeWindow.maximumWindowInMinutes",
            "target.arn",
            "target.roleArn",
            "target.input",
            "target.eventbridgeParameters.detailType",
            "target.eventbridgeParameters.source",
            "target.deadLetterConfig.arn",
            "target.retryPolicy.maximumEventAgeInSeconds",
            "target.retryPolicy.maximumRetryAttempts",
        ),
        _create_schedule,
        _delete_schedule,
        name_input="name",
        list_names=_list_schedules,
    ),
)
