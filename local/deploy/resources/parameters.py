"""Systems Manager parameters."""

from collections.abc import Iterable

from ...aws import Aws
from .entry import CreatedResource, Entry, Inputs, build_tag_list, select_inputs, supported_inputs


def _create_parameter(aws: Aws, inputs: Inputs) -> CreatedResource:
    name = inputs["name"]
    answer = aws.client("ssm").put_parameter(
        Name=name,
        Type=inputs["type"],
        Value=inputs["value"],
        **select_inputs(inputs, Description="description"),
        Tags=build_tag_list(inputs),
    )
    arn = f"arn:aws:ssm:{aws.region}:{aws.account_id}:parameter/{name.removeprefix('/')}"
    return CreatedResource(name, {"arn": arn, "version": answer["Version"]})


def _delete_parameter(aws: Aws, parameter: CreatedResource) -> None:
    aws.client("ssm").delete_parameter(Name=parameter.id)


def _list_parameters(aws: Aws) -> Iterable[str]:
    pages = aws.client("ssm").get_paginator("describe_parameters").paginate()
    return (parameter["Name"] for page in pages for parameter in page["Parameters"])


ENTRIES = (
    Entry(
        "aws:ssm/parameter:Parameter",
        supported_inputs("name", "type", "value", "description", "tags"),
        _create_parameter,
        _delete_parameter,
        name_input="name",
        list_names=_list_parameters,
    ),
)
