"""What a rule reads and returns: resources, stacks, values, findings."""
