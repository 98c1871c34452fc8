"""Readers for the files that resources come from."""
