"""The audit of all secrets: the check function and the parts of its run."""
