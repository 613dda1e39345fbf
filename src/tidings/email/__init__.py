"""The email channel: queue in, provider out."""
