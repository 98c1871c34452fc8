"""Checks of the settings that concern the stack as a whole: logs, keys, layers and tags."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from rotation_guard.domain.tags import AUDIT_TAG

from .checks import Check, KeyFormatter, check_tag, format_name, is_arn, is_integer, must_be

LOG_RETENTION_DAYS = (
    1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653,
)  # fmt: skip
"""What CloudWatch Logs offers
(https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_PutRetentionPolicy.html)."""
OWN_TAG_KEYS = (AUDIT_TAG,)
"""Keys of tags that the components set themselves."""


def check_log_retention(_: KeyFormatter, value: Any) -> Iterator[str]:
    if not is_integer(value) or value not in LOG_RETENTION_DAYS:
        yield must_be(f"one of {', '.join(map(str, LOG_RETENTION_DAYS))}", value)


def arn_of(service: str, resource: str, what: str) -> Check:
    def check(_: KeyFormatter, value: Any) -> Iterator[str]:
        if not is_arn(value, service, resource):
            yield must_be(f"the ARN of {what}", value)

    return check


def check_tags(_: KeyFormatter, value: Any) -> Iterator[str]:
    if not isinstance(value, Mapping):
        yield must_be("a map of keys to values", value)
        return
    if len(value) > 45:
        yield f" must be at most 45 tags, as AWS takes 50 a resource, got {len(value)}"
    for key, text in value.items():
        yield from check_tag(f".{format_name(str(key))}", key, text)
    yield from _find_keys_that_differ_in_case([key for key in value if isinstance(key, str)])


def _find_keys_that_differ_in_case(keys: Sequence[str]) -> Iterator[str]:
    """IAM takes such keys for one (https://docs.aws.amazon.com/IAM/latest/UserGuide/id_tags.html)."""
    known: dict[str, str] = {key.lower(): key for key in OWN_TAG_KEYS}
    for key in keys:
        other = known.setdefault(key.lower(), key)
        if other in OWN_TAG_KEYS:
            yield f".{format_name(key)} must be another key than {other}, which the component sets itself, got it"
        elif other != key:
            yield (
                f".{format_name(key)} must differ from {format_name(other)} in more than case, as IAM takes them for "
                "one, got both"
            )
