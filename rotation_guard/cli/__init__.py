"""What operators run: it reads what the stack wrote down, and speaks with AWS by the caller's own credentials."""
