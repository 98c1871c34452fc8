"""Reads a stack's configuration into the settings of RotationGuard, and refuses what is wrong with it all at once."""

import json
import re
from collections.abc import Callable, Mapping
from typing import Any, get_args, get_origin

import pulumi
from pulumi.runtime import config as pulumi_config

from ..notifications.subscription_names import hash_endpoint
from ..placement import find_placement
from ..rotation_guard import RotationGuardArgs
from .checks import shown
from .remediation import LISTS_OF_ARNS
from .secret_marks import find_marks
from .validation import KNOWN_LATER, InvalidSettings, complaints_about, undeclared

_NESTED: Mapping[str, str] = {
    "rawMessageDelivery": "raw_message_delivery",
    "filterPolicy": "filter_policy",
    "subscriptionRoleArn": "subscription_role_arn",
    "eventPattern": "event_pattern",
}
"""Names inside a list's entries; everything deeper, such as an event pattern, is taken as it is."""
_MAY_BE_SECRET = ("endpoint", "filter_policy", "subscription_role_arn")
"""Fields of a subscription that may be Outputs."""


def camel(name: str) -> str:
    """A setting's name as a stack's configuration writes it."""
    return re.sub(r"_(\w)", lambda match: match[1].upper(), name)


def read(config: pulumi.Config) -> RotationGuardArgs:
    """The settings that the stack's configuration gives; what it leaves out, or leaves empty, is absent.

    Raises InvalidSettings with every complaint in one message, keys that nobody declared among them. What was set as a
    secret becomes a secret output: of a subscription what is marked, or all that can be where nothing says which; of
    a list of ARNs each; and single ARNs.
    """
    given = _given(config.name)
    declared = {camel(name): name for name in RotationGuardArgs.__annotations__}
    complaints = [undeclared(key, declared) for key in given if key not in declared]
    settings: dict[str, Any] = {}
    hidden: set[str] = set()
    for key, name in declared.items():
        if key not in given or given[key] == "":
            continue
        secret = pulumi_config.is_config_secret(config.full_key(key))
        if secret:
            hidden.add(name)
        try:
            settings[name] = _parse(given[key], name)
        except ValueError as problem:
            complaints.append(f"{key} must be {problem}, got {'a secret value' if secret else shown(given[key])}")
    complaints += complaints_about(settings, camel, frozenset(hidden), placement=find_placement(None))
    if complaints:
        raise InvalidSettings(complaints)
    return _kept_secret(settings, hidden, config)  # ty: ignore[invalid-explicit-return]


def _given(namespace: str) -> dict[str, Any]:
    """Every key of this namespace with its text: also those that nobody declared, which pulumi.Config cannot list."""
    everything = {**pulumi_config.get_config_env(), **pulumi_config.CONFIG.get()}
    prefix = f"{namespace}:"
    return {key.removeprefix(prefix): value for key, value in everything.items() if key.startswith(prefix)}


def _parse(text: Any, name: str) -> Any:
    """The value that this text stands for, by the type of the setting; ValueError says what it must be."""
    if not isinstance(text, str):
        return text
    return _PARSERS[_kind(RotationGuardArgs.__annotations__[name])](text)


def _kind(annotation: Any) -> type:
    """The plain type behind NotRequired[...], Input[...] and generics."""
    while get_args(annotation) and get_origin(annotation) not in (list, dict, Mapping):
        annotation = get_args(annotation)[0]
    origin = get_origin(annotation) or annotation
    return origin if origin in _PARSERS else dict


def _integer(text: str) -> int:
    if not re.fullmatch(r"-?[0-9]{1,18}", text):
        raise ValueError("a whole number")
    return int(text)


def _boolean(text: str) -> bool:
    if text not in ("true", "false"):
        raise ValueError("true or false")
    return text == "true"


def _json(kind: type, what: str) -> Callable[[str], Any]:
    def parse(text: str) -> Any:
        try:
            value = json.loads(text, parse_constant=_not_json)
        except (ValueError, RecursionError):
            raise ValueError(what) from None
        if not isinstance(value, kind):
            raise ValueError(what)
        return [_renamed(entry) for entry in value] if isinstance(value, list) else value

    return parse


def _not_json(name: str) -> None:
    raise ValueError(f"{name} is no JSON")


def _renamed(entry: Any) -> Any:
    if not isinstance(entry, dict):
        return entry
    return {_NESTED.get(key, key): value for key, value in entry.items()}


_PARSERS: Mapping[type, Callable[[str], Any]] = {
    int: _integer,
    bool: _boolean,
    str: str,
    list: _json(list, "a list"),
    dict: _json(dict, "a map"),
}


def _kept_secret(settings: dict[str, Any], hidden: set[str], config: pulumi.Config) -> dict[str, Any]:
    if "subscriptions" in hidden:
        settings["subscriptions"] = _with_secrets(settings["subscriptions"], config)
    for name in hidden.intersection(LISTS_OF_ARNS):
        settings[name] = [pulumi.Output.secret(arn) for arn in settings[name]]
    return settings | {name: pulumi.Output.secret(settings[name]) for name in hidden.intersection(KNOWN_LATER)}


def _with_secrets(subscriptions: list[dict[str, Any]], config: pulumi.Config) -> list[dict[str, Any]]:
    """The subscriptions with what is marked as secret in secret outputs, under the names that they have without."""
    key = config.full_key("subscriptions")
    written = _given(config.name)["subscriptions"]
    entries = json.loads(written) if isinstance(written, str) else written
    is_marked = find_marks(key, entries)
    with_secrets = []
    for position, (fields, entry) in enumerate(zip(subscriptions, entries, strict=True)):
        # What is null is left out: an Output of nothing would be a filter, and no name is the hash.
        subscription = {field: value for field, value in fields.items() if value is not None}
        marked = {_NESTED.get(field, field) for field in entry if is_marked(position, field)}
        hidden = marked & subscription.keys()
        secrets = {field: pulumi.Output.secret(subscription[field]) for field in _MAY_BE_SECRET if field in hidden}
        # Its text is known here, and so the name that it has while it is not secret.
        name = {"name": hash_endpoint(subscription["endpoint"])} if "endpoint" in secrets else {}
        with_secrets.append({**name, **subscription, **secrets})
    return with_secrets
