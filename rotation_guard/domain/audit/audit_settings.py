"""The settings that secrets are judged by."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from .age_limits import AgeClass

_SETTING_TEXTS = {
    "warn_days": "due soon {} days before it",
    "stuck_hours": "stuck after {} hours",
    "missed_hours": "late after {} hours",
    "managed_tag": "tag {}",
    "schedule_expression": "schedule {}",
    "history": "history {}",
}


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


def describe_settings(settings: Mapping[str, Any]) -> str:
    """The limits that secrets were judged by, in one line; what an older release did not record is not there."""
    limit = settings.get("max_age_days")
    if limit is None:
        return "not recorded by this run"
    classes = ";".join(f"{entry['class']} {entry['days']}" for entry in settings.get("max_age_classes") or ())
    texts = [
        f"limit {limit} days ({classes})" if classes else f"limit {limit} days",
        *(text.format(settings[name]) for name, text in _SETTING_TEXTS.items() if settings.get(name) is not None),
    ]
    return ", ".join(texts)
