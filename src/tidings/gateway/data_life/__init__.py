"""The end of what is kept: partitions by week, retention, redaction, and people who were erased."""
