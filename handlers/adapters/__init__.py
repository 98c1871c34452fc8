"""AWS in domain words: one service each, with the actions that its user must be granted."""
