"""What is known of IAM: documents, conditions, actions, and who may do what."""
