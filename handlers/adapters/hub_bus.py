"""Delivers events to a hub's event bus again, each wrapped in an event of ours."""

from collections.abc import Mapping, Sequence
from typing import Any

from botocore.exceptions import ClientError

from rotation_guard.domain.organization.deliveries import REDELIVERED

from .clients import client
from .event_bus import ENTRIES

ACTIONS = frozenset({"events:PutEvents"})
BYTES = 256_000
"""Maximum size of the events of one call together
(https://docs.aws.amazon.com/eventbridge/latest/userguide/calculate-putevents-entry-size.html). A larger event is sent
alone: since January 2026 EventBridge takes events of up to 1 MB
(https://aws.amazon.com/blogs/compute/more-room-to-build-serverless-services-now-support-payloads-up-to-1-mb/)."""
_REFUSALS = frozenset({"AccessDeniedException", "ResourceNotFoundException", "ValidationException"})
"""Errors with which EventBridge refuses a whole call: the hub's bus does not admit this account or does not exist, or
an event is too large (https://docs.aws.amazon.com/eventbridge/latest/APIReference/CommonErrors.html)."""
OF_THE_EVENT = frozenset({"ValidationException", "InvalidArgument", "MalformedDetail"})
"""Errors that say what is wrong with an event, and nothing about whether the bus takes others
(https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_PutEventsResultEntry.html)."""


class HubBus:
    """The bus with this ARN, in its own Region, which may be another one than the function's."""

    def __init__(self, arn: str) -> None:
        self._arn = arn
        self._events = client("events", region=arn.split(":")[3])

    def redeliver(self, events: Sequence[tuple[str, Mapping[str, Any]]]) -> list[str | None]:
        """Deliver original events again, each given as its JSON text and what that says.

        Returns for each EventBridge's error code, or None if it took the event. Raises errors of AWS that are no
        refusal.
        """
        entries = [self._wrap(text, event) for text, event in events]
        return [error for batch in _split(entries) for error in self._put_batch(batch)]

    def _wrap(self, text: str, event: Mapping[str, Any]) -> dict[str, Any]:
        resources = event.get("resources")
        return {
            "EventBusName": self._arn,
            "Source": REDELIVERED,
            "DetailType": str(event.get("detail-type") or "unknown"),
            "Resources": [name for name in resources if isinstance(name, str)] if isinstance(resources, list) else [],
            # As it came: parsing it would change long numbers.
            "Detail": text,
        }

    def _put_batch(self, entries: Sequence[Mapping[str, Any]]) -> list[str | None]:
        try:
            response = self._events.put_events(Entries=list(entries))
        except ClientError as error:
            code = error.response["Error"]["Code"]
            if code not in _REFUSALS:
                raise
            return [code] * len(entries)
        return [result.get("ErrorCode") for result in response["Entries"]]


def _split(entries: Sequence[Mapping[str, Any]]) -> list[list[Mapping[str, Any]]]:
    """Batches within the limits of one call."""
    batches: list[list[Mapping[str, Any]]] = []
    size = 0
    for entry in entries:
        entry_size = _count_bytes(entry)
        if not batches or len(batches[-1]) == ENTRIES or size + entry_size > BYTES:
            batches.append([])
            size = 0
        batches[-1].append(entry)
        size += entry_size
    return batches


def _count_bytes(entry: Mapping[str, Any]) -> int:
    """The size of an entry by EventBridge's rule: source, detail-type, detail and resources in UTF-8."""
    texts = (entry["Source"], entry["DetailType"], entry["Detail"], *entry["Resources"])
    return sum(len(text.encode(errors="surrogatepass")) for text in texts)
