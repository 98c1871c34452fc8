"""Mutations of an event pattern after which it never matches, although AWS accepts it."""

import json
from collections.abc import Callable, Iterator, Mapping
from typing import Any

KNOWN = "aws.secretsmanager"
"""The source whose events are known here."""


def loosened(pattern: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """List the changes and the changed patterns."""
    if KNOWN not in pattern.get("source", ()):
        return
    names = pattern.get("detail", {}).get("eventName", ())
    # Every service sends events with the detail-types of CloudTrail, but only its own events.
    if "CloudTrail" not in str(pattern["detail-type"]) or "RotationFailed" in names:
        yield "another source", json.dumps({**pattern, "source": ["aws.s3"]})
    for what, change in _SPELLINGS.items():
        yield f"detail-type {what}", json.dumps({**pattern, "detail-type": [*map(change, pattern["detail-type"])]})
    for index, name in enumerate(names):
        for what, change in _SPELLINGS.items() if isinstance(name, str) else ():
            changed = [*names[:index], change(name), *names[index + 1 :]]
            yield f"{name} {what}", json.dumps({**pattern, "detail": {**pattern["detail"], "eventName": changed}})
    if "RotationFailed" in names:
        yield "rotations as API calls", json.dumps({**pattern, "detail-type": ["AWS API Call via CloudTrail"]})


_SPELLINGS: Mapping[str, Callable[[str], str]] = {
    "misspelt": lambda name: name[:-2] + name[-1],
    "in lower case": str.lower,
}
