"""The one pipeline that every channel runs: from a broker message to a recorded outcome."""
