"""The audit and the audit trail: what records and checks."""
