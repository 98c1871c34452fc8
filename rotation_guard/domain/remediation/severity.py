"""How urgent a notice is, by what is proven and not by what is feared."""

from collections.abc import Iterable
from enum import StrEnum

from ..rotation_event import TEST_ROTATION_FAILED
from .decisions import Proof


class Severity(StrEnum):
    """The first word of every notice."""

    OUTAGE = "OUTAGE"
    """A probe proved that AWSCURRENT does not work, and it is not repaired."""
    AT_RISK = "AT RISK"
    """A rotation failed, or dependents keep an old value: nothing proves an outage."""
    RESOLVED = "RESOLVED"
    """The secret recovered, by whatever means."""
    INFO = "INFO"
    """Nothing is wrong with the value in use."""


_RESOLVING = ("recovered", "resolved")
"""Transitions that end an incident well."""
_ORDER = (Severity.OUTAGE, Severity.AT_RISK, Severity.RESOLVED, Severity.INFO)


def severity_of(turn: str, *, kind: str | None, current: str | None, is_dependent_outdated: bool) -> Severity:
    """The severity of one transition of an incident, a `turn` of `facts.facts_of`.

    `kind` is the event that opened it, `current` what a probe last said of AWSCURRENT, and `is_dependent_outdated`
    says that a dependent was not restarted after AWSCURRENT had moved.
    """
    if turn in _RESOLVING:
        return Severity.RESOLVED
    if turn == "restarted":
        return Severity.AT_RISK if is_dependent_outdated else Severity.INFO
    if current == Proof.BROKEN:
        return Severity.OUTAGE
    # The test of a rotation changes no password (TestRotationFailed in CloudTrail's events of Secrets Manager).
    return Severity.INFO if kind == TEST_ROTATION_FAILED else Severity.AT_RISK


def most_severe(severities: Iterable[str | None]) -> Severity:
    """The most severe of these; AT RISK where none is known."""
    known = set(severities)
    return next((severity for severity in _ORDER if severity in known), Severity.AT_RISK)


def rank(severity: str | None) -> int:
    """The place of a severity, the most severe first; one that is not known counts as AT RISK."""
    return _ORDER.index(Severity(severity or Severity.AT_RISK))
