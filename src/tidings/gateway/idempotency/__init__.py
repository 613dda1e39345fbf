"""An `Idempotency-Key` on any write: done once, and answered the same again."""
