"""The stack on this machine: the real program, run against an embedded AWS."""
