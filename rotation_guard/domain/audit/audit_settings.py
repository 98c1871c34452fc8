"""The settings that secrets are judged by."""

from dataclasses import dataclass
from typing import Any

from .age_limits import AgeClass


@dataclass(frozen=True, slots=True)
class AuditSettings:
    """Age limits and grace periods."""

    max_age_days: int = 30
    warn_days: int = 7
    """Number of days before its limit at which a value becomes due soon."""
    stuck_hours: int = 24
    """Hours after which a rotation in progress is stuck."""
    missed_hours: int = 24
    """Hours after its due date at which a rotation is missed."""
    classes: tuple[AgeClass, ...] = ()
    """Age classes; the first that matches a secret applies."""

    def to_json(self, managed_tag: str | None) -> dict[str, Any]:
        """The settings as a run's row and every report state them; `managed_tag` puts a secret under audit."""
        return {
            "max_age_days": self.max_age_days,
            "warn_days": self.warn_days,
            "stuck_hours": self.stuck_hours,
            "missed_hours": self.missed_hours,
            "max_age_classes": [{"class": str(age_class), "days": age_class.days} for age_class in self.classes],
            "managed_tag": managed_tag,
        }
