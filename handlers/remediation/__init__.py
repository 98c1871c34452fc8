"""Remediation: one function for each step of the workflow, and the one that starts it."""
