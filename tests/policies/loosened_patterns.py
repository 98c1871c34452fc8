"""Ways to make the event pattern of a rule wait for what never comes. AWS accepts each of them."""

import json
from collections.abc import Callable, Iterator, Mapping
from typing import Any

KNOWN = "aws.secretsmanager"
"""The source whose events are on record here; of others nobody can tell what exists."""


def loosened(pattern: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """What was done, and the pattern after it."""
    if KNOWN not in pattern.get("source", ()):
        return
    names = pattern.get("detail", {}).get("eventName", ())
    # Under the detail-types of CloudTrail every service reports, but its own events.
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
