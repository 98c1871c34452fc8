"""What is remembered of a secret between its incidents: when it last got a new value, and whether it is left alone."""

from dataclasses import dataclass


@dataclass(frozen=True)
class RemediationState:
    """One secret's; every moment is ISO 8601, and empty where there was none."""

    secret_arn: str
    succeeded_at: str = ""
    """When it last got a new value, as far as events and repairs tell: whether that works is another question."""
    verified_at: str = ""
    """When a new value was last verified: AWS completed a rotation, whose own test passed, or a probe proved it."""
    orphaned_at: str = ""
    """When the circuit breaker opened: too many incidents in a row without a verified success."""
    released_at: str = ""
    """When somebody has released it."""

    @property
    def is_orphaned(self) -> bool:
        """Whether repairs are suspended until an operator releases the secret."""
        return bool(self.orphaned_at) and self.released_at < self.orphaned_at
