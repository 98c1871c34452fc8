"""The policy pack: rules for any Pulumi program on AWS, run by the engine or on a file."""
