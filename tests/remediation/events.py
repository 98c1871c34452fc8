"""Events as EventBridge delivers them, built from recorded ones; foreign text in them contains a canary."""

import copy
import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

FAILURES = ("RotationFailed", "RotationAbandoned", "TestRotationFailed", "Rotation Stuck")
_FILES = {
    "RotationFailed": "rotation-failed",
    "RotationAbandoned": "rotation-abandoned",
    "TestRotationFailed": "test-rotation-failed",
    "RotationSucceeded": "rotation-succeeded",
    "Rotation Stuck": "rotation-stuck",
    "Rotation Incident Stalled": "incident-stalled",
    "Secret Label Updated": "secret-label-updated",
}


@dataclass
class Event:
    """One event, before and after it is delivered."""

    number: int
    kind: str
    secret_arn: str
    occurred_at: str
    rotation: str | None
    body: dict[str, Any]
    deliveries: int = 0
    is_dropped: bool = False

    @property
    def is_failure(self) -> bool:
        return self.kind in FAILURES

    @property
    def identity(self) -> str:
        """The id that all copies of the event share."""
        return self.body["detail"].get("eventID") or self.body["id"]

    def copy(self) -> dict[str, Any]:
        """The next copy to deliver: each copy of a CloudTrail event has its own envelope id."""
        body = copy.deepcopy(self.body)
        if "eventID" in body["detail"]:
            body["id"] = f"00000000-0000-4000-8000-{self.number:06x}{self.deliveries:06x}"
        return body


def build_event(
    number: int,
    kind: str,
    secret_arn: str,
    occurred_at: str,
    rotation: str | None = None,
    step: str | None = None,
    version: str | None = None,
    days: int = 0,
    detail: dict[str, Any] | None = None,
) -> Event:
    """Builds an event of this kind: `days` is how long a rotation has been stuck, `detail` is for the product's own."""
    body = copy.deepcopy(_recorded(_FILES[kind]))
    body["detail"] |= detail or {}
    body["time"], body["id"] = occurred_at, f"00000000-0000-4000-8000-{number:06x}ffffff"
    detail = body["detail"]
    if body["resources"]:
        body["resources"] = [secret_arn]
    if kind == "Secret Label Updated":
        detail["versionId"] = version
    elif kind == "Rotation Stuck":
        identity = f"rotation-stuck-{version}{f'-{days}' if days else ''}"
        detail |= {"eventID": identity, "versionId": version, "errorMessage": "CANARY"}
    elif kind == "Rotation Incident Stalled":
        pass
    else:
        detail |= {"eventTime": occurred_at, "eventID": f"11111111-0000-4000-8000-{number:012x}"}
        detail["additionalEventData"]["SecretId"] = secret_arn
        detail["requestID"] = f"Rotation-{secret_arn}-{rotation}"
        during = f" during {step} step" if step else " CANARY"
        detail["errorMessage"] = f"Error when executing lambda CANARY{during}"
    return Event(number, kind, secret_arn, occurred_at, rotation, body)


@cache
def _recorded(name: str) -> dict[str, Any]:
    return json.loads((Path(__file__).parent.parent / "events" / f"{name}.json").read_text())
