"""The converter leaves nothing out: whatever is changed or added in what the program asks for shows, or is refused.

Needs no validator of others.
"""

import copy
import dataclasses
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from components.settings.validation import complaints_about
from local.mocks.recording import Recorded, Recording
from tests.validators.cloudformation import convert
from tests.validators.configurations import LIMITS
from tests.validators.property_changes import NoCounterpart, leave_out
from tests.validators.resource_types import PARTS, TYPES

WITHOUT_COUNTERPART = {
    ("aws:s3/bucket:Bucket", ("forceDestroy",)),
    ("aws:secretsmanager/secret:Secret", ("recoveryWindowInDays",)),
}
"""What a template has no property for: whether a bucket is emptied before it is deleted, and how long a deleted secret
can be recovered."""
JSON_TEXTS = ("policy", "assumeRolePolicy", "redrivePolicy", "filterPolicy", "eventPattern")


def list_paths(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The place of every object, and of every value that holds no others."""
    if isinstance(value, Mapping):
        yield path
    if isinstance(value, Mapping) and value:
        for key, inner in value.items():
            yield from list_paths(inner, (*path, key))
    elif isinstance(value, list) and value:
        for position, inner in enumerate(value):
            yield from list_paths(inner, (*path, position))
    elif not isinstance(value, Mapping):
        yield path


def change(inputs: Mapping[str, Any], path: tuple[Any, ...]) -> dict[str, Any]:
    """A copy of the inputs with another value at the path, or, where an object is, with one more field in it."""
    changed = copy.deepcopy(dict(inputs))
    place: Any = changed
    for part in path[:-1]:
        place = place[part]
    value = place[path[-1]] if path else changed
    if isinstance(value, dict):
        value["plantedField"] = Path("planted") if "code" in path else "planted"
    else:
        place[path[-1]] = choose_other_value(path[-1], value)
    return changed


def choose_other_value(key: Any, value: Any) -> Any:
    if isinstance(value, bool):
        return not value
    if isinstance(value, int | float):
        return value + 1
    if isinstance(value, Path):
        return value / "other"
    return json.dumps({"other": value}) if key in JSON_TEXTS else f"{value}-other"


@pytest.fixture(scope="session")
def examples(recordings) -> list[tuple[Recorded, tuple[Any, ...], Recording]]:
    """One resource for every place in the inputs of a type, in any configuration, among those it may be a part of."""
    found: dict[tuple[str, tuple[Any, ...]], tuple[Recorded, tuple[Any, ...], Recording]] = {}
    for recording in recordings.values():
        for resource in recording.custom():
            for path in list_paths({key: value for key, value in resource.inputs.items() if value is not None}):
                shape = tuple("*" if isinstance(part, int) else part for part in path)
                found.setdefault((resource.type, shape), (resource, path, recording))
    return list(found.values())


def convert_alone(resource: Recorded, recording: Recording) -> Any:
    """The resource's part of a template, with that of those which it may be a part of."""
    owner_type = PARTS[resource.type][0] if resource.type in PARTS else ""
    return convert(Recording([*recording.of_type(owner_type), resource]))


def test_every_value_of_every_resource_is_in_the_template_or_refused(examples):
    assert len(examples) > 250
    ignored = []
    for resource, path, recording in examples:
        before = convert_alone(resource, recording)
        changed = dataclasses.replace(resource, inputs=change(resource.inputs, path))
        try:
            after = convert_alone(changed, recording)
        except (NoCounterpart, KeyError):
            continue
        if before == after:
            ignored.append((resource.type, path))

    assert set(ignored) == WITHOUT_COUNTERPART


def test_a_field_that_is_not_known_is_refused_by_name(recordings):
    table = recordings["dev"].of_type("aws:dynamodb/table:Table")[0]
    unknown = {**table.inputs, "pointInTimeRecovery": {"enabled": True, "recoveryPeriodInDays": 7}}

    with pytest.raises(NoCounterpart, match=f"aws:dynamodb/table:Table {table.name}: recoveryPeriodInDays has no"):
        convert(Recording([dataclasses.replace(table, inputs=unknown)]))


def test_a_resource_type_that_is_not_known_is_refused_by_name(recordings):
    table = recordings["dev"].of_type("aws:dynamodb/table:Table")[0]

    with pytest.raises(NoCounterpart, match=f"aws:kinesis/stream:Stream {table.name}: the type has no counterpart"):
        convert(Recording([dataclasses.replace(table, type="aws:kinesis/stream:Stream")]))


def test_two_resources_never_become_one(recordings):
    table = recordings["dev"].of_type("aws:dynamodb/table:Table")[0]

    with pytest.raises(NoCounterpart, match="two resources are called"):
        convert(Recording([table, dataclasses.replace(table, name=table.name.replace("-", "_"))]))


def test_the_table_holds_nothing_that_no_configuration_has(examples):
    seen = {(resource.type, path[0]) for resource, path, _ in examples if path}
    listed = {(type_, key) for type_, (_, names) in TYPES.items() for key in names}
    listed |= {(type_, key) for type_, (_, owner, names) in PARTS.items() for key in (owner, *names)}

    assert seen == listed
    left_out = {(type_, key) for type_, (_, names) in TYPES.items() for key, name in names.items() if name is leave_out}
    assert left_out == {(type_, path[0]) for type_, path in WITHOUT_COUNTERPART}


@pytest.mark.parametrize("name", LIMITS)
def test_the_limits_that_are_validated_are_those_of_the_settings(name):
    least, most = LIMITS[name]

    assert complaints_about({name: least - 1}) != []
    assert complaints_about({name: most + 1}) != []


def test_the_handler_of_every_function_is_in_its_archive(recordings):
    functions = [
        resource for recording in recordings.values() for resource in recording.of_type("aws:lambda/function:Function")
    ]
    assert functions
    for function in functions:
        module, _, name = function.inputs["handler"].rpartition(".")
        source = function.inputs["code"][f"{module.replace('.', '/')}.py"]

        assert f"\ndef {name}(" in source.read_text(), function.name
