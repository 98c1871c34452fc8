"""Step Functions."""

from collections.abc import Iterable
from typing import Any

from ...aws import Aws
from .entry import CreatedResource, Entry, Inputs, build_tag_list, supported_inputs


def _create_state_machine(aws: Aws, inputs: Inputs) -> CreatedResource:
    more: dict[str, Any] = {}
    if logging := inputs.get("loggingConfiguration"):
        more["loggingConfiguration"] = {
            "level": logging.get("level", "OFF"),
            "includeExecutionData": logging.get("includeExecutionData", False),
            "destinations": [{"cloudWatchLogsLogGroup": {"logGroupArn": logging["logDestination"]}}],
        }
    if tracing := inputs.get("tracingConfiguration"):
        more["tracingConfiguration"] = {"enabled": tracing["enabled"]}
    answer = aws.client("stepfunctions").create_state_machine(
        name=inputs["name"],
        definition=inputs["definition"],
        roleArn=inputs["roleArn"],
        type=inputs.get("type") or "STANDARD",
        tags=build_tag_list(inputs, "key", "value"),
        **more,
    )
    arn = answer["stateMachineArn"]
    return CreatedResource(arn, {"arn": arn, "status": "ACTIVE", "creationDate": answer["creationDate"].isoformat()})


def _delete_state_machine(aws: Aws, state_machine: CreatedResource) -> None:
    aws.client("stepfunctions").delete_state_machine(stateMachineArn=state_machine.id)


def _list_state_machines(aws: Aws) -> Iterable[str]:
    pages = aws.client("stepfunctions").get_paginator("list_state_machines").paginate()
    return (machine["stateMachineArn"] for page in pages for machine in page["stateMachines"])


ENTRIES = (
    Entry(
        "aws:sfn/stateMachine:StateMachine",
        supported_inputs(
            "name",
            "definition",
            "roleArn",
            "type",
            "loggingConfiguration.level",
            "loggingConfiguration.includeExecutionData",
            "loggingConfiguration.logDestination",
            "tracingConfiguration.enabled",
            "tags",
        ),
        _create_state_machine,
        _delete_state_machine,
        name_input="name",
        list_names=_list_state_machines,
    ),
)
