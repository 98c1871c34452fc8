"""What a rule reads and returns: resources, stacks, values and findings."""
