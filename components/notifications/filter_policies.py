"""Which filter policies SNS accepts: the syntax of event patterns, within limits of its own.

SNS reads filter policies with the matcher of EventBridge, so their syntax has one home, `event_pattern_syntax`; the
limits are those of https://docs.aws.amazon.com/sns/latest/dg/subscription-filter-policy-constraints.html.
"""

import json
from collections.abc import Iterator, Mapping
from typing import Any

from rotation_guard.domain.event_pattern_syntax import OR, find_fault

from ..settings.checks import must_be

BODY, ATTRIBUTES = "MessageBody", "MessageAttributes"
"""What a filter policy is compared with: the fields of a message's body, or its attributes."""
READ_BY_PROGRAMS = ("http", "https", "lambda", "sqs", "firehose")
"""Protocols that get notifications as JSON."""
MOST_KEYS = 5
"""Of a nested policy, those at its top are counted."""
MOST_COMBINATIONS = 150
MOST_BYTES = 262_144
LARGEST_NUMBER = 10**9


def choose_filter_scope(topic: str, protocol: str) -> str:
    """What the filter of a subscription reads.

    EventBridge sets no message attributes, so that on `failures` the body is all there is. The notices of the other
    topics have the same fields in both; what people get of them is no JSON, and no filter on the body would match it
    (https://docs.aws.amazon.com/sns/latest/dg/sns-message-filtering.html).
    """
    is_json = topic == "failures" or protocol in READ_BY_PROGRAMS
    return BODY if is_json else ATTRIBUTES


def complain_about_filter(policy: Any, scope: str = BODY) -> str | None:
    """The end of a complaint about what is not a filter policy of this scope; None where SNS accepts it.

    What is wrong follows what was given: it repeats parts of it, which may be secret.
    """
    allowed = "a map of fields to lists of values, as SNS writes filter policies"
    try:
        written = json.dumps(policy, allow_nan=False)
        fault = find_fault(policy) or _find_exceeded_limit(policy, len(written.encode()), scope)
    except (TypeError, ValueError, RecursionError):  # no JSON, or too deep
        return must_be(f"{allowed}, of plain values and not too deep", policy)
    return f"{must_be(allowed, policy)}: {fault}" if fault else None


def count_combinations(policy: Mapping[str, Any], depth: int = 1) -> int:
    """How many combinations of values SNS counts in a policy that has the syntax of one.

    Of each list the number of its values times the depth of its key, multiplied over all lists; the alternatives of an
    `$or` are added up. The rule for nested keys comes from the examples of that page and from AWS's own answers.
    """
    combinations = 1
    for key, value in policy.items():
        if key == OR:
            combinations *= sum(count_combinations(alternative, depth) for alternative in value)
        elif isinstance(value, Mapping):
            combinations *= count_combinations(value, depth + 1)
        else:
            combinations *= len(value) * depth
    return combinations


def _find_exceeded_limit(policy: Mapping[str, Any], size: int, scope: str) -> str | None:
    if len(policy) > MOST_KEYS:
        return f"it has {len(policy)} keys, and SNS takes {MOST_KEYS}"
    if scope == ATTRIBUTES and any(isinstance(value, Mapping) for _, value in _list_fields(policy)):
        return "it is nested, which filters of message attributes cannot be"
    combinations = count_combinations(policy)
    if combinations > MOST_COMBINATIONS:
        return f"its values have {combinations} combinations, and SNS takes {MOST_COMBINATIONS}"
    if size > MOST_BYTES:
        return f"it has {size} bytes, and SNS takes {MOST_BYTES}"
    if any(abs(number) > LARGEST_NUMBER for number in _list_compared_numbers(policy)):
        return f"SNS compares numbers from -{LARGEST_NUMBER} to {LARGEST_NUMBER}"
    return None


def _list_fields(policy: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """The fields at the top of a policy, those in the alternatives of an `$or` among them."""
    for key, value in policy.items():
        if key == OR:
            for alternative in value:
                yield from _list_fields(alternative)
        else:
            yield key, value


def _list_compared_numbers(policy: Mapping[str, Any]) -> Iterator[int | float]:
    """The numbers that a policy compares with; numbers that have to be equal are compared as text, too."""
    for _, value in _list_fields(policy):
        if isinstance(value, Mapping):
            yield from _list_compared_numbers(value)
            continue
        for condition in value:
            operands = (
                condition.get("numeric", condition.get("anything-but")) if isinstance(condition, Mapping) else None
            )
            listed = operands if isinstance(operands, (list, tuple)) else [operands]
            yield from (operand for operand in listed if isinstance(operand, int | float))
