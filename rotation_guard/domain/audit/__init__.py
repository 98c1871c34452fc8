"""The rules of the audit: which secret is overdue, and what a run writes down."""
