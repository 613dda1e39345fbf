"""People: who may be notified."""
