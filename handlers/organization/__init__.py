"""Many accounts: what a hub does with the events of its members, and a member with those that did not arrive."""
