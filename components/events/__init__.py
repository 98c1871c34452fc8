"""Rotation events: the rules on the default event bus and their targets."""
