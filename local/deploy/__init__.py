"""Deployment into the embedded AWS: the real program, and how each resource type is created there."""
