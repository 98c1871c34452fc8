"""Checks of the settings of events and notifications: subscriptions and extra rules."""

import re
from collections.abc import Iterator, Mapping
from typing import Any

import pulumi

from ..events.event_patterns import DESTINATIONS, complain_about_pattern
from ..integrations.checks import complain_about_receiver, complain_about_receivers, complain_about_sns_entry
from ..integrations.receivers import RECEIVERS, SECRET_FIELDS
from ..notifications.endpoints import RAW_DELIVERY, SNS_PROTOCOLS, endpoint_complaint, normalize_endpoint
from ..notifications.filter_policies import choose_filter_scope, complain_about_filter
from ..notifications.subscription_names import name_subscription
from ..notifications.topics import REPORTS, TOPICS
from .checks import KeyFormatter, check_entries, format_value, is_role_arn, must_be, true_or_false

_EXTRA_RULE_NAME = re.compile(r"[A-Za-z0-9._-]{1,24}")
_SUBSCRIPTION_NAME = re.compile(r"(?![0-9]{1,7}$)[A-Za-z0-9._-]{1,24}")
"""Not a number of up to 7 digits, which was once a position in the list; 8 digits may be the hash of an endpoint."""


def check_subscriptions(format_key: KeyFormatter, value: Any) -> Iterator[str]:
    fields = {
        "topic": True,
        "protocol": True,
        "endpoint": True,
        "name": False,
        "raw_message_delivery": False,
        "filter_policy": False,
        "subscription_role_arn": False,
        "owners": False,
        "headers": False,
        "service_region": False,
    }
    seen: set[tuple[str, str, str]] = set()
    names: set[str] = set()
    receivers: list[tuple[str, Mapping[str, Any]]] = []
    for path, entry, problems in check_entries(value, fields, format_key, show=_hide_secrets):
        yield from (path + problem for problem in problems)
        if entry is None:
            continue
        if entry["topic"] not in (*TOPICS, REPORTS):
            yield f"{path}.topic" + must_be(f"one of {', '.join((*TOPICS, REPORTS))}", entry["topic"])
        complaints = list(_delivery(entry, format_key))
        yield from (path + complaint for complaint in complaints)
        if not complaints and entry["protocol"] in RECEIVERS:
            receivers.append((path, entry))
        topic, protocol, endpoint = identity = (entry["topic"], entry["protocol"], entry["endpoint"])
        if all(isinstance(part, str) for part in identity):
            recipient = (topic, protocol, normalize_endpoint(protocol, endpoint))
            if recipient in seen:
                given = [topic, protocol, "a secret value"] if protocol in RECEIVERS else list(identity)
                yield f"{path} must be there once, got {format_value(given)} again"
                continue
            seen.add(recipient)
        yield from (f"{path}.name{complaint}" for complaint in _subscription_name(entry, names))
    yield from complain_about_receivers(receivers)


def _hide_secrets(entry: Mapping[str, Any]) -> Mapping[str, Any]:
    """The entry without what may be secret wherever it comes from: the address of anything that is not SNS's."""
    if entry.get("protocol") in SNS_PROTOCOLS:
        return entry
    return {field: "a secret value" if field in SECRET_FIELDS else value for field, value in entry.items()}


def _subscription_name(entry: Mapping[str, Any], names: set[str]) -> Iterator[str]:
    """What is wrong with the name of a subscription, after those whose logical names are these; adds its own."""
    name, endpoint = entry.get("name"), entry["endpoint"]
    if name is not None and not (isinstance(name, str) and _SUBSCRIPTION_NAME.fullmatch(name)):
        yield must_be("1 to 24 letters, digits, '.', '_' or '-', and not a number of up to 7 digits", name)
        return
    if not all(isinstance(entry[field], str) for field in ("topic", "protocol")):
        return
    if not isinstance(endpoint, (str, pulumi.Output)):
        return
    logical_name = name_subscription(entry)
    if logical_name in names and name is None:
        yield f" must be given where {logical_name} has an endpoint that is known only later, too, got nothing"
    elif logical_name in names:
        yield must_be("one that no other subscription of its topic and protocol has", name)
    names.add(logical_name)


def _delivery(entry: Mapping[str, Any], format_key: KeyFormatter) -> Iterator[str]:
    protocol, endpoint = entry["protocol"], entry["endpoint"]
    problem = endpoint_complaint(protocol, endpoint)
    if problem:
        field, allowed = problem
        is_secret = field == ".endpoint" and protocol in RECEIVERS
        given = protocol if field == ".protocol" else endpoint
        yield f"{field} must be {allowed}, got a secret value" if is_secret else field + must_be(allowed, given)
    if isinstance(protocol, str) and protocol in RECEIVERS:
        yield from complain_about_receiver(entry, format_key)
        return
    yield from complain_about_sns_entry(entry, format_key)
    raw = entry.get("raw_message_delivery")
    if raw is not None:
        yield from (f".{format_key('raw_message_delivery')}{problem}" for problem in true_or_false(format_key, raw))
        if raw is True and protocol not in RAW_DELIVERY:
            yield f".{format_key('raw_message_delivery')}" + must_be(f"left out but for {', '.join(RAW_DELIVERY)}", raw)
    policy = entry.get("filter_policy")
    scope = choose_filter_scope(entry["topic"], protocol)
    complaint = None if policy is None or isinstance(policy, pulumi.Output) else complain_about_filter(policy, scope)
    if complaint:
        yield f".{format_key('filter_policy')}{complaint}"
    yield from (f".{format_key('subscription_role_arn')}{problem}" for problem in _delivery_role(entry))


def _delivery_role(entry: Mapping[str, Any]) -> Iterator[str]:
    role = entry.get("subscription_role_arn")
    if entry["protocol"] != "firehose":
        if role is not None:
            yield must_be("left out but for firehose", role)
    elif role is None:
        yield " must be the ARN of the role that SNS assumes to write to firehose, got nothing"
    elif not isinstance(role, pulumi.Output) and not is_role_arn(role):
        yield must_be("the ARN of the role that SNS assumes to write to firehose", role)


def check_extra_rules(format_key: KeyFormatter, value: Any) -> Iterator[str]:
    seen: set[str] = set()
    for path, entry, problems in check_entries(value, {"name": True, "event_pattern": True, "to": True}, format_key):
        yield from (path + problem for problem in problems)
        if entry is None:
            continue
        name = entry["name"]
        if not isinstance(name, str) or not _EXTRA_RULE_NAME.fullmatch(name):
            yield f"{path}.name" + must_be("1 to 24 letters, digits, '.', '_' or '-'", name)
        elif name in seen:
            yield f"{path}.name" + must_be("unique among the extra rules", name)
        else:
            seen.add(name)
        if not isinstance(entry["to"], str) or entry["to"] not in DESTINATIONS:
            yield f"{path}.to" + must_be(f"one of {', '.join(DESTINATIONS)}", entry["to"])
        complaint = complain_about_pattern(entry["event_pattern"])
        if complaint:
            yield f"{path}.{format_key('event_pattern')}{complaint}"
