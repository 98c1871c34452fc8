"""Starts a function's next invocation of itself."""

import json
from collections.abc import Mapping
from typing import Any

from .clients import client

ACTIONS = frozenset({"lambda:InvokeFunction"})


def start(function_name: str, event: Mapping[str, Any]) -> None:
    """Invokes a function asynchronously; Lambda retries it, and then sends the event to its dead-letter queue."""
    client("lambda").invoke(FunctionName=function_name, InvocationType="Event", Payload=json.dumps(dict(event)))
