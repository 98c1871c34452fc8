"""Checks of subscriptions that EventBridge sends to: what SNS does not know, and what it alone knows."""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import pulumi

from rotation_guard.domain.event_pattern_syntax import OR, find_fault
from rotation_guard.domain.plain_values import TAG_VALUE_LENGTH

from ..events.event_patterns import MAXIMUM_PATTERN_LENGTH
from ..settings.checks import KeyFormatter, must_be
from .patterns import RESERVED_FIELDS, build_pattern, find_named_owners
from .receivers import MOST_PARAMETERS, MOST_VALUE_CHARACTERS, PAGERDUTY_URLS, RECEIVERS

MOST_RECEIVERS = 50
"""More would not fit into the policy of their dead-letter queue, which names each rule."""
_LONGEST_TABLE_NAME = "x" * 255
_HEADER = re.compile(r"[!#$%&'*+.^_`|~0-9a-zA-Z-]{1,512}", re.ASCII)
_HEADER_VALUE = re.compile(rf"[!-~](?:[ -~]{{0,{MOST_VALUE_CHARACTERS - 2}}}[!-~])?", re.ASCII)
_KEPT_HEADERS = frozenset(
    (
        *("a-im", "accept-charset", "accept-datetime", "accept-encoding", "cache-control", "connection"),
        *("content-encoding", "content-length", "content-md5", "content-type", "date", "expect", "forwarded", "from"),
        *("host", "http2-settings", "if-match", "if-modified-since", "if-none-match", "if-range"),
        *("if-unmodified-since", "max-forwards", "origin", "pragma", "proxy-authorization", "range", "referer", "te"),
        *("trailer", "transfer-encoding", "upgrade", "user-agent", "via", "warning"),
    )
)
"""Headers that EventBridge sets or removes
(https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-api-destinations.html)."""


def complain_about_receiver(entry: Mapping[str, Any], format_key: KeyFormatter) -> Iterator[str]:
    """What is wrong with a subscription of one of these protocols, besides its endpoint; each begins with a path."""
    protocol = entry["protocol"]
    topics = RECEIVERS[protocol].topics
    if entry["topic"] not in topics:
        reason = "as others repair themselves" if entry["topic"] == "remediation" else "which has incidents alone"
        yield ".topic" + must_be(f"{' or '.join(topics)} for protocol {protocol}, {reason}", entry["topic"])
    raw = entry.get("raw_message_delivery")
    if raw is not None:
        yield f".{format_key('raw_message_delivery')}" + must_be(f"left out for {protocol}, which has a form", raw)
    if entry.get("subscription_role_arn") is not None:
        yield f".{format_key('subscription_role_arn')} must be left out but for firehose, got a value"
    yield from (f".owners{complaint}" for complaint in _complain_about_owners(entry))
    yield from (f".headers{complaint}" for complaint in _complain_about_headers(entry))
    region = entry.get("service_region")
    if region is not None and protocol != "pagerduty":
        yield f".{format_key('service_region')}" + must_be("left out but for pagerduty", region)
    elif region is not None and (not isinstance(region, str) or region not in PAGERDUTY_URLS):
        yield f".{format_key('service_region')}" + must_be(f"one of {', '.join(PAGERDUTY_URLS)}", region)
    policy = entry.get("filter_policy")
    if policy is not None and not isinstance(policy, pulumi.Output):
        complaint = _complain_about_filter(policy, entry.get("owners") is not None)
        if complaint:
            yield f".{format_key('filter_policy')}{complaint}"


def complain_about_sns_entry(entry: Mapping[str, Any], format_key: KeyFormatter) -> Iterator[str]:
    """Which fields a subscription of SNS has that only those of other protocols may have."""
    for field, protocols in (
        ("owners", tuple(RECEIVERS)),
        ("headers", ("webhook",)),
        ("service_region", ("pagerduty",)),
    ):
        if entry.get(field) is not None:
            yield f".{format_key(field)} must be left out but for {', '.join(protocols)}, got a value"


def complain_about_receivers(entries: Sequence[tuple[str, Mapping[str, Any]]]) -> Iterator[str]:
    """What is wrong with all subscriptions of these protocols together; each with its path, and right by itself."""
    if len(entries) > MOST_RECEIVERS:
        kinds = ", ".join(RECEIVERS)
        yield f" must be at most {MOST_RECEIVERS} with the protocols {kinds}, got {len(entries)}"
    subscriptions = [entry for _, entry in entries]
    for path, entry in entries:
        policy = entry.get("filter_policy")
        policy = None if isinstance(policy, pulumi.Output) else policy
        named = find_named_owners(entry, subscriptions)
        length = len(json.dumps(build_pattern(entry, policy, named, _LONGEST_TABLE_NAME)))
        if length > MAXIMUM_PATTERN_LENGTH:
            yield (
                f"{path} must be fewer owners and a shorter filter, as an event pattern has at most "
                f"{MAXIMUM_PATTERN_LENGTH} characters, got {length}"
            )


def _complain_about_owners(entry: Mapping[str, Any]) -> Iterator[str]:
    owners = entry.get("owners")
    if owners is None:
        return
    allowed = f"a list of values of the tag rotation-guard:owner, each text of 1 to {TAG_VALUE_LENGTH} characters"
    if not isinstance(owners, (list, tuple)) or not owners or not all(isinstance(owner, str) for owner in owners):
        yield must_be(allowed, owners)
    elif not all(0 < len(owner) <= TAG_VALUE_LENGTH for owner in owners) or len(set(owners)) < len(owners):
        yield must_be(f"{allowed}, and each there once", owners)


def _complain_about_headers(entry: Mapping[str, Any]) -> Iterator[str]:
    """The values are never repeated: they may be keys."""
    headers = entry.get("headers")
    if headers is None:
        return
    if entry["protocol"] != "webhook":
        yield " must be left out but for webhook, got a value"
        return
    if isinstance(headers, pulumi.Output):
        return
    if not isinstance(headers, Mapping) or not 1 <= len(headers) <= MOST_PARAMETERS:
        yield f" must be a map of 1 to {MOST_PARAMETERS} headers to their values, got another value"
        return
    names = [name for name in headers if isinstance(name, str) and _HEADER.fullmatch(name)]
    if len(names) < len(headers) or len({name.lower() for name in names}) < len(names):
        yield " must be a map of names of headers, which differ in more than case, to their values, got another name"
    for name in names:
        if name.lower() in _KEPT_HEADERS:
            yield f".{name} must be left out, as EventBridge sets or removes it, got a value"
        value = headers[name]
        if not isinstance(value, pulumi.Output) and not (isinstance(value, str) and _HEADER_VALUE.fullmatch(value)):
            limit = f"text of 1 to {MOST_VALUE_CHARACTERS} printable ASCII characters, without spaces at its ends"
            yield f".{name} must be {limit}, got a secret value"


def _complain_about_filter(policy: Any, has_owners: bool) -> str | None:
    allowed = "a map of fields of the event's detail to lists of values, as EventBridge writes event patterns"
    try:
        json.dumps(policy, allow_nan=False)
        fault = find_fault(policy)
    except (TypeError, ValueError, RecursionError):  # no JSON, or too deep
        return must_be(f"{allowed}, of plain values and not too deep", policy)
    if fault:
        return f"{must_be(allowed, policy)}: {fault}"
    reserved = [field for field in _list_fields(policy) if field in (*RESERVED_FIELDS, *(["owner"] * has_owners))]
    if reserved:
        return must_be(f"without {', '.join(RESERVED_FIELDS)}, and without owner beside owners", policy)
    return None


def _list_fields(policy: Mapping[str, Any]) -> Iterator[str]:
    """The fields at the top of a policy, those in the alternatives of an `$or` among them."""
    for key, value in policy.items():
        if key == OR:
            for alternative in value:
                yield from _list_fields(alternative)
        else:
            yield key
