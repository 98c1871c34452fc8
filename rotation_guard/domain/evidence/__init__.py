"""Tamper evidence: rows that carry hashes of each other, and what such a chain of rows proves."""
