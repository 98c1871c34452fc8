"""The default event bus, on which the product tells what it found out by itself."""

import json
from collections.abc import Mapping
from typing import Any

from .clients import client

ACTIONS = frozenset({"events:PutEvents"})
SOURCE = "rotation-guard"


class NotTaken(RuntimeError):
    """EventBridge did not take an event."""


def put(detail_type: str, secret_arn: str, detail: Mapping[str, Any]) -> None:
    """Put one event about a secret on the bus. Raises NotTaken."""
    answer = client("events").put_events(
        Entries=[
            {"Source": SOURCE, "DetailType": detail_type, "Resources": [secret_arn], "Detail": json.dumps(dict(detail))}
        ]
    )
    if answer["FailedEntryCount"]:
        [refused] = answer["Entries"]
        raise NotTaken(f"EventBridge did not take {detail_type}: {refused.get('ErrorMessage', refused)}")
