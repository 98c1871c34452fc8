"""What is remembered of a secret between its incidents: when it last got a new value, and whether it is left alone."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Standing:
    """One secret's; every moment is ISO 8601, and empty where there was none."""

    secret_arn: str
    succeeded_at: str = ""
    """When it last got a new value, as far as events and repairs tell."""
    orphaned_at: str = ""
    """When the breaker opened, after too many incidents without a success in between."""
    released_at: str = ""
    """When somebody has released it."""

    @property
    def is_orphaned(self) -> bool:
        """Whether it is told and not touched, until somebody releases it."""
        return bool(self.orphaned_at) and self.released_at < self.orphaned_at

    @property
    def fresh_since(self) -> str:
        """Since when incidents count against it."""
        return max(self.succeeded_at, self.released_at)
