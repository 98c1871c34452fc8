"""The audit's verdicts in the words of the page."""

from collections.abc import Mapping

from rotation_guard.domain.audit.tally import ACCEPTED, Part, classify

from .page import Secret

NEVER_DUE = frozenset(ACCEPTED)
"""Verdicts of secrets that have no due date here."""
SELF_EXPLANATORY = frozenset({"due_soon", "fresh", "in_grace", "manual_only"})
"""Verdicts whose reason only repeats the age and the limit."""
EXPLANATIONS: Mapping[str, str] = {
    "pending_deletion": "It is scheduled for deletion.",
    "replica": "It is a copy of a secret in another Region, where it is rotated and audited.",
    "unknown": "Its age could not be determined, so it counts neither as within its limit nor as over it.",
    "exempt": "Its tags name a reason, an owner and an end date within a year.",
    "exemption_invalid": "Its exemption has ended, ends in more than a year, or lacks a reason, an owner or an end.",
    "rotation_failing": "A rotation began and did not end.",
    "rotation_missed": "AWS should have rotated it by now.",
    "managed_elsewhere": "An AWS service or a partner rotates it, and it is on schedule.",
    "never_rotated": "It still has its first value, which is over the limit.",
    "overdue": "Its value is over the limit.",
    "rotation_disabled": "Within the limit, but its rotation was turned off.",
    "due_soon": "Within the limit, which it reaches soon.",
    "in_grace": "It is new: it has its first value, within the limit.",
    "manual_only": "Within the limit; people change it, because rotation was never configured.",
    "fresh": "Rotation is on, and its value is within the limit.",
}
"""Verdict -> what it means. docs/audit.md has the exact conditions."""


def explain(verdict: str) -> str:
    """What a verdict means, in a sentence."""
    return EXPLANATIONS.get(verdict, "This version of the report does not know this verdict.")


def part_of(secret: Secret) -> Part:
    """The class of the tally that a secret is in."""
    return classify(secret.status, secret.verdict, secret.attention)
