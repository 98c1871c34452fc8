"""IAM: policy documents, conditions, actions, and the evaluation of permissions."""
