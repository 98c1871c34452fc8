"""Systems Manager: parameters."""

from collections.abc import Iterable

from ...aws import Aws
from .entry import Created, Entry, Inputs, given, tag_list, understands


def _create_parameter(aws: Aws, inputs: Inputs) -> Created:
    name = inputs["name"]
    answer = aws.client("ssm").put_parameter(
        Name=name,
        Type=inputs["type"],
        Value=inputs["value"],
        **given(inputs, Description="description"),
        Tags=tag_list(inputs),
    )
    place = f"{aws.region}:{aws.account_id}"
    arn = f"arn:aws:ssm:{place}:parameter/{name.removeprefix('/')}"
    return Created(name, {"arn": arn, "version": answer["Version"]})


def _delete_parameter(aws: Aws, parameter: Created) -> None:
    aws.client("ssm").delete_parameter(Name=parameter.id)


def _list_parameters(aws: Aws) -> Iterable[str]:
    pages = aws.client("ssm").get_paginator("describe_parameters").paginate()
    return (parameter["Name"] for page in pages for parameter in page["Parameters"])


ENTRIES = (
    Entry(
        "aws:ssm/parameter:Parameter",
        understands("name", "type", "value", "description", "tags"),
        _create_parameter,
        _delete_parameter,
        autonamed="name",
        lists=_list_parameters,
    ),
)
