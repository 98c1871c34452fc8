"""Messages in dead-letter queues: who sent them there, why, what they are about, and where they belong."""
