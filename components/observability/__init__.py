"""Alarms and the dashboard of the product itself."""
