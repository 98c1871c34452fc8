"""Refuses bad arguments of a component that is placed by itself, before any of its resources is made.

What a component is given has the shape that its arguments' type declares; a setting has a check of its own besides.
"""

import re
import typing
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from functools import partial
from types import UnionType
from typing import Any, NamedTuple, NotRequired, TypeVar, Union

import pulumi

from .checks import format_name, is_arn, is_regional_arn, must_be
from .declarations import SETTINGS
from .name_lengths import complain_about_length
from .validation import InvalidSettings, describe_unknown

Args = TypeVar("Args")
_PLAIN = {str: "text", int: "an integer", bool: "true or false"}
_QUEUE_URL = re.compile(r"https?://[^\s/]+/\d{12}/[\w-]{1,80}", re.ASCII)
_BUS_NAME = re.compile(r"[\w./-]{1,256}", re.ASCII)


class _Kind(NamedTuple):
    """What the name of an argument promises of its value."""

    what: str
    is_one: Callable[[Any], bool]


def _arn_of(what: str, service: str, resource: str) -> _Kind:
    return _Kind(f"the ARN of {what}", lambda value: is_arn(value, service, resource))


def _text(what: str, pattern: re.Pattern[str]) -> _Kind:
    return _Kind(what, lambda value: isinstance(value, str) and bool(pattern.fullmatch(value)))


_KINDS = {
    "topic_arn": _arn_of("a standard SNS topic", "sns", r"[\w-]{1,256}"),
    "queue_arn": _arn_of("a standard SQS queue", "sqs", r"[\w-]{1,80}"),
    "queue_url": _text("the URL of a standard SQS queue", _QUEUE_URL),
    "table_arn": _arn_of("a table of DynamoDB", "dynamodb", r"table/[\w.-]{3,255}"),
    "function_arn": _arn_of("a Lambda function", "lambda", r"function:[\w-]{1,64}(:[\w$-]+)?"),
    # A rule that sends back to the bus that it is on would hear its own events again.
    "event_bus_arn": _arn_of("an event bus that is no default one", "events", r"event-bus/(?!default$)[\w./-]{1,256}"),
    "event_bus_name": _Kind(
        "the name of an event bus, or its ARN",
        lambda value: (
            isinstance(value, str)
            and (bool(_BUS_NAME.fullmatch(value)) or is_arn(value, "events", r"event-bus/[\w./-]{1,256}"))
        ),
    ),
    "state_machine_arn": _arn_of("a state machine", "states", r"stateMachine:[\w-]{1,80}"),
    "regional_arn": _Kind("the ARN of a resource in a Region of an account", is_regional_arn),
}
"""How the names of arguments end whose values have a form, each with the form. EventBridge sends to no FIFO topic, and
to a FIFO queue only with a message group (https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-targets.html)."""


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
    return check_later("", given, type_)


def check_later(path: str, given: Any, type_: Any) -> Any:
    """The arguments, of which an Output without the form that its name promises fails the deployment once known."""
    checked = dict(given)
    for name, annotation in type_.__annotations__.items():
        value, kind = given.get(name), _find_kind(name)
        if kind is not None and isinstance(value, pulumi.Output):
            is_optional = type(None) in typing.get_args(typing.get_args(annotation)[0])
            checked[name] = value.apply(partial(_require, path + name, kind, is_optional))
    return checked


def _require(path: str, kind: _Kind, is_optional: bool, value: Any) -> Any:
    if not kind.is_one(value) and not (value is None and is_optional):
        # The value may be secret.
        raise InvalidSettings([f"{path} must be {kind.what}, got an Output with another value"])
    return value


def _find_kind(path: str) -> _Kind | None:
    return next((kind for end, kind in _KINDS.items() if path.endswith(end)), None)


def complain_about_groups(path: str, given: Mapping[str, Any], together: Sequence[Sequence[str]]) -> Iterator[str]:
    """Which arguments are given without others that belong to them."""
    for group in together:
        there = [name for name in group if name in given]
        if there and len(there) < len(group):
            yield f"{path}{' and '.join(group)} must be given together, got {' and '.join(there)} alone"


def complain_about_value(path: str, value: Any, annotation: Any) -> Iterator[str]:
    """What is wrong with the shape of a value, by its annotation; `path` says where it is."""
    origin, parts = typing.get_origin(annotation), typing.get_args(annotation)
    if origin is NotRequired:
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
            yield from _complain_about_form(path, value)
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


def _complain_about_form(path: str, value: Any) -> Iterator[str]:
    kind = _find_kind(path)
    if kind is not None and not kind.is_one(value):
        yield path + must_be(kind.what, value)


def _is_input(parts: tuple[Any, ...]) -> bool:
    """Whether these are the parts of pulumi.Input: a value, an awaitable of it, or an Output."""
    return any(typing.get_origin(part) is Awaitable for part in parts)
