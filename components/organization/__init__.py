"""Many accounts: a hub that keeps what its members report, and the members that report it."""
