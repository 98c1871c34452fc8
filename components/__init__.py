"""What exists: the components of rotation-guard, for its own stack and for other programs."""
