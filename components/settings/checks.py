"""Checks for any setting. Each check yields messages; the caller prepends the setting's name.

A message says what is allowed and then what was given. Outputs are refused here; where a setting may be one, the caller
does not check it.
"""

import json
import re
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import pulumi

KeyFormatter = Callable[[str], str]
"""Formats the name of a setting or a field as its author writes it, such as camel case in a configuration."""
Check = Callable[[KeyFormatter, Any], Iterator[str]]

CrossFieldCheck = Callable[[Mapping[str, Any], KeyFormatter, frozenset[str]], Iterator[str]]
"""Checks several settings against each other and yields whole sentences. The values of secret settings, which are the
third argument, are not repeated."""

_ARN = re.compile(r"arn:aws[\w-]*:(?P<service>[\w-]+):[\w-]+:(?P<account>\d{12}|):(?P<resource>.+)", re.ASCII)
_ROLE_ARN = re.compile(r"arn:aws[\w-]*:iam::\d{12}:role/[\w+=,.@/-]+", re.ASCII)
_TAG_TEXT = re.compile(r"(?:(?![\t-\r\x1c-\x1f\x85])[\w\s.:/=+\-@])*")
"""Letters and digits of any script, and spaces but not the control characters among them."""


def must_be(allowed: str, value: Any) -> str:
    """The end of a complaint: what must be, and what there is."""
    return f" must be {allowed}, got {format_value(value)}"


def format_value(value: Any) -> str:
    """A value as the complaints show it: as JSON on one line, shortened."""
    try:
        text = json.dumps(value, default=_shown_otherwise)
    except (TypeError, ValueError, RecursionError):  # keys that JSON does not know, a loop, too deep
        text = f"a {type(value).__name__} that cannot be written as JSON"
    return text if len(text) <= 120 else f"{text[:117]}..."


def _shown_otherwise(value: Any) -> str:
    return "a value that is known only later" if isinstance(value, pulumi.Output) else repr(value)


def format_name(name: str) -> str:
    """A name as it is where it can stand in a sentence, and as JSON where it cannot."""
    return name if re.fullmatch(r"[!-~]{1,128}", name) else format_value(name)


def is_integer(value: Any) -> bool:
    """Whether it is an integer, which true and false are not."""
    return isinstance(value, int) and not isinstance(value, bool)


@dataclass(frozen=True)
class IntegerBetween:
    """A check for an integer from `low` to `high`, both allowed; `reason` says why the limit is where it is."""

    low: int
    high: int
    reason: str = ""

    @property
    def limits(self) -> str:
        """The limits, as a description ends."""
        return f"{self.low} to {self.high}"

    def __call__(self, _: KeyFormatter, value: Any) -> Iterator[str]:
        """What is wrong with a value."""
        if not is_integer(value) or not self.low <= value <= self.high:
            reason = f" ({self.reason})" if self.reason else ""
            yield must_be(f"an integer from {self.low} to {self.high}{reason}", value)


def true_or_false(_: KeyFormatter, value: Any) -> Iterator[str]:
    """True or false."""
    if not isinstance(value, bool):
        yield must_be("true or false", value)


def one_of(*allowed: str) -> Check:
    """One of these words."""

    def check(_: KeyFormatter, value: Any) -> Iterator[str]:
        if not isinstance(value, str) or value not in allowed:
            yield must_be(f"one of {', '.join(allowed)}", value)

    return check


def is_arn(value: Any, service: str, resource: str, *, of_aws: bool = False) -> bool:
    """Whether it is the ARN of something of this service whose last part is as this pattern says.

    It names an account; with `of_aws` it names none, as what belongs to AWS itself does.
    """
    match = _ARN.fullmatch(value) if isinstance(value, str) else None
    if match is None or match["service"] != service or bool(match["account"]) is of_aws:
        return False
    return bool(re.fullmatch(resource, match["resource"], re.ASCII))


def is_regional_arn(value: Any) -> bool:
    """Whether it is the ARN of something in a Region of an account."""
    match = _ARN.fullmatch(value) if isinstance(value, str) else None
    return match is not None and bool(match["account"])


def is_role_arn(value: Any) -> bool:
    """Whether it is the ARN of an IAM role."""
    return isinstance(value, str) and bool(_ROLE_ARN.fullmatch(value))


def check_tag(path: str, key: Any, value: Any) -> Iterator[str]:
    """AWS's limits for tags (https://docs.aws.amazon.com/tag-editor/latest/userguide/best-practices-and-strats.html)."""
    for part, text, low, high in (("key", key, 1, 128), ("value", value, 0, 256)):
        if not isinstance(text, str) or not low <= len(text) <= high or not _TAG_TEXT.fullmatch(text):
            yield path + must_be(
                f"a tag whose {part} is text (in quotes) of {low} to {high} letters, digits, spaces or _.:/=+-@", text
            )
    if isinstance(key, str) and key.lower().startswith("aws:"):
        yield path + must_be("a tag whose key does not begin with aws:", key)


def check_tag_filter(value: Any) -> Iterator[str]:
    """A tag, or its key alone for any value."""
    if not isinstance(value, Mapping) or not {"key"} <= set(value) <= {"key", "value"}:
        yield must_be("a key, and optionally a value", value)
        return
    yield from check_tag("", value["key"], "" if value.get("value") is None else value["value"])


def check_entries(
    value: Any,
    fields: Mapping[str, bool],
    format_key: KeyFormatter,
    show: Callable[[Mapping[str, Any]], Mapping[str, Any]] = dict,
) -> Iterator[tuple[str, Mapping[str, Any] | None, list[str]]]:
    """Each entry of a list with its path, and what is wrong with its shape; None for an entry that cannot be read.

    `show` is what messages may repeat of an entry.
    """
    if not isinstance(value, (list, tuple)):
        yield "", None, [must_be("a list", value)]
        return
    for index, entry in enumerate(value):
        problems = list(check_fields(entry, fields, format_key, show))
        readable = isinstance(entry, Mapping) and all(field in entry for field, needed in fields.items() if needed)
        yield f"[{index}]", (entry if readable else None), problems


def check_fields(
    entry: Any,
    fields: Mapping[str, bool],
    format_key: KeyFormatter,
    show: Callable[[Mapping[str, Any]], Mapping[str, Any]] = dict,
) -> Iterator[str]:
    """What is wrong with the names in a map; `fields` says of each that it may have whether it must."""
    names = ", ".join(format_key(field) + ("" if needed else " (optional)") for field, needed in fields.items())
    if not isinstance(entry, Mapping):
        yield must_be(f"a map of {names}", entry)
        return
    given = format_value({format_key(str(field)): value for field, value in show(entry).items()})
    missing = [format_key(field) for field, needed in fields.items() if needed and field not in entry]
    unknown = [format_name(format_key(str(field))) for field in entry if field not in fields]
    yield from (f" must have {field}; it takes {names}, got {given}" for field in missing)
    yield from (f" must not have {field}; it takes {names}, got {given}" for field in unknown)


def distinct_entries(what: str, accepts: Callable[[Any], bool]) -> Check:
    """A list whose entries are all different, each `what`, or known only later."""

    def check(_: KeyFormatter, value: Any) -> Iterator[str]:
        if not isinstance(value, (list, tuple)):
            yield must_be("a list", value)
            return
        seen: set[str] = set()
        for index, entry in enumerate(value):
            if isinstance(entry, pulumi.Output):
                continue
            if not accepts(entry):
                yield f"[{index}]" + must_be(what, entry)
            elif entry in seen:
                yield f"[{index}] must be there once, got {format_value(entry)} again"
            else:
                seen.add(entry)

    return check


def known_strings(value: Any) -> Collection[str]:
    """The texts among the entries of a list; nothing for what is no list."""
    return [entry for entry in value if isinstance(entry, str)] if isinstance(value, (list, tuple)) else []
