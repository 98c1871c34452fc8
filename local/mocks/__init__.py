"""Recording what components ask for, with nothing created: shared by tests, documents and policies."""
