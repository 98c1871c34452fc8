"""The adapter for CrossGuard, the policy engine of Pulumi."""
