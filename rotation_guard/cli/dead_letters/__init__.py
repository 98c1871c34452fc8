"""The dead-letter queues of a deployment: reading them, sending messages again, and discarding messages."""
