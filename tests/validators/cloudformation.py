"""What the program asks for as a CloudFormation template, so that AWS's own schemas can be held against it."""

from typing import Any

from local.mocks.engine import to_plain
from local.mocks.recording import Recorded, Recording
from tests.validators.property_changes import NoCounterpart, Properties, join_keys, rename
from tests.validators.resource_types import LISTED_PARTS, NAMES, NESTED_PARTS, PARTS, TYPES


def convert(recording: Recording) -> dict[str, Any]:
    """The template; inputs that hold another resource's ARN hold it as text.

    Raises NoCounterpart for a resource type, an input or a field of one that has none.
    """
    resources: dict[str, Any] = {}
    by_name: dict[tuple[str, str], Properties] = {}
    for resource in recording.custom():
        try:
            if resource.type in PARTS:
                _add_part(resource, by_name)
                continue
            type_, properties = _convert_one(resource)
        except NoCounterpart as missing:
            raise NoCounterpart(f"{resource.type} {resource.name}: {missing}") from None
        by_name[resource.type, str(resource.outputs["name"])] = properties
        logical = name_logically(type_, resource.name)
        if logical in resources:
            raise NoCounterpart(f"{resource.type} {resource.name}: two resources are called {logical}")
        resources[logical] = {"Type": type_, "Properties": properties}
    return {"AWSTemplateFormatVersion": "2010-09-09", "Resources": resources}


def name_logically(type_: str, name: str) -> str:
    """What a resource of this type and name is called in the template: letters and digits alone."""
    return type_.split("::")[-1] + "".join(part.title() for part in name.replace("_", "-").split("-"))


def _convert_one(resource: Recorded) -> tuple[str, Properties]:
    if resource.type not in TYPES:
        raise NoCounterpart("the type has no counterpart in tests/validators/resource_types.py")
    type_, names = TYPES[resource.type]
    properties = join_keys(rename(_plain_inputs(resource), names))
    if name := NAMES.get(resource.type):
        properties.setdefault(name, resource.outputs["name"])
    return type_, properties


def _add_part(resource: Recorded, by_name: dict[tuple[str, str], Properties]) -> None:
    owner_type, key, names = PARTS[resource.type]
    inputs = _plain_inputs(resource)
    owner = by_name[owner_type, inputs.pop(key)]
    part = rename(inputs, names)
    if listed := LISTED_PARTS.get(resource.type):
        owner.setdefault(listed, []).append(part)
    elif nested := NESTED_PARTS.get(resource.type):
        owner[nested] = part
    else:
        owner |= part


def _plain_inputs(resource: Recorded) -> dict[str, Any]:
    return {key: to_plain(value) for key, value in resource.inputs.items() if value is not None}
