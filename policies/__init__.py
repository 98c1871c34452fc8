"""What is allowed: rules that any Pulumi program for AWS can be held to, by the engine or on a file."""
