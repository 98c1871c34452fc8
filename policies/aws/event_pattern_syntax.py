"""Whether EventBridge accepts an event pattern: the syntax of Event Ruler, its matcher, which SNS uses for filters too.

(https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-create-pattern-operators.html). Self-contained and pure, so
that whatever sends patterns to AWS can ask it: the stack's components reach this file by a link.
"""

import ipaddress
import json
import math
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from decimal import Decimal
from typing import Any

OR = "$or"
MOST_COMBINATIONS = 1000
"""Of the alternatives of all `$or`; with more, PutRule fails
(https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-create-pattern-operators.html)."""
_RESERVED_IN_OR = frozenset((
    "exactly", "equals-ignore-case", "prefix", "suffix", "anything-but", "exists", "wildcard", "numeric", "cidr",
    "=", "<", "<=", ">", ">=", "regex", "not-wildcard", "not-equals-ignore-case", "date-after", "date-on-or-after",
    "date-before", "date-on-or-before", "in-date-range", "ip-address-in-range", "ip-address-not-in-range",
))  # fmt: skip
"""Names that no field inside `$or` may have."""
_IPV4 = re.compile(r"[0-9]+(?:\.[0-9]+){3}")
_IPV6 = re.compile(r"[0-9a-fA-F:]*:[0-9a-fA-F:]*")
_LONGEST_QUOTE = 60
_NESTED_UNDER_ANYTHING_BUT = ("equals-ignore-case", "prefix", "suffix", "wildcard")


def find_fault(pattern: Any) -> str | None:
    """Why EventBridge refuses a pattern, as a clause that names the field; None where it accepts the pattern."""
    if not isinstance(pattern, Mapping):
        return "it is no JSON object"
    if not pattern:
        return "it is empty"
    fault = next(_find_faults(pattern, "", in_or=False), None)
    if fault is None and count_combinations(pattern) > MOST_COMBINATIONS:
        return f"its {OR} have more than {MOST_COMBINATIONS} combinations"
    return fault


def count_combinations(pattern: Mapping[str, Any]) -> int:
    """How many patterns without `$or` a pattern stands for."""
    combinations = 1
    for key, value in pattern.items():
        if key == OR and isinstance(value, list | tuple):
            combinations *= sum(count_combinations(alternative) for alternative in value)
        elif isinstance(value, Mapping):
            combinations *= count_combinations(value)
    return combinations


def quote(value: Any) -> str:
    """A value as JSON, shortened to what fits into a sentence."""
    text = json.dumps(value)
    return text if len(text) <= _LONGEST_QUOTE else f"{text[: _LONGEST_QUOTE - 3]}..."


def _find_faults(pattern: Mapping[str, Any], path: str, *, in_or: bool) -> Iterator[str]:
    for key, value in pattern.items():
        here = f"{path}.{key}" if path else str(key)
        if key == OR:
            yield from _find_faults_in_or(value, path, _shorten(here))
        elif in_or and key in _RESERVED_IN_OR:
            yield f"{_shorten(here)} has a name that no field inside {OR} may have"
        elif isinstance(value, Mapping):
            yield from _find_faults(value, here, in_or=in_or) if value else [f"{_shorten(here)} is an empty object"]
        elif not isinstance(value, list | tuple):
            yield f"{_shorten(here)} is {quote(value)}, and has to be a list of values: [{quote(value)}]"
        elif not value:
            yield f"{_shorten(here)} is an empty list"
        else:
            yield from (f"{_shorten(here)}: {fault}" for one in value for fault in _find_value_faults(one))


def _find_faults_in_or(alternatives: Any, path: str, here: str) -> Iterator[str]:
    if not isinstance(alternatives, list | tuple) or not all(isinstance(one, Mapping) for one in alternatives):
        yield f"{here} is {quote(alternatives)}, and has to be a list of objects"
        return
    if len(alternatives) < 2:
        yield f"{here} needs two alternatives or more"
    for alternative in alternatives:
        if alternative:
            yield from _find_faults(alternative, path, in_or=True)
        else:
            yield f"an alternative of {here} is empty"


def _find_value_faults(value: Any) -> Iterator[str]:
    if isinstance(value, list | tuple):
        yield "a list lies in a list"
    if not isinstance(value, Mapping):
        return
    if len(value) != 1:
        yield f"{quote(value)} has to be one comparison"
        return
    ((operator, operand),) = value.items()
    if operator not in _OPERATORS:
        yield f"there is no comparison {_shorten(str(operator))}"
    elif not _OPERATORS[operator](operand):
        yield f"{operator} does not take {quote(operand)}"


def _shorten(path: str) -> str:
    """A path as it is where it can stand in a sentence, and as JSON where it cannot."""
    return path if re.fullmatch(rf"[!-~]{{1,{_LONGEST_QUOTE}}}", path) else quote(path)


def _is_text(operand: Any) -> bool:
    return isinstance(operand, str)


def _is_number(operand: Any) -> bool:
    """Whether it is a number that Event Ruler can compare: one that a double holds exactly as it is written."""
    if isinstance(operand, bool) or not isinstance(operand, int | float):
        return False
    try:
        return math.isfinite(operand) and Decimal(repr(float(operand))) == Decimal(repr(operand))
    except OverflowError:
        return False


def _is_affix(operand: Any) -> bool:
    """A prefix or a suffix, in these letters or in any case."""
    if isinstance(operand, Mapping):
        return list(operand) == ["equals-ignore-case"] and _is_text(operand["equals-ignore-case"])
    return _is_text(operand)


def _is_wildcard(operand: Any) -> bool:
    r"""Whether it is text without consecutive wildcards, in which a backslash escapes `*` or itself."""
    if not _is_text(operand):
        return False
    return re.fullmatch(r"(?:[^*\\]|\\[*\\]|\*(?!\*))*", operand, re.DOTALL) is not None


def _is_excluded(operand: Any) -> bool:
    """What `anything-but` takes: one or more texts or numbers, or one comparison of one or more texts."""
    if isinstance(operand, Mapping):
        ((operator, inner),) = operand.items() if len(operand) == 1 else (("", None),)
        if operator not in _NESTED_UNDER_ANYTHING_BUT:
            return False
        texts: Iterable[Any] = inner if isinstance(inner, list | tuple) else [inner]
        if operator == "wildcard":
            return all(map(_is_wildcard, texts))
        return all(_is_text(text) and (text or operator == "equals-ignore-case") for text in texts)
    listed = operand if isinstance(operand, list | tuple) else [operand]
    return bool(listed) and (all(map(_is_text, listed)) or all(map(_is_number, listed)))


def _is_network(operand: Any) -> bool:
    """Whether it is a block of more than one IP address."""
    address, slash, bits = operand.partition("/") if _is_text(operand) else ("", "", "")
    # As Java reads an integer.
    if not slash or not re.fullmatch(r"\+?[0-9]{1,99}|-0{1,99}", bits):
        return False
    if _IPV4.fullmatch(address):
        return all(int(part) <= 255 for part in address.split(".")) and int(bits) < 32
    if not _IPV6.fullmatch(address):
        return False
    try:
        mapped = ipaddress.IPv6Address(address).ipv4_mapped
    except ValueError:
        return False
    return int(bits) < (128 if mapped is None else 32)


def _is_range(operand: Any) -> bool:
    if not isinstance(operand, list | tuple) or len(operand) not in (2, 4) or not all(map(_is_number, operand[1::2])):
        return False
    if len(operand) == 2:
        return operand[0] in ("=", "<", "<=", ">", ">=")
    return operand[0] in (">", ">=") and operand[2] in ("<", "<=") and float(operand[1]) < float(operand[3])


_OPERATORS: Mapping[Any, Callable[[Any], bool]] = {
    "exactly": _is_text,
    "prefix": _is_affix,
    "suffix": _is_affix,
    "equals-ignore-case": _is_text,
    "wildcard": _is_wildcard,
    "anything-but": _is_excluded,
    "numeric": _is_range,
    "exists": lambda operand: isinstance(operand, bool),
    "cidr": _is_network,
}
