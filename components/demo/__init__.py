"""Demo secrets, for development stacks."""
