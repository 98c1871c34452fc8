"""How long what is written down is kept."""

from datetime import UTC, datetime, timedelta


def expires_at(now: datetime, history_days: int) -> int | None:
    """Epoch seconds after which a row of now may be deleted; None for a history of 0 days, which is kept for good."""
    return int((now + timedelta(days=history_days)).timestamp()) if history_days else None


def iso(moment: datetime) -> str:
    """A moment as it is written everywhere: ISO 8601 in UTC, to the second, with a Z.

    boto3 gives its dates in the machine's own time zone, so they are brought to UTC here.
    """
    # Not by strftime, which writes the year 33 with two digits.
    return moment.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
