"""Which dead letters a command is about."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from rotation_guard.domain.dead_letters.dead_letter import DeadLetter
from rotation_guard.domain.dead_letters.subjects import find_subject

from ..errors import UsageError
from ..parsing import parse_span
from .reception import MAX_LIMIT


@dataclass(frozen=True)
class Selection:
    """The filters of a command; a message must meet all of them."""

    queues: tuple[str, ...] = ()
    causes: tuple[str, ...] = ()
    secrets: tuple[str, ...] = ()
    """Names or ARNs of secrets."""
    older_than: timedelta | None = None
    message_ids: tuple[str, ...] = ()
    limit: int = MAX_LIMIT
    """How many messages of each queue are read at most."""

    @property
    def is_empty(self) -> bool:
        """Whether every message meets it."""
        return not (self.queues or self.causes or self.secrets or self.message_ids or self.older_than is not None)

    def includes(self, letter: DeadLetter, now: datetime) -> bool:
        """Whether this message meets every filter but that of queues, which decides what is read."""
        if self.message_ids and letter.message_id.lower() not in self.message_ids:
            return False
        if self.causes and letter.cause.code.lower() not in self.causes:
            return False
        # A message of unknown age may be new.
        if self.older_than is not None and (letter.sent_at is None or letter.sent_at > now - self.older_than):
            return False
        if not self.secrets:
            return True
        subject = find_subject(letter)
        return bool({subject.secret_name, subject.secret_arn} & {*self.secrets})

    def to_json(self) -> dict[str, Any]:
        """The filters of a report in JSON."""
        days = None if self.older_than is None else self.older_than / timedelta(days=1)
        return {
            "queue": [*self.queues],
            "cause": [*self.causes],
            "secret": [*self.secrets],
            "older_than_days": days,
            "id": [*self.message_ids],
            "limit": self.limit,
        }


def parse_selection(
    queues: Sequence[str],
    causes: Sequence[str],
    secrets: Sequence[str],
    older_than: str | None,
    message_ids: Sequence[str],
    limit: int,
) -> Selection:
    """The filters that these options name. Raises UsageError."""
    if not 1 <= limit <= MAX_LIMIT:
        raise UsageError(f"--limit must be between 1 and {MAX_LIMIT}, got {limit}.")
    for option, values in (("--cause", causes), ("--secret", secrets), ("--id", message_ids)):
        if any(not value.strip() for value in values):
            raise UsageError(f"{option} must not be empty.")
    return Selection(
        tuple(queues),
        tuple(cause.strip().lower() for cause in causes),
        tuple(secret.strip() for secret in secrets),
        None if older_than is None else parse_span("--older-than", older_than),
        tuple(message_id.strip().lower() for message_id in message_ids),
        limit,
    )
