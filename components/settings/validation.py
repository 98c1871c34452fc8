"""Refuses bad settings before anything is created: every complaint in one message.

Each complaint names the setting, what is allowed, and what was given. Values that are known only later (Outputs) are
left to AWS where they can be used, and refused elsewhere.
"""

import difflib
import re
import zoneinfo
from collections.abc import Collection, Iterator, Mapping, Sequence
from functools import cache
from typing import Any

import pulumi

from ..audit.audit_trail import AUDIT_TAG
from ..audit.rotation_audit import MANAGED_TAG, SCHEDULE_EXPRESSION
from ..events.event_patterns import complain_about_pattern
from ..events.rotation_events import DESTINATIONS
from ..notifications.endpoints import RAW_DELIVERY, endpoint_complaint, normalize_endpoint
from ..notifications.filter_policies import complain_about_filter
from ..notifications.notifications import TOPICS, choose_filter_scope
from ..notifications.subscription_names import name_subscription
from ..observability.observability import MAXIMUM_SECRETS
from ..placement import Placement, complain_about_placement
from . import age_classes, schedule_expression
from .checks import (
    Check,
    Crossing,
    Naming,
    boolean,
    entries,
    got,
    is_arn,
    is_integer,
    is_role_arn,
    one_of,
    shown,
    tag,
    whole_number,
    word,
)
from .name_lengths import complain_about_names
from .policy_sizes import complain_about_policy_sizes, complain_about_queue_policy
from .remediation import REMEDIATION_CHECKS, remediation_crossings

LOG_RETENTION_DAYS = (
    1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653,
)  # fmt: skip
"""What CloudWatch Logs offers
(https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_PutRetentionPolicy.html)."""
MAXIMUM_DAYS = 3650
MAXIMUM_HOURS = 8760
MAXIMUM_QUEUE_DAYS = 14
MOST_FLEXIBLE_MINUTES = 1440
OWN_TAG_KEYS = (AUDIT_TAG,)
"""Keys of tags that the components set themselves."""
HISTORIES = ("everyRun", "changes")
_EXTRA_RULE_NAME = re.compile(r"[A-Za-z0-9._-]{1,24}")
_SUBSCRIPTION_NAME = re.compile(r"(?![0-9]{1,7}$)[A-Za-z0-9._-]{1,24}")
"""Not what was once a position in the list; 8 digits may be the hash of an endpoint."""
KNOWN_LATER = ("powertools_layer_arn", "kms_key_arn")
"""Settings that may be Outputs; so may endpoints, filters and roles of subscriptions, and entries of lists of ARNs."""


COMPONENT = "rotation-guard"
"""What the component of the stack is called."""
UNKNOWN_PLACEMENT = Placement()
"""Where only the deployment can tell."""


class InvalidSettings(pulumi.RunError):
    """The settings cannot be deployed; the message holds every complaint. Pulumi prints it without a traceback."""

    def __init__(self, complaints: list[str]) -> None:
        self.complaints = complaints
        count = "a setting that cannot" if len(complaints) == 1 else f"{len(complaints)} settings that cannot"
        super().__init__("\n  ".join([f"rotation-guard has {count} be deployed:", *complaints]))


def refuse_invalid(
    args: Mapping[str, Any], component: str = COMPONENT, placement: Placement = UNKNOWN_PLACEMENT
) -> None:
    """Raises InvalidSettings when any of these settings, named as RotationGuardArgs names them, is wrong.

    They are for a component of this name, in this place.
    """
    complaints = complaints_about(args, component=component, placement=placement)
    if complaints:
        raise InvalidSettings(complaints)


def complaints_about(
    args: Mapping[str, Any],
    named: Naming = str,
    hidden: frozenset[str] = frozenset(),
    *,
    component: str = COMPONENT,
    placement: Placement = UNKNOWN_PLACEMENT,
) -> list[str]:
    """What is wrong with these settings for a component of this name in this place, a sentence each.

    `named` turns a setting's name into what its author wrote, such as camel case in a stack's configuration; the values
    of the `hidden` ones, which are secret, are not repeated.
    """
    found = [undeclared(named(str(name)), [named(known) for known in _CHECKS]) for name in args if name not in _CHECKS]
    wrong: set[str] = set()
    for setting, check in _CHECKS.items():
        if setting not in args or (setting in KNOWN_LATER and isinstance(args[setting], pulumi.Output)):
            continue
        complaints = list(check(named, args[setting]))
        if complaints:
            wrong.add(setting)
        if setting in hidden:
            complaints = [_without_value(complaint) for complaint in complaints]
        found += [f"{named(setting)}{complaint}" for complaint in complaints]
    for crossing in _CROSSINGS:
        found += crossing(args, named, hidden)
    right = {setting: value for setting, value in args.items() if setting not in wrong}
    found += complain_about_placement(right, named, hidden, placement)
    found += complain_about_names(component, right, named, hidden)
    found += complain_about_policy_sizes(component, right, named, hidden)
    found += complain_about_queue_policy(component, right, named, hidden, placement.region)
    return found


def undeclared(name: str, declared: Collection[str]) -> str:
    """The complaint about a setting that nobody declared, with the one that was probably meant."""
    near = difflib.get_close_matches(name, declared, n=1)
    hint = f"did you mean {near[0]}?" if near else f"settings are {', '.join(sorted(declared))}"
    return f"{word(name)} is not a setting; {hint}"


def _without_value(complaint: str) -> str:
    # The first one: what follows may hold the same words.
    return complaint.partition(", got ")[0] + ", got a secret value"


def _schedule(_: Naming, value: Any) -> Iterator[str]:
    allowed = f"as EventBridge Scheduler takes it, {schedule_expression.ALLOWED}"
    try:
        schedule_expression.shortest_period_seconds(value if isinstance(value, str) else "")
    except schedule_expression.InvalidSchedule as problem:
        yield f"{got(allowed, value)}: {problem}"


def _timezone(_: Naming, value: Any) -> Iterator[str]:
    if not isinstance(value, str) or value not in _timezones():
        yield got("an IANA time zone such as UTC or Europe/Berlin", value)


@cache
def _timezones() -> set[str]:
    return zoneinfo.available_timezones()  # looks through a directory tree each time


def _log_retention(_: Naming, value: Any) -> Iterator[str]:
    if not is_integer(value) or value not in LOG_RETENTION_DAYS:
        yield got(f"one of {', '.join(map(str, LOG_RETENTION_DAYS))}", value)


def _arn_of(service: str, resource: str, what: str) -> Check:
    def check(_: Naming, value: Any) -> Iterator[str]:
        if not is_arn(value, service, resource):
            yield got(f"the ARN of {what}", value)

    return check


def _managed_tag(_: Naming, value: Any) -> Iterator[str]:
    if not isinstance(value, Mapping) or set(value) != {"key", "value"}:
        yield got("a key and a value and nothing else", value)
        return
    yield from tag("", value["key"], value["value"])


def _tags(_: Naming, value: Any) -> Iterator[str]:
    if not isinstance(value, Mapping):
        yield got("a map of keys to values", value)
        return
    if len(value) > 45:
        yield f" must be at most 45 tags, as AWS takes 50 a resource, got {len(value)}"
    for key, text in value.items():
        yield from tag(f".{word(str(key))}", key, text)
    yield from _find_keys_that_differ_in_case([key for key in value if isinstance(key, str)])


def _find_keys_that_differ_in_case(keys: Sequence[str]) -> Iterator[str]:
    """IAM takes such keys for one (https://docs.aws.amazon.com/IAM/latest/UserGuide/id_tags.html)."""
    known: dict[str, str] = {key.lower(): key for key in OWN_TAG_KEYS}
    for key in keys:
        other = known.setdefault(key.lower(), key)
        if other in OWN_TAG_KEYS:
            yield f".{word(key)} must be another key than {other}, which the component sets itself, got it"
        elif other != key:
            yield f".{word(key)} must differ from {word(other)} in more than case, as IAM takes them for one, got both"


def _age_classes(named: Naming, value: Any) -> Iterator[str]:
    for path, entry, problems in entries(value, {"days": True, "name": False, "tag": False}, named):
        yield from (path + problem for problem in problems)
        if entry is None:
            continue
        yield from (f"{path}.days{problem}" for problem in whole_number(0, MAXIMUM_DAYS)(named, entry["days"]))
        if entry.get("name") is None and entry.get("tag") is None:
            yield path + got("a class by name, by tag, or by both", dict(entry))
        if entry.get("name") is not None and not age_classes.can_match(entry["name"]):
            yield f"{path}.name" + got(age_classes.NAME_ALLOWED, entry["name"])
        if entry.get("tag") is not None:
            yield from (f"{path}.tag{problem}" for problem in _class_tag(entry["tag"]))


def _class_tag(value: Any) -> Iterator[str]:
    if not isinstance(value, Mapping) or not {"key"} <= set(value) <= {"key", "value"}:
        yield got("a key, and optionally a value", value)
        return
    yield from tag("", value["key"], "" if value.get("value") is None else value["value"])


def _void_classes(args: Mapping[str, Any], named: Naming, hidden: frozenset[str]) -> Iterator[str]:
    classes, managed_tag = args.get("max_age_classes", []), args.get("managed_tag", MANAGED_TAG)
    if list(_age_classes(named, classes)) or list(_managed_tag(named, managed_tag)):
        return
    setting, secret = named("max_age_classes"), not hidden.isdisjoint({"max_age_classes", "managed_tag"})
    for index, reason in age_classes.void(classes, managed_tag):
        got = "a secret value" if secret else f"{shown(dict(classes[index]))}: {reason}"
        yield f"{setting}[{index}] must be a class that a secret can get into, got {got}"
    length, limit = len(age_classes.written(classes)), age_classes.MAXIMUM_TEXT
    if length > limit:
        got = "a secret value" if secret else length
        yield f"{setting} must be at most {limit} characters as a function's environment holds them, got {got}"


def _subscriptions(named: Naming, value: Any) -> Iterator[str]:
    fields = {
        "topic": True,
        "protocol": True,
        "endpoint": True,
        "name": False,
        "raw_message_delivery": False,
        "filter_policy": False,
        "subscription_role_arn": False,
    }
    seen: set[tuple[str, str, str]] = set()
    names: set[str] = set()
    for path, entry, problems in entries(value, fields, named):
        yield from (path + problem for problem in problems)
        if entry is None:
            continue
        if entry["topic"] not in TOPICS:
            yield f"{path}.topic" + got(f"one of {', '.join(TOPICS)}", entry["topic"])
        yield from (path + complaint for complaint in _delivery(entry, named))
        topic, protocol, endpoint = identity = (entry["topic"], entry["protocol"], entry["endpoint"])
        if all(isinstance(part, str) for part in identity):
            recipient = (topic, protocol, normalize_endpoint(protocol, endpoint))
            if recipient in seen:
                yield f"{path} must be there once, got {shown(list(identity))} again"
                continue
            seen.add(recipient)
        yield from (f"{path}.name{complaint}" for complaint in _subscription_name(entry, names))


def _subscription_name(entry: Mapping[str, Any], names: set[str]) -> Iterator[str]:
    """What is wrong with the name of a subscription, after those whose logical names are these; adds its own."""
    name, endpoint = entry.get("name"), entry["endpoint"]
    if name is not None and not (isinstance(name, str) and _SUBSCRIPTION_NAME.fullmatch(name)):
        yield got("1 to 24 letters, digits, '.', '_' or '-', and not a number of up to 7 digits", name)
        return
    if not all(isinstance(entry[field], str) for field in ("topic", "protocol")):
        return
    if not isinstance(endpoint, (str, pulumi.Output)):
        return
    logical_name = name_subscription(entry)
    if logical_name in names and name is None:
        yield f" must be given where {logical_name} has an endpoint that is known only later, too, got nothing"
    elif logical_name in names:
        yield got("one that no other subscription of its topic and protocol has", name)
    names.add(logical_name)


def _delivery(entry: Mapping[str, Any], named: Naming) -> Iterator[str]:
    protocol, endpoint = entry["protocol"], entry["endpoint"]
    problem = endpoint_complaint(protocol, endpoint)
    if problem:
        field, allowed = problem
        yield field + got(allowed, protocol if field == ".protocol" else endpoint)
    raw = entry.get("raw_message_delivery")
    if raw is not None:
        yield from (f".{named('raw_message_delivery')}{problem}" for problem in boolean(named, raw))
        if raw is True and protocol not in RAW_DELIVERY:
            yield f".{named('raw_message_delivery')}" + got(f"left out but for {', '.join(RAW_DELIVERY)}", raw)
    policy = entry.get("filter_policy")
    scope = choose_filter_scope(entry["topic"], protocol)
    complaint = None if policy is None or isinstance(policy, pulumi.Output) else complain_about_filter(policy, scope)
    if complaint:
        yield f".{named('filter_policy')}{complaint}"
    yield from (f".{named('subscription_role_arn')}{problem}" for problem in _delivery_role(entry))


def _delivery_role(entry: Mapping[str, Any]) -> Iterator[str]:
    role = entry.get("subscription_role_arn")
    if entry["protocol"] != "firehose":
        if role is not None:
            yield got("left out but for firehose", role)
    elif role is None:
        yield " must be the ARN of the role that SNS assumes to write to firehose, got nothing"
    elif not isinstance(role, pulumi.Output) and not is_role_arn(role):
        yield got("the ARN of the role that SNS assumes to write to firehose", role)


def _extra_rules(named: Naming, value: Any) -> Iterator[str]:
    seen: set[str] = set()
    for path, entry, problems in entries(value, {"name": True, "event_pattern": True, "to": True}, named):
        yield from (path + problem for problem in problems)
        if entry is None:
            continue
        name = entry["name"]
        if not isinstance(name, str) or not _EXTRA_RULE_NAME.fullmatch(name):
            yield f"{path}.name" + got("1 to 24 letters, digits, '.', '_' or '-'", name)
        elif name in seen:
            yield f"{path}.name" + got("unique among the extra rules", name)
        else:
            seen.add(name)
        if not isinstance(entry["to"], str) or entry["to"] not in DESTINATIONS:
            yield f"{path}.to" + got(f"one of {', '.join(DESTINATIONS)}", entry["to"])
        complaint = complain_about_pattern(entry["event_pattern"])
        if complaint:
            yield f"{path}.{named('event_pattern')}{complaint}"


def _retention_order(args: Mapping[str, Any], named: Naming, hidden: frozenset[str]) -> Iterator[str]:
    source, dead = args.get("queue_retention_days", 7), args.get("dead_letter_retention_days", 14)
    if is_integer(source) and is_integer(dead) and 1 <= dead < source <= MAXIMUM_QUEUE_DAYS:
        limit, given = (
            "a secret value" if setting in hidden else value
            for setting, value in (("queue_retention_days", source), ("dead_letter_retention_days", dead))
        )
        yield (
            f"{named('dead_letter_retention_days')} must be at least {named('queue_retention_days')}, {limit}, "
            f"because a message's age counts from its first queue, got {given}"
        )


def _flexible_window(args: Mapping[str, Any], named: Naming, hidden: frozenset[str]) -> Iterator[str]:
    """Scheduler delays a run by the whole window at most, so a longer one reaches into the next run.

    (https://docs.aws.amazon.com/scheduler/latest/UserGuide/managing-schedule-flexible-time-windows.html)
    """
    expression = args.get("schedule_expression", SCHEDULE_EXPRESSION)
    minutes = args.get("schedule_flexible_minutes", 0)
    if list(_schedule(named, expression)) or not is_integer(minutes) or not 0 < minutes <= MOST_FLEXIBLE_MINUTES:
        return
    most = schedule_expression.shortest_period_seconds(expression) // 60
    if minutes > most:
        limit, given = (
            "a secret value" if setting in hidden else value
            for setting, value in (("schedule_expression", most), ("schedule_flexible_minutes", minutes))
        )
        yield (
            f"{named('schedule_flexible_minutes')} must be at most {limit}, the minutes between two runs by "
            f"{named('schedule_expression')}, got {given}"
        )


_CHECKS: Mapping[str, Check] = {
    "schedule_expression": _schedule,
    "schedule_timezone": _timezone,
    "schedule_flexible_minutes": whole_number(0, MOST_FLEXIBLE_MINUTES),
    "max_age_days": whole_number(0, MAXIMUM_DAYS),
    "max_age_classes": _age_classes,
    "warn_days": whole_number(0, MAXIMUM_DAYS),
    "stuck_hours": whole_number(1, MAXIMUM_HOURS),
    "missed_hours": whole_number(1, MAXIMUM_HOURS),
    "managed_tag": _managed_tag,
    "subscriptions": _subscriptions,
    "queue_retention_days": whole_number(1, MAXIMUM_QUEUE_DAYS, ", which is the most that SQS keeps"),
    "dead_letter_retention_days": whole_number(1, MAXIMUM_QUEUE_DAYS, ", which is the most that SQS keeps"),
    "max_overdue": whole_number(0, MAXIMUM_SECRETS, ", which switches the alarm off"),
    "history": one_of(*HISTORIES),
    "history_days": whole_number(0, MAXIMUM_DAYS),
    "deletion_protection": boolean,
    "log_retention_days": _log_retention,
    **REMEDIATION_CHECKS,
    "extra_rules": _extra_rules,
    "powertools_layer_arn": _arn_of("lambda", r"layer:[\w-]+:\d+", "a version of a Lambda layer"),
    "kms_key_arn": _arn_of("kms", r"key/[\w-]+", "a KMS key, not of an alias,"),
    "tags": _tags,
    "demo": boolean,
    "drill": boolean,
}
_CROSSINGS: tuple[Crossing, ...] = (_flexible_window, _retention_order, _void_classes, remediation_crossings)
"""What two settings ask of each other, once each of them is right by itself."""
