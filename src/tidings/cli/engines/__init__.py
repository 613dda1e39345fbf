"""Real PostgreSQL and Valkey from their wheels, run on loopback for one home."""
