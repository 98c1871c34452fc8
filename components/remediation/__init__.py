"""Remediation: the workflow, its steps, and their permissions."""
