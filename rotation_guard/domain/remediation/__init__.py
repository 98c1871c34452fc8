"""The rules of remediation: incidents, diagnosis, decisions, and what people are notified of."""
