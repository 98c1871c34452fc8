"""Refuses bad arguments of a component that is placed by itself, before any of its resources is made.

What a component is given has the shape that its arguments' type declares; a setting has a check of its own besides.
"""

import typing
from collections.abc import Awaitable, Iterator, Mapping, Sequence
from types import UnionType
from typing import Any, NotRequired, Required, TypeVar, Union

import pulumi

from .checks import format_name, is_arn, is_regional_arn, must_be
from .declarations import SETTINGS
from .name_lengths import complain_about_length
from .validation import InvalidSettings, describe_unknown

Args = TypeVar("Args")
_PLAIN = {str: "text", int: "an integer", bool: "true or false"}
_ARNS = {
    "topic_arn": ("a standard SNS topic", "sns", r"[\w-]{1,256}"),
    "queue_arn": ("a standard SQS queue", "sqs", r"[\w-]{1,80}"),
    "table_arn": ("a table of DynamoDB", "dynamodb", r"table/[\w.-]{3,255}"),
    "function_arn": ("a Lambda function", "lambda", r"function:[\w-]{1,64}(:[\w$-]+)?"),
    "event_bus_arn": ("an event bus", "events", r"event-bus/[\w./-]{1,256}"),
    "state_machine_arn": ("a state machine", "states", r"stateMachine:[\w-]{1,80}"),
}
"""How the names of arguments end that are ARNs, each with what it is of. EventBridge sends to no FIFO topic, and to a
FIFO queue only with a message group (https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-targets.html)."""


def read_args(
    args: Args | None, type_: type[Args], component: str, name: str, together: Sequence[Sequence[str]] = ()
) -> Args:
    """The arguments of a component of this class and name, empty for None.

    Raises InvalidSettings with every complaint: unknown and missing arguments, values of other types, settings that are
    wrong, an Output where a plain value is needed, one without another that is to be given with it (`together`), and a
    name that AWS would refuse for one of the resources.
    """
    given: Any = {} if args is None else args
    complaints = list(complain_about_length(name, component))
    if isinstance(given, Mapping):
        complaints += _complain_about_fields("", given, type_, f"an argument of {component}")
        complaints += complain_about_groups("", given, together)
    else:
        complaints.append(f"the arguments of {component}{must_be('a map', given)}")
    if complaints:
        raise InvalidSettings(complaints)
    return given


def complain_about_groups(path: str, given: Mapping[str, Any], together: Sequence[Sequence[str]]) -> Iterator[str]:
    """Which arguments are given without others that belong to them."""
    for group in together:
        there = [name for name in group if name in given]
        if there and len(there) < len(group):
            yield f"{path}{' and '.join(group)} must be given together, got {' and '.join(there)} alone"


def complain_about_value(path: str, value: Any, annotation: Any) -> Iterator[str]:
    """What is wrong with the shape of a value, by its annotation; `path` says where it is."""
    origin, parts = typing.get_origin(annotation), typing.get_args(annotation)
    if origin in (NotRequired, Required):
        yield from complain_about_value(path, value, parts[0])
    elif origin in (Union, UnionType):
        if _is_input(parts) and isinstance(value, (pulumi.Output, Awaitable)):
            return
        if value is None and type(None) in parts:
            return
        yield from complain_about_value(path, value, parts[0])
    elif typing.is_typeddict(annotation):
        fields = ", ".join(annotation.__annotations__)
        if isinstance(value, Mapping):
            yield from _complain_about_fields(path, value, annotation, f"one of {path}")
        else:
            yield path + must_be(f"a map of {fields}", value)
    elif annotation in _PLAIN:
        # True and false are integers in Python.
        if not isinstance(value, annotation) or (annotation is int and isinstance(value, bool)):
            yield path + must_be(_PLAIN[annotation], value)
        else:
            yield from _complain_about_arn(path, value)
    elif origin is list:
        if isinstance(value, Sequence) and not isinstance(value, str):
            for index, entry in enumerate(value):
                yield from complain_about_value(f"{path}[{index}]", entry, parts[0])
        else:
            yield path + must_be("a list", value)
    elif isinstance(origin, type) and issubclass(origin, Mapping):
        if isinstance(value, Mapping):
            for key, entry in value.items():
                yield from complain_about_value(f"{path}.{format_name(str(key))}", entry, parts[1])
        else:
            yield path + must_be("a map", value)


def _complain_about_fields(path: str, given: Mapping[Any, Any], type_: Any, what: str) -> Iterator[str]:
    fields: Mapping[str, Any] = type_.__annotations__
    prefix = f"{path}." if path else ""
    for name in given:
        if name not in fields:
            yield prefix + describe_unknown(str(name), fields, what)
    for name, annotation in fields.items():
        if name not in given:
            if typing.get_origin(annotation) is not NotRequired:
                yield f"{prefix}{name} must be given, got nothing"
            continue
        value, setting = given[name], SETTINGS.get(name)
        if setting is None:
            yield from complain_about_value(prefix + name, value, annotation)
        elif not (setting.may_be_output and isinstance(value, pulumi.Output)):
            yield from (prefix + name + message for message in setting.check(str, value))


def _complain_about_arn(path: str, value: Any) -> Iterator[str]:
    for end, (what, service, resource) in _ARNS.items():
        if path.endswith(end) and not is_arn(value, service, resource):
            yield path + must_be(f"the ARN of {what}", value)
    if path.endswith("regional_arn") and not is_regional_arn(value):
        yield path + must_be("the ARN of a resource in a Region of an account", value)


def _is_input(parts: tuple[Any, ...]) -> bool:
    """Whether these are the parts of pulumi.Input: a value, an awaitable of it, or an Output."""
    return any(typing.get_origin(part) is Awaitable for part in parts)
