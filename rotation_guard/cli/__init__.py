"""The operators' command line: it reads what the stack recorded, and calls AWS with the caller's own credentials."""
