"""The push channel: queue in, provider out."""
