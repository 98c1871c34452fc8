"""Records the resources that components register, without creating any; for tests, documentation and policies."""
