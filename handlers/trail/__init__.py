"""The audit trail: the function that records every event."""
