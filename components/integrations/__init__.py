"""Integrations: incidents in chats and pagers, over EventBridge's API destinations, and findings in Security Hub."""
