"""The functions of the demo's rotating secret."""
