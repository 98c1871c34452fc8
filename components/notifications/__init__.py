"""Notifications: topics, subscriptions, and what SNS accepts of them."""
