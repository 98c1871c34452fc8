"""The connection to Pulumi's engine, CrossGuard."""
