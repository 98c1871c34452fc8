"""What a hub reads from the events of many accounts: whose they are, and the rows that it keeps of them."""
