"""What there is to see on a running stack: scenarios, the drill, and the portfolio of secrets."""
