"""The audit of all secrets: one function, and the steps of its run."""
