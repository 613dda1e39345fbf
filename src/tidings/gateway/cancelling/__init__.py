"""Cancelling: decided by one compare-and-set, which the workers honour."""
