"""Which component serves a subscription: SNS's protocols by Notifications, the others by Integrations."""

from collections.abc import Collection, Iterable, Mapping
from typing import Any

from ..settings.validation import InvalidSettings
from .endpoints import SNS_PROTOCOLS


def split_subscriptions(subscriptions: Iterable[Any]) -> tuple[list[Any], list[Any]]:
    """Those that SNS serves, and the others."""
    listed = list(subscriptions)
    return (
        [entry for entry in listed if entry["protocol"] in SNS_PROTOCOLS],
        [entry for entry in listed if entry["protocol"] not in SNS_PROTOCOLS],
    )


def refuse_others(subscriptions: Iterable[Mapping[str, Any]], protocols: Collection[str], component: str) -> None:
    """Raises InvalidSettings for a subscription that this component does not serve, placed by itself."""
    complaints = [
        f"subscriptions[{index}].protocol must be one of {', '.join(protocols)} in {component}, got {entry['protocol']}"
        for index, entry in enumerate(subscriptions)
        if entry["protocol"] not in protocols
    ]
    if complaints:
        raise InvalidSettings(complaints)
