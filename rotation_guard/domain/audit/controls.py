"""The controls of compliance frameworks for which this product has evidence, and those for which it has none.

AWS relates its checks of Secrets Manager to some of them; the others are ours, and say so. What a control asks is
paraphrased: the source has its text.
"""

from dataclasses import dataclass
from enum import StrEnum

NIST, PCI, CIS_CONTROLS, CIS_AWS = (
    "NIST SP 800-53 Rev. 5",
    "PCI DSS v4.0.1",
    "CIS Controls v8",
    "CIS AWS Foundations v3.0.0",
)
SECURITY_HUB = "https://docs.aws.amazon.com/securityhub/latest/userguide/secretsmanager-controls.html"
"""Each control's related requirements and its rule of AWS Config."""
_NIST_TEXT = "https://doi.org/10.6028/NIST.SP.800-53r5"
_PCI_TEXT = "https://www.pcisecuritystandards.org/document_library/"


class Relation(StrEnum):
    """Whose statement it is that rotation has to do with a control."""

    AWS = "AWS"
    OURS = "ours"
    NONE = "does not apply"


@dataclass(frozen=True)
class Control:
    """One control of a framework."""

    framework: str
    identifier: str
    asks: str
    """What it asks, in our words."""
    related_by: Relation
    evidence: str
    """Which report is evidence, and of what."""
    source: str
    """Where that is said."""


CONTROLS = (
    Control(
        NIST,
        "AC-2(1)",
        "System accounts are managed with automated mechanisms.",
        Relation.AWS,
        "`report`: secrets by verdict; a healthy rotation is automatic",
        SECURITY_HUB,
    ),
    Control(
        NIST,
        "AC-3(15)",
        "Mandatory and discretionary access control policies are enforced. The text does not speak of rotation.",
        Relation.AWS,
        "`report`: as above, and no more than AWS's check is",
        SECURITY_HUB,
    ),
    Control(
        NIST,
        "IA-5 f",
        "Authenticators are changed within a time that the organization sets by their type, or upon an event.",
        Relation.OURS,
        "`report`: age, limit and due date of each value; limits by class (`maxAgeClasses`)",
        _NIST_TEXT,
    ),
    Control(
        NIST,
        "AU-9(3)",
        "The integrity of audit information is protected by cryptographic mechanisms.",
        Relation.OURS,
        "`verify`: the audit trail and the incidents, against saved heads",
        _NIST_TEXT,
    ),
    Control(
        PCI,
        "8.6.3",
        "Passwords of application and system accounts are changed as often as the entity's own risk analysis says, and "
        "upon suspicion of compromise.",
        Relation.AWS,
        "`report`: age and limit of each value; the limits are settings",
        SECURITY_HUB,
    ),
    Control(
        PCI,
        "8.3.9",
        "Passwords that are a user's only factor are changed every 90 days, or access is analyzed dynamically.",
        Relation.AWS,
        "`report --older-than 90d`, where a secret is such a password",
        SECURITY_HUB,
    ),
    Control(
        PCI,
        "10.3.4",
        "Changes of audit logs are detected, so that logged data cannot be changed without an alert.",
        Relation.OURS,
        "`verify`, run on a schedule: it ends with 1 if a chain is broken",
        _PCI_TEXT,
    ),
    Control(
        CIS_CONTROLS,
        "8.10",
        "Audit logs are retained for at least 90 days.",
        Relation.OURS,
        "the setting `historyDays` (400 by default); `verify` counts what expired",
        "https://www.cisecurity.org/controls/audit-log-management",
    ),
    Control(
        CIS_AWS,
        "1.14",
        "Access keys of IAM users are rotated at least every 90 days. No recommendation is about Secrets Manager.",
        Relation.NONE,
        "none: access keys are not secrets of Secrets Manager",
        "https://docs.aws.amazon.com/securityhub/latest/userguide/cis-aws-foundations-benchmark.html",
    ),
)

CONFIG_RULES = {
    "SecretsManager.1": "secretsmanager-rotation-enabled-check",
    "SecretsManager.2": "secretsmanager-scheduled-rotation-success-check",
    "SecretsManager.4": "secretsmanager-secret-periodic-rotation",
}
"""AWS's checks of rotation, which it relates to the controls marked `AWS`: of Security Hub -> rule of AWS Config."""
