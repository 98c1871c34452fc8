"""The severity of a notification, based only on what is proven."""

from collections.abc import Iterable
from enum import StrEnum

from ..rotation_event import TEST_ROTATION_FAILED
from .decisions import Proof


class Severity(StrEnum):
    """The first word of every notification."""

    OUTAGE = "OUTAGE"
    """A probe proved that AWSCURRENT does not work, and it is not repaired."""
    AT_RISK = "AT RISK"
    """A rotation failed, or dependents keep an old value; no outage is proven."""
    RESOLVED = "RESOLVED"
    """The secret recovered, by any means."""
    INFO = "INFO"
    """Nothing is wrong with the value in use."""


_RESOLVING = ("recovered", "resolved")
"""Transitions after which the incident is over."""
_ORDER = (Severity.OUTAGE, Severity.AT_RISK, Severity.RESOLVED, Severity.INFO)


def assess_severity(transition: str, *, kind: str | None, current: str | None, is_dependent_outdated: bool) -> Severity:
    """The severity of one transition of an incident.

    `kind` is the event that opened it, `current` a probe's last result for AWSCURRENT, and `is_dependent_outdated`
    says that a dependent was not restarted after AWSCURRENT moved.
    """
    if transition in _RESOLVING:
        return Severity.RESOLVED
    if transition == "restarted":
        return Severity.AT_RISK if is_dependent_outdated else Severity.INFO
    if current == Proof.BROKEN:
        return Severity.OUTAGE
    # The test of a rotation changes no password (TestRotationFailed in CloudTrail's events of Secrets Manager).
    return Severity.INFO if kind == TEST_ROTATION_FAILED else Severity.AT_RISK


def most_severe(severities: Iterable[str | None]) -> Severity:
    """The most severe of these; AT RISK if none is known."""
    known = set(severities)
    return next((severity for severity in _ORDER if severity in known), Severity.AT_RISK)


def rank_severity(severity: str | None) -> int:
    """The rank of a severity, 0 for the most severe; an unknown one counts as AT RISK."""
    return _ORDER.index(Severity(severity or Severity.AT_RISK))
