"""Reads a stack's configuration into the settings of RotationGuard, and refuses what is wrong with it all at once."""

import json
import re
from collections.abc import Callable, Mapping
from typing import Any

import pulumi
from pulumi.runtime import config as pulumi_config

from ..notifications.subscription_names import hash_endpoint
from ..placement import find_placement
from ..rotation_guard import RotationGuardArgs
from .checks import format_value
from .declarations import ARN_LISTS, SETTINGS
from .secret_marks import find_marks
from .setting import Setting, to_camel_case
from .validation import InvalidSettings, complaints_about, undeclared

_NESTED: Mapping[str, str] = {
    "rawMessageDelivery": "raw_message_delivery",
    "filterPolicy": "filter_policy",
    "subscriptionRoleArn": "subscription_role_arn",
    "serviceRegion": "service_region",
    "eventPattern": "event_pattern",
}
"""Names inside a list's entries; everything deeper, such as an event pattern, is taken as it is."""
_MAY_BE_SECRET = ("endpoint", "filter_policy", "headers", "subscription_role_arn")
"""Fields of a subscription that may be Outputs."""


def read(config: pulumi.Config) -> RotationGuardArgs:
    """The settings that the stack's configuration gives; what it leaves out, or leaves empty, is absent.

    Raises InvalidSettings with every complaint in one message, undeclared keys included. What was set as a secret
    becomes a secret Output: the marked parts of a subscription, or all that can be where nothing says which; each entry
    of a list of ARNs; and single ARNs.
    """
    texts = _read_texts(config.name)
    declared = {setting.key: setting for setting in SETTINGS.values()}
    complaints = [undeclared(key, to_camel_case) for key in texts if key not in declared]
    settings: dict[str, Any] = {}
    secret_settings: set[str] = set()
    for key, setting in declared.items():
        if key not in texts or texts[key] == "":
            continue
        is_secret = pulumi_config.is_config_secret(config.full_key(key))
        if is_secret:
            secret_settings.add(setting.name)
        try:
            settings[setting.name] = _parse(texts[key], setting)
        except ValueError as error:
            value = "a secret value" if is_secret else format_value(texts[key])
            complaints.append(f"{key} must be {error}, got {value}")
    complaints += complaints_about(settings, to_camel_case, frozenset(secret_settings), placement=find_placement(None))
    if complaints:
        raise InvalidSettings(complaints)
    return _mark_secrets(settings, secret_settings, config)  # ty: ignore[invalid-explicit-return]


def _read_texts(namespace: str) -> dict[str, Any]:
    """Every key of this namespace with its text: including undeclared keys, which pulumi.Config cannot list."""
    everything = {**pulumi_config.get_config_env(), **pulumi_config.CONFIG.get()}
    prefix = f"{namespace}:"
    return {key.removeprefix(prefix): value for key, value in everything.items() if key.startswith(prefix)}


def _parse(text: Any, setting: Setting) -> Any:
    """The value of a setting's text; ValueError says what it must be."""
    return _PARSERS[setting.config_type](text) if isinstance(text, str) else text


def _integer(text: str) -> int:
    if not re.fullmatch(r"-?[0-9]{1,18}", text):
        raise ValueError("an integer")
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


_PARSERS: Mapping[str, Callable[[str], Any]] = {
    "integer": _integer,
    "boolean": _boolean,
    "string": str,
    "array": _json(list, "a list"),
    "object": _json(dict, "a map"),
}
"""How the text of a setting is read, by its type in Pulumi.yaml."""


def _mark_secrets(settings: dict[str, Any], secret_settings: set[str], config: pulumi.Config) -> dict[str, Any]:
    if "subscriptions" in secret_settings:
        settings["subscriptions"] = _with_secrets(settings["subscriptions"], config)
    for name in secret_settings.intersection(ARN_LISTS):
        settings[name] = [pulumi.Output.secret(arn) for arn in settings[name]]
    may_be_outputs = [name for name in secret_settings if SETTINGS[name].may_be_output]
    return settings | {name: pulumi.Output.secret(settings[name]) for name in may_be_outputs}


def _with_secrets(subscriptions: list[dict[str, Any]], config: pulumi.Config) -> list[dict[str, Any]]:
    """The subscriptions with what is marked as secret in secret outputs, under the names that they have without."""
    key = config.full_key("subscriptions")
    written = _read_texts(config.name)["subscriptions"]
    entries = json.loads(written) if isinstance(written, str) else written
    is_marked = find_marks(key, entries)
    with_secrets = []
    for position, (fields, entry) in enumerate(zip(subscriptions, entries, strict=True)):
        # What is null is left out: an Output of nothing would be a filter, and no name is the hash.
        subscription = {field: value for field, value in fields.items() if value is not None}
        marked = {_NESTED.get(field, field) for field in entry if is_marked(position, field)}
        secret_settings = marked & subscription.keys()
        secrets = {
            field: pulumi.Output.secret(subscription[field]) for field in _MAY_BE_SECRET if field in secret_settings
        }
        # Its text is known here, and so the name that it has while it is not secret.
        name = {"name": hash_endpoint(subscription["endpoint"])} if "endpoint" in secrets else {}
        with_secrets.append({**name, **subscription, **secrets})
    return with_secrets
