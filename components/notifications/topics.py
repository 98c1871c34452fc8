"""The topics by their short names."""

TOPICS = ("failures", "remediation", "critical")
