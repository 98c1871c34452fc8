"""The rules of the product, pure: no clock, no network, no environment, no AWS."""
