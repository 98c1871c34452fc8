"""How long what is written down is kept."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any


def expires_at(now: datetime, history_days: int) -> int | None:
    """Epoch seconds after which a row of now may be deleted; None for a history of 0 days, which is kept for good."""
    return int((now + timedelta(days=history_days)).timestamp()) if history_days else None


def to_iso(moment: datetime) -> str:
    """A moment as it is written everywhere: ISO 8601 in UTC, to the second, with a Z.

    boto3 gives its dates in the machine's own time zone, so they are brought to UTC here.
    """
    # Not by strftime, which writes the year 33 with two digits.
    return moment.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


def state_entered_at(event: Mapping[str, Any], now: datetime) -> datetime:
    """When Step Functions entered the state that calls a step, by AWS's clock; `now` where the definition does not say.

    Times of events are AWS's, and a function's own clock may be minutes off: what is held against them is this. It is
    a little too early, so that in doubt an event counts as later
    (https://docs.aws.amazon.com/step-functions/latest/dg/input-output-contextobject.html).
    """
    entered_at = event.get("entered_at")
    return datetime.fromisoformat(entered_at) if isinstance(entered_at, str) else now
