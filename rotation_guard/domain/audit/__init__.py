"""The audit's rules: the verdict on each secret, and the rows that a run writes."""
