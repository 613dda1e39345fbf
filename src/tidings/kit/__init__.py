"""Plumbing that knows nothing about notifications."""
